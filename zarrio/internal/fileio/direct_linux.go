package fileio

import (
	"cmp"
	"unsafe"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/hostmem"
)

// A read around the page cache needs an offset, a length and an address that are multiples of the
// block size. For any other range, one call reads the blocks that it touches: to the first aligned
// address within dst, as far as there is room, and the rest to memory of the reader. The bytes are
// then moved down into place, by less than two blocks, while they are in the CPU's cache. A range
// that is aligned needs no move, except at its end. The last block of a file is requested whole,
// and the read is short.
//
// Addresses are aligned to pages though many disks need less: reads to an address within a page
// take a tenth longer.

// readDirect fills dst around the page cache.
func (f *File) readDirect(dst []byte, off int64) (n int, err error) {
	for n < len(dst) {
		m, came, err := f.readBlocks(dst[n:min(len(dst), n+maxRead)], off+int64(n))
		switch err {
		case nil:
			f.device.directDone.Store(true)
			if came == 0 { // the file has shrunk
				return n, nil
			}
		case unix.EINVAL, unix.EOPNOTSUPP:
			if !f.device.directDone.Load() {
				f.device.refuse("the file system refuses reads with O_DIRECT: %v", err)
			}
		default:
			return n, err
		}
		if m == 0 { // refused, or the file or the read ended before the range: a buffered read tells
			if !f.setDirect(false) {
				return n, cmp.Or(err, error(unix.EINVAL))
			}
			m, err = f.readBuffered(dst[n:], off+int64(n))
			return n + m, err
		}
		n += m
	}
	return n, nil
}

// readBlocks fills the first n bytes of dst by one read around the page cache, by which came bytes
// came: some of them are before the range.
func (f *File) readBlocks(dst []byte, off int64) (n, came int, err error) {
	r := f.r
	b := cut(dst, off, f.device.align)
	r.tail = b.room(r.tail)
	came, err = r.read(f.fd, b.inPlace(), r.tail[:b.rest], b.first, 0)
	if err != nil {
		return 0, 0, err
	}
	return b.moveIntoPlace(came, r.tail), came, nil
}

// blocks are those that a range of a file touches.
type blocks struct {
	dst   []byte // where the range belongs
	first int64  // where the blocks begin
	head  int    // bytes from there to the range
	pad   int    // bytes of dst before its first page
	bulk  int    // bytes of blocks that are read there
	rest  int    // and those of the others, which are read into a tail
	align int64
}

// cut finds the blocks of align bytes of a range.
func cut(dst []byte, off, align int64) blocks {
	b := blocks{dst: dst, align: align, first: off &^ (align - 1), head: int(off & (align - 1))}
	b.pad = int(-uintptr(unsafe.Pointer(&dst[0])) & (hostmem.Align - 1))
	b.bulk = max(len(dst)-b.pad, 0) &^ int(align-1)
	b.rest = int(roundUp(off+int64(len(dst)), align)-b.first) - b.bulk
	return b
}

// inPlace returns the part of dst that blocks are read into.
func (b *blocks) inPlace() []byte {
	if b.bulk == 0 {
		return nil
	}
	return b.dst[b.pad:][:b.bulk]
}

// room returns memory for a tail: the tail that there is, if it is large enough.
func (b *blocks) room(tail []byte) []byte {
	if len(tail) < b.rest {
		tail = hostmem.Make(int(4 * max(b.align, hostmem.Align)))
	}
	return tail
}

// moveIntoPlace moves the first n bytes of the blocks to where they belong, and returns how many
// bytes of dst that fills.
func (b *blocks) moveIntoPlace(n int, tail []byte) int {
	if n <= b.head {
		return 0
	}
	got := min(n-b.head, len(b.dst))
	moved := max(min(n, b.bulk)-b.head, 0) // of these, what came into place but for pad+head bytes
	if moved > 0 && b.pad+b.head > 0 {
		moveDown(b.dst[:moved], b.inPlace()[b.head:])
	}
	if got > moved {
		copy(b.dst[moved:got], tail[b.head+moved-b.bulk:])
	}
	return got
}

func roundUp(n, align int64) int64 { return (n + align - 1) &^ (align - 1) }

// moveDown copies the first len(dst) bytes of src, which begins behind dst in the same memory. It
// does so piece by piece, since copies of a megabyte and more write around the caches, which have
// what is copied here.
func moveDown(dst, src []byte) {
	const piece = 128 << 10
	for len(dst) > 0 {
		n := copy(dst[:min(len(dst), piece)], src)
		dst, src = dst[n:], src[n:]
	}
}
