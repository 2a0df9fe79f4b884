//go:build unix && !linux

package hostmem

import "math"

func advise([]byte) {}

// Limit returns how many bytes of memory this process may use; it is not known on this system.
func Limit() int64 { return math.MaxInt64 }

// Available returns how many bytes this process can still take; it is not known on this system.
func Available() int64 { return math.MaxInt64 }
