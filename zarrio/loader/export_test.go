package loader

// FixedOf returns the indices that a channel of l fixes, by dimension.
func (l *Loader) FixedOf(channel int) []int { return l.channels[channel].fixed }

// MaxTimeChunks is maxTimeChunks.
const MaxTimeChunks = maxTimeChunks

// PlanSteps plans a batch of the windows of the given numbers, and returns the number of its pieces.
func (l *Loader) PlanSteps(at [][3]int) int {
	l.plans[0].plan(l.channels, &l.windows, at, &l.layout)
	return len(l.plans[0].Pieces)
}
