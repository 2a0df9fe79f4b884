package loader

import (
	"fmt"
	"sync/atomic"

	"zarrbench/zarrio/tensor"
)

// A Batch is a minibatch: the tensors of a number of samples, and the times of their steps. If samples
// are windows of two steps, a model's input is Tensors[0] and its target Tensors[1].
//
// A batch is valid until the loop's next iteration. Retain keeps it valid longer, until Release.
// Then the loader reuses its memory, and may return the same *Batch again with other content.
type Batch struct {
	Epoch int
	Index int // of the batch in its epoch, on this rank: First / Options.Batch
	First int // index of its first sample in its epoch, on this rank: Seek takes it
	Len   int // samples: the last batch of an epoch may have fewer than the rest, or none
	// Padded is the number of samples, at the end of the batch, that only fill it up: with TailPad,
	// they repeat others.
	Padded int
	// Samples has the number of the window of each sample, which [Loader.Stream] takes. Windows are
	// numbered from 0, the dimension that Options.Windows names last varying fastest.
	Samples []int64

	// Tensors are those of the description, in order. Of windows, there is one for each step, of shape
	// [Len, channels, rows, columns]: "input", "step1" and so on, and the last is "target".
	Tensors []tensor.Tensor
	// Windows has the origin of each sample.
	Windows []Origin

	loader  *Loader
	further []int       // by sample and further dimension
	times   [][][]int64 // by tensor, step and sample
	mem     tensor.Memory
	leases  atomic.Int32 // one for each Retain, and loopLease for the loop
}

// An Origin is the part of the arrays that a sample was read from: the first index and the number
// of indices, along the step dimension, the grid's rows and the grid's columns. The number is less
// than the window's size only in a partial window, which is padded with the fill value.
type Origin struct{ Start, Size [3]int }

// Further returns the indices of a sample along the further dimensions that samples are taken along,
// such as members: in the order in which the options name them, without the step dimension and the
// grid's two. It is empty if there are none. The indices are valid as long as the batch.
func (b *Batch) Further(sample int) []int {
	n := len(b.loader.further)
	return b.further[sample*n : (sample+1)*n : (sample+1)*n]
}

// Input returns the tensor of the first step.
func (b *Batch) Input() tensor.Tensor { return b.Tensors[0] }

// Target returns the tensor of the last step, which is the second one if windows have two.
func (b *Batch) Target() tensor.Tensor { return b.Tensors[len(b.Tensors)-1] }

// Tensor returns the tensor of a name, or false if there is none.
func (b *Batch) Tensor(name string) (tensor.Tensor, bool) {
	for _, t := range b.Tensors {
		if t.Name == name {
			return t, true
		}
	}
	return tensor.Tensor{}, false
}

// Times returns the times of a tensor's steps: a row for each, with the time of each sample at that
// step, in nanoseconds since 1970. It returns nil if the step dimension has no times, or if there is
// no tensor of that name. In a partial window, steps past the array's end have the time of the last
// step before it. The rows are valid as long as the batch.
func (b *Batch) Times(name string) [][]int64 {
	for i := range b.times {
		if b.Tensors[i].Name == name {
			return b.times[i]
		}
	}
	return nil
}

// loopLease is what the loop's lease adds to Batch.leases. A Retain adds 1.
const loopLease = 1 << 30

// Retain keeps the batch valid beyond the loop's iteration, until Release is called once for each
// Retain. It panics if the batch is no longer valid.
func (b *Batch) Retain() {
	for {
		n := b.leases.Load()
		if n == 0 {
			panic("zarrio: Retain of a batch that is no longer valid")
		}
		if b.leases.CompareAndSwap(n, n+1) {
			return
		}
	}
}

// Release ends a Retain, and panics if there is none. The caller must not use the batch or its
// memory after Release.
//
// On a GPU, work that reads the batch may still be queued. Release takes the streams that it was
// queued on, and the memory is not written again before all that is queued there by then is done.
// To queue work on a batch, retain the batch first, and release it with the stream, within the same
// iteration of the loop.
func (b *Batch) Release(streams ...tensor.Stream) {
	if len(streams) > 0 && b.leases.Load()%loopLease != 0 {
		if m, ok := b.mem.(tensor.DeviceMemory); ok {
			m.Release(streams)
		}
	}
	for {
		n := b.leases.Load()
		if n%loopLease == 0 {
			panic("zarrio: Release of a batch that is not retained")
		}
		if b.leases.CompareAndSwap(n, n-1) {
			if n == 1 {
				b.loader.reclaim(b)
			}
			return
		}
	}
}

// Ready returns the event after which the batch's memory has its content. A stream that reads the
// batch must wait for it. Ready returns 0 if there is nothing to wait for, as in host memory. The
// event belongs to the batch, and is valid as long as the batch.
func (b *Batch) Ready() tensor.Event {
	if m, ok := b.mem.(tensor.DeviceMemory); ok {
		return m.Ready()
	}
	return 0
}

// Sync waits until the batch's memory has its content. It returns the error of a copy that was
// still in progress when the loop got the batch, if any. In host memory it has nothing to wait for.
func (b *Batch) Sync() error { return b.loader.engine.Sync(b.mem) }

// String returns the batch's epoch, index and samples, for messages.
func (b *Batch) String() string {
	if b.Len == 0 {
		return fmt.Sprintf("epoch %d, batch %d, no samples", b.Epoch, b.Index)
	}
	return fmt.Sprintf("epoch %d, batch %d, samples %d to %d", b.Epoch, b.Index, b.First, b.First+b.Len-1)
}
