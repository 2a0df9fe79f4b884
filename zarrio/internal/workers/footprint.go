package workers

import (
	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/chunkcache"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
)

// Prepare chooses what is kept, if Options leaves it to Prepare, and returns how much memory a plan
// like p takes besides its batch. selected is how many decoded bytes an epoch needs.
func (pool *Pool) Prepare(p *plan.Plan, selected int64) meta.Footprint {
	k := &pool.kept
	if pool.opt.KeepBytes == KeepAuto {
		room := hostmem.Available() / 4
		// The memory of kept chunks is rounded to pages, and parts are decoded in whole blocks.
		k.all = selected+selected/8 <= room
		k.cache.SetLimit(room)
	}
	var f meta.Footprint
	if limit := k.cache.Stats().Limit; k.all {
		f.Kept = min(limit, selected+selected/8)
	} else {
		f.Kept = min(limit, shared(p))
	}
	var need []codec.Span
	most := int64(0)
	seen := map[*chunk.Array]bool{}
	for i := range p.Reads {
		r := &p.Reads[i]
		a := r.Array
		pieces := p.Pieces[r.First : r.First+r.Count]
		inPlace := plan.InPlace(r, pieces) || a.DecodesParts() && plan.Contiguous(r, pieces)
		need = plan.Needed(need, pieces, a.Meta.DType.Size)
		most = max(most, a.Working(a.ChunkBytes(), need, inPlace))
		if !seen[a] {
			seen[a] = true
			f.Tables += a.Tables()
		}
	}
	n := int64(pool.needed(p))
	f.Workers = n * most
	if pool.files.Ahead() {
		f.Workers += n * min(most, readAhead)
	}
	return f
}

// readAhead is how many bytes a worker prefetches, about.
const readAhead = 8 << 20

// shared returns about how many bytes of p's chunks the next plan can need too.
func shared(p *plan.Plan) int64 {
	n := int64(0)
	for i := range p.Reads {
		if r := &p.Reads[i]; r.Keep {
			n += chunkcache.Cost(r.Array.ChunkBytes())
		}
	}
	return n
}
