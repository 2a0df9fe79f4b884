package workers

import (
	"context"
	"math"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/chunkcache"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
)

// KeepAuto as Options.KeepBytes has Prepare choose what is kept.
const KeepAuto = math.MinInt64

// nextBytes is the limit of the chunks that are kept for the next batch alone.
const nextBytes = 64 << 20

// A keeper keeps decoded chunks from batch to batch. It finds the chunks of a plan, and makes room
// for them, before the workers begin. So a worker that needs a kept chunk only reads.
type keeper struct {
	cache *chunkcache.Cache[chunk.Key]
	all   bool          // chunks are kept across batches and epochs, else for the next batch alone
	ahead []*chunk.Kept // what the next batch needs, so that it isn't evicted

	before []*chunk.Kept // memory for ahead, by turns
}

func newKeeper(bytes int64) keeper {
	limit := bytes
	if bytes == 0 || bytes == KeepAuto {
		limit = nextBytes
	}
	return keeper{cache: chunkcache.New[chunk.Key](limit), all: bytes > 0}
}

// Kept returns the counts of the cache of decoded chunks, and an error if they are wrong.
func (pool *Pool) Kept() (chunkcache.Stats, error) {
	return pool.kept.cache.Stats(), pool.kept.cache.Verify()
}

// Fill calls do, which fills a batch by a plan, with the plan's kept chunks at hand.
func (pool *Pool) Fill(p *plan.Plan, do func() (meta.Stats, error)) (meta.Stats, error) {
	k := &pool.kept
	if p.Restart && !k.all {
		k.ahead = k.releaseAll(k.ahead)
		k.cache.Forget()
	}
	k.find(p)
	k.add(p, func(r *plan.ChunkRead) bool { return r.Keep })
	if k.all {
		k.add(p, func(*plan.ChunkRead) bool { return true })
	}
	evicted := k.cache.Stats().Evicted
	stats, err := do()
	k.release(p, err != nil)
	now := k.cache.Stats()
	stats.Evicted += now.Evicted - evicted
	if k.all {
		stats.KeptBytes = now.Bytes
	}
	return stats, err
}

// ReadStored calls do, which reads the stored bytes of a plan's chunks, with the chunks at hand that
// are kept across epochs.
func (pool *Pool) ReadStored(p *plan.Plan, do func() (meta.Stats, error)) (meta.Stats, error) {
	k := &pool.kept
	if !k.all {
		return do()
	}
	k.find(p)
	stats, err := do()
	k.release(p, err != nil)
	return stats, err
}

// find finds the kept chunks of p, and of the plan after it.
func (k *keeper) find(p *plan.Plan) {
	k.ahead, k.before = k.before, k.ahead
	for i := range p.Reads {
		p.Reads[i].Kept = k.cache.Get(p.Reads[i].Key())
	}
	if p.After != nil {
		for i := range p.After.Reads {
			if e := k.cache.Get(p.After.Reads[i].Key()); e != nil {
				k.ahead = append(k.ahead, e)
			}
		}
	}
	k.before = k.releaseAll(k.before)
}

// release ends the use of p's chunks. Those that are kept for the next batch alone are dropped if it
// doesn't need them, or if p has failed.
func (k *keeper) release(p *plan.Plan, failed bool) {
	for i := range p.Reads {
		if r := &p.Reads[i]; r.Kept != nil {
			k.cache.Release(r.Kept, !k.all && (!r.Keep || failed))
			r.Kept = nil
		}
	}
}

// releaseAll ends the use of entries, and returns the list's memory.
func (k *keeper) releaseAll(entries []*chunk.Kept) []*chunk.Kept {
	for _, e := range entries {
		k.cache.Release(e, false)
	}
	return entries[:0]
}

// add adds the chunks of those reads of p that choose chooses.
func (k *keeper) add(p *plan.Plan, choose func(*plan.ChunkRead) bool) {
	for i := range p.Reads {
		if r := &p.Reads[i]; r.Kept == nil && choose(r) {
			r.Kept = k.cache.Add(r.Key())
		}
	}
}

func (k *keeper) close() {
	k.ahead = k.releaseAll(k.ahead)
	k.cache.Clear()
}

// missing returns what is missing of a chunk that is kept, of the bytes that pieces take: all of
// them if it isn't kept, and the whole chunk if that is no dearer.
func (w *Worker) missing(r *plan.ChunkRead, pieces []plan.Piece) []codec.Span {
	need := w.Needed(pieces, r.Array.Meta.DType.Size)
	if r.Kept == nil {
		return need
	}
	w.lacks = r.Array.Lacks(w.lacks[:0], r.Kept, r.Array.ChunkBytes(), need)
	return w.lacks
}

// LoadKept loads what is missing of a chunk that is kept, and calls use with the chunk's memory, in
// a turn. It returns false if the chunk is not in the store.
func (w *Worker) LoadKept(ctx context.Context, r *plan.ChunkRead, pieces []plan.Piece, use func(chunk.Runs) error) (bool, error) {
	a, e := r.Array, r.Kept
	n := a.ChunkBytes()
	lacks := w.missing(r, pieces)
	if len(lacks) == 0 {
		w.Stats.Reused++
		return true, w.Compute(func() error { return use(e.Runs()) })
	}
	return w.Reader.LoadKept(ctx, a, r.Chunk, n, e, lacks, use)
}
