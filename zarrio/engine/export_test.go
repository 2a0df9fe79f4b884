package engine

import "zarrbench/zarrio/internal/workers"

// Pool returns the workers.
func (e *CPU) Pool() *workers.Pool { return e.pool }
