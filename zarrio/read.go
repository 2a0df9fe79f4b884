package zarrio

import (
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
	if !same || d.Size != int(unsafe.Sizeof(*new(T))) {
		return fmt.Errorf("elements of type %s can't be read as %T", d, *new(T))
	}
	return nil
}

// axis is one dimension of a copy: n elements at strides, in elements, in a chunk and in the destination.
type axis struct{ n, src, dst int }

// ReadInto reads a selection into dst, in C order and the machine's byte order. dst has exactly the selection's size, and
// may be any memory, aligned or not. Chunks are read by several goroutines at once; a chunk that fills a part of dst
// without gaps is read or decoded straight into it. After an error the content of dst is unspecified.
func (a *Array) ReadInto(ctx context.Context, sel Selection, dst []byte) (Stats, error) {
	runs, err := sel.resolve(a.Shape())
	if err != nil {
		return Stats{}, a.wrap(err)
	}
	if err := a.checkChunk(); err != nil {
		return Stats{}, err
	}
	// A selection has at most as many elements as the array, and that number of bytes is known to fit an int.
	strides, elements := make([]int, len(runs)), 1
	for i, r := range slices.Backward(runs) {
		strides[i] = elements
		elements *= r.count
	}
	if want := elements * a.meta.DType.Size; len(dst) != want {
		return Stats{}, a.wrap(fmt.Errorf("destination has %d bytes, the selection %d", len(dst), want))
	}
	if elements == 0 {
		return Stats{}, nil
	}
	n := make([]int, len(runs)) // chunks along each dimension that hold something of the selection
	total := 1
	for i, r := range runs {
		n[i] = r.chunks(a.meta.Chunks[i])
		total *= n[i]
	}
	workers := make([]*worker, min(total, a.readers()))
	for i := range workers {
		workers[i] = idle.Get().(*worker)
		defer idle.Put(workers[i])
	}
	var next atomic.Int64
	return spread(ctx, workers, func(ctx context.Context, w *worker) error {
		coords := make([]int, len(runs))
		axes := make([]axis, len(runs), len(runs)+2) // and the two of a box
		for {
			i := int(next.Add(1)) - 1
			if i >= total {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			for d := len(coords) - 1; d >= 0; d-- {
				coords[d] = runs[d].chunk(i%n[d], a.meta.Chunks[d])
				i /= n[d]
			}
			if err := w.readChunk(ctx, a, coords, runs, strides, axes, dst); err != nil {
				return err
			}
		}
	})
}

// readers returns how many goroutines read chunks of the array: two a core, which hides the waiting of buffered reads, but
// no more than have room for a chunk, stored and decoded, in half of the memory.
func (a *Array) readers() int {
	room := hostmem.Limit() / 4 / int64(a.meta.chunkBytes())
	return int(max(1, min(int64(2*runtime.GOMAXPROCS(0)), room)))
}

// idle keeps the memory of ReadInto's workers between calls.
var idle = sync.Pool{New: func() any { return new(worker) }}

// spread runs f with each of the workers at once and returns the sum of their counts. The first error stops them all.
func spread(ctx context.Context, workers []*worker, f func(context.Context, *worker) error) (Stats, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	run := func(w *worker) {
		w.stats = Stats{}
		if err := f(ctx, w); err != nil {
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

// readChunk reads the part of the selection that lies in the chunk at the grid coordinates.
func (w *worker) readChunk(ctx context.Context, a *Array, coords []int, runs []run, strides []int, axes []axis, dst []byte) error {
	src, to := 0, 0
	for d, r := range runs {
		c := a.meta.Chunks[d]
		first, count := r.within(coords[d]*c, (coords[d]+1)*c)
		src += (r.start + first*r.step - coords[d]*c) * a.strides[d]
		to += first * strides[d]
		axes[d] = axis{count, r.step * a.strides[d], strides[d]}
	}
	outer, inner := nest(axes)
	chunk, size := a.grid.index(coords), a.meta.DType.Size
	elements := inner.count()
	for _, x := range outer {
		elements *= x.n
	}
	w.stats.PlacedBytes += int64(elements * size)
	if len(outer) == 0 && inner.contiguous() && (elements*size == a.meta.chunkBytes() || len(a.codec) == 0) {
		ok, err := w.loadRun(ctx, a, chunk, dst[to*size:][:elements*size], src*size)
		if err != nil || ok {
			return err
		}
		fillBox(dst, to*size, size, a.meta.Fill, &inner)
		return nil
	}
	w.reach(outer, &inner, src, size)
	dec, err := w.room(ctx, a, chunk)
	if err != nil {
		return err
	}
	ok, err := w.load(ctx, a, chunk, dec, w.spans)
	if err != nil {
		return err
	}
	each(outer, src, to, func(src, to int) {
		if ok {
			copyBox(dst, to*size, dec, src, size, &inner)
		} else {
			fillBox(dst, to*size, size, a.meta.Fill, &inner)
		}
	})
	return nil
}

// reach lists, in w.spans, the bytes of a chunk that a copy from element src on takes: one span, or one for each index of
// the dimension with the widest stride where these are far apart.
func (w *worker) reach(outer []axis, inner *box, src, size int) {
	axes := append(outer, axis{inner.n[0], inner.src[0], 0}, axis{inner.n[1], inner.src[1], 0}) // there is room: see ReadInto
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
	w.spans = w.spans[:0]
	for i := range n {
		w.spans = append(w.spans, codec.Span{Lo: (low + i*step) * size, Hi: (high + i*step) * size})
	}
}

// loadRun loads a run of the chunk's bytes from lo on into dst: the whole chunk, or part of an uncompressed one.
func (w *worker) loadRun(ctx context.Context, a *Array, chunk int, dst []byte, lo int) (bool, error) {
	if len(dst) == a.meta.chunkBytes() {
		return w.load(ctx, a, chunk, dst, nil)
	}
	ok, err := w.readAt(ctx, a, chunk, dst, lo)
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
