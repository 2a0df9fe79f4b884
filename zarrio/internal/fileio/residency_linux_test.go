package fileio

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/turns"
)

// spied is a kernel that counts what it is asked for.
type spied struct {
	system
	directs, looks, cached atomic.Int64 // O_DIRECT set, cachestat called, bytes read without O_DIRECT
	refusal                error        // of cachestat
	nowait                 error        // of reads that must not wait
}

func spy() *spied {
	s := &spied{system: kernel}
	s.setFlags = func(fd, flags int) error {
		if flags&unix.O_DIRECT != 0 {
			s.directs.Add(1)
		}
		return kernel.setFlags(fd, flags)
	}
	s.cachestat = func(fd int, window *unix.CachestatRange, pages *unix.Cachestat_t) error {
		s.looks.Add(1)
		if s.refusal != nil {
			return s.refusal
		}
		return kernel.cachestat(fd, window, pages)
	}
	s.preadv = func(fd int, iov []unix.Iovec, off int64, flags int) (int, error) {
		if flags&unix.RWF_NOWAIT != 0 && s.nowait != nil {
			return 0, s.nowait
		}
		n, err := kernel.preadv(fd, iov, off, flags)
		if fcntl(fd)&unix.O_DIRECT == 0 {
			s.cached.Add(int64(n))
		}
		return n, err
	}
	return s
}

// resident returns how many pages of a file the page cache holds.
func (d dir) resident(tb testing.TB, key string) int {
	tb.Helper()
	f, err := os.Open(filepath.Join(string(d), key))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		tb.Fatal(err)
	}
	window := unix.CachestatRange{Len: uint64(info.Size())}
	var pages unix.Cachestat_t
	if err := kernel.cachestat(int(f.Fd()), &window, &pages); err != nil {
		tb.Skipf("cachestat: %v", err)
	}
	return int(pages.Cache)
}

// warm brings a part of a file into the page cache, and no more of it.
func (d dir) warm(tb testing.TB, key string, off, n int64) {
	tb.Helper()
	f, err := os.Open(filepath.Join(string(d), key))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
		tb.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, n), off); err != nil {
		tb.Fatal(err)
	}
}

const autoSize = 1<<20 + 5000

var autoPages = (autoSize + os.Getpagesize() - 1) / os.Getpagesize()

// autoDir has one file of autoSize bytes.
func autoDir(t *testing.T) (d dir, whole []byte) {
	d = dir(t.TempDir())
	needDirect(t, d)
	whole = d.write(t, "file", autoSize)
	d.evict(t, "file")
	if n := d.resident(t, "file"); n > 0 {
		t.Skipf("%d pages stay in the page cache", n)
	}
	return d, whole
}

// eventually runs scenario with a new file until it returns nil, ten times at most. The kernel
// promises nothing about its page cache: it may drop a page at any time, and if the disk is fast
// a read that must not wait may find the page that it has only just asked for.
func eventually(t *testing.T, scenario func(d dir, whole []byte) error) {
	t.Helper()
	var err error
	for range 10 {
		if err = scenario(autoDir(t)); err == nil {
			return
		}
	}
	require.NoError(t, err, "in each of ten attempts")
}

// TestAutoCold: what the page cache lacks is read around it, and it lacks it still.
func TestAutoCold(t *testing.T) {
	eventually(t, func(d dir, whole []byte) error {
		s := spy()
		r := newReader(t, Auto, &s.system)
		for range 3 {
			checkRead(t, r, d, "file", whole, 0, autoSize, 0)
			checkRead(t, r, d, "file", whole, 300_001, 1000, 7)
		}
		if n := d.resident(t, "file"); n > 0 {
			return fmt.Errorf("%d pages were brought into the page cache", n)
		}
		if s.cached.Load() > 0 || s.directs.Load() != 6 {
			return fmt.Errorf("%d bytes were read through the cache, %d times around it", s.cached.Load(), s.directs.Load())
		}
		return nil
	})
}

// TestAutoWarm: what the page cache holds is read there, and stays there; of short ranges a few are
// looked at.
func TestAutoWarm(t *testing.T) {
	eventually(t, func(d dir, whole []byte) error {
		d.warm(t, "file", 0, autoSize)
		s := spy()
		r := newReader(t, Auto, &s.system)
		for range 3 {
			checkRead(t, r, d, "file", whole, 0, autoSize, 0)
		}
		if s.directs.Load() != 0 || s.cached.Load() != 3*autoSize || s.looks.Load() != 3*3 {
			return fmt.Errorf("read around the cache %d times; %d bytes through it; looked %d times", s.directs.Load(), s.cached.Load(), s.looks.Load())
		}
		for i := range 100 {
			checkRead(t, r, d, "file", whole, int64(i)*4096, 4096, 0)
		}
		if s.directs.Load() != 0 || s.looks.Load() > 3*3+confidentHits {
			return fmt.Errorf("of 100 pages, read around the cache %d times; looked %d times", s.directs.Load(), s.looks.Load()-9)
		}
		if n := d.resident(t, "file"); n != autoPages {
			return fmt.Errorf("%d pages are held, %d were", n, autoPages)
		}
		var f File
		require.NoError(t, r.Open(t.Context(), &f, d, "file"))
		defer f.Close()
		held := f.Cached(0, autoSize)
		// A miss after many hits.
		d.evict(t, "file")
		if !held || f.Cached(0, autoSize) {
			return fmt.Errorf("before the file was evicted it was cached: %t", held)
		}
		checkRead(t, r, d, "file", whole, 4096, 4096, 0)
		if r.hits != 0 || s.directs.Load() != 1 {
			return fmt.Errorf("after a miss: %d hits, %d reads around the cache", r.hits, s.directs.Load())
		}
		return nil
	})
}

// TestAutoPartly reads a partly cached file.
func TestAutoPartly(t *testing.T) {
	for _, held := range [][2]int64{{0, 512 << 10}, {512 << 10, 300 << 10}, {256 << 10, 256 << 10}, {1 << 20, 5000}, {0, 1}} {
		t.Run(fmt.Sprintf("%d bytes from %d on", held[1], held[0]), func(t *testing.T) {
			eventually(t, func(d dir, whole []byte) error {
				d.warm(t, "file", held[0], held[1])
				before := d.resident(t, "file")
				s := spy()
				r := newReader(t, Auto, &s.system)
				for _, at := range []int64{0, 4096, 100_001} {
					checkRead(t, r, d, "file", whole, at, autoSize-2*int(at), 64)
				}
				if after := d.resident(t, "file"); after != before {
					return fmt.Errorf("%d pages were held: now %d", before, after)
				}
				if s.cached.Load() == 0 && held[1] > probeWindow {
					return errors.New("none were read through the cache")
				}
				if s.directs.Load() == 0 {
					return errors.New("all were read through the cache")
				}
				return nil
			})
		})
	}
}

// TestAutoBlind has a kernel without cachestat, and one that does not tell about this file.
func TestAutoBlind(t *testing.T) {
	for _, refusal := range []error{unix.ENOSYS, unix.EPERM} {
		t.Run(refusal.Error(), func(t *testing.T) {
			eventually(t, func(d dir, whole []byte) error {
				s := spy()
				s.refusal = refusal
				r := newReader(t, Auto, &s.system)
				checkRead(t, r, d, "file", whole, 0, autoSize, 0)
				if n := d.resident(t, "file"); n > 3 {
					return fmt.Errorf("%d pages were brought into the page cache", n)
				}
				if s.directs.Load() == 0 {
					return errors.New("the uncached file was not read around the cache")
				}
				d.warm(t, "file", 0, autoSize)
				s.directs.Store(0)
				checkRead(t, r, d, "file", whole, 0, autoSize, 0)
				checkRead(t, r, d, "file", whole, 100, 100, 0)
				if s.directs.Load() > 0 {
					return errors.New("the cached file was read around the cache")
				}
				if again := refusal == unix.EPERM; (s.looks.Load() > 1) != again {
					return fmt.Errorf("cachestat was asked %d times", s.looks.Load())
				}
				return nil
			})
		})
	}
}

// TestAutoTrial has a file system whose residency can't be probed: both kinds of reads are tried,
// then one is taken.
func TestAutoTrial(t *testing.T) {
	d, whole := autoDir(t)
	s := spy()
	s.refusal, s.nowait = unix.ENOSYS, unix.EOPNOTSUPP
	r := newReader(t, Auto, &s.system)
	for range 2 * trialReads {
		checkRead(t, r, d, "file", whole, 10, 100_000, 0)
	}
	p := r.device
	if p.probe() != byTrial || p.trial.reads != [2]int{trialReads, trialReads} || p.trial.verdict.Load() == 0 {
		t.Fatalf("sight %d, %v reads, verdict %d", p.probe(), p.trial.reads, p.trial.verdict.Load())
	}
	for verdict, direct := range []int64{0, 10} {
		p.trial.verdict.Store(int32(verdict) + 1)
		s.directs.Store(0)
		for range 10 {
			checkRead(t, r, d, "file", whole, 10, 100_000, 0)
		}
		if got := s.directs.Load(); got != direct {
			t.Errorf("verdict %d: %d of 10 reads were around the cache", verdict, got)
		}
	}
}

// TestTrial decides by the time that a byte takes.
func TestTrial(t *testing.T) {
	for _, tt := range []struct {
		bytes, took [2]int64
		want        int32
	}{
		{[2]int64{100, 100}, [2]int64{5, 4}, 2},
		{[2]int64{100, 100}, [2]int64{4, 5}, 1},
		{[2]int64{1000, 100}, [2]int64{10, 4}, 1},
		{[2]int64{100, 1000}, [2]int64{4, 10}, 2},
	} {
		var tr trial
		tr.reads = [2]int{trialReads, trialReads - 1}
		for way := range 2 {
			tr.done(way, int(tt.bytes[way]), 0)
			tr.took[way] = time.Duration(tt.took[way]) * time.Second
			if tr.verdict.Load() != 0 {
				t.Errorf("%+v: decided too early", tt)
			}
		}
		tr.reads[1]++
		tr.done(1, 0, 0)
		if got := tr.verdict.Load(); got != tt.want {
			t.Errorf("%+v: verdict %d", tt, got)
		}
	}
}

// TestRefusals: files that can't be read around the page cache are read through it, and String gives
// the reason.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*system)
		want   string
	}{
		"flags": {func(s *system) { s.setFlags = func(int, int) error { return unix.EINVAL } }, "direct: read buffered, since the file system refuses O_DIRECT: invalid argument"},
		"reads": {func(s *system) {
			s.preadv = func(fd int, iov []unix.Iovec, off int64, flags int) (int, error) {
				if fcntl(fd)&unix.O_DIRECT != 0 {
					return 0, unix.EINVAL
				}
				return kernel.preadv(fd, iov, off, flags)
			}
		}, "direct: read buffered, since the file system refuses reads with O_DIRECT: invalid argument"},
		"alignment": {func(s *system) {
			s.statx = func(_, _ int, st *unix.Statx_t) error {
				*st = unix.Statx_t{Mask: unix.STATX_DIOALIGN, Dio_offset_align: 4096, Dio_mem_align: 1 << 16}
				return nil
			}
		}, "direct: read buffered, since the file system asks for offsets in multiples of 4096 and addresses in multiples of 65536"},
		"tmpfs": {func(s *system) {
			s.statfs = func(_ int, st *unix.Statfs_t) error {
				st.Type = unix.TMPFS_MAGIC
				return nil
			}
		}, "direct: read buffered, since tmpfs holds its files in memory"},
	} {
		t.Run(name, func(t *testing.T) {
			d := dir(t.TempDir())
			needDirect(t, d)
			whole := d.write(t, "file", 30_000)
			sys := kernel
			tt.change(&sys)
			r := newReader(t, Direct, &sys)
			for range 2 {
				checkRead(t, r, d, "file", whole, 100, 20_000, 3)
			}
			if got := r.files.String(); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			r = newReader(t, Direct, &sys)
			if err := r.Probe(t.Context(), d, "file"); err != nil {
				t.Fatal(err)
			}
			if got := r.files.String(); got != tt.want {
				t.Errorf("by a probe %q, want %q", got, tt.want)
			}
		})
	}
}

// TestStrings names what is read by a way that works.
func TestStrings(t *testing.T) {
	for _, mode := range append(modes, Buffered) {
		f := New(mode, nil, 0)
		want := mode.String()
		if f.rings() && f.noRing != "" {
			want += ": without io_uring, since " + f.noRing
		}
		if got := f.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if New(Buffered, nil, 0).Reader() != nil {
		t.Error("a reader for what plain calls read")
	}
}

// TestTurns: a reader takes a turn to copy what the page cache holds, and none to wait for a disk.
func TestTurns(t *testing.T) {
	d, whole := autoDir(t)
	one := func() *turns.Turns {
		all := turns.New(1)
		all.Expect(8)
		return all
	}
	for _, mode := range []Mode{Auto, Direct, Uring} {
		t.Run(mode.String()+" from the disk", func(t *testing.T) {
			d.evict(t, "file")
			all := one()
			r := New(mode, all, 0).Reader()
			defer r.Close()
			require.NoError(t, all.Do(func() error { // a second turn would never come
				checkRead(t, r, d, "file", whole, 0, autoSize, 0)
				return nil
			}))
		})
	}
	t.Run("from the page cache", func(t *testing.T) {
		d.warm(t, "file", 0, autoSize)
		s := spy()
		var now, most, copies atomic.Int64
		preadv := s.preadv
		s.preadv = func(fd int, iov []unix.Iovec, off int64, flags int) (int, error) {
			if flags&unix.RWF_NOWAIT != 0 {
				copies.Add(1)
				if n := now.Add(1); n > 1 {
					most.Store(n)
				}
				defer now.Add(-1)
				runtime.Gosched()
			}
			return preadv(fd, iov, off, flags)
		}
		f := newFiles(Auto, one(), 0, &s.system)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				r := f.Reader()
				defer r.Close()
				dst := make([]byte, autoSize)
				for range 50 {
					if n, _, err := r.ReadRange(t.Context(), d, "file", dst, 0); n != autoSize || err != nil {
						t.Errorf("read %d bytes, %v", n, err)
					}
				}
			})
		}
		wg.Wait()
		require.Positive(t, copies.Load())
		require.Zero(t, most.Load(), "readers that copied at once, with one turn")
	})
}
