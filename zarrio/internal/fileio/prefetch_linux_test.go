package fileio

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// needRing skips a test if io_uring can't be used.
func needRing(tb testing.TB) {
	tb.Helper()
	if f := New(Uring, nil, 0); f.noRing != "" {
		tb.Skip(f)
	}
}

// kernels are such as rings meet.
func kernels(rnd *rand.Rand) map[string]*system {
	change := func(f func(s *system)) *system {
		s := kernel
		f(&s)
		return &s
	}
	sometimes := func(errs ...error) *system {
		return change(func(s *system) {
			s.ringEnter = func(fd int, submit, wait, flags uint32) (int, error) {
				if i := rnd.IntN(2 * len(errs)); i < len(errs) {
					return 0, errs[i]
				}
				return kernel.ringEnter(fd, submit, wait, flags)
			}
		})
	}
	results := func(f func(res int) int) *system { return change(func(s *system) { s.result = f }) }
	return map[string]*system{
		"plain":       &kernel,
		"interrupted": sometimes(unix.EINTR),
		"busy":        sometimes(unix.EAGAIN, unix.EBUSY, unix.EINTR),
		"full":        change(func(s *system) { s.ringEntries = 1 }),
		"slow": change(func(s *system) { // takes one at a time
			s.ringEnter = func(fd int, submit, wait, flags uint32) (int, error) {
				return kernel.ringEnter(fd, min(submit, 1), wait, flags)
			}
		}),
		"refusing": change(func(s *system) {
			s.ringEnter = func(int, uint32, uint32, uint32) (int, error) { return 0, unix.EBADF }
		}),
		"late": change(func(s *system) { // begins nothing before something is waited for
			s.ringEnter = func(fd int, submit, wait, flags uint32) (int, error) {
				if wait == 0 {
					return 0, unix.EAGAIN
				}
				return kernel.ringEnter(fd, submit, wait, flags)
			}
		}),
		"short": results(func(res int) int {
			if res > 1 && rnd.IntN(2) == 0 {
				return rnd.IntN(res)
			}
			return res
		}),
		"again": results(func(res int) int {
			return []int{res, -int(unix.EAGAIN), -int(unix.EINTR), -int(unix.ECANCELED), 0}[rnd.IntN(5)]
		}),
		"wrong": results(func(int) int { return -int(unix.EINVAL) }),
	}
}

// TestAhead starts reads of several files, and makes others in between.
func TestAhead(t *testing.T) {
	needRing(t)
	rnd := rand.New(rand.NewPCG(5, 6))
	for name, sys := range kernels(rnd) {
		t.Run(name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, d dir) {
				r := newReader(t, []Mode{Uring, Auto}[rnd.IntN(2)], sys)
				if r.Ahead() == 0 {
					t.Fatal(r.files)
				}
				var whole [][]byte
				for i, n := range []int{0, 1, 511, 4096, 9001, 300_000, 1<<20 + 3} {
					whole = append(whole, d.write(t, fmt.Sprint(i), n))
					d.evict(t, fmt.Sprint(i))
				}
				n := rounds(40)
				for i := range n {
					if i == n/2 {
						d.evict(t, "5")
					}
					readAhead(t, r, d, whole, rnd)
				}
				if r.ahead.inFlight != 0 {
					t.Errorf("%d reads are under way", r.ahead.inFlight)
				}
				for i := range r.ahead.pending {
					if r.ahead.pending[i].used {
						t.Errorf("read %d is still there", i)
					}
				}
			})
		})
	}
}

// eachPlace runs a test on a disk and on a file system in memory.
func eachPlace(t *testing.T, f func(t *testing.T, d dir)) {
	f(t, dir(t.TempDir()))
	shm(t, f)
}

// readAhead opens some files, starts reads, makes them and others, and closes the files.
func readAhead(t *testing.T, r *Reader, d dir, whole [][]byte, rnd *rand.Rand) {
	type begun struct {
		file     int
		off, n   int
		all, dst []byte
	}
	files, which := make([]File, 1+rnd.IntN(4)), make([]int, 4)
	var list []begun
	for i := range files {
		which[i] = rnd.IntN(len(whole))
		if err := r.Open(t.Context(), &files[i], d, fmt.Sprint(which[i])); err != nil {
			t.Fatal(err)
		}
		for range rnd.IntN(8) {
			w := whole[which[i]]
			b := begun{file: i, off: rnd.IntN(len(w) + 1), n: 1 + rnd.IntN(len(w)+10)}
			if rnd.IntN(3) == 0 {
				b.off, b.n = 0, len(w)
			}
			if rnd.IntN(2) == 0 {
				b.all, b.dst = room(b.n, rnd.IntN(2)*rnd.IntN(4096))
			}
			if files[i].Prefetch(b.dst, int64(b.off), b.n) {
				list = append(list, b)
			}
		}
	}
	if rnd.IntN(2) == 0 {
		r.Submit()
	}
	rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for _, b := range list {
		w := whole[which[b.file]]
		want := w[b.off:min(b.off+b.n, len(w))]
		f := &files[b.file]
		switch k := rnd.IntN(6); {
		case k == 0: // never asked for
			continue
		case k == 1: // something else is
			off, n := rnd.IntN(len(w)+1), rnd.IntN(len(w)+10)
			dst := make([]byte, n)
			got, err := f.ReadAt(dst, int64(off))
			if want := w[off:min(off+n, len(w))]; err != nil || !bytes.Equal(dst[:got], want) {
				t.Fatalf("between: %d bytes from %d on of %d: read %d, %v", n, off, len(w), got, err)
			}
			continue
		case k == 2:
			if got, ok, err := f.TakePrefetched(nil, int64(b.off), len(want)); ok && (err != nil || !bytes.Equal(got, want)) {
				t.Fatalf("took %d bytes from %d on of %d: %d, %v", b.n, b.off, len(w), len(got), err)
			}
			continue
		}
		dst := b.dst
		if dst == nil {
			dst = make([]byte, b.n)
		}
		got, err := f.ReadAt(dst, int64(b.off))
		if err != nil || !bytes.Equal(dst[:got], want) {
			t.Fatalf("%d bytes from %d on of %d: read %d, %v", b.n, b.off, len(w), got, err)
		}
		if b.all != nil && (bytes.Count(b.all[:4096], []byte{guard}) != 4096 || bytes.Count(b.all[len(b.all)-4096:], []byte{guard}) != 4096) {
			t.Fatalf("%d bytes from %d on of %d: what lies around them was written", b.n, b.off, len(w))
		}
	}
	for i := range files {
		if err := files[i].Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAheadMany: what finds no room is read when it is asked for, and closing the reader waits for
// what is under way.
func TestAheadMany(t *testing.T) {
	needRing(t)
	d := dir(t.TempDir())
	whole := d.write(t, "file", 64<<10)
	d.evict(t, "file")
	for _, depth := range []int{2, 40, 0} {
		aheadMany(t, d, whole, depth)
	}
	if r := New(Uring, nil, 1).Reader(); r.Ahead() != 0 || !r.QueueFull() || r.files.Workers(false) != kernel.workers || r.files.String() != "uring" {
		t.Errorf("a depth of 1: %d reads ahead, %d workers, %v", r.Ahead(), r.files.Workers(false), r.files)
	}
}

func aheadMany(t *testing.T, d dir, whole []byte, depth int) {
	r := New(Uring, nil, depth).Reader()
	if r.Ahead() == 0 {
		t.Fatal(r.files)
	}
	depth = cmp.Or(depth, ringDepth)
	var f File
	if err := r.Open(t.Context(), &f, d, "file"); err != nil {
		t.Fatal(err)
	}
	for i := range depth + 1 {
		if began := f.Prefetch(nil, int64(i), 1000); began != (i < depth) {
			t.Errorf("read %d: begun is %t", i, began)
		}
	}
	if r.files.depth > 0 && !r.QueueFull() {
		t.Errorf("%d reads are under way, and are not enough", depth)
	}
	dst := make([]byte, 1000)
	for i := range depth + 1 {
		if n, err := f.ReadAt(dst, int64(i)); err != nil || !bytes.Equal(dst[:n], whole[i:i+1000]) {
			t.Errorf("read %d: %d bytes, %v", i, n, err)
		}
	}
	if f.pending != 0 {
		t.Errorf("%d reads are there", f.pending)
	}
	for i := range depth {
		f.Prefetch(nil, int64(i), 60_000)
	}
	r.Submit()
	fd, ring := f.fd, r.ahead
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if ring.inFlight != 0 {
		t.Errorf("%d reads are under way", ring.inFlight)
	}
	if err := unix.Close(fd); err != nil {
		t.Error(err)
	}
}

// TestNoRing: without io_uring, String gives the reason, and the data are right.
func TestNoRing(t *testing.T) {
	d := dir(t.TempDir())
	whole := d.write(t, "file", 30_000)
	for errno, want := range map[error]string{
		unix.ENOSYS: "uring: without io_uring, since the kernel has no io_uring: ",
		unix.EPERM:  "uring: without io_uring, since ",
		unix.ENOMEM: "uring: without io_uring, since RLIMIT_MEMLOCK leaves no room for an io_uring: ",
		unix.EMFILE: "uring: without io_uring, since no io_uring can be set up: too many open files",
	} {
		sys := kernel
		sys.ringSetup = func(uint32, *ringParams) (int, error) { return -1, errno }
		r := newReader(t, Uring, &sys)
		if got := r.files.String(); !strings.HasPrefix(got, want) {
			t.Errorf("%v: %q, want %q", errno, got, want)
		}
		if r.Ahead() != 0 || r.files.Workers(false) != sys.workers {
			t.Errorf("%v: %d reads ahead, %d workers", errno, r.Ahead(), r.files.Workers(false))
		}
		checkRead(t, r, d, "file", whole, 100, 20_000, 3)
		var f File
		if err := r.Open(t.Context(), &f, d, "file"); err != nil {
			t.Fatal(err)
		}
		if f.Prefetch(nil, 0, 100) {
			t.Errorf("%v: a read was started", errno)
		}
		f.Close()
	}
	sys := kernel
	sys.ringSetup = func(n uint32, p *ringParams) (int, error) {
		fd, err := kernel.ringSetup(n, p)
		p.features = 0
		return fd, err
	}
	before := descriptors(t)
	if got := newFiles(Uring, nil, 0, &sys).String(); !strings.HasPrefix(got, "uring: without io_uring, since ") {
		t.Error(got)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
}
