package zarrio

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"runtime/trace"
	"slices"
	"strings"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/hostmem"
)

// ReadStrings reads a selection of strings into new memory, in C order: text as UTF-8, byte strings as they are. Strings of
// fixed length come without the NULs behind them. Arrays of another type are refused.
func (a *Array) ReadStrings(ctx context.Context, sel Selection) ([]string, error) {
	picks, err := sel.resolve(&a.grid)
	if err != nil {
		return nil, a.wrap(err)
	}
	_, elements, err := a.place(picks)
	if err == nil {
		err = checkMemory(int64(elements) * int64(a.meta.DType.Size+16))
	}
	if err != nil {
		return nil, a.wrap(err)
	}
	switch a.meta.DType.Kind {
	case Bytes, Unicode:
		raw := make([]byte, elements*a.meta.DType.Size)
		if _, err := a.ReadInto(ctx, sel, raw); err != nil {
			return nil, err
		}
		return fixedStrings(raw, a.meta.DType, elements), nil
	case Object:
		return a.readObjects(ctx, picks, elements)
	}
	return nil, a.wrap(&UnsupportedError{What: "reading as strings data type", Found: a.meta.DType.String(), Supported: "strings and byte strings"})
}

// fixedStrings cuts raw into n strings of fixed length.
func fixedStrings(raw []byte, d DType, n int) []string {
	out := make([]string, n)
	for i := range out {
		e := raw[i*d.Size:][:d.Size]
		if d.Kind == Bytes {
			out[i] = string(bytes.TrimRight(e, "\x00"))
			continue
		}
		var text strings.Builder
		for ; len(e) >= 4; e = e[4:] {
			text.WriteRune(rune(binary.NativeEndian.Uint32(e)))
		}
		out[i] = strings.TrimRight(text.String(), "\x00")
	}
	return out
}

// readObjects reads strings of varying length.
func (a *Array) readObjects(ctx context.Context, picks []pick, elements int) ([]string, error) {
	if a.noCodec != nil {
		return nil, a.wrap(a.noCodec)
	}
	strides, _, _ := a.place(picks)
	out := make([]string, elements)
	if elements == 0 {
		return out, nil
	}
	_, err := a.visit(ctx, picks, func(ctx context.Context, w *worker, p *chunkPart) error {
		texts, err := w.loadObjects(ctx, a, p)
		if err != nil {
			return err
		}
		var memory [maxRank]axis
		axes := memory[:len(strides)]
		p.each(func(at []int) {
			src, to := p.axes(axes, strides, at)
			outer, box := nest(axes)
			each(outer, src, to, func(src, to int) {
				for i := range box.n[0] {
					for j := range box.n[1] {
						text := a.meta.Fill
						if texts != nil {
							text = texts[src+i*box.src[0]+j*box.src[1]]
						}
						out[to+i*box.dst[0]+j*box.dst[1]] = string(text)
					}
				}
			})
		})
		return nil
	})
	return out, err
}

// maxTextChunk bounds a chunk of strings, stored or decoded: no metadata say how long it is.
const maxTextChunk = 1 << 30

// loadObjects reads a chunk of strings, which are valid until the worker reads another one: nil for one that is not in the
// store.
func (w *worker) loadObjects(ctx context.Context, a *Array, p *chunkPart) ([][]byte, error) {
	limit := int(min(maxTextChunk, hostmem.Limit()/8))
	src, err := w.readEncoded(ctx, a, p.chunk, limit)
	if src == nil || err != nil {
		return nil, err
	}
	defer trace.StartRegion(ctx, "decode").End()
	if src, err = a.pipe.chain.DecodeAll(src, limit, &w.scratch); err != nil {
		return nil, a.failStep(p.chunk, err)
	}
	n := 1
	for _, e := range p.extents {
		n *= e
	}
	if w.texts, err = codec.DecodeVLen(w.texts[:0], src); err == nil && len(w.texts) != n {
		err = fmt.Errorf("%d strings, the chunk has %d elements", len(w.texts), n)
	}
	if err != nil {
		return nil, a.fail(p.chunk, "vlen", err)
	}
	w.stats.Chunks++
	w.stats.DecodedBytes += int64(len(src))
	return w.texts, nil
}

// ElementsJSON returns the elements of the whole array in C order, each as fill values are written in metadata: numbers,
// "NaN", [real, imaginary], text, or bytes in base64. The bytes are valid until the next element. The array is read in parts;
// after an error the sequence ends.
func (a *Array) ElementsJSON(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		shape := a.Shape()
		rows, step := 1, 1
		if len(shape) > 0 {
			rows, step = shape[0], a.meta.Chunks[0]
		}
		var buf, dst []byte
		for lo := 0; lo < rows; lo += step {
			var sel Selection
			if len(shape) > 0 {
				sel = Selection{Span(lo, min(rows, lo+step))}
			}
			var err error
			if dst, err = a.elements(ctx, sel, dst, func(e []byte) bool {
				buf = appendFillJSON(buf[:0], e, a.meta.DType, a.meta.Format)
				return yield(buf, nil)
			}); err != nil {
				if err != errStopped {
					yield(nil, err)
				}
				return
			}
		}
	}
}

// errStopped says that whoever asked for elements wants no more.
var errStopped = fmt.Errorf("stopped")

// elements calls f for each element of a selection, with its bytes, or its text where elements vary in length. It returns
// memory for the next call.
func (a *Array) elements(ctx context.Context, sel Selection, dst []byte, f func([]byte) bool) ([]byte, error) {
	if a.meta.DType.Kind == Object {
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
		return dst, a.wrap(err)
	}
	size := a.meta.DType.Size
	for _, n := range shape {
		size *= n
	}
	if err := checkMemory(int64(size)); err != nil {
		return dst, a.wrap(err)
	}
	dst = slices.Grow(dst[:0], size)[:size]
	if _, err := a.ReadInto(ctx, sel, dst); err != nil {
		return dst, err
	}
	for e := range slices.Chunk(dst, max(a.meta.DType.Size, 1)) {
		if !f(e) {
			return dst, errStopped
		}
	}
	return dst, nil
}
