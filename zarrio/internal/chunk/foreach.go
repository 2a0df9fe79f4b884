package chunk

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// A Part is what a selection takes of one chunk.
type Part struct {
	chunk   int              // its number
	lo      []int            // where the chunk begins, by dimension
	extents []int            // the chunk's
	strides []int            // of the decoded chunk, in elements
	takes   [][]grid.Segment // by dimension
	one     [][1]grid.Segment
	coords  []int
}

// ForEach calls f for each chunk that a selection of at least one element touches, by several goroutines at once; the
// chunkPart is valid during the call. Chunks of one shard are visited by one goroutine, in the order in which they lie, up to
// as many as are better read at once.
func (a *Array) ForEach(ctx context.Context, picks []grid.Pick, f func(context.Context, *Reader, *Part) error) (meta.Stats, error) {
	j := a.jobs(picks)
	readers := make([]*Reader, min(j.total, a.Readers(0)))
	for i := range readers {
		readers[i] = idle.Get().(*Reader)
		defer idle.Put(readers[i])
	}
	var next atomic.Int64
	stats, err := spread(ctx, readers, func(ctx context.Context, w *Reader) error {
		p := a.newPart()
		at := make([]int, len(picks))
		for {
			i := int(next.Add(1)) - 1
			if i >= j.total {
				return nil
			}
			if w.buf.group = j.chunks(w.buf.group[:0], a, picks, i, at); len(a.Pipe.Levels) > 0 {
				w.Gather(ctx, a, w.buf.group)
			}
			for _, chunk := range w.buf.group {
				if err := ctx.Err(); err != nil {
					return err
				}
				p.set(a, chunk, picks)
				if err := f(ctx, w, p); err != nil {
					return err
				}
			}
		}
	})
	if err != nil && err == context.Cause(ctx) {
		err = a.Wrap(err)
	}
	return stats, err
}

func (a *Array) newPart() *Part {
	rank := len(a.Grid.Shape)
	ints := make([]int, 4*rank)
	return &Part{coords: ints[:rank], lo: ints[rank : 2*rank], extents: ints[2*rank : 3*rank], strides: ints[3*rank:],
		takes: make([][]grid.Segment, rank), one: make([][1]grid.Segment, rank)}
}

// set describes what the selection takes of a chunk that it touches.
func (p *Part) set(a *Array, chunk int, picks []grid.Pick) {
	p.chunk = chunk
	a.Grid.Coords(p.coords, chunk)
	n := 1
	for _, d := range slices.Backward(a.Pipe.Order) {
		p.lo[d], p.extents[d] = a.Grid.Span(d, p.coords[d])
		p.strides[d] = n
		n *= p.extents[d]
		p.takes[d] = picks[d].Within(&a.Grid, d, picks[d].Touched(&a.Grid, d, p.coords[d]), &p.one[d])
	}
}

// elements returns how many elements the chunk has.
func (p *Part) elements() int {
	n := 1
	for _, e := range p.extents {
		n *= e
	}
	return n
}

// jobs cuts the chunks that a selection touches into pieces of work.
type jobs struct {
	n      []int   // chunks that are touched along each dimension
	bounds [][]int // of the shards that these are in, by dimension: where each begins among the touched chunks, and the end
	parts  int     // that the chunks of one shard are cut into
	limit  int     // chunks of such a part
	total  int
}

func (a *Array) jobs(picks []grid.Pick) jobs {
	j := jobs{n: make([]int, len(picks)), total: 1}
	for d := range picks {
		j.n[d] = picks[d].Chunks(&a.Grid, d)
	}
	if len(a.Pipe.Levels) == 0 {
		for _, n := range j.n {
			j.total *= n
		}
		return j
	}
	outer := &a.Pipe.Levels[0].Grid
	most := 1 // chunks of a shard that are touched
	j.bounds = make([][]int, len(picks))
	for d := range picks {
		last, widest := -1, 0
		for i := range j.n[d] {
			if shard := outer.Find(d, picks[d].Chunk(&a.Grid, d, i)*a.Grid.Chunks[d]); shard != last {
				j.bounds[d] = append(j.bounds[d], i)
				last = shard
			}
		}
		j.bounds[d] = append(j.bounds[d], j.n[d])
		for i, lo := range j.bounds[d][:len(j.bounds[d])-1] {
			widest = max(widest, j.bounds[d][i+1]-lo)
		}
		most *= widest
		j.total *= len(j.bounds[d]) - 1
	}
	j.limit = a.GroupLimit()
	j.parts = (most + j.limit - 1) / j.limit
	j.total *= j.parts
	return j
}

// GroupLimit is the number of chunks of a shard that are read by one worker at a time: more than are read at once would only
// keep other workers waiting. Strings of varying length are taken to have a chunk of 64 KiB.
func (a *Array) GroupLimit() int {
	return int(max(1, a.Source.size/int64(cmp.Or(a.ChunkBytes(), 64<<10))))
}

// chunks appends the numbers of the chunks of the i-th job. at is memory for one index a dimension.
func (j *jobs) chunks(list []int, a *Array, picks []grid.Pick, i int, at []int) []int {
	number := func() int {
		n := 0
		for d := range at {
			n = n*a.Grid.Counts[d] + picks[d].Chunk(&a.Grid, d, at[d])
		}
		return n
	}
	if j.bounds == nil {
		for d := len(at) - 1; d >= 0; d-- {
			at[d] = i % j.n[d]
			i /= j.n[d]
		}
		return append(list, number())
	}
	part := i % j.parts
	i /= j.parts
	var shard [meta.MaxRank]int
	count := 1
	for d := len(at) - 1; d >= 0; d-- {
		n := len(j.bounds[d]) - 1
		shard[d] = i % n
		i /= n
		count *= j.bounds[d][shard[d]+1] - j.bounds[d][shard[d]]
	}
	for k := part * j.limit; k < min(count, (part+1)*j.limit); k++ {
		rest := k
		for d := len(at) - 1; d >= 0; d-- {
			lo := j.bounds[d][shard[d]]
			n := j.bounds[d][shard[d]+1] - lo
			at[d] = lo + rest%n
			rest /= n
		}
		list = append(list, number())
	}
	return list
}

// Readers returns how many goroutines read chunks of the array: two a core, which hides the waiting of buffered reads, or as
// many as the store answers at once, or as depth says for local files; but no more than have room for a chunk, stored and
// decoded, in half of the memory.
func (a *Array) Readers(depth int) int {
	room := hostmem.Limit() / 4 / int64(max(a.ChunkBytes(), 1))
	if a.Source.files == nil {
		depth = 0
	}
	return int(max(1, min(int64(max(CoreWorkers(), a.Source.requests, depth)), room)))
}

// idle keeps the memory of visit's readers between calls.
var idle = sync.Pool{New: func() any { return new(Reader) }}

// each calls f for every combination of segments, one a dimension: with their numbers.
func (p *Part) each(f func(at []int)) {
	var memory [meta.MaxRank]int
	at := memory[:len(p.takes)]
	for {
		f(at)
		d := len(at) - 1
		for ; d >= 0; d-- {
			if at[d]++; at[d] < len(p.takes[d]) {
				break
			}
			at[d] = 0
		}
		if d < 0 {
			return
		}
	}
}

// axes describes the copy of a combination of segments, the first ones for nil, and returns its first elements in the chunk
// and in the destination.
func (p *Part) axes(axes []ndcopy.Axis, strides, at []int) (src, to int) {
	for d := range p.takes {
		s := &p.takes[d][0]
		if at != nil {
			s = &p.takes[d][at[d]]
		}
		src += (s.At - p.lo[d]) * p.strides[d]
		to += s.Pos * strides[d]
		axes[d] = ndcopy.Axis{N: s.N, Src: s.Step * p.strides[d], Dst: s.By * strides[d]}
	}
	return src, to
}

// CoreWorkers is the number of workers that the cores have work for: two each, which hides the waiting of buffered reads.
func CoreWorkers() int { return 2 * runtime.GOMAXPROCS(0) }
