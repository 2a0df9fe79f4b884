package zarrio

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/hostmem"
)

// An Element is a Go type that array elements can be read as: one of the size and the kind of the array's data type.
// Datetime and Timedelta elements are int64 counts of the type's unit; bool elements may be read as uint8 too.
type Element interface {
	bool | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64 | complex64 | complex128
}

// Read reads a selection into new memory, in C order. T must fit the array's data type: float32 data are read as float32.
func Read[T Element](ctx context.Context, a *Array, sel Selection) ([]T, error) {
	shape, err := sel.Shape(a.Shape())
	if err != nil {
		return nil, a.wrap(err)
	}
	if err := fits[T](a.DType()); err != nil {
		return nil, a.wrap(err)
	}
	n, err := product(shape, math.MaxInt/a.DType().Size)
	if err == nil {
		err = checkMemory(int64(n) * int64(a.DType().Size))
	}
	if err != nil {
		return nil, a.wrap(fmt.Errorf("selection of shape %v: %w", shape, err))
	}
	dst := make([]T, n)
	raw := AsBytes(dst)
	if _, err := a.ReadInto(ctx, sel, raw); err != nil {
		return nil, err
	}
	if _, ok := any(dst).([]bool); ok {
		for i, b := range raw { // whatever is stored: a Go bool is 0 or 1
			raw[i] = min(b, 1)
		}
	}
	return dst, nil
}

// AsBytes returns the memory of s.
func AsBytes[T Element](s []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(*new(T))))
}

// fits says why elements of type d can't be read as T, or nil.
func fits[T Element](d DType) error {
	var kind Kind
	switch any(*new(T)).(type) {
	case bool:
		kind = Bool
	case int8, int16, int32, int64:
		kind = Int
	case uint8, uint16, uint32, uint64:
		kind = Uint
	case float32, float64:
		kind = Float
	case complex64, complex128:
		kind = Complex
	}
	same := d.Kind == kind || kind == Int && (d.Kind == Datetime || d.Kind == Timedelta) || kind == Uint && d.Kind == Bool
	if d.Variant != "" { // Go has no such type: its bits are had as an integer
		same = kind == Uint || kind == Int && d.Kind == Int
	}
	if !same || d.Size != int(unsafe.Sizeof(*new(T))) {
		return fmt.Errorf("elements of type %s can't be read as %T", d, *new(T))
	}
	return nil
}

// axis is one dimension of a copy: n elements at strides, in elements, in a chunk and in the destination.
type axis struct{ n, src, dst int }

// ReadInto reads a selection into dst, in C order and the machine's byte order. dst has exactly the selection's size, and
// may be any memory, aligned or not. Chunks are read by several goroutines at once, each once; a chunk that fills a part of
// dst without gaps is read or decoded straight into it. Elements of fixed length that are no numbers (strings, raw bits,
// records) come as their bytes. After an error the content of dst is unspecified.
func (a *Array) ReadInto(ctx context.Context, sel Selection, dst []byte) (Stats, error) {
	picks, err := sel.resolve(&a.grid)
	if err != nil {
		return Stats{}, a.wrap(err)
	}
	if err := a.checkChunk(); err != nil {
		return Stats{}, err
	}
	strides, elements, err := a.place(picks)
	if err != nil {
		return Stats{}, a.wrap(err)
	}
	if want := elements * a.meta.DType.Size; len(dst) != want {
		return Stats{}, a.wrap(fmt.Errorf("destination has %d bytes, the selection %d", len(dst), want))
	}
	if elements == 0 {
		return Stats{}, nil
	}
	if a.pipe.text {
		return a.readPadded(ctx, picks, strides, dst)
	}
	return a.visit(ctx, picks, func(ctx context.Context, w *worker, p *chunkPart) error {
		return w.readChunk(ctx, a, p, strides, dst)
	})
}

// place returns the destination's strides, in elements, and the number of elements selected.
func (a *Array) place(picks []pick) (strides []int, elements int, err error) {
	strides, elements = make([]int, len(picks)), 1
	limit := math.MaxInt / max(a.meta.DType.Size, 1)
	for i := range slices.Backward(picks) {
		n := picks[i].n
		strides[i] = elements
		if n > 0 && elements > limit/n { // lists may name an index more than once
			return nil, 0, fmt.Errorf("selection: more than %d elements", limit)
		}
		elements *= n
	}
	return strides, elements, nil
}

// A chunkPart is what a selection takes of one chunk.
type chunkPart struct {
	chunk   int         // its number
	lo      []int       // where the chunk begins, by dimension
	extents []int       // the chunk's
	strides []int       // of the decoded chunk, in elements
	takes   [][]segment // by dimension
	one     [][1]segment
	coords  []int
}

// visit calls f for each chunk that a selection of at least one element touches, by several goroutines at once; the
// chunkPart is valid during the call. Chunks of one shard are visited by one goroutine, in the order in which they lie, up to
// as many as are better read at once.
func (a *Array) visit(ctx context.Context, picks []pick, f func(context.Context, *worker, *chunkPart) error) (Stats, error) {
	j := a.jobs(picks)
	workers := make([]*worker, min(j.total, a.readers()))
	for i := range workers {
		workers[i] = idle.Get().(*worker)
		defer idle.Put(workers[i])
	}
	var next atomic.Int64
	return spread(ctx, workers, func(ctx context.Context, w *worker) error {
		p := a.newPart()
		at := make([]int, len(picks))
		for {
			i := int(next.Add(1)) - 1
			if i >= j.total {
				return nil
			}
			if w.group = j.chunks(w.group[:0], a, picks, i, at); len(a.pipe.levels) > 0 {
				w.gather(ctx, a, w.group)
			}
			for _, chunk := range w.group {
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
}

func (a *Array) newPart() *chunkPart {
	rank := len(a.grid.shape)
	ints := make([]int, 4*rank)
	return &chunkPart{coords: ints[:rank], lo: ints[rank : 2*rank], extents: ints[2*rank : 3*rank], strides: ints[3*rank:],
		takes: make([][]segment, rank), one: make([][1]segment, rank)}
}

// set describes what the selection takes of a chunk that it touches.
func (p *chunkPart) set(a *Array, chunk int, picks []pick) {
	p.chunk = chunk
	a.grid.coords(p.coords, chunk)
	n := 1
	for _, d := range slices.Backward(a.pipe.order) {
		p.lo[d], p.extents[d] = a.grid.span(d, p.coords[d])
		p.strides[d] = n
		n *= p.extents[d]
		p.takes[d] = picks[d].within(&a.grid, d, picks[d].touched(&a.grid, d, p.coords[d]), &p.one[d])
	}
}

// jobs cuts the chunks that a selection touches into pieces of work.
type jobs struct {
	n      []int   // chunks that are touched along each dimension
	bounds [][]int // of the shards that these are in, by dimension: where each begins among the touched chunks, and the end
	parts  int     // that the chunks of one shard are cut into
	limit  int     // chunks of such a part
	total  int
}

func (a *Array) jobs(picks []pick) jobs {
	j := jobs{n: make([]int, len(picks)), total: 1}
	for d := range picks {
		j.n[d] = picks[d].chunks(&a.grid, d)
	}
	if len(a.pipe.levels) == 0 {
		for _, n := range j.n {
			j.total *= n
		}
		return j
	}
	outer := &a.pipe.levels[0].grid
	most := 1 // chunks of a shard that are touched
	j.bounds = make([][]int, len(picks))
	for d := range picks {
		per, last, widest := outer.chunks[d]/a.grid.chunks[d], -1, 0
		for i := range j.n[d] {
			if shard := picks[d].chunk(&a.grid, d, i) / per; shard != last {
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
	j.limit = a.groupLimit()
	j.parts = (most + j.limit - 1) / j.limit
	j.total *= j.parts
	return j
}

// groupLimit is the number of chunks of a shard that are read by one worker at a time: more than are read at once would only
// keep other workers waiting. Strings of varying length are taken to have a chunk of 64 KiB.
func (a *Array) groupLimit() int { return int(max(1, a.h.size/int64(cmp.Or(a.chunkBytes(), 64<<10)))) }

// chunks appends the numbers of the chunks of the i-th job. at is memory for one index a dimension.
func (j *jobs) chunks(list []int, a *Array, picks []pick, i int, at []int) []int {
	number := func() int {
		n := 0
		for d := range at {
			n = n*a.grid.counts[d] + picks[d].chunk(&a.grid, d, at[d])
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
	var shard [maxRank]int
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

// readers returns how many goroutines read chunks of the array: two a core, which hides the waiting of buffered reads, or as
// many as the store answers at once; but no more than have room for a chunk, stored and decoded, in half of the memory.
func (a *Array) readers() int {
	room := hostmem.Limit() / 4 / int64(max(a.chunkBytes(), 1))
	return int(max(1, min(int64(max(2*runtime.GOMAXPROCS(0), a.h.requests)), room)))
}

// idle keeps the memory of ReadInto's workers between calls.
var idle = sync.Pool{New: func() any { return new(worker) }}

// spread runs f with each of the workers at once and returns the sum of their counts. The first error stops them all.
func spread(ctx context.Context, workers []*worker, f func(context.Context, *worker) error) (Stats, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	run := func(w *worker) {
		w.stats = Stats{}
		err := f(ctx, w)
		w.close()
		if err != nil {
			cancel(err)
		}
	}
	var wg sync.WaitGroup
	for _, w := range workers[1:] {
		wg.Go(func() { run(w) })
	}
	run(workers[0])
	wg.Wait()
	var stats Stats
	for _, w := range workers {
		stats.Add(w.stats)
	}
	return stats, context.Cause(ctx)
}

// readChunk reads what a selection takes of a chunk to where it belongs in dst.
func (w *worker) readChunk(ctx context.Context, a *Array, p *chunkPart, strides []int, dst []byte) error {
	size := a.meta.DType.Size
	var axisMemory [maxRank + 2]axis // and the two of a box
	axes := axisMemory[:len(strides)]
	whole, elements, single := size, 1, true
	for d, takes := range p.takes {
		whole *= p.extents[d]
		n := 0
		for _, s := range takes {
			n += s.n
		}
		elements *= n
		single = single && len(takes) == 1
	}
	w.stats.PlacedBytes += int64(elements * size)
	if single {
		src, to := p.axes(axes, strides, nil)
		outer, inner := nest(axes)
		if len(outer) == 0 && inner.contiguous() && (elements*size == whole || a.raw()) {
			ok, err := w.loadRun(ctx, a, p.chunk, dst[to*size:][:elements*size], src*size, whole)
			if err == nil && !ok {
				fillBox(dst, to*size, size, a.meta.Fill, &inner)
			}
			return err
		}
		w.spans = reach(w.spans[:0], outer, &inner, src, size)
	} else {
		w.spans = w.spans[:0]
		limit := 1 << 16 // spans: lists along several dimensions make many, which overlap
		p.each(func(at []int) {
			src, _ := p.axes(axes, strides, at)
			outer, inner := nest(axes)
			if w.spans = reach(w.spans, outer, &inner, src, size); len(w.spans) > limit {
				w.spans = joinSpans(w.spans)
				limit = max(limit, 2*len(w.spans))
			}
		})
		w.spans = joinSpans(w.spans)
	}
	dec, err := w.room(ctx, a, p.chunk, whole)
	if err != nil {
		return err
	}
	ok, err := w.load(ctx, a, p.chunk, dec, w.spans)
	if err != nil {
		return err
	}
	p.each(func(at []int) {
		src, to := p.axes(axes, strides, at)
		outer, inner := nest(axes)
		each(outer, src, to, func(src, to int) {
			if ok {
				copyBox(dst, to*size, dec, src, size, &inner)
			} else {
				fillBox(dst, to*size, size, a.meta.Fill, &inner)
			}
		})
	})
	return nil
}

// each calls f for every combination of segments, one a dimension: with their numbers.
func (p *chunkPart) each(f func(at []int)) {
	var memory [maxRank]int
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
func (p *chunkPart) axes(axes []axis, strides, at []int) (src, to int) {
	for d := range p.takes {
		s := &p.takes[d][0]
		if at != nil {
			s = &p.takes[d][at[d]]
		}
		src += (s.at - p.lo[d]) * p.strides[d]
		to += s.pos * strides[d]
		axes[d] = axis{s.n, s.step * p.strides[d], s.by * strides[d]}
	}
	return src, to
}

// reach appends to spans the bytes of a chunk that a copy from element src on takes: one span, or one for each index of the
// dimension with the widest stride where these are far apart.
func reach(spans []codec.Span, outer []axis, inner *box, src, size int) []codec.Span {
	axes := append(outer, axis{inner.n[0], inner.src[0], 0}, axis{inner.n[1], inner.src[1], 0}) // there is room: see readChunk
	far := 0
	for i, x := range axes {
		if x.n > 1 && (axes[far].n == 1 || abs(x.src) > abs(axes[far].src)) {
			far = i
		}
	}
	low, high := src, src
	for i, x := range axes {
		if i != far {
			low += min(0, x.src*(x.n-1))
			high += max(0, x.src*(x.n-1))
		}
	}
	n, step := axes[far].n, axes[far].src
	if step < 0 { // ascending, from the other end
		low, high, step = low+step*(n-1), high+step*(n-1), -step
	}
	high++
	if (low+step-high)*size <= readGap {
		n, high = 1, high+step*(n-1)
	}
	for i := range n {
		spans = append(spans, codec.Span{Lo: (low + i*step) * size, Hi: (high + i*step) * size})
	}
	return spans
}

// joinSpans sorts spans, and joins those that overlap.
func joinSpans(spans []codec.Span) []codec.Span {
	slices.SortFunc(spans, func(a, b codec.Span) int { return a.Lo - b.Lo })
	kept := spans[:1]
	for _, s := range spans[1:] {
		if last := &kept[len(kept)-1]; s.Lo <= last.Hi {
			last.Hi = max(last.Hi, s.Hi)
		} else {
			kept = append(kept, s)
		}
	}
	return kept
}

// loadRun loads a run of the bytes of a chunk of size bytes from lo on into dst: the whole chunk, or part of an uncompressed
// one.
func (w *worker) loadRun(ctx context.Context, a *Array, chunk int, dst []byte, lo, size int) (bool, error) {
	if len(dst) == size {
		return w.load(ctx, a, chunk, dst, nil)
	}
	ok, err := w.readAt(ctx, a, chunk, dst, lo, size, false)
	if ok {
		w.stats.Chunks++
		if !a.native() {
			swapBytes(dst, a.meta.DType.swapSize())
		}
	}
	return ok, err
}

// nest splits a copy over many dimensions into outer loops and a box: dimensions that run on without a gap on both sides
// become one, and the box gets the dimensions with the smallest strides on either side.
func nest(axes []axis) ([]axis, box) {
	kept := axes[:0]
	for _, x := range axes {
		if x.n == 1 {
			continue
		}
		if k := len(kept) - 1; k >= 0 && kept[k].src == x.n*x.src && kept[k].dst == x.n*x.dst {
			kept[k] = axis{kept[k].n * x.n, x.src, x.dst}
			continue
		}
		kept = append(kept, x)
	}
	b := box{n: [2]int{1, 1}}
	if len(kept) > 0 { // the destination is in C order: the last dimension is its fastest
		x := kept[len(kept)-1]
		b.n[1], b.src[1], b.dst[1] = x.n, x.src, x.dst
		kept = kept[:len(kept)-1]
	}
	if len(kept) > 0 {
		fast := len(kept) - 1
		if b.src[1] != 1 { // a transposition: walk the source's fastest dimension beside the destination's
			for i, x := range kept {
				if abs(x.src) < abs(kept[fast].src) {
					fast = i
				}
			}
		}
		x := kept[fast]
		b.n[0], b.src[0], b.dst[0] = x.n, x.src, x.dst
		kept = slices.Delete(kept, fast, fast+1)
	}
	return kept, b
}

func abs(i int) int { return max(i, -i) }

// each calls f with the offsets of every combination of the outer dimensions.
func each(outer []axis, src, dst int, f func(src, dst int)) {
	if len(outer) == 0 {
		f(src, dst)
		return
	}
	for i := range outer[0].n {
		each(outer[1:], src+i*outer[0].src, dst+i*outer[0].dst, f)
	}
}
