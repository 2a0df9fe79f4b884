//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"errors"
	"sync"

	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/hostmem"
)

// A ring is the slots that bytes pass through on their way to a batch, in turn: a slot is taken, filled, copied from by
// queued copies, and given back while these are still under way.
type ring struct {
	gpu  *GPU
	size int // of a slot
	list int // bytes behind each slot, for a list of boxes
	kind ringKind
	free chan *slot

	mu     sync.Mutex
	slots  []*slot
	limit  int    // slots that there may be
	left   int    // of them, slots that may still be made
	memory []byte // of slots that aren't made yet
	blocks []ringBlock
	whole  cuda.Ptr // the allocation, of a ring on the GPU
}

type ringKind int

const (
	pinned ringKind = iota
	pageable
	onGPU
)

// A ringBlock is the memory of slots of the host: those that were allowed when the first of them was taken.
type ringBlock struct {
	pinned []byte         // of the GPU's pool
	block  *hostmem.Block // of a pageable ring
}

// A slot belongs to one worker from take to give.
type slot struct {
	host  []byte     // its capacity is the ring's list longer
	stage cuda.Ptr   // a buffer on the GPU of that capacity, or 0
	off   int64      // in the memory of a ring on the GPU
	event cuda.Event // behind the copies out of it
	busy  bool       // the event was recorded, and not waited for
}

// newRing returns a ring of count slots of size bytes. Memory of the host is taken with the first slot.
func newRing(g *GPU, kind ringKind, size, count int) *ring {
	return &ring{gpu: g, size: size, kind: kind, limit: count, left: count, free: make(chan *slot, count)}
}

// allow has a ring have more slots, though never more than its channel holds.
func (r *ring) allow(more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	more = min(more, cap(r.free)-r.limit)
	r.limit, r.left = r.limit+more, r.left+more
}

// reset returns a slot that nothing is copied from any more: that which was given back first, or a new one, as long as there may
// be more, where it would have to wait. Its thread is bound to the GPU.
func (r *ring) take() (*slot, error) {
	var s *slot
	select {
	case s = <-r.free:
		done, err := r.idle(s)
		if err != nil {
			r.free <- s
			return nil, err
		}
		if done {
			return s, nil
		}
	default:
	}
	more, err := r.grow()
	if more != nil || err != nil {
		if s != nil {
			r.free <- s // behind those that were given back later, but no copy waits for it
		}
		return more, err
	}
	if s == nil {
		s = <-r.free
	}
	return r.ready(s)
}

// tryTake is take, or nil where all slots are taken.
func (r *ring) tryTake() (*slot, error) {
	s, err := r.grow()
	if err != nil {
		return nil, err
	}
	if s == nil {
		select {
		case s = <-r.free:
		default:
			return nil, nil
		}
	}
	return r.ready(s)
}

// ready returns a slot that nothing is copied from any more.
func (r *ring) ready(s *slot) (*slot, error) {
	if err := r.wait(s); err != nil {
		r.free <- s
		return nil, err
	}
	return s, nil
}

// idle says that nothing is copied out of a slot any more.
func (r *ring) idle(s *slot) (bool, error) {
	if !s.busy {
		return true, nil
	}
	done, err := r.gpu.dev.Done(s.event)
	s.busy = !done
	return done, err
}

// wait waits for the copies out of a slot.
func (r *ring) wait(s *slot) error {
	if !s.busy {
		return nil
	}
	s.busy = false
	return r.gpu.dev.SynchronizeEvent(s.event)
}

// enough says whether each of n workers may hold a slot.
func (r *ring) enough(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limit >= n
}

// grow makes a further slot, or returns nil where there are enough.
func (r *ring) grow() (*slot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return nil, nil
	}
	s := new(slot)
	var err error
	if r.kind == onGPU {
		s.off = int64(len(r.slots)) * int64(r.size)
	} else if len(r.memory) == 0 {
		err = r.allocate()
	}
	if err == nil {
		s.event, err = r.gpu.newEvent()
	}
	if err != nil {
		if len(r.slots) > 0 { // fewer will do
			r.limit, r.left = len(r.slots), 0
			return nil, nil
		}
		return nil, err
	}
	if r.kind != onGPU {
		n := r.size + r.list
		s.host, r.memory = r.memory[:r.size:n], r.memory[n:]
	}
	r.left--
	r.slots = append(r.slots, s)
	return s, nil
}

// allocate takes the memory of all slots that may still be made, or of half as many as long as there is no room.
func (r *ring) allocate() error {
	for {
		n := int64(r.left) * int64(r.size+r.list)
		var b ringBlock
		var err error
		if r.kind == pinned {
			if b.pinned, err = r.gpu.newBlock(n); err == nil {
				r.memory = b.pinned[:n]
			}
		} else if b.block, err = hostmem.Alloc(n); err == nil {
			r.memory = b.block.Bytes()
		}
		if err == nil {
			r.blocks = append(r.blocks, b)
			return nil
		}
		if r.left == 1 {
			return err
		}
		r.limit -= r.left - r.left/2
		r.left /= 2
	}
}

// give gives a slot back. queued says that copies out of it are queued on the stream; err is what became of its use until then,
// and is returned before an error of its own.
func (r *ring) give(s *slot, queued bool, stream cuda.Stream, err error) error {
	if queued {
		s.busy = true
		if recordErr := r.gpu.dev.Record(s.event, stream); recordErr != nil {
			// What is queued can't be waited for by the event: nothing may use the slot before the stream has come to it.
			s.busy = false
			if recordErr = errors.Join(recordErr, r.gpu.dev.Synchronize(stream)); err == nil {
				err = recordErr
			}
		}
	}
	r.free <- s
	return err
}

// close frees the slots, after the copies out of them. No worker has one. It is called on a thread that is bound to the GPU.
func (r *ring) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	for _, s := range r.slots {
		err = errors.Join(err, r.wait(s), r.gpu.freeEvent(s.event), r.gpu.freeStage(s.stage, int64(r.size+r.list)))
	}
	failed := err != nil // copies may be under way still: they must not meet another engine's bytes
	for _, b := range r.blocks {
		switch {
		case b.block != nil:
			err = errors.Join(err, b.block.Free())
		case failed:
			err = errors.Join(err, r.gpu.dev.HostFree(b.pinned))
		default:
			r.gpu.freeBlock(b.pinned)
		}
	}
	r.slots, r.memory, r.blocks, r.left = nil, nil, nil, 0
	if r.whole != 0 {
		err = errors.Join(err, r.gpu.dev.Free(r.whole))
		r.whole = 0
	}
	return err
}
