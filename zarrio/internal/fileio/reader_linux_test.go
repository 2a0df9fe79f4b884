package fileio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/hostmem"
)

// eachMode runs a test in each way of reading, on a disk and on a file system in memory.
func eachMode(t *testing.T, f func(t *testing.T, mode Mode, d dir)) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			f(t, mode, dir(t.TempDir()))
			shm(t, func(t *testing.T, d dir) { f(t, mode, d) })
		})
	}
}

// shm runs a test on a file system in memory.
func shm(t *testing.T, f func(t *testing.T, d dir)) {
	t.Run("shm", func(t *testing.T) {
		tmp, err := os.MkdirTemp("/dev/shm", "fileio")
		if err != nil {
			t.Skip(err)
		}
		defer os.RemoveAll(tmp)
		f(t, dir(tmp))
	})
}

// guard is written around what is read into, to see that nothing else is.
const guard = 0xa5

// room returns n bytes at an address that is skip bytes behind a page, within memory that is all
// guard.
func room(n, skip int) (all, dst []byte) {
	all = hostmem.Make(n + skip + 3*4096)
	for i := range all {
		all[i] = guard
	}
	return all, all[4096+skip:][:n:n]
}

// checkRead reads a range and compares it, and the bytes around it.
func checkRead(t *testing.T, r *Reader, d dir, key string, whole []byte, off int64, n, skip int) {
	t.Helper()
	all, dst := room(n, skip)
	got, size, err := r.ReadRange(t.Context(), d, key, dst, off)
	at := off
	if at < 0 {
		at = max(int64(len(whole))+off, 0)
	}
	at = min(at, int64(len(whole)))
	want := whole[at:min(int64(len(whole)), at+int64(n))]
	if err != nil || got != len(want) || size != int64(len(whole)) {
		t.Fatalf("%d bytes from %d on, %d bytes behind a page: read %d, size %d, %v; want %d of %d", n, off, skip, got, size, err, len(want), len(whole))
	}
	if !bytes.Equal(dst[:got], want) {
		t.Fatalf("%d bytes from %d on, %d bytes behind a page: other bytes than the file's", n, off, skip)
	}
	for i, b := range all {
		if (i < 4096+skip || i >= 4096+skip+got) && b != guard {
			t.Fatalf("%d bytes from %d on, %d bytes behind a page: byte %d of the place is %#x, not what was there", n, off, skip, i-4096-skip, b)
		}
	}
}

// TestBoundaries reads files of up to three pages, whole and in parts around every boundary of
// pages and blocks.
func TestBoundaries(t *testing.T) {
	var near []int
	for _, at := range []int{0, 512, 4096, 4608, 8192, 12288} {
		for _, d := range []int{-1, 0, 1} {
			if at+d >= 0 {
				near = append(near, at+d)
			}
		}
	}
	eachMode(t, func(t *testing.T, mode Mode, d dir) {
		rnd := rand.New(rand.NewPCG(7, 8))
		r := newReader(t, mode, nil)
		for _, size := range near {
			whole := d.write(t, "file", size)
			for _, cold := range []bool{true, false} {
				if cold {
					d.evict(t, "file")
				}
				for _, skip := range []int{0, 64, 512, 4095} {
					checkRead(t, r, d, "file", whole, 0, size, skip)
					checkRead(t, r, d, "file", whole, 0, size+5000, skip)
				}
				for _, off := range near {
					if rnd.IntN(5) >= rounds(5) {
						continue
					}
					for _, n := range near {
						checkRead(t, r, d, "file", whole, int64(off), n, n%7*64)
					}
					checkRead(t, r, d, "file", whole, int64(-off-1), 600, 8)
				}
			}
		}
	})
}

// TestRandom reads ranges of longer files at random.
func TestRandom(t *testing.T) {
	eachMode(t, func(t *testing.T, mode Mode, d dir) {
		rnd := rand.New(rand.NewPCG(1, 2))
		r := newReader(t, mode, nil)
		for round := range 6 {
			key := fmt.Sprint(round)
			whole := d.write(t, key, 1<<20+rnd.IntN(3<<20))
			d.evict(t, key)
			for i := range rounds(60) {
				if i%30 == 10 {
					d.evict(t, key)
				}
				checkRead(t, r, d, key, whole, int64(rnd.IntN(len(whole)+10)), rnd.IntN(len(whole)/(1+rnd.IntN(20))), rnd.IntN(2)*rnd.IntN(4096))
			}
		}
	})
}

// TestFile reads an open file several times, and after it is closed.
func TestFile(t *testing.T) {
	eachMode(t, func(t *testing.T, mode Mode, d dir) {
		whole := d.write(t, "file", 100_001)
		r := newReader(t, mode, nil)
		var f File
		if err := r.Open(t.Context(), &f, d, "file"); err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 60_000)
		for _, off := range []int64{0, 1, 4096, 99_000, 100_001, 1 << 40, -5000} {
			n, err := f.ReadAt(dst, off)
			at := off
			if off < 0 {
				at += 100_001
			}
			if want := whole[min(at, 100_001):min(at+60_000, 100_001)]; err != nil || !bytes.Equal(dst[:n], want) {
				t.Errorf("read %d bytes at %d, %v; want %d", n, off, err, len(want))
			}
		}
		if f.Size() != 100_001 {
			t.Errorf("size %d", f.Size())
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		if _, err := f.ReadAt(dst, 0); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("ReadAt after Close: %v", err)
		}
		if _, _, err := r.ReadRange(t.Context(), d, "nothing", dst, 0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a file that is not there: %v", err)
		}
	})
}

// TestChanging reads files that are another size than when they were opened.
func TestChanging(t *testing.T) {
	eachMode(t, func(t *testing.T, mode Mode, d dir) {
		for _, size := range []int{0, 1, 3000, 4096, 9000, 300_000} {
			for _, now := range []int{0, 1, 511, 512, 4096, 5000, 8192, 100_000, 400_000} {
				whole := d.write(t, "file", size)
				r := newReader(t, mode, nil)
				var f File
				if err := r.Open(t.Context(), &f, d, "file"); err != nil {
					t.Fatal(err)
				}
				name := filepath.Join(string(d), "file")
				if err := os.Truncate(name, int64(now)); err != nil {
					t.Fatal(err)
				}
				all, dst := room(size+4096, 64)
				n, err := f.ReadAt(dst, 0)
				if want := min(size, now); err != nil || n != want || !bytes.Equal(dst[:n], whole[:n]) {
					t.Errorf("a file of %d bytes that had %d: read %d, %v; want %d", now, size, n, err, want)
				}
				if i := slices.IndexFunc(all[4096+64+size:], func(b byte) bool { return b != guard }); i >= 0 {
					t.Errorf("a file of %d bytes that had %d: byte %d behind it was written", now, size, i)
				}
				if f.Size() != int64(size) {
					t.Errorf("size %d, want that at its opening, %d", f.Size(), size)
				}
				f.Close()
			}
		}
	})
}

// interrupted is a kernel that is interrupted, cuts reads short, and now and then asks to be asked
// again.
func interrupted(rnd *rand.Rand) *system {
	sys := kernel
	sys.preadv = func(fd int, iov []unix.Iovec, off int64, flags int) (int, error) {
		switch rnd.IntN(6) {
		case 0:
			return 0, unix.EINTR
		case 1:
			return 0, unix.EAGAIN
		case 2, 3: // less than was asked for: to the first block, or to any byte
			cut := slices.Clone(iov[:1])
			n := int(cut[0].Len)
			if flags := fcntl(fd); flags&unix.O_DIRECT == 0 {
				n = 1 + rnd.IntN(n)
			} else if n = max(n/2, 512) &^ 511; n > int(cut[0].Len) {
				n = int(cut[0].Len)
			}
			cut[0].SetLen(n)
			m, err := kernel.preadv(fd, cut, off, flags)
			if m > 1 && rnd.IntN(3) == 0 {
				m -= rnd.IntN(m) // as if the end of the file had been seen there
			}
			return m, err
		}
		return kernel.preadv(fd, iov, off, flags)
	}
	return &sys
}

func fcntl(fd int) int {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		panic(err)
	}
	return flags
}

// TestInterrupted reads by a kernel that does what kernels may do.
func TestInterrupted(t *testing.T) {
	eachMode(t, func(t *testing.T, mode Mode, d dir) {
		rnd := rand.New(rand.NewPCG(3, 4))
		r := newReader(t, mode, interrupted(rnd))
		whole := d.write(t, "file", 1<<20+777)
		for range rounds(300) {
			if rnd.IntN(20) == 0 {
				d.evict(t, "file")
			}
			checkRead(t, r, d, "file", whole, int64(rnd.IntN(len(whole))), rnd.IntN(len(whole)), rnd.IntN(2)*rnd.IntN(4096))
		}
	})
}

// TestShortHead: a read that is cut short before the range begins is not taken for the end of the
// file.
func TestShortHead(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			d := dir(t.TempDir())
			whole := d.write(t, "file", 20_000)
			sys := kernel
			sys.statx = func(fd, mask int, st *unix.Statx_t) error {
				err := kernel.statx(fd, mask, st)
				st.Mask |= unix.STATX_DIOALIGN
				st.Dio_offset_align, st.Dio_mem_align = 4096, 512
				return err
			}
			sys.preadv = func(fd int, iov []unix.Iovec, off int64, flags int) (int, error) {
				n, err := kernel.preadv(fd, iov, off, flags)
				if fcntl(fd)&unix.O_DIRECT != 0 {
					n = min(n, 512)
				}
				return n, err
			}
			sys.result = func(res int) int { return min(res, 512) }
			r := newReader(t, mode, &sys)
			for _, off := range []int64{0, 511, 512, 513, 4095, 5000, 19_000, 19_999} {
				d.evict(t, "file")
				checkRead(t, r, d, "file", whole, off, 7000, 0)
			}
		})
	}
}

// TestReadError: an error of the disk is reported, and nothing is taken for what was not read.
func TestReadError(t *testing.T) {
	eachMode(t, func(t *testing.T, mode Mode, d dir) {
		d.write(t, "file", 1<<20)
		d.evict(t, "file")
		sys := kernel
		sys.preadv = func(int, []unix.Iovec, int64, int) (int, error) { return 0, unix.EIO }
		r := newReader(t, mode, &sys)
		if _, _, err := r.ReadRange(t.Context(), d, "file", make([]byte, 1<<20), 0); !errors.Is(err, unix.EIO) {
			t.Errorf("%v, want EIO", err)
		}
	})
}

// TestDescriptors: nothing stays open.
func TestDescriptors(t *testing.T) {
	eachMode(t, func(t *testing.T, mode Mode, d dir) {
		d.write(t, "file", 10_000)
		before := descriptors(t)
		r := New(mode, nil, 0).Reader()
		for range 10 {
			if n, _, err := r.ReadRange(t.Context(), d, "file", make([]byte, 10_000), 0); n != 10_000 || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if after := descriptors(t); after != before {
			t.Errorf("%d descriptors are open, %d were", after, before)
		}
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(list)
}

// TestAllocs: nothing is allocated for a file.
func TestAllocs(t *testing.T) {
	eachMode(t, func(t *testing.T, mode Mode, d dir) {
		d.write(t, "file", 300_000)
		r := newReader(t, mode, nil)
		dst := make([]byte, 300_000)
		var open File
		fd := fixed{path: []byte(filepath.Join(string(d), "file") + "\x00")}
		read := func() {
			if _, _, err := r.ReadRange(t.Context(), &fd, "file", dst, 77); err != nil {
				t.Fatal(err)
			}
			if err := r.Open(t.Context(), &open, &fd, "file"); err != nil {
				t.Fatal(err)
			}
			if _, err := open.ReadAt(dst, 5000); err != nil {
				t.Fatal(err)
			}
			open.Close()
		}
		read()
		if n := testing.AllocsPerRun(20, read); n > 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// fixed opens one file, and allocates nothing for it.
type fixed struct {
	path []byte // with a NUL
	stat unix.Stat_t
}

func (f *fixed) OpenDescriptor(_ context.Context, _ string, flags int) (fd int, size int64, device uint64, err error) {
	n, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(unix.AT_FDCWD&(1<<32-1)), uintptr(unsafe.Pointer(&f.path[0])), uintptr(unix.O_CLOEXEC|flags), 0, 0, 0)
	if errno != 0 {
		return -1, 0, 0, errno
	}
	err = unix.Fstat(int(n), &f.stat)
	return int(n), f.stat.Size, f.stat.Dev, err
}

// TestNoOpener: an Opener that can't open files gives errors.ErrUnsupported.
func TestNoOpener(t *testing.T) {
	r := newReader(t, Direct, nil)
	if _, _, err := r.ReadRange(t.Context(), unable{}, "file", make([]byte, 10), 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if got, want := r.files.String(), "direct: read buffered, since files can't be opened beneath a directory by one call here"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

type unable struct{}

func (unable) OpenDescriptor(context.Context, string, int) (fd int, size int64, device uint64, err error) {
	return -1, 0, 0, errors.ErrUnsupported
}
