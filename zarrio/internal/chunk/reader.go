package chunk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/trace"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/turns"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// A Reader reads and decodes chunks, one at a time. It reuses its buffers from chunk to chunk.
type Reader struct {
	Stats meta.Stats

	buf   buffers
	shard openShard   // the shard that it reads from
	ahead []aheadFile // prefetched chunks
	value fileValue   // the value that it holds open

	Files *fileio.Reader // reads local files; nil for the store's own reads
	turns *turns.Turns   // limit how many readers compute at once; nil for no limit
}

// Attach sets how the reader reads local files, and the turns in which it computes. Either may be
// nil.
func (r *Reader) Attach(files *fileio.Reader, turns *turns.Turns) { r.Files, r.turns = files, turns }

// Holds returns what the reader holds between chunks: the size of its memory for a decoded chunk,
// and the number of its prefetched files.
func (r *Reader) Holds() (decoded, files int) {
	for i := range r.ahead {
		if r.ahead[i].array != nil {
			files++
		}
	}
	return cap(r.buf.dec), files
}

// buffers is a reader's memory. Each buffer grows to what the largest chunk needs.
type buffers struct {
	key     []byte // of a value
	enc     []byte // a chunk as stored, a range of it, or several chunks of a shard
	dec     []byte // what is decoded of a chunk, if not in place
	runs    Runs   // in dec, or of a kept chunk
	longest int    // length of the longest run that a chunk is loaded to
	block   []byte // a decoded part of a chunk that is in no run whole
	head    partHead
	ahead   []byte // a head that was prefetched

	index   []byte // a shard's index as stored
	coords  [meta.MaxRank]int
	scratch codec.Scratch
	spans   []codec.Span
	lacks   []codec.Span // what is missing of a kept chunk
	decoded []codec.Span // what the parts decode to
	pieces  []codec.Part // parts of a chunk that is read in parts
	ranges  []partRange  // ranges in which they are read
	strings [][]byte     // elements of varying length
	parts   []Location   // chunks of a shard that are to be read together
	group   []int        // chunks of one shard
}

// Compute runs f, which decodes or copies, in one of the turns that the workers of an engine share.
// f must not wait for anything.
//
// Outside of f, workers are expected to wait: for files, stores, shards' indices or a GPU. So there
// can be as many workers as these need to be busy, but few of them compete for the cores and their
// caches.
func (r *Reader) Compute(f func() error) error { return r.turns.Do(f) }

// Native reports whether the array's decoded bytes are in the machine's byte order.
func (a *Array) Native() bool {
	return a.Pipe.BigEndian == ndcopy.BigEndian || a.Meta.DType.SwapSize() == 1
}

// grow returns buf with length n, or new memory if it has no room. Its content is lost. Memory that
// files are read into comes from r.Files, if there is one.
func (r *Reader) grow(buf []byte, n int) []byte {
	if r.Files != nil {
		return r.Files.Memory(buf, n, 0)
	}
	return ndcopy.Grow(buf, n)
}

// CheckChunk returns an error if the array's chunks can't be read. It is called before memory is
// allocated for one.
func (a *Array) CheckChunk() error {
	if d := a.Meta.DType; d.Size == 0 {
		return a.Wrap(&meta.UnsupportedError{
			What:      "reading data type",
			Found:     d.String(),
			Supported: "types whose elements have one length",
		})
	}
	if a.NoCodec != nil {
		return a.Wrap(a.NoCodec)
	}
	if n, limit := a.ChunkBytes(), hostmem.Limit(); int64(n) > limit/2 {
		err := fmt.Errorf("a chunk has %d bytes: too many for the memory of %d bytes that this process may use", n, limit)
		return a.Wrap(err)
	}
	return nil
}

// ChunkBytes returns the size of a decoded chunk, or of the largest if sizes differ.
func (a *Array) ChunkBytes() int {
	n := a.Meta.DType.Size
	for _, c := range a.Grid.Chunks {
		n *= c
	}
	return n
}

// Raw reports whether chunks are stored without compression or any other codec of bytes.
func (a *Array) Raw() bool { return a.Pipe.Chain.Len() == 0 }

// largeChunk is the size above which memory for a stored chunk is not allocated on the metadata's
// word alone.
const largeChunk = 64 << 20

// WrongSize returns the error of an uncompressed chunk that is stored in size bytes instead of
// want.
func WrongSize(a *Array, size int64, want int) error {
	return damage{fmt.Errorf("%d bytes where an uncompressed chunk of %v %s has %d", size, a.Grid.Chunks, a.Meta.DType, want)}
}

// Load reads a whole chunk and decodes it into dst, which has the chunk's decoded size. Elements are
// in the machine's byte order.
//
// Then Load calls use, if it is not nil, in the turn in which it has decoded. It returns false if
// the chunk is not in the store; then dst is unchanged, and use is not called.
func (r *Reader) Load(ctx context.Context, a *Array, chunk int, dst []byte, use func() error) (bool, error) {
	if !a.Raw() {
		r.buf.scratch.Reread = false
		return r.loadWhole(ctx, a, chunk, dst, nil, func() error { return a.finish(dst, use) })
	}
	return r.LoadRun(ctx, a, chunk, dst, 0, len(dst), use)
}

// finish puts the elements of dst into the machine's byte order, and calls use if it is not nil.
func (a *Array) finish(dst []byte, use func() error) error {
	ndcopy.SwapBytes(dst, a.Swap())
	if use == nil {
		return nil
	}
	return use()
}

// Swap returns the width of the elements whose bytes are stored in the other order than the
// machine's, or 0 if they are not.
func (a *Array) Swap() int {
	if a.Native() {
		return 0
	}
	return a.Meta.DType.SwapSize()
}

// Missing counts a chunk that is not in the store, or returns an error if missing chunks are not
// allowed.
func (r *Reader) Missing(a *Array, chunk int) error {
	if a.Source.opt.Strict {
		return a.Fail(chunk, "read", meta.ErrMissingChunk)
	}
	r.Stats.Chunks++
	r.Stats.Missing++
	return nil
}

// release closes the value of a chunk, which is kept open while several of its ranges are read. A
// shard stays open.
func (r *Reader) release(a *Array) {
	if r.shard.value != nil && len(a.Pipe.Levels) == 0 {
		r.Close()
	}
}

// readAt reads the bytes of an uncompressed chunk of size bytes from lo on. If several ranges are
// read, the value stays open. If it is open, it is read from.
func (r *Reader) readAt(ctx context.Context, a *Array, chunk int, dst []byte, lo, size int, several bool) (bool, error) {
	if len(a.Pipe.Levels) > 0 {
		src, err := r.readInner(ctx, a, chunk, lo, len(dst), size, dst)
		return src != nil, err
	}
	region := trace.StartRegion(ctx, "read")
	var n int
	var got int64
	var err error
	if several || r.shard.array == a && r.shard.number == chunk {
		if err = r.open(ctx, a, chunk); err == nil {
			n, got, err = r.shard.value.ReadRange(ctx, dst, int64(lo))
		}
	} else {
		n, got, err = r.readRange(ctx, a, chunk, dst, int64(lo))
	}
	region.End()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, r.Missing(a, chunk)
	case err != nil:
		return false, a.Fail(chunk, "read", err)
	case got != int64(size):
		return false, a.Fail(chunk, "read", WrongSize(a, got, size))
	case n != len(dst):
		err = fmt.Errorf("read %d of %d bytes at offset %d: the file shrank while it was read", n, len(dst), lo)
		return false, a.Fail(chunk, "read", err)
	}
	r.Stats.ReadBytes += int64(n)
	r.Stats.DecodedBytes += int64(n)
	return true, nil
}

// readInner reads n bytes of an inner chunk from lo on, or all of it if n < 0. They go into dst, or
// if dst is nil, into the reader's memory. size is the size of the decoded chunk. It returns nil if
// the inner chunk is missing.
func (r *Reader) readInner(ctx context.Context, a *Array, chunk, lo, n, size int, dst []byte) ([]byte, error) {
	defer trace.StartRegion(ctx, "read").End()
	for attempt := 0; ; attempt++ {
		p, err := r.Locate(ctx, a, chunk)
		var src []byte
		switch {
		case err != nil:
		case !p.Present:
			if err = r.Verify(ctx, p); err == nil {
				return nil, r.Missing(a, chunk)
			}
		case n >= 0 && p.Size != int64(size):
			err = WrongSize(a, p.Size, size)
		case n < 0 && p.Size > int64(a.Pipe.Chain.EncodedLimit(size)):
			err = tooLong(p.Size, size)
		case p.Size == 0 && n < 0:
			err = damage{errors.New("0 bytes are stored")}
		case n < 0:
			src, err = r.readPart(ctx, p, 0, p.Size, nil)
		default:
			src, err = r.readPart(ctx, p, int64(lo), int64(lo+n), dst)
			r.Stats.DecodedBytes += int64(n)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, r.Missing(a, chunk)
		}
		if attempt == 0 && (errors.Is(err, ErrChanged) || errors.Is(err, store.ErrChanged)) {
			a.ForgetTables() // the shard may be readable by its new index
			r.Close()
			continue
		}
		if err != nil {
			return nil, a.Fail(chunk, "read", err)
		}
		return src, nil
	}
}

var errEmpty = damage{errors.New("the file is empty")}

// tooLong returns the error of a chunk of n decoded bytes that is stored in size bytes.
func tooLong(size int64, n int) error {
	return damage{fmt.Errorf("%d bytes, more than any codec makes of the chunk's %d", size, n)}
}

// readWhole reads the value of a chunk of at most limit bytes into the reader's memory. The limit
// may rest on the metadata alone. If it is large, memory is allocated for what is stored instead.
func (r *Reader) readWhole(ctx context.Context, a *Array, chunk, limit int) (n int, size int64, err error) {
	defer trace.StartRegion(ctx, "read").End()
	r.shard.held = byteSpan{}
	if r.ahead != nil {
		if n, size, ok, err := r.takeWhole(a, chunk, limit); ok {
			return n, size, err
		}
	}
	first := limit
	if limit > largeChunk {
		first = min(limit, max(cap(r.buf.enc), 1<<20))
	}
	r.buf.enc = r.grow(r.buf.enc, first)
	n, size, err = r.readRange(ctx, a, chunk, r.buf.enc, 0)
	if err == nil && size > int64(first) && size <= int64(limit) {
		// The next chunk may be somewhat longer.
		r.buf.enc = r.grow(r.buf.enc, min(limit, int(size+size/8)))
		n, size, err = r.readRange(ctx, a, chunk, r.buf.enc, 0)
	}
	return n, size, err
}

// loadWhole reads a chunk whole, and decodes it into dst. If spans is not nil, only its bytes need
// be right. Then it calls use, in the same turn.
func (r *Reader) loadWhole(ctx context.Context, a *Array, chunk int, dst []byte, spans []codec.Span, use func() error) (bool, error) {
	src, err := r.readEncoded(ctx, a, chunk, len(dst))
	if src == nil || err != nil {
		return false, err
	}
	err = r.Compute(func() error {
		region := trace.StartRegion(ctx, "decode")
		err := a.Pipe.Chain.Decode(dst, src, spans, &r.buf.scratch)
		region.End()
		if err != nil {
			return a.failStep(chunk, err)
		}
		r.Stats.Chunks++
		if spans == nil {
			r.Stats.DecodedBytes += int64(len(dst))
		}
		r.Stats.DecodedBytes += int64(SpanBytes(spans))
		return use()
	})
	return err == nil, err
}

// failStep returns the error of a chunk for an error of its codecs.
func (a *Array) failStep(chunk int, err error) error {
	if e, ok := errors.AsType[*codec.StepError](err); ok {
		return a.Fail(chunk, e.Name, e.Err)
	}
	return a.Fail(chunk, "decode", err)
}

// readEncoded reads the stored bytes of a chunk into the reader's memory. n is the chunk's decoded
// size. It returns nil if the chunk is not in the store.
func (r *Reader) readEncoded(ctx context.Context, a *Array, chunk, n int) ([]byte, error) {
	if len(a.Pipe.Levels) > 0 {
		return r.readInner(ctx, a, chunk, 0, -1, n, nil)
	}
	limit := a.Pipe.Chain.EncodedLimit(n)
	got, size, err := r.readWhole(ctx, a, chunk, limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, r.Missing(a, chunk)
	case err != nil:
		return nil, a.Fail(chunk, "read", err)
	case size > int64(limit):
		return nil, a.Fail(chunk, "read", tooLong(size, n))
	case int64(got) != size:
		err = fmt.Errorf("read %d of %d bytes: the file changed while it was read", got, size)
		return nil, a.Fail(chunk, "read", err)
	case got == 0:
		return nil, a.Fail(chunk, "read", errEmpty)
	}
	r.Stats.ReadBytes += int64(got)
	return r.buf.enc[:got], nil
}
