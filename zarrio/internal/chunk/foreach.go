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

// A Part is what a selection takes of one chunk. Slices are by dimension.
type Part struct {
	chunk      int   // the chunk's number
	lo         []int // where the chunk begins
	extents    []int // of the chunk
	strides    []int // of the decoded chunk, in elements
	segments   [][]grid.Segment
	oneSegment [][1]grid.Segment // memory for segments that are single
	coords     []int             // of the chunk in the grid
}

// ForEach calls f for each chunk that a selection touches. The selection has at least one element.
// Several goroutines call f at once; the Part is valid during the call.
//
// In a sharded array, one goroutine takes several chunks of a shard, in the order in which they are
// stored. It takes at most as many as are read in one request: see [Array.GroupLimit].
func (a *Array) ForEach(ctx context.Context, picks []grid.Pick, f func(context.Context, *Reader, *Part) error) (meta.Stats, error) {
	j := a.jobs(picks)
	readers := make([]*Reader, min(j.total, a.Readers(0)))
	for i := range readers {
		readers[i] = idleReaders.Get().(*Reader)
		defer idleReaders.Put(readers[i])
	}
	var next atomic.Int64
	stats, err := spread(ctx, readers, func(ctx context.Context, r *Reader) error {
		p := a.newPart()
		at := make([]int, len(picks))
		for {
			i := int(next.Add(1)) - 1
			if i >= j.total {
				return nil
			}
			r.buf.group = j.chunks(r.buf.group[:0], a, picks, i, at)
			if len(a.Pipe.Levels) > 0 {
				r.Gather(ctx, a, a.notKept(r.buf.group))
			}
			for _, chunk := range r.buf.group {
				if err := ctx.Err(); err != nil {
					return err
				}
				p.set(a, chunk, picks)
				if err := f(ctx, r, p); err != nil {
					return err
				}
			}
		}
	})
	if err != nil && err == context.Cause(ctx) {
		err = a.Wrap(err)
	}
	if a.Source.kept != nil {
		stats.KeptBytes = a.Source.kept.Stats().Bytes
	}
	return stats, err
}

// notKept moves the chunks that are not in the source's cache to the front, and returns them.
func (a *Array) notKept(chunks []int) []int {
	if a.Source.kept == nil {
		return chunks
	}
	n := 0
	for i, chunk := range chunks {
		if !a.Source.kept.Has(Key{a, chunk}) {
			chunks[n], chunks[i] = chunks[i], chunks[n]
			n++
		}
	}
	return chunks[:n]
}

func (a *Array) newPart() *Part {
	rank := len(a.Grid.Shape)
	ints := make([]int, 4*rank)
	return &Part{
		coords:     ints[:rank],
		lo:         ints[rank : 2*rank],
		extents:    ints[2*rank : 3*rank],
		strides:    ints[3*rank:],
		segments:   make([][]grid.Segment, rank),
		oneSegment: make([][1]grid.Segment, rank),
	}
}

// set makes p what the selection takes of a chunk that it touches.
func (p *Part) set(a *Array, chunk int, picks []grid.Pick) {
	p.chunk = chunk
	a.Grid.Coords(p.coords, chunk)
	n := 1
	for _, d := range slices.Backward(a.Pipe.Order) {
		p.lo[d], p.extents[d] = a.Grid.Span(d, p.coords[d])
		p.strides[d] = n
		n *= p.extents[d]
		p.segments[d] = picks[d].Within(&a.Grid, d, picks[d].Touched(&a.Grid, d, p.coords[d]), &p.oneSegment[d])
	}
}

// elements returns the number of elements of the chunk.
func (p *Part) elements() int {
	n := 1
	for _, e := range p.extents {
		n *= e
	}
	return n
}

// jobs divides the chunks that a selection touches into jobs. In a sharded array a job is some of
// the touched chunks of one shard, otherwise it is one chunk.
type jobs struct {
	touched []int // chunks that are touched along each dimension
	// bounds lists, by dimension, the shards that hold the touched chunks: the index, among these,
	// of the first chunk of each shard, and then their number. It is nil if the array has no
	// shards.
	bounds [][]int
	parts  int // jobs of a shard
	limit  int // most chunks of a job
	total  int // jobs of the selection
}

// jobs returns the jobs of a selection.
func (a *Array) jobs(picks []grid.Pick) jobs {
	j := jobs{touched: make([]int, len(picks)), total: 1}
	for d := range picks {
		j.touched[d] = picks[d].Chunks(&a.Grid, d)
	}
	if len(a.Pipe.Levels) == 0 {
		for _, n := range j.touched {
			j.total *= n
		}
		return j
	}
	outer := &a.Pipe.Levels[0].Grid
	most := 1 // the most chunks of a shard that are touched
	j.bounds = make([][]int, len(picks))
	for d := range picks {
		last, widest := -1, 0
		for i := range j.touched[d] {
			if shard := outer.Find(d, picks[d].Chunk(&a.Grid, d, i)*a.Grid.Chunks[d]); shard != last {
				j.bounds[d] = append(j.bounds[d], i)
				last = shard
			}
		}
		j.bounds[d] = append(j.bounds[d], j.touched[d])
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

// GroupLimit returns the number of chunks of a shard that one worker reads at a time. More than one
// request can read would only keep other workers waiting. Chunks of strings of varying length,
// whose size is not known, count as 64 KiB.
func (a *Array) GroupLimit() int {
	return int(max(1, a.Source.size/int64(cmp.Or(a.ChunkBytes(), 64<<10))))
}

// chunks appends the numbers of the chunks of the i-th job to list. It uses at, which has an index
// for each dimension, as memory.
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
			at[d] = i % j.touched[d]
			i /= j.touched[d]
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

// Readers returns the number of goroutines that read chunks of the array. It is the largest of
// CoreWorkers, the number of requests that the store answers at once, and, for local files, depth.
// It is at most so many that a stored and a decoded chunk for each fit in half of the memory.
func (a *Array) Readers(depth int) int {
	room := hostmem.Limit() / 4 / int64(max(a.ChunkBytes(), 1))
	if a.Source.files == nil {
		depth = 0
	}
	return int(max(1, min(int64(max(CoreWorkers(), a.Source.requests, depth)), room)))
}

// idleReaders keeps the memory of ForEach's readers between calls.
var idleReaders = sync.Pool{New: func() any { return new(Reader) }}

// each calls f with the numbers of every combination of segments, one a dimension.
func (p *Part) each(f func(at []int)) {
	var memory [meta.MaxRank]int
	at := memory[:len(p.segments)]
	for {
		f(at)
		d := len(at) - 1
		for ; d >= 0; d-- {
			if at[d]++; at[d] < len(p.segments[d]) {
				break
			}
			at[d] = 0
		}
		if d < 0 {
			return
		}
	}
}

// axes sets axes to the copy of a combination of segments, by their numbers in at, or of the first
// ones if at is nil. strides are the destination's. It returns the copy's first element in the
// chunk and in the destination.
func (p *Part) axes(axes []ndcopy.Axis, strides, at []int) (src, to int) {
	for d := range p.segments {
		s := &p.segments[d][0]
		if at != nil {
			s = &p.segments[d][at[d]]
		}
		src += (s.At - p.lo[d]) * p.strides[d]
		to += s.Pos * strides[d]
		axes[d] = ndcopy.Axis{N: s.N, Src: s.Step * p.strides[d], Dst: s.By * strides[d]}
	}
	return src, to
}

// CoreWorkers returns the number of workers that keep the cores busy: two a core, so that one
// computes when the other waits for a buffered read.
func CoreWorkers() int { return 2 * runtime.GOMAXPROCS(0) }
