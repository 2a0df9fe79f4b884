package fileio

import (
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readMapped fills dst by a mapping of the file, whose pages are brought in by the call that maps them. Where the file has shrunk,
// pages can't be touched, and the last one goes on with zeros.
func (f *File) readMapped(dst []byte, off int64) (n int, err error) {
	for n < len(dst) {
		from := off + int64(n)
		head := int(from % page)
		piece := dst[n:min(len(dst), n+maxRead)]
		m, err := f.r.files.sys.mmap(f.fd, from-int64(head), uintptr(head+len(piece)))
		if err != nil {
			f.place.refuse("files can't be mapped: %v", err)
			m, err := f.readBuffered(dst[n:], from)
			return n + m, err
		}
		var ok bool
		_ = f.r.files.turns.Do(func() error {
			ok = copyMapped(piece, unsafe.Slice((*byte)(m), head+len(piece))[head:])
			return nil
		})
		if err := unix.MunmapPtr(m, uintptr(head+len(piece))); err != nil {
			return n, err
		}
		var st unix.Stat_t
		if err := unix.Fstat(f.fd, &st); err != nil {
			return n, err
		}
		if !ok || st.Size < from+int64(len(piece)) { // or the disk fails: reading tells
			m, err := f.readBuffered(dst[n:], from)
			return n + m, err
		}
		n += len(piece)
	}
	return n, nil
}

// copyMapped copies memory that may not be there.
func copyMapped(dst, src []byte) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if e := recover(); e != nil {
			if _, fault := e.(runtime.Error); !fault {
				panic(e)
			}
			ok = false
		}
	}()
	copy(dst, src)
	return true
}
