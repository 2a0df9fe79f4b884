package write

import (
	"context"
	"fmt"
	"math/bits"
	"sync/atomic"

	"zarrbench/zarrio/meta"
)

// An ArrayWriter writes an array's chunks, in any order. It may be used by many goroutines at once.
type ArrayWriter struct {
	w      *Writer
	path   string
	spec   ArraySpec // with its defaults filled in
	attrs  meta.Attributes
	unit   []int           // extents of what is stored under a key: a chunk or a shard
	counts []int           // such units along each dimension
	total  int             // of them
	done   []atomic.Uint64 // a bit for each, in C order

	finished atomic.Bool
}

// maxUnits bounds the chunks, or shards, of an array that is written, so that a bit for each is little memory.
const maxUnits = 1 << 30

func newArrayWriter(w *Writer, path string, spec ArraySpec) (*ArrayWriter, error) {
	spec, unit, err := spec.resolved(w.format)
	if err != nil {
		return nil, err
	}
	a := &ArrayWriter{w: w, path: path, spec: spec, unit: unit, counts: make([]int, len(unit))}
	if a.attrs, err = encodeAttrs(spec.Attrs); err != nil {
		return nil, err
	}
	for i, n := range spec.Shape {
		a.counts[i] = (n + unit[i] - 1) / unit[i]
	}
	if a.total, err = meta.Product(a.counts, maxUnits); err != nil {
		return nil, fmt.Errorf("chunks: %w", err)
	}
	a.done = make([]atomic.Uint64, (a.total+63)/64)
	return a, nil
}

// Write writes the chunks of a box of the array: shape elements from origin on. data are the box's elements in C order and
// the machine's byte order; they aren't changed or kept. The box is made of whole chunks, or whole shards where there are
// any: it begins where one begins, and ends where one ends or where the array does. What a chunk has beyond the array is
// filled with the fill value.
//
// Chunks are encoded and stored one after the other: to use more cores, write boxes from several goroutines. A chunk that
// is written again is replaced. After an error, chunks of the box may or may not have been written.
func (a *ArrayWriter) Write(ctx context.Context, origin, shape []int, data []byte) error {
	var lo, hi [meta.MaxRank]int // coordinates of chunks
	elements, err := a.units(origin, shape, &lo, &hi)
	if err == nil && len(data) != elements*a.spec.DType.Size {
		err = fmt.Errorf("%d bytes of data, the box has %d", len(data), elements*a.spec.DType.Size)
	}
	if err != nil {
		return a.w.fail(a.path, err)
	}
	if elements == 0 {
		return nil
	}
	s := a.w.scratch.Get().(*writeScratch)
	defer a.w.scratch.Put(s)
	s.strides(shape)
	rank := len(shape)
	coords := append(s.coords[:0], lo[:rank]...)
	for more := true; more; more = advance(coords, lo[:rank], hi[:rank]) {
		if err := a.writeUnit(ctx, s, coords, origin, shape, data); err != nil {
			return err
		}
	}
	return nil
}

// Skip leaves out the chunks of a box, as Write takes it: those that are in the store already, or that are to read as the
// fill value. Finish does not miss them.
func (a *ArrayWriter) Skip(origin, shape []int) error {
	var lo, hi [meta.MaxRank]int
	elements, err := a.units(origin, shape, &lo, &hi)
	if err != nil {
		return a.w.fail(a.path, err)
	}
	if elements == 0 {
		return nil
	}
	rank := len(shape)
	coords := append([]int{}, lo[:rank]...)
	for more := true; more; more = advance(coords, lo[:rank], hi[:rank]) {
		a.mark(coords)
	}
	return nil
}

// Finish writes the array's document: from then on the array is there. No Write may be under way. It is an error, and
// nothing is written, where a chunk was neither written nor skipped; after an error it can be called again.
func (a *ArrayWriter) Finish(ctx context.Context) error {
	if a.finished.Load() {
		return a.w.fail(a.path, errFinished)
	}
	for i := range a.done {
		missing := ^a.done[i].Load()
		if n := i*64 + bits.TrailingZeros64(missing); missing != 0 && n < a.total {
			coords := make([]int, len(a.counts))
			for d := len(coords) - 1; d >= 0; d-- {
				coords[d] = n % a.counts[d]
				n /= a.counts[d]
			}
			return a.w.fail(a.path, fmt.Errorf("chunk %q was not written", a.appendKey(nil, coords)))
		}
	}
	docs := v2ArrayDocuments
	if a.w.format == 3 {
		docs = v3ArrayDocuments
	}
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	if err := a.w.put(ctx, docs(a)); err != nil {
		return a.w.fail(a.path, err)
	}
	a.finished.Store(true)
	return nil
}

// units checks a box and stores the coordinates of its chunks or shards: from lo up to, not including, hi. It returns the
// elements of the box.
func (a *ArrayWriter) units(origin, shape []int, lo, hi *[meta.MaxRank]int) (elements int, err error) {
	if a.finished.Load() {
		return 0, errFinished
	}
	if len(origin) != len(a.unit) || len(shape) != len(a.unit) {
		return 0, fmt.Errorf("box of shape %v at %v: want %d dimensions", shape, origin, len(a.unit))
	}
	elements = 1
	for d, n := range shape {
		o, extent, unit := origin[d], a.spec.Shape[d], a.unit[d]
		if o < 0 || n < 0 || o > extent || n > extent-o {
			return 0, fmt.Errorf("box of shape %v at %v is not within the array's %v", shape, origin, a.spec.Shape)
		}
		if o%unit != 0 || (o+n)%unit != 0 && o+n != extent {
			return 0, fmt.Errorf("box of shape %v at %v is not made of whole chunks of %v", shape, origin, a.unit)
		}
		lo[d], hi[d] = o/unit, (o+n+unit-1)/unit
		elements *= n // an array's elements are known to fit
	}
	return elements, nil
}

// advance makes coords the next of those from lo up to hi, in C order, or returns false after the last.
func advance(coords, lo, hi []int) bool {
	for d := len(coords) - 1; d >= 0; d-- {
		if coords[d]++; coords[d] < hi[d] {
			return true
		}
		coords[d] = lo[d]
	}
	return false
}

// mark notes that a chunk need not be written any more.
func (a *ArrayWriter) mark(coords []int) {
	n := 0
	for d, c := range coords {
		n = n*a.counts[d] + c
	}
	a.done[n/64].Or(1 << (n % 64))
}

// appendKey appends the key of a chunk or a shard.
func (a *ArrayWriter) appendKey(key []byte, coords []int) []byte {
	k := meta.KeyEncoding{Separator: a.spec.Separator}
	if a.w.format == 3 {
		k.Prefix = "c"
	}
	return k.Append(append(key, meta.Prefix(a.path)...), coords)
}

// writeUnit encodes and stores the chunk or the shard at coords, whose elements lie in a box.
func (a *ArrayWriter) writeUnit(ctx context.Context, s *writeScratch, coords, origin, shape []int, data []byte) error {
	fail := func(step string, err error) error {
		return &meta.ChunkError{Store: a.w.name, Array: a.path, Key: string(a.appendKey(nil, coords)), Step: step, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail("write", err)
	}
	at := s.at[:len(coords)] // where it begins, in the box
	for d, c := range coords {
		at[d] = c*a.unit[d] - origin[d]
	}
	value, err := s.value(a, at, shape, data)
	if err != nil {
		return fail("encode", err)
	}
	if value == nil { // all fill value, and left out
		a.mark(coords)
		return nil
	}
	if err := a.w.dst.Put(ctx, string(a.appendKey(s.key[:0], coords)), value); err != nil {
		return fail("write", err)
	}
	a.mark(coords)
	return nil
}
