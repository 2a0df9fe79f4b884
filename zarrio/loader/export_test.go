package loader

import (
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/plan"
)

// FixedOf returns the indices that a channel of l fixes, by dimension.
func (l *Loader) FixedOf(channel int) []int { return l.channels[channel].fixed }

// MaxTimeChunks is maxTimeChunks.
const MaxTimeChunks = maxTimeChunks

// PlanSteps plans a batch of the windows of the given numbers, and returns the number of its pieces.
func (l *Loader) PlanSteps(at [][3]int) int {
	l.planned[0].plan(l.channels, &l.windows, at, &l.layout)
	return len(l.planned[0].Pieces)
}

// Engine returns the engine of l.
func (l *Loader) Engine() engine.Engine { return l.engine }

// FirstPlan returns the plan that l made first.
func (l *Loader) FirstPlan() *plan.Plan { return &l.planned[0].Plan }
