package zarrio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/trace"
	"unsafe"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/hostmem"
)

// A worker reads chunks, one at a time, with memory that it keeps from chunk to chunk.
type worker struct {
	key     []byte
	enc     []byte    // a chunk as stored
	dec     []byte    // a chunk as decoded, where it can't be decoded in place
	mid     [2][]byte // between two steps of a codec chain
	scratch codec.Scratch
	spans   []codec.Span
	stats   Stats
}

// native says whether the array's decoded bytes are in the machine's byte order.
func (a *Array) native() bool {
	return a.meta.BigEndian == bigEndianMachine || a.meta.DType.swapSize() == 1
}

var bigEndianMachine = *(*byte)(unsafe.Pointer(new(uint16(1)))) == 0

// grow returns a buffer of n bytes, buf itself if it is large enough. Its content is unspecified.
func grow(buf []byte, n int) []byte {
	if cap(buf) < n {
		buf = hostmem.Make(n)
	}
	return buf[:n]
}

// chunkKey makes the chunk's key in the worker's memory: it is valid until the next call.
func (w *worker) chunkKey(a *Array, chunk int) string {
	if w.key == nil {
		w.key = make([]byte, 0, keySize)
	}
	w.key = a.appendKey(w.key[:0], chunk)
	return unsafe.String(unsafe.SliceData(w.key), len(w.key))
}

// checkChunk refuses arrays whose chunks can't be read, before memory is taken for one.
func (a *Array) checkChunk() error {
	if err := a.meta.readable(); err != nil {
		return a.wrap(err)
	}
	if a.noCodec != nil {
		return a.wrap(a.noCodec)
	}
	if n, limit := a.meta.chunkBytes(), hostmem.Limit(); int64(n) > limit/2 {
		return a.wrap(fmt.Errorf("a chunk has %d bytes: too many for the memory of %d bytes that this process may use", n, limit))
	}
	return nil
}

// checkMemory refuses a request for more bytes than this process may ever use.
func checkMemory(n int64) error {
	if limit := hostmem.Limit(); n > limit {
		return fmt.Errorf("%d bytes are more than the memory of %d bytes that this process may use", n, limit)
	}
	return nil
}

// largeChunk is a size from which memory for a stored chunk is not taken on the metadata's word alone.
const largeChunk = 64 << 20

// room returns memory for a decoded chunk, the worker's own.
func (w *worker) room(ctx context.Context, a *Array, chunk int) ([]byte, error) {
	n := a.meta.chunkBytes()
	if n > largeChunk && n > cap(w.dec) && len(a.codec) == 0 {
		_, size, err := a.h.store.ReadRange(ctx, w.chunkKey(a, chunk), nil, 0)
		if err == nil && size != int64(n) {
			return nil, a.fail(chunk, "read", a.wrongSize(size))
		}
	}
	w.dec = grow(w.dec, n)
	return w.dec, nil
}

func (a *Array) wrongSize(size int64) error {
	return fmt.Errorf("%d bytes where an uncompressed chunk of %v %s has %d", size, a.meta.Chunks, a.meta.DType, a.meta.chunkBytes())
}

// load reads a chunk and decodes it into dst, which has the chunk's decoded size; elements come in the machine's byte
// order. Where spans is not nil, only these bytes of dst need be right: they ascend and hold whole elements. It returns
// false for a chunk that is not in the store, and then leaves dst alone.
func (w *worker) load(ctx context.Context, a *Array, chunk int, dst []byte, spans []codec.Span) (bool, error) {
	var ok bool
	var err error
	if len(a.codec) == 0 {
		ok, err = w.loadRaw(ctx, a, chunk, dst, spans)
	} else {
		ok, err = w.loadEncoded(ctx, a, chunk, dst, spans)
	}
	if !ok || err != nil {
		return false, err
	}
	if !a.native() {
		if spans == nil {
			swapBytes(dst, a.meta.DType.swapSize())
		}
		for _, s := range spans {
			swapBytes(dst[s.Lo:s.Hi], a.meta.DType.swapSize())
		}
	}
	return true, nil
}

// missing counts a chunk that is not there, or refuses it.
func (w *worker) missing(a *Array, chunk int) (bool, error) {
	if a.h.opt.Strict {
		return false, a.fail(chunk, "read", ErrMissingChunk)
	}
	w.stats.Chunks++
	w.stats.Missing++
	return false, nil
}

// readGap is the number of bytes that are rather read than skipped, since a read call costs about as much as copying them.
const readGap = 64 << 10

func (w *worker) loadRaw(ctx context.Context, a *Array, chunk int, dst []byte, spans []codec.Span) (bool, error) {
	whole := [1]codec.Span{{Lo: 0, Hi: len(dst)}}
	if spans == nil {
		spans = whole[:]
	}
	for i := 0; i < len(spans); {
		lo, hi := spans[i].Lo, spans[i].Hi
		for i++; i < len(spans) && spans[i].Lo-hi <= readGap; i++ {
			hi = spans[i].Hi
		}
		if ok, err := w.readAt(ctx, a, chunk, dst[lo:hi], lo); !ok || err != nil {
			return false, err
		}
	}
	w.stats.Chunks++
	return true, nil
}

// readAt reads the bytes of an uncompressed chunk from lo on.
func (w *worker) readAt(ctx context.Context, a *Array, chunk int, dst []byte, lo int) (bool, error) {
	r := trace.StartRegion(ctx, "read")
	n, size, err := a.h.store.ReadRange(ctx, w.chunkKey(a, chunk), dst, int64(lo))
	r.End()
	switch want := a.meta.chunkBytes(); {
	case errors.Is(err, fs.ErrNotExist):
		return w.missing(a, chunk)
	case err != nil:
		return false, a.fail(chunk, "read", err)
	case size != int64(want):
		return false, a.fail(chunk, "read", a.wrongSize(size))
	case n != len(dst):
		return false, a.fail(chunk, "read", fmt.Errorf("read %d of %d bytes at offset %d: the file shrank while it was read", n, len(dst), lo))
	}
	w.stats.ReadBytes += int64(n)
	w.stats.DecodedBytes += int64(n)
	return true, nil
}

// encodedLimit bounds the stored size of a chunk of n decoded bytes: no codec makes noise much longer than it was.
func encodedLimit(n int) int { return n + n/8 + 64<<10 }

// roomEncoded takes memory for a stored chunk that decodes to n bytes.
func (w *worker) roomEncoded(ctx context.Context, a *Array, chunk, n int) {
	limit := encodedLimit(n)
	if limit > largeChunk && limit > cap(w.enc) {
		_, size, _ := a.h.store.ReadRange(ctx, w.chunkKey(a, chunk), nil, 0) // an error comes again when it is read
		size += size / 8                                                     // the next chunk may be somewhat longer
		limit = int(min(int64(limit), max(int64(cap(w.enc)), size)))
	}
	w.enc = grow(w.enc, limit)
}

func (w *worker) loadEncoded(ctx context.Context, a *Array, chunk int, dst []byte, spans []codec.Span) (bool, error) {
	src, err := w.readEncoded(ctx, a, chunk, len(dst))
	if src == nil || err != nil {
		return false, err
	}
	defer trace.StartRegion(ctx, "decode").End()
	for i, c := range a.codec {
		to := dst
		if i < len(a.codec)-1 {
			w.mid[i%2] = grow(w.mid[i%2], len(dst))
			to = w.mid[i%2]
		}
		p, partial := c.(codec.PartialDecoder)
		if partial && spans != nil && len(a.codec) == 1 {
			err = p.DecodeSpans(to, src, spans, &w.scratch)
		} else {
			err = c.Decode(to, src, &w.scratch)
		}
		if err != nil {
			return false, a.fail(chunk, c.Name(), err)
		}
		src = to
	}
	w.stats.Chunks++
	if spans == nil {
		w.stats.DecodedBytes += int64(len(dst))
	}
	for _, s := range spans {
		w.stats.DecodedBytes += int64(s.Hi - s.Lo)
	}
	return true, nil
}

// readEncoded reads a chunk as it is stored, whose decoded size is n, into the worker's memory: nil for a chunk that is not
// in the store.
func (w *worker) readEncoded(ctx context.Context, a *Array, chunk, n int) ([]byte, error) {
	w.roomEncoded(ctx, a, chunk, n)
	r := trace.StartRegion(ctx, "read")
	got, size, err := a.h.store.ReadRange(ctx, w.chunkKey(a, chunk), w.enc, 0)
	r.End()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err := w.missing(a, chunk)
		return nil, err
	case err != nil:
		return nil, a.fail(chunk, "read", err)
	case size > int64(encodedLimit(n)):
		return nil, a.fail(chunk, "read", fmt.Errorf("%d bytes, more than any codec makes of the chunk's %d", size, n))
	case int64(got) != size:
		return nil, a.fail(chunk, "read", fmt.Errorf("read %d of %d bytes: the file changed while it was read", got, size))
	case got == 0:
		return nil, a.fail(chunk, "read", errors.New("the file is empty"))
	}
	w.stats.ReadBytes += int64(got)
	return w.enc[:got], nil
}
