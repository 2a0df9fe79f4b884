//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"errors"
	"sync"

	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/hostmem"
)

// A ring holds the slots that bytes pass through on their way to a batch. A worker takes a slot,
// fills it, queues copies out of it, and gives it back while these are still in flight.
type ring struct {
	gpu       *GPU
	size      int // bytes of a slot
	listBytes int // bytes after each slot, for a list of boxes
	kind      ringKind
	free      chan *slot // slots that no worker holds, least recently returned first

	mu     sync.Mutex
	slots  []*slot
	limit  int    // the most slots that the ring may have
	unmade int    // slots that may still be made, at most limit
	memory []byte // for slots that aren't made yet
	blocks []ringBlock
	whole  cuda.Ptr // start of the allocation of a ring on the GPU
}

// A ringKind is the kind of a ring's memory.
type ringKind int

const (
	pinned ringKind = iota
	pageable
	onGPU
)

// A ringBlock is memory of a ring on the host, for all slots that the ring might still make when it
// was allocated.
type ringBlock struct {
	pinned []byte         // from the GPU's pool
	block  *hostmem.Block // of a pageable ring
}

// A slot belongs to one worker from take to give.
type slot struct {
	host  []byte     // ring.size bytes, with a capacity of ring.listBytes more
	stage cuda.Ptr   // staging buffer on the GPU, of host's capacity; 0 until it is needed
	off   int64      // offset in the memory of a ring on the GPU
	event cuda.Event // recorded after the copies out of the slot
	busy  bool       // event was recorded, and not waited for
}

// newRing returns a ring of count slots of size bytes. Host memory is allocated with the first
// slot.
func newRing(g *GPU, kind ringKind, size, count int) *ring {
	return &ring{
		gpu: g, size: size, kind: kind,
		limit: count, unmade: count, free: make(chan *slot, count),
	}
}

// allow lets the ring have more slots, but never more than its channel holds.
func (r *ring) allow(more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	more = min(more, cap(r.free)-r.limit)
	r.limit, r.unmade = r.limit+more, r.unmade+more
}

// take returns a free slot. It prefers the least recently returned slot; if that is still being
// copied from, or none is returned, and the ring may grow, it makes a new one. Otherwise it waits
// for a slot, and for the copies out of it. The calling thread must have the GPU's context.
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
			r.free <- s // now behind slots that were returned later, which delays no copy
		}
		return more, err
	}
	if s == nil {
		s = <-r.free
	}
	return r.ready(s)
}

// tryTake returns a free slot, or nil if workers hold all slots. It waits only for the copies out
// of a slot.
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

// ready waits for the copies out of s and returns it. If that fails, it gives s back.
func (r *ring) ready(s *slot) (*slot, error) {
	if err := r.wait(s); err != nil {
		r.free <- s
		return nil, err
	}
	return s, nil
}

// idle reports whether the copies out of s are done.
func (r *ring) idle(s *slot) (bool, error) {
	if !s.busy {
		return true, nil
	}
	done, err := r.gpu.dev.Done(s.event)
	s.busy = !done
	return done, err
}

// wait waits for the copies out of s.
func (r *ring) wait(s *slot) error {
	if !s.busy {
		return nil
	}
	s.busy = false
	return r.gpu.dev.SynchronizeEvent(s.event)
}

// enough reports whether n workers can hold a slot each.
func (r *ring) enough(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limit >= n
}

// grow returns a new slot, or nil if the ring may have no more. If there is no memory for another
// slot, it lowers the limit to the present number of slots; it fails only if there are none.
func (r *ring) grow() (*slot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unmade == 0 {
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
		if len(r.slots) > 0 { // go on with fewer
			r.limit, r.unmade = len(r.slots), 0
			return nil, nil
		}
		return nil, err
	}
	if r.kind != onGPU {
		n := r.size + r.listBytes
		s.host, r.memory = r.memory[:r.size:n], r.memory[n:]
	}
	r.unmade--
	r.slots = append(r.slots, s)
	return s, nil
}

// allocate allocates memory for all slots that may still be made. If there is no room for so many,
// it tries again with half the number, and lowers the limit.
func (r *ring) allocate() error {
	for {
		n := int64(r.unmade) * int64(r.size+r.listBytes)
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
		if r.unmade == 1 {
			return err
		}
		r.limit -= r.unmade - r.unmade/2
		r.unmade /= 2
	}
}

// give returns s to the ring. If queued is set, copies out of s are queued on stream, and the
// worker that takes s next waits for them. err is the error of the work that used s, if any; give
// returns it, or else its own error.
func (r *ring) give(s *slot, queued bool, stream cuda.Stream, err error) error {
	if queued {
		s.busy = true
		if recordErr := r.gpu.dev.Record(s.event, stream); recordErr != nil {
			// Without the event, wait for the stream: nothing may use s before the copies are done.
			s.busy = false
			if recordErr = errors.Join(recordErr, r.gpu.dev.Synchronize(stream)); err == nil {
				err = recordErr
			}
		}
	}
	r.free <- s
	return err
}

// close waits for the copies out of the slots and frees them. No worker may hold a slot, and the
// calling thread must have the GPU's context.
func (r *ring) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	for _, s := range r.slots {
		err = errors.Join(err, r.wait(s), r.gpu.freeEvent(s.event),
			r.gpu.freeStage(s.stage, int64(r.size+r.listBytes)))
	}
	// After an error, copies may still be in flight. Don't pool the memory: another engine's bytes
	// must not get into them.
	failed := err != nil
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
	r.slots, r.memory, r.blocks, r.unmade = nil, nil, nil, 0
	if r.whole != 0 {
		err = errors.Join(err, r.gpu.dev.Free(r.whole))
		r.whole = 0
	}
	return err
}
