package zarrio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
)

// Ceiling reads, by the CPU engine's workers, the stored bytes of every chunk that the next epoch would read, into the
// batches' memory, and decodes, places and computes nothing: the least work that an epoch can cost on this machine with
// these files. The epoch itself stays the next one. What the batches held is overwritten.
func (l *Loader) Ceiling(ctx context.Context) (Stats, error) {
	e, ok := l.engine.(*CPU)
	if !ok {
		return Stats{}, &UnsupportedError{What: "the raw ceiling of engine", Found: fmt.Sprint(l.engine), Supported: "the cpu engine"}
	}
	epoch, sample, err := l.begin()
	if err != nil {
		return Stats{}, err
	}
	defer func() {
		l.mu.Lock()
		l.epoch, l.sample = epoch, sample
		l.mu.Unlock()
		l.end()
	}()
	var b *Batch
	select {
	case b = <-l.free:
	default:
		return Stats{}, errors.New("zarrio: loader: every batch is retained")
	}
	defer func() { l.free <- b }()
	var total Stats
	err = l.eachPlan(epoch, sample, func(_ int, p *planner, _ [][3]int) error {
		stats, err := e.readStored(ctx, &p.Plan, b.mem)
		total.Add(stats)
		return err
	})
	return total, err
}

// readStored reads the plan's chunks as they are stored into slots of m, one after the other. Chunks that the plan before
// kept are left out, as Fill leaves them out.
func (e *CPU) readStored(ctx context.Context, p *Plan, m Memory) (Stats, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slot := 0
	for i := range p.Reads {
		a := p.Reads[i].Array
		n := a.meta.chunkBytes()
		if len(a.codec) > 0 {
			n = encodedLimit(n)
		}
		slot = max(slot, (n+pageSize-1)&^(pageSize-1))
	}
	dst := m.Bytes()
	slots := len(dst) / max(slot, 1)
	if slots < len(e.workers) { // chunks that are large beside the batch: as if each worker decoded them
		dst = make([]byte, slot*len(e.workers))
		slots = len(e.workers)
	}
	var (
		wg   sync.WaitGroup
		next atomic.Int64
	)
	for _, w := range e.workers {
		w.stats = Stats{}
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(p.Reads) || ctx.Err() != nil {
					return
				}
				r := &p.Reads[i]
				n, _, err := r.Array.h.store.ReadRange(ctx, w.chunkKey(r.Array, r.Chunk), dst[i%slots*slot:][:slot], 0)
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					cancel(r.Array.fail(r.Chunk, "read", err))
					return
				}
				w.stats.Chunks++
				w.stats.ReadBytes += int64(n)
			}
		})
	}
	wg.Wait()
	var stats Stats
	for _, w := range e.workers {
		stats.Add(w.stats)
	}
	return stats, context.Cause(ctx)
}
