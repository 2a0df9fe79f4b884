package zarrio

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"unicode/utf8"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// ReadStrings reads a selection of strings into new memory, in C order: text as UTF-8, byte strings as they are. Strings of
// fixed length come without the NULs behind them. Arrays of another type are refused.
func (a *Array) ReadStrings(ctx context.Context, sel Selection) ([]string, error) {
	picks, err := sel.resolve(&a.c.Grid)
	if err != nil {
		return nil, a.c.Wrap(err)
	}
	_, elements, err := a.place(picks)
	if err == nil {
		err = hostmem.CheckElements(elements, a.c.Meta.DType.Size+16) // a string is two words
	}
	if err != nil {
		return nil, a.c.Wrap(err)
	}
	switch kind := a.c.Meta.DType.Kind; {
	case a.c.Pipe.Text || kind == meta.Object:
		return a.readObjects(ctx, picks, elements)
	case (kind == meta.Bytes || kind == meta.Unicode) && a.c.Meta.DType.Size == 0:
		return make([]string, elements), nil
	case kind == meta.Bytes || kind == meta.Unicode:
		raw := make([]byte, elements*a.c.Meta.DType.Size)
		if _, err := a.ReadInto(ctx, sel, raw); err != nil {
			return nil, err
		}
		return fixedStrings(raw, a.c.Meta.DType, elements), nil
	}
	return nil, a.c.Wrap(&meta.UnsupportedError{What: "reading as strings data type", Found: a.c.Meta.DType.String(), Supported: "strings and byte strings"})
}

// fixedStrings cuts raw into n strings of fixed length.
func fixedStrings(raw []byte, d meta.DType, n int) []string {
	out := make([]string, n)
	for i := range out {
		e := raw[i*d.Size:][:d.Size]
		if d.Kind == meta.Bytes {
			out[i] = string(bytes.TrimRight(e, "\x00"))
			continue
		}
		out[i] = string(meta.TrimText(e))
	}
	return out
}

// readObjects reads strings that are stored with lengths of their own.
func (a *Array) readObjects(ctx context.Context, picks []grid.Pick, elements int) ([]string, error) {
	if a.c.NoCodec != nil {
		return nil, a.c.Wrap(a.c.NoCodec)
	}
	strides, _, _ := a.place(picks)
	out := make([]string, elements)
	if elements == 0 {
		return out, nil
	}
	fill := a.c.Meta.Fill
	if a.c.Meta.DType.Kind != meta.Object && fill != nil {
		fill = []byte(fixedStrings(fill, a.c.Meta.DType, 1)[0])
	}
	_, err := a.visitTexts(ctx, picks, strides, func(to int, text []byte, found bool) {
		if !found {
			text = fill
		}
		out[to] = string(text)
	})
	return out, err
}

// readPadded reads elements of fixed length that are stored with lengths of their own, as zarr-python 3.0 writes them in Zarr
// v2: cut, or padded with NULs.
func (a *Array) readPadded(ctx context.Context, picks []grid.Pick, strides []int, dst []byte) (meta.Stats, error) {
	d := a.c.Meta.DType
	return a.visitTexts(ctx, picks, strides, func(to int, text []byte, found bool) {
		e := dst[to*d.Size:][:d.Size]
		switch {
		case !found:
			ndcopy.Repeat(e, a.c.Meta.Fill)
		case d.Kind == meta.Bytes:
			clear(e[copy(e, text):])
		default:
			for _, r := range string(text) {
				if len(e) < 4 {
					break
				}
				meta.PutBits(e[:4], uint64(r))
				e = e[4:]
			}
			clear(e)
		}
	})
}

// visitTexts calls f, by several goroutines at once, for each element of a selection with its place among the selected ones
// and its text; found is false for one whose chunk is not in the store.
func (a *Array) visitTexts(ctx context.Context, picks []grid.Pick, strides []int, f func(to int, text []byte, found bool)) (meta.Stats, error) {
	return a.c.ForEach(ctx, picks, func(ctx context.Context, r *chunk.Reader, p *chunk.Part) error {
		return r.EachText(ctx, a.c, p, strides, f)
	})
}

// ElementsJSON returns the elements of the whole array in C order, each as fill values are written in Zarr v3 metadata:
// numbers, "NaN", a NaN's bits, [real, imaginary], text, or bytes in base64. They are read to the same bits; text that is not
// Unicode can't be written so, and is an error. The bytes are valid until the next element. The array is read in parts, in
// bounded memory; after an error the sequence ends.
func (a *Array) ElementsJSON(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if a.c.Meta.DType.Size > 0 {
			if err := a.c.CheckChunk(); err != nil {
				yield(nil, err)
				return
			}
		}
		size := a.c.Meta.DType.Size
		if size == 0 {
			size = textRoom
		}
		format, number := 3, 0
		if a.c.Meta.DType.Kind == meta.Raw {
			format = a.c.Meta.Format // whose documents have other forms of these
		}
		var buf, dst []byte
		for sel := range parts(a.Shape(), a.c.Meta.Chunks, size, int(min(maxPart, hostmem.Limit()/8))) {
			var err error
			var bad bool
			if dst, err = a.elements(ctx, sel, dst, func(e []byte) bool {
				if bad = !unicodeText(e, a.c.Meta.DType); bad {
					return false
				}
				number++
				buf = meta.AppendJSON(buf[:0], e, a.c.Meta.DType, format)
				return yield(buf, nil)
			}); bad {
				err = a.c.Wrap(fmt.Errorf("element %d, in C order, is not Unicode text", number))
			}
			if err != nil {
				if err != errStopped {
					yield(nil, err)
				}
				return
			}
		}
	}
}

// Bounds of what ElementsJSON reads at once, in bytes.
const (
	usualPart = 32 << 20 // enough for several chunks, that are decoded side by side
	maxPart   = 1 << 30  // from here on, chunks are rather decoded more than once
	textRoom  = 64       // what an element of varying length may take
)

// parts cuts an array, whose elements take size bytes, into boxes that follow each other in C order: rows of whole chunks if
// these have at most limit bytes, else less.
func parts(shape, chunks []int, size, limit int) iter.Seq[Selection] {
	return func(yield func(Selection) bool) {
		if slices.Contains(shape, 0) {
			return
		}
		// Along dimension d boxes have some extent, along those before it 1, and behind it all.
		d, row := len(shape)-1, size
		for ; d > 0 && row <= limit/shape[d]; d-- {
			row *= shape[d]
		}
		if d < 0 { // the one element of a scalar
			yield(nil)
			return
		}
		step := min(max(limit/row, 1), chunks[d])
		if step == chunks[d] {
			step *= max(usualPart/row/chunks[d], 1)
		}
		for at := make([]int, d+1); ; {
			sel := make(Selection, d+1)
			for i := range d {
				sel[i] = Span(at[i], at[i]+1)
			}
			sel[d] = Span(at[d], min(at[d]+step, shape[d]))
			if !yield(sel) {
				return
			}
			at[d] += step
			for i := d; at[i] >= shape[i]; i-- {
				if i == 0 {
					return
				}
				at[i] = 0
				at[i-1]++
			}
		}
	}
}

// unicodeText says whether an element is text that UTF-8 can hold, or no text at all.
func unicodeText(e []byte, d meta.DType) bool {
	switch {
	case d.Kind == meta.Object && d.Variant != "bytes":
		return utf8.Valid(e)
	case d.Kind == meta.Unicode:
		for ; len(e) >= 4; e = e[4:] {
			if c := meta.GetBits(e[:4]); c > utf8.MaxRune || !utf8.ValidRune(rune(c)) {
				return false
			}
		}
	}
	return true
}

// errStopped says that whoever asked for elements wants no more.
var errStopped = fmt.Errorf("stopped")

// elements calls f for each element of a selection, with its bytes, or its text where elements vary in length. It returns
// memory for the next call.
func (a *Array) elements(ctx context.Context, sel Selection, dst []byte, f func([]byte) bool) ([]byte, error) {
	if a.c.Meta.DType.Size == 0 {
		texts, err := a.ReadStrings(ctx, sel)
		for _, s := range texts {
			if !f([]byte(s)) {
				return dst, errStopped
			}
		}
		return dst, err
	}
	shape, err := sel.Shape(a.Shape())
	if err != nil {
		return dst, a.c.Wrap(err)
	}
	size := max(a.c.Meta.DType.Size, 1)
	n, err := meta.Product(shape, math.MaxInt/size)
	if err == nil {
		err = hostmem.CheckElements(n, size)
	}
	if err != nil {
		return dst, a.c.Wrap(err)
	}
	dst = slices.Grow(dst[:0], n*size)[:n*size]
	if _, err := a.ReadInto(ctx, sel, dst); err != nil {
		return dst, err
	}
	for e := range slices.Chunk(dst, max(a.c.Meta.DType.Size, 1)) {
		if !f(e) {
			return dst, errStopped
		}
	}
	return dst, nil
}
