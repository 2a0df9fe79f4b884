package loader

import (
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/plan"
)

// FixedOf returns the indices that a channel of l fixes, by dimension.
func (l *Loader) FixedOf(channel int) []int { return l.channels[channel].fixed }

// MaxTimeChunks is maxTimeChunks.
const MaxTimeChunks = maxTimeChunks

// Point is point.
type Point = point

// PlanSteps plans a batch of the windows at the given indices, and returns the number of its pieces.
func (l *Loader) PlanSteps(at []Point) int {
	l.planned[0].plan(&l.sampling, at)
	return len(l.planned[0].Pieces)
}

// Engine returns the engine of l.
func (l *Loader) Engine() engine.Engine { return l.engine }

// FirstPlan returns the plan that l made first.
func (l *Loader) FirstPlan() *plan.Plan { return &l.planned[0].Plan }

// OrderChunks returns the extents of the chunks that ByChunk goes by.
func (l *Loader) OrderChunks() Point { return orderChunks(l.channels) }

// SelectSteps selects windows by their indices along the step dimension, which ascend.
func (l *Loader) SelectSteps(picked ...int32) error {
	l.windows.picked = picked
	return l.setOrder()
}
