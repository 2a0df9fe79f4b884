package chunk

import (
	"context"
	"fmt"
	"runtime/trace"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// maxStringChunk limits a chunk of strings, stored or decoded. Its size isn't in the metadata.
const maxStringChunk = 1 << 30

// loadStrings reads a chunk of strings, which are valid until the reader reads another one. It
// returns nil if the chunk is not in the store.
func (r *Reader) loadStrings(ctx context.Context, a *Array, p *Part) ([][]byte, error) {
	limit := int(min(maxStringChunk, hostmem.Limit()/8))
	src, err := r.readEncoded(ctx, a, p.chunk, limit)
	if src == nil || err != nil {
		return nil, err
	}
	defer trace.StartRegion(ctx, "decode").End()
	if src, err = a.Pipe.Chain.DecodeAll(src, limit, &r.buf.scratch); err != nil {
		return nil, a.failStep(p.chunk, err)
	}
	n := p.elements()
	r.buf.strings, err = codec.DecodeVLen(r.buf.strings[:0], src)
	if err == nil && len(r.buf.strings) != n {
		err = fmt.Errorf("%d strings, the chunk has %d elements", len(r.buf.strings), n)
	}
	if err != nil {
		return nil, a.Fail(p.chunk, "vlen", err)
	}
	r.Stats.Chunks++
	r.Stats.DecodedBytes += int64(len(src))
	return r.buf.strings, nil
}

// EachString calls f for each string that a selection takes of a chunk. to is the string's position
// in a destination of the given strides, in elements. found is false for all if the chunk is not in
// the store. The text is valid during the call.
func (r *Reader) EachString(ctx context.Context, a *Array, p *Part, strides []int, f func(to int, text []byte, found bool)) error {
	texts, err := r.loadStrings(ctx, a, p)
	if err != nil {
		return err
	}
	var memory [meta.MaxRank]ndcopy.Axis
	axes := memory[:len(strides)]
	p.each(func(at []int) {
		src, to := p.axes(axes, strides, at)
		outer, box := ndcopy.Nest(axes)
		ndcopy.Each(outer, src, to, func(src, to int) {
			for i := range box.N[0] {
				for j := range box.N[1] {
					var text []byte
					if texts != nil {
						text = texts[src+i*box.Src[0]+j*box.Src[1]]
					}
					f(to+i*box.Dst[0]+j*box.Dst[1], text, texts != nil)
				}
			}
		})
	})
	return nil
}
