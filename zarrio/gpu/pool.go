//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"errors"
	"sync"

	"zarrbench/zarrio/internal/cuda"
)

// A blockPool keeps streams, events and memory of closed engines for the next ones: making them
// anew takes as long as a short epoch. Its methods may be called concurrently, on threads that have
// the GPU's context.
type blockPool struct {
	mu      sync.Mutex
	streams []cuda.Stream // without queued work
	events  []cuda.Event  // done
	blocks  [][]byte      // idle pinned memory
	stages  []cuda.Ptr    // idle staging buffers on the GPU, of stageBytes each
}

// stageBytes is the size in bytes of the staging buffers that the pool keeps.
const stageBytes = slotSize + listBytes

// newStream returns a stream without queued work.
func (g *GPU) newStream() (cuda.Stream, error) {
	if s, ok := pop(&g.pool, &g.pool.streams); ok {
		return s, nil
	}
	return g.dev.NewStream()
}

// freeStream waits for the work queued on s and returns s to the pool. It does nothing if s is 0.
func (g *GPU) freeStream(s cuda.Stream) error {
	if s == 0 {
		return nil
	}
	if err := g.dev.Synchronize(s); err != nil {
		return errors.Join(err, g.dev.FreeStream(s))
	}
	push(&g.pool, &g.pool.streams, s)
	return nil
}

// newEvent returns an event that is done.
func (g *GPU) newEvent() (cuda.Event, error) {
	if e, ok := pop(&g.pool, &g.pool.events); ok {
		return e, nil
	}
	return g.dev.NewEvent()
}

// freeEvent waits until e is done and returns it to the pool. It does nothing if e is 0.
func (g *GPU) freeEvent(e cuda.Event) error {
	if e == 0 {
		return nil
	}
	if err := g.dev.SynchronizeEvent(e); err != nil {
		return errors.Join(err, g.dev.FreeEvent(e))
	}
	push(&g.pool, &g.pool.events, e)
	return nil
}

// smallBlock is the size in bytes up to which an idle block serves any request that fits in it.
const smallBlock = 1 << 20

// newBlock returns n bytes of pinned memory or more. It returns the smallest idle block of at least
// n bytes, unless that has more than 4n bytes and more than smallBlock. If there is none, it frees
// the largest smaller block and allocates a new one.
func (g *GPU) newBlock(n int64) ([]byte, error) {
	p := &g.pool
	p.mu.Lock()
	best, smaller := -1, -1
	for i, b := range p.blocks {
		size := int64(len(b))
		switch {
		case size < n:
			if smaller < 0 || size > int64(len(p.blocks[smaller])) {
				smaller = i
			}
		case size <= max(4*n, smallBlock) && (best < 0 || size < int64(len(p.blocks[best]))):
			best = i
		}
	}
	at := best
	if at < 0 {
		at = smaller
	}
	var b []byte
	if at >= 0 {
		b = p.blocks[at]
		p.blocks = append(p.blocks[:at], p.blocks[at+1:]...)
	}
	p.mu.Unlock()
	if best >= 0 {
		return b, nil
	}
	if b != nil {
		if err := g.dev.HostFree(b); err != nil {
			return nil, err
		}
	}
	return g.dev.HostAlloc(n)
}

// freeBlock returns memory from newBlock to the pool. No queued work may use it.
func (g *GPU) freeBlock(b []byte) { push(&g.pool, &g.pool.blocks, b) }

// newStage returns a staging buffer of n bytes on the GPU.
func (g *GPU) newStage(n int64) (cuda.Ptr, error) {
	if n == stageBytes {
		if p, ok := pop(&g.pool, &g.pool.stages); ok {
			return p, nil
		}
	}
	return g.dev.Alloc(n)
}

// freeStage returns a buffer of n bytes from newStage to the pool, or frees it if the pool doesn't
// keep that size. No queued work may use it. freeStage does nothing if p is 0.
func (g *GPU) freeStage(p cuda.Ptr, n int64) error {
	switch {
	case p == 0:
		return nil
	case n != stageBytes:
		return g.dev.Free(p)
	}
	push(&g.pool, &g.pool.stages, p)
	return nil
}

// close frees everything in the pool.
func (p *blockPool) close(dev *cuda.Device) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	for _, e := range p.events {
		err = errors.Join(err, dev.FreeEvent(e))
	}
	for _, s := range p.streams {
		err = errors.Join(err, dev.FreeStream(s))
	}
	for _, b := range p.blocks {
		err = errors.Join(err, dev.HostFree(b))
	}
	for _, s := range p.stages {
		err = errors.Join(err, dev.Free(s))
	}
	p.events, p.streams, p.blocks, p.stages = nil, nil, nil, nil
	return err
}

// pop removes and returns the last value of a list of the pool, or returns false if the list is
// empty.
func pop[T any](p *blockPool, list *[]T) (v T, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(*list) - 1
	if last < 0 {
		return v, false
	}
	v, *list = (*list)[last], (*list)[:last]
	return v, true
}

// push appends v to a list of the pool.
func push[T any](p *blockPool, list *[]T, v T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*list = append(*list, v)
}
