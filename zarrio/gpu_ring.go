//go:build gds && linux && (amd64 || arm64)

package zarrio

import (
	"errors"
	"sync"

	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/hostmem"
)

// A ring is the slots that bytes pass through on their way to a batch, in turn: a slot is taken, filled, copied from by
// queued copies, and given back while these are still under way.
type ring struct {
	gpu  *cudaGPU
	size int // of a slot
	free chan *slot

	mu    sync.Mutex
	slots []*slot
	left  int // slots that may still be made: pinned memory is taken when it is first needed
	kind  ringKind
	whole cuda.Ptr // the allocation, of a ring on the GPU
}

type ringKind int

const (
	pinned ringKind = iota
	pageable
	onGPU
)

// A slot belongs to one worker from take to give.
type slot struct {
	host  []byte
	block *hostmem.Block // of a pageable slot
	off   int64          // in the memory of a ring on the GPU
	event cuda.Event     // behind the copies out of it
	busy  bool           // the event was recorded, and not waited for
}

// newRing returns a ring of count slots of size bytes. On the GPU, the memory is base's, of so many bytes.
func newRing(g *cudaGPU, kind ringKind, size, count int) *ring {
	return &ring{gpu: g, size: size, kind: kind, left: count, free: make(chan *slot, count)}
}

// take returns a slot that nothing is copied from any more: that which was given back first, or a new one, as long as there may
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
	more, err := r.another()
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
	s, err := r.another()
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
	if err := r.settle(s); err != nil {
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

// settle waits for the copies out of a slot.
func (r *ring) settle(s *slot) error {
	if !s.busy {
		return nil
	}
	s.busy = false
	return r.gpu.dev.SynchronizeEvent(s.event)
}

// another makes a further slot, or returns nil where there are enough.
func (r *ring) another() (*slot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return nil, nil
	}
	s := new(slot)
	var err error
	switch r.kind {
	case pinned:
		s.host, err = r.gpu.dev.HostAlloc(int64(r.size))
	case pageable:
		if s.block, err = hostmem.Alloc(int64(r.size)); err == nil {
			s.host = s.block.Bytes()
		}
	case onGPU:
		s.off = int64(len(r.slots)) * int64(r.size)
	}
	if err == nil {
		s.event, err = r.gpu.dev.NewEvent()
	}
	if err != nil {
		if len(r.slots) > 0 { // fewer will do
			r.left = 0
			return nil, errors.Join(r.drop(s))
		}
		return nil, errors.Join(err, r.drop(s))
	}
	r.left--
	r.slots = append(r.slots, s)
	return s, nil
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
		err = errors.Join(err, r.settle(s), r.drop(s))
	}
	r.slots, r.left = nil, 0
	if r.whole != 0 {
		err = errors.Join(err, r.gpu.dev.Free(r.whole))
		r.whole = 0
	}
	return err
}

// drop frees what a slot has.
func (r *ring) drop(s *slot) error {
	var err error
	if s.event != 0 {
		err = r.gpu.dev.FreeEvent(s.event)
	}
	switch {
	case s.block != nil:
		err = errors.Join(err, s.block.Free())
	case s.host != nil:
		err = errors.Join(err, r.gpu.dev.HostFree(s.host))
	}
	return err
}
