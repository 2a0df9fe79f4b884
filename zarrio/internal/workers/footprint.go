package workers

import (
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/chunkcache"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/plan"
)

// A Footprint is that of package engine, which describes the fields.
type Footprint struct{ Workers, Kept, Tables int64 }

// Prepare chooses what is kept, if Options leaves it to Prepare, and returns how much memory a plan
// like p takes besides its batch. selected is how many decoded bytes an epoch needs.
func (pool *Pool) Prepare(p *plan.Plan, selected int64) Footprint {
	k := &pool.kept
	if pool.opt.KeepBytes == KeepAuto {
		room := hostmem.Available() / 4
		// The memory of kept chunks is rounded to pages, and parts are decoded in whole blocks.
		k.all = selected+selected/8 <= room
		k.cache.SetLimit(room)
	}
	var f Footprint
	if limit := k.cache.Stats().Limit; k.all {
		f.Kept = min(limit, selected+selected/8)
	} else {
		f.Kept = min(limit, pool.shared(p))
	}
	var w Worker
	most := int64(0)
	seen := map[*chunk.Array]bool{}
	for i := range p.Reads {
		r := &p.Reads[i]
		a := r.Array
		pieces := p.Pieces[r.First : r.First+r.Count]
		inPlace := plan.InPlace(a, pieces) || a.DecodesParts() && plan.Contiguous(pieces)
		most = max(most, a.Working(a.ChunkBytes(), w.Needed(pieces, a.Meta.DType.Size), inPlace))
		if !seen[a] {
			seen[a] = true
			f.Tables += a.Tables()
		}
	}
	n := int64(pool.needed(p))
	f.Workers = n * most
	if r := pool.files; r.Ahead() {
		f.Workers += n * min(most, readAhead)
	}
	return f
}

// readAhead is how many bytes a worker prefetches, about.
const readAhead = 8 << 20

// shared returns about how many bytes of p's chunks the next plan can need too.
func (pool *Pool) shared(p *plan.Plan) int64 {
	n := int64(0)
	for i := range p.Reads {
		if r := &p.Reads[i]; r.Keep {
			n += chunkcache.Cost(r.Array.ChunkBytes())
		}
	}
	return n
}
