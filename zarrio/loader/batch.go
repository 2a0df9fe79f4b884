package loader

import (
	"fmt"
	"sync/atomic"

	"zarrbench/zarrio/tensor"
)

// A Batch is a minibatch: a tensor for each step of its windows, with the times beside them. The study's input and target
// are Tensors[0] and Tensors[1].
//
// A batch is the loop's until its next turn. Retain keeps it longer; Release gives it back. Afterwards the loader fills its
// memory anew, and the same *Batch comes again with other content.
type Batch struct {
	Epoch int
	Index int // of the batch in its epoch, on this rank: First / LoaderOptions.Batch
	First int // number of its first sample in its epoch, on this rank: what Seek takes to resume
	Len   int // samples: the last batch of an epoch may have fewer than the rest

	// Tensors has a tensor for each step of the windows, of shape [Len, channels, rows, columns].
	Tensors []tensor.Tensor
	// Times has a row for each step of the windows: the sample's time there, in ns since 1970. It is nil where the step
	// dimension has no times. Steps behind the end of the array, in partial windows, have the time of the last that is not.
	Times [][]int64
	// Windows says where each sample comes from.
	Windows []Origin

	loader *Loader
	mem    tensor.Memory
	leases atomic.Int32 // one for each Retain, and the loop's: see loopLease
}

// An Origin says which part of the arrays a sample is: along the step dimension and the grid's two, the first index and the
// number of indices, which is less than the window's size only in partial windows. What a partial window lacks is the fill
// value.
type Origin struct{ Start, Size [3]int }

// Input returns the first step's tensor.
func (b *Batch) Input() tensor.Tensor { return b.Tensors[0] }

// Target returns the last step's tensor: the second one's, for windows of two steps.
func (b *Batch) Target() tensor.Tensor { return b.Tensors[len(b.Tensors)-1] }

// loopLease is the loop's lease of a batch, in Batch.leases: a Retain counts 1.
const loopLease = 1 << 30

// Retain keeps the batch valid beyond the loop's turn, until Release is called once for each Retain. It must be called
// while the batch is valid, and panics otherwise.
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

// Release ends a Retain, and panics where there is none. The batch and its memory must not be used afterwards by whom had
// retained it.
//
// On a GPU, work that reads the batch may still be queued: Release takes the streams that it was queued on, and the memory is
// not written again before all that is queued there by now is done. Whoever queues work on a batch of the loop retains it,
// and releases it with the stream, within the same turn.
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

// Ready returns the event after which the batch's memory holds what the batch is: what a stream that reads it waits for. It is
// 0 where there is nothing to wait for, as in host memory. The event is the batch's, and valid as long as it is.
func (b *Batch) Ready() tensor.Event {
	if m, ok := b.mem.(tensor.DeviceMemory); ok {
		return m.Ready()
	}
	return 0
}

// Sync returns when the batch's memory holds what the batch is, or with the error of a copy that was still under way when the
// batch was handed out. In host memory it does from the start.
func (b *Batch) Sync() error { return b.loader.engine.Sync(b.mem) }

func (b *Batch) String() string {
	return fmt.Sprintf("epoch %d, batch %d, samples %d to %d", b.Epoch, b.Index, b.First, b.First+b.Len-1)
}
