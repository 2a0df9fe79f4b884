package zarrio

import (
	"context"
	"fmt"
	"runtime/trace"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/hostmem"
)

// maxTextChunk bounds a chunk of strings, stored or decoded: no metadata say how long it is.
const maxTextChunk = 1 << 30

// loadObjects reads a chunk of strings, which are valid until the worker reads another one: nil for one that is not in the
// store.
func (w *reader) loadObjects(ctx context.Context, a *chunkArray, p *chunkPart) ([][]byte, error) {
	limit := int(min(maxTextChunk, hostmem.Limit()/8))
	src, err := w.readEncoded(ctx, a, p.chunk, limit)
	if src == nil || err != nil {
		return nil, err
	}
	defer trace.StartRegion(ctx, "decode").End()
	if src, err = a.pipe.Chain.DecodeAll(src, limit, &w.buf.scratch); err != nil {
		return nil, a.failStep(p.chunk, err)
	}
	n := p.elements()
	if w.buf.texts, err = codec.DecodeVLen(w.buf.texts[:0], src); err == nil && len(w.buf.texts) != n {
		err = fmt.Errorf("%d strings, the chunk has %d elements", len(w.buf.texts), n)
	}
	if err != nil {
		return nil, a.fail(p.chunk, "vlen", err)
	}
	w.stats.Chunks++
	w.stats.DecodedBytes += int64(len(src))
	return w.buf.texts, nil
}
