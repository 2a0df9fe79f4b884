package fileio

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/hostmem"
)

// Reads around the page cache begin and end where blocks of the file do, and go to memory that is aligned too. Of a range that
// is neither, the blocks that it touches are read to the first aligned address in its place, as far as they have room there, and
// the rest into the reader's memory, all by one call; then what came is moved down to where it belongs, by fewer bytes than two
// blocks, while it is in the cache. A range that is aligned lies where it belongs, but for its end. At the end of the file the
// last block is asked for whole: less comes of it, and that is right.
//
// Addresses are aligned to pages, though many disks ask for less: what begins within one takes a tenth longer.

// readDirect fills dst around the page cache.
func (f *File) readDirect(dst []byte, off int64) (n int, err error) {
	for n < len(dst) {
		m, err := f.readBlocks(dst[n:min(len(dst), n+maxRead)], off+int64(n))
		switch err {
		case nil:
			f.place.works.Store(true)
		case unix.EINVAL, unix.EOPNOTSUPP:
			if !f.place.works.Load() {
				f.place.refuse("the file system refuses reads with O_DIRECT: %v", err)
			}
			if !f.setDirect(false) {
				return n, err
			}
			m, err = f.readBuffered(dst[n:], off+int64(n))
			return n + m, err
		default:
			return n, err
		}
		if m == 0 { // the file has shrunk
			break
		}
		n += m
	}
	return n, nil
}

// readBlocks fills a beginning of dst by one read around the page cache, and returns its length.
func (f *File) readBlocks(dst []byte, off int64) (int, error) {
	r, align := f.r, f.place.align
	head := int(off & (align - 1))
	first := off - int64(head)
	pad := int(-uintptr(unsafe.Pointer(&dst[0])) & (hostmem.Align - 1))
	bulk := max(len(dst)-pad, 0) &^ int(align-1) // what is read into dst, from pad on
	rest := int(roundUp(off+int64(len(dst)), align)-first) - bulk
	var place []byte
	if bulk > 0 {
		place = dst[pad:][:bulk]
	}
	if len(r.tail) < rest {
		r.tail = hostmem.Make(int(max(4*align, 4*hostmem.Align)))
	}
	r.End()
	n, err := r.read(f.fd, place, r.tail[:rest], first, 0)
	if err != nil || n <= head {
		return 0, err
	}
	got := min(n-head, len(dst))
	moved := max(min(n, bulk)-head, 0) // of these, what came into place but for pad+head bytes
	if moved > 0 && pad+head > 0 {
		moveDown(dst[:moved], place[head:])
	}
	if got > moved {
		copy(dst[moved:got], r.tail[head+moved-bulk:])
	}
	return got, nil
}

func roundUp(n, align int64) int64 { return (n + align - 1) &^ (align - 1) }

// moveDown copies the first len(dst) bytes of src, which begins behind dst in the same memory. It does so piece by piece, since
// copies of a megabyte and more write around the caches, which have what is copied here.
func moveDown(dst, src []byte) {
	const piece = 128 << 10
	for len(dst) > 0 {
		n := copy(dst[:min(len(dst), piece)], src)
		dst, src = dst[n:], src[n:]
	}
}
