package store

import (
	"bufio"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
)

const (
	// zipSlack is for an extra field that is longer before an entry than in the directory, as Info-ZIP writes it.
	zipSlack = 64
	// maxKept is up to how many bytes an open value keeps what it inflated.
	maxKept = 256 << 20
)

// readEntry is ReadRange for the entry of number i, which has passed check.
func (z *Zip) readEntry(ctx context.Context, i int, dst []byte, off int64) (n int, size int64, err error) {
	e := &z.entries[i]
	off, n = span(e.size, off, len(dst))
	if n == 0 {
		return 0, e.size, nil
	}
	dst = dst[:n]
	whole := int64(n) == e.size
	if e.method == zipDeflated {
		err = z.inflate(ctx, i, dst, off)
	} else {
		err = z.readStored(ctx, i, dst, off)
	}
	if err != nil {
		return 0, 0, err
	}
	if whole {
		if sum := crc32.ChecksumIEEE(dst); sum != e.crc {
			return 0, 0, fmt.Errorf("%w: CRC-32 %#08x, want %#08x", ErrZip, sum, e.crc)
		}
	}
	return n, e.size, nil
}

// readStored reads a stored entry in place.
func (z *Zip) readStored(ctx context.Context, i int, dst []byte, off int64) error {
	if z.data[i].Load() == 0 {
		// Where a request costs more than the bytes before dst, header and bytes are read together.
		together := z.remote && off <= z.gap
		var n int64
		if together {
			n = off + int64(len(dst))
		}
		s, err := z.stream(ctx, i, n)
		if err != nil {
			return err
		}
		defer s.free()
		if together {
			if _, err := s.buf.Discard(int(off)); err != nil {
				return err
			}
			_, err := io.ReadFull(s.buf, dst)
			return err
		}
	}
	return readSource(ctx, z.src, z.size, dst, z.data[i].Load()+off)
}

// inflate inflates an entry up to the end of dst, which begins at off. At the value's end the stream must end too.
func (z *Zip) inflate(ctx context.Context, i int, dst []byte, off int64) error {
	e := &z.entries[i]
	s, err := z.stream(ctx, i, e.packed)
	if err != nil {
		return err
	}
	defer s.free()
	if s.flate == nil {
		s.flate = flate.NewReader(s.buf)
	} else if err := s.flate.(flate.Resetter).Reset(s.buf, nil); err != nil {
		return err
	}
	n, err := io.CopyN(io.Discard, s.flate, off)
	if err == nil {
		var m int
		m, err = io.ReadFull(s.flate, dst)
		n += int64(m)
	}
	if err == nil && n == e.size {
		var m int
		if m, err = io.ReadFull(s.flate, s.more[:]); m > 0 {
			return fmt.Errorf("%w: inflates to more than the %d bytes that the directory says", ErrZip, e.size)
		}
		if err == io.EOF {
			err = nil
		}
	}
	if s.err != nil { // not the stream's fault
		return s.err
	}
	if err != nil {
		return fmt.Errorf("%w: inflated %d of %d bytes: %w", ErrZip, n, e.size, err)
	}
	return nil
}

// A zipStream reads the bytes of an entry as they are in the file.
type zipStream struct {
	z        *Zip
	ctx      context.Context // of the call that the stream serves, and no longer: an io.Reader is given none
	pos, end int64
	err      error // the source's
	buf      *bufio.Reader
	flate    io.ReadCloser
	more     [1]byte
}

// stream returns a stream of the first n bytes of the entry of number i, and sees that data has its place.
func (z *Zip) stream(ctx context.Context, i int, n int64) (*zipStream, error) {
	s, ok := z.streams.Get().(*zipStream)
	if !ok {
		size := 256 << 10 // A local header is shorter.
		if z.remote {
			size = 4 << 20
		}
		s = &zipStream{z: z}
		s.buf = bufio.NewReaderSize(s, size)
	}
	s.ctx, s.err = ctx, nil
	s.buf.Reset(s)
	data := z.data[i].Load()
	if data == 0 {
		length, err := s.readLocal(&z.entries[i], n)
		if err != nil {
			s.free()
			return nil, err
		}
		data = z.entries[i].header + int64(length)
		z.data[i].Store(data)
	} else {
		s.pos = data
	}
	s.end = data + n
	return s, nil
}

// readLocal reads the local header and leaves the stream behind it. The n bytes that are read next may be read with it.
func (s *zipStream) readLocal(e *zipEntry, n int64) (length int, err error) {
	s.pos = e.header
	s.end = min(e.header+zipLocalLen+int64(e.name)+int64(e.extra)+zipSlack+n, e.end)
	need := zipLocalLen
	for {
		h, err := s.buf.Peek(need)
		if s.err != nil {
			return 0, s.err
		}
		if err != nil {
			return 0, fmt.Errorf("%w: %d bytes at offset %d, want a local header of %d", ErrZip, len(h), e.header, need)
		}
		length, err := e.parseLocal(h, s.z.prefix)
		if err != nil {
			return 0, err
		}
		if length <= len(h) {
			return s.buf.Discard(length)
		}
		need = length
		s.end = max(s.end, e.header+int64(length))
	}
}

func (s *zipStream) Read(p []byte) (int, error) {
	p = p[:max(min(int64(len(p)), s.end-s.pos), 0)]
	if len(p) == 0 {
		return 0, io.EOF
	}
	if s.err = readSource(s.ctx, s.z.src, s.z.size, p, s.pos); s.err != nil {
		return 0, s.err
	}
	s.pos += int64(len(p))
	return len(p), nil
}

func (s *zipStream) free() {
	s.ctx = nil
	s.z.streams.Put(s)
}

// A zipValue is an open entry.
type zipValue struct {
	z      *Zip
	i      int
	closed atomic.Bool

	// What was inflated is kept from the first read on that is not of the whole value. Whoever
	// inflates is in busy, so that others wait for it and can give up waiting.
	kept atomic.Pointer[[]byte]
	busy chan struct{}
}

// OpenValue is described at [Opener]. A deflated value of up to 256 MiB is inflated and kept from the first read of a part
// on, so that reading many parts inflates it once.
func (z *Zip) OpenValue(ctx context.Context, key string) (Value, error) {
	i, err := z.find(ctx, key)
	if err != nil {
		return nil, z.fail("open", key, err)
	}
	v := &zipValue{z: z, i: i}
	if e := &z.entries[i]; e.method == zipDeflated && e.size <= maxKept {
		v.busy = make(chan struct{}, 1)
	}
	return v, nil
}

func (v *zipValue) ReadRange(ctx context.Context, dst []byte, off int64) (n int, size int64, err error) {
	if err = v.z.ready(ctx); err == nil && v.closed.Load() {
		err = fs.ErrClosed
	}
	if err == nil {
		n, size, err = v.read(ctx, dst, off)
	}
	if err != nil {
		return 0, 0, v.z.fail("read", v.z.entries[v.i].key, err)
	}
	return n, size, nil
}

func (v *zipValue) read(ctx context.Context, dst []byte, off int64) (n int, size int64, err error) {
	size = v.z.entries[v.i].size
	from, n := span(size, off, len(dst))
	kept := v.kept.Load()
	if kept == nil && (v.busy == nil || n == 0 || int64(n) == size) {
		return v.z.readEntry(ctx, v.i, dst, off)
	}
	if kept == nil {
		if kept, err = v.keep(ctx); err != nil {
			return 0, 0, err
		}
	}
	return copy(dst[:n], (*kept)[min(from, size):]), size, nil
}

// keep inflates the value, unless another goroutine has.
func (v *zipValue) keep(ctx context.Context) (*[]byte, error) {
	select {
	case v.busy <- struct{}{}:
		defer func() { <-v.busy }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if kept := v.kept.Load(); kept != nil {
		return kept, nil
	}
	whole := make([]byte, v.z.entries[v.i].size)
	if _, _, err := v.z.readEntry(ctx, v.i, whole, 0); err != nil {
		return nil, err
	}
	v.kept.Store(&whole)
	return &whole, nil
}

// Version implements [Versioned]: an entry stays what the archive's directory says of it.
func (v *zipValue) Version() (Version, error) {
	e := &v.z.entries[v.i]
	return Version{Size: e.size, File: uint64(e.header), Changed: int64(e.crc)}, nil
}

func (v *zipValue) Close() error {
	if v.closed.Swap(true) {
		return v.z.fail("close", v.z.entries[v.i].key, fs.ErrClosed)
	}
	v.kept.Store(nil)
	return nil
}
