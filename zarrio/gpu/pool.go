//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"errors"
	"sync"

	"zarrbench/zarrio/internal/cuda"
)

// A blockPool holds what engines return when they are closed, for the next ones: to make it anew takes as long as a short epoch.
// Its methods are called on threads that are bound to the GPU, and may be called at the same time.
type blockPool struct {
	mu      sync.Mutex
	streams []cuda.Stream // that have no work
	events  []cuda.Event  // that are done
	blocks  [][]byte      // pinned memory that nothing uses
	stages  []cuda.Ptr    // buffers of stageBytes on the GPU that nothing uses
}

// stageBytes is the size of the buffers on the GPU that the pool holds.
const stageBytes = slotSize + listBytes

// newStream returns a stream that has no work.
func (g *GPU) newStream() (cuda.Stream, error) {
	if s, ok := pop(&g.pool, &g.pool.streams); ok {
		return s, nil
	}
	return g.dev.NewStream()
}

// freeStream returns a stream to the pool when its work is done. Zero is no stream.
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

// freeEvent returns an event to the pool when it is done. Zero is no event.
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

// smallBlock is the size up to which any idle block serves any request.
const smallBlock = 1 << 20

// newBlock returns n bytes of pinned memory or more: the smallest idle block of at most four times as many, or a new one, in
// whose favor the largest smaller block is freed.
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

// freeBlock returns memory of newBlock, which no queued work uses, to the pool.
func (g *GPU) freeBlock(b []byte) { push(&g.pool, &g.pool.blocks, b) }

// newStage returns n bytes on the GPU.
func (g *GPU) newStage(n int64) (cuda.Ptr, error) {
	if n == stageBytes {
		if p, ok := pop(&g.pool, &g.pool.stages); ok {
			return p, nil
		}
	}
	return g.dev.Alloc(n)
}

// freeStage returns memory of newStage, which no queued work uses, to the pool. Zero is none.
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

// close frees all that the pool holds.
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

// pop takes the last thing of a list of the pool, or returns false if it is empty.
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

func push[T any](p *blockPool, list *[]T, v T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*list = append(*list, v)
}
