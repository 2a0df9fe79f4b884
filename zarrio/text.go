package zarrio

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// ReadStrings reads a selection of strings into new memory, in C order: text as UTF-8, byte strings
// as they are. Strings of fixed length come without the NULs behind them. Arrays of another type
// are refused.
func (a *Array) ReadStrings(ctx context.Context, sel Selection) ([]string, error) {
	picks, err := sel.resolve(&a.c.Grid)
	if err != nil {
		return nil, a.c.Wrap(err)
	}
	strides, elements, err := grid.Strides(picks, a.c.Meta.DType.Size)
	if err == nil {
		err = hostmem.CheckElements(elements, a.c.Meta.DType.Size+16) // a string is two words
	}
	if err != nil {
		return nil, a.c.Wrap(err)
	}
	switch kind := a.c.Meta.DType.Kind; {
	case a.c.Pipe.Text || kind == meta.Object:
		return a.readObjects(ctx, picks, strides, elements)
	case (kind == meta.Bytes || kind == meta.Unicode) && a.c.Meta.DType.Size == 0:
		return make([]string, elements), nil
	case kind == meta.Bytes || kind == meta.Unicode:
		raw := make([]byte, elements*a.c.Meta.DType.Size)
		if _, err := a.ReadInto(ctx, sel, raw); err != nil {
			return nil, err
		}
		return meta.FixedStrings(raw, a.c.Meta.DType), nil
	}
	return nil, a.c.Wrap(&meta.UnsupportedError{What: "reading as strings data type", Found: a.c.Meta.DType.String(), Supported: "strings and byte strings"})
}

// readObjects reads strings that are stored with lengths of their own.
func (a *Array) readObjects(ctx context.Context, picks []grid.Pick, strides []int, elements int) ([]string, error) {
	if a.c.NoCodec != nil {
		return nil, a.c.Wrap(a.c.NoCodec)
	}
	out := make([]string, elements)
	if elements == 0 {
		return out, nil
	}
	fill := a.c.Meta.Fill
	if a.c.Meta.DType.Kind != meta.Object && fill != nil {
		fill = []byte(meta.FixedStrings(fill, a.c.Meta.DType)[0])
	}
	_, err := a.visitTexts(ctx, picks, strides, func(to int, text []byte, found bool) {
		if !found {
			text = fill
		}
		out[to] = string(text)
	})
	return out, err
}

// readPadded reads elements of fixed length that are stored with lengths of their own, as
// zarr-python 3.0 writes them in Zarr v2: cut, or padded with NULs.
func (a *Array) readPadded(ctx context.Context, picks []grid.Pick, strides []int, dst []byte) (meta.Stats, error) {
	d := a.c.Meta.DType
	return a.visitTexts(ctx, picks, strides, func(to int, text []byte, found bool) {
		e := dst[to*d.Size:][:d.Size]
		if found {
			meta.PutText(e, text, d)
		} else {
			ndcopy.Repeat(e, a.c.Meta.Fill)
		}
	})
}

// visitTexts calls f, by several goroutines at once, for each element of a selection with its place
// among the selected ones and its text; found is false for one whose chunk is not in the store.
func (a *Array) visitTexts(ctx context.Context, picks []grid.Pick, strides []int, f func(to int, text []byte, found bool)) (meta.Stats, error) {
	return a.c.ForEach(ctx, picks, func(ctx context.Context, r *chunk.Reader, p *chunk.Part) error {
		return r.EachString(ctx, a.c, p, strides, f)
	})
}

// ElementsJSON returns the elements of the whole array in C order, each as fill values are written
// in Zarr v3 metadata: numbers, "NaN", a NaN's bits, [real, imaginary], text, or bytes in base64.
// They are read to the same bits; text that is not Unicode can't be written so, and is an error.
// The bytes are valid until the next element. The array is read in parts, in bounded memory; after
// an error the sequence ends.
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
		box, _ := Selection(nil).box(a.Shape())
		most := grid.PartSize(a.Shape(), a.c.Meta.Chunks, size, usualPart, int(min(maxPart, hostmem.Limit()/8)))
		err := box.Each(a.c.Meta.Chunks, most, func(part grid.Box) (err error) {
			bad := false
			dst, err = a.elements(ctx, part, dst, func(e []byte) bool {
				if bad = !meta.ValidText(e, a.c.Meta.DType); bad {
					return false
				}
				number++
				buf = meta.AppendJSON(buf[:0], e, a.c.Meta.DType, format)
				return yield(buf, nil)
			})
			if bad {
				return a.c.Wrap(fmt.Errorf("element %d, in C order, is not Unicode text", number))
			}
			return err
		})
		if err != nil && err != errStopped {
			yield(nil, err)
		}
	}
}

// Bounds of what ElementsJSON reads at once, in bytes.
const (
	usualPart = 32 << 20 // enough for several chunks, that are decoded side by side
	maxPart   = 1 << 30  // above, chunks are rather decoded more than once
	textRoom  = 64       // what an element of varying length may take
)

// errStopped is the error of a loop over elements that ended early.
var errStopped = fmt.Errorf("stopped")

// elements calls f for each element of a part, with its bytes, or its text if elements vary in
// length. It returns memory for the next call.
func (a *Array) elements(ctx context.Context, part grid.Box, dst []byte, f func([]byte) bool) ([]byte, error) {
	sel, size := selectionOf(part), a.c.Meta.DType.Size
	if size == 0 {
		texts, err := a.ReadStrings(ctx, sel)
		for _, s := range texts {
			if !f([]byte(s)) {
				return dst, errStopped
			}
		}
		return dst, err
	}
	n := part.Count() * size
	dst = slices.Grow(dst[:0], n)[:n]
	if _, err := a.ReadInto(ctx, sel, dst); err != nil {
		return dst, err
	}
	for e := range slices.Chunk(dst, size) {
		if !f(e) {
			return dst, errStopped
		}
	}
	return dst, nil
}
