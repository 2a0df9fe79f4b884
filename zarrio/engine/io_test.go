package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/race"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

func TestParseIO(t *testing.T) {
	names := []string{"auto", "buffered", "direct", "uring"}
	ways := []fileio.Mode{fileio.Auto, fileio.Buffered, fileio.Direct, fileio.Uring}
	for i, io := range loadertest.AllIO {
		if io.String() != names[i] || io.Mode() != ways[i] {
			t.Errorf("%v: way %v, want %s", io, io.Mode(), names[i])
		}
		if got, err := engine.ParseIO(io.String()); got != io || err != nil {
			t.Errorf("%v: %v, %v", io, got, err)
		}
	}
	for _, name := range []string{"fast", "mmap"} { // mmap was one
		_, err := engine.ParseIO(name)
		zarrtest.WantError(t, err, fmt.Sprintf(`zarrio: I/O %q: want auto, buffered, direct, uring`, name))
	}
	if got := engine.IO(9).String(); got != "IO(9)" || engine.IO(9).Mode() != fileio.Auto {
		t.Error(got, engine.IO(9).Mode())
	}
}

// TestIORandom runs random stores in each way of reading.
func TestIORandom(t *testing.T) {
	loadertest.Seeds(t, 30, func(seed uint64) {
		loadertest.RandomOn(t, seed, func(c *loadertest.Case, r *rand.Rand) {
			c.OnDisk = true
			c.CPU.IO, c.CPU.Depth = loadertest.AllIO[r.IntN(len(loadertest.AllIO))], []int{0, 0, 1, 2, 40}[r.IntN(5)]
		})
	})
}

// evict drops the files of a directory from the page cache, where the system can do that.
func evict(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := store.Evict(f); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		return nil
	})
	require.NoError(t, err)
}

// TestIOBoundaries has chunks around one to three pages, whole and with inner chunks, in both layouts, of which the page cache
// holds all or nothing.
func TestIOBoundaries(t *testing.T) {
	for _, n := range []int{1, 511, 512, 4095, 4096, 4097, 8191, 8192, 8193, 12287, 12288, 12289} {
		for _, kind := range []string{"raw", "blosc", "sharded"} {
			s := arraytest.NewStore()
			a := &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{12, n, 1}, Chunks: []int{1, n, 1}, Dtype: "|u1", Blosc: kind == "blosc"}
			if kind == "sharded" {
				a.Chunks[0], a.Form = 6, &arraytest.Form{Inner: []int{1, n, 1}, IndexChecksum: true, InnerForm: &arraytest.Form{ElementSize: 1}}
			}
			s.Put(t, a)
			dir := s.WriteDir(t)
			g, err := zarrio.Open(t.Context(), dir, zarrio.Options{})
			require.NoError(t, err)
			opt := loader.Options{Channels: []string{"t"}, Batch: 4}
			want := loadertest.Epoch(t, loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, opt))
			for _, io := range loadertest.AllIO {
				for _, opt.Layout = range []tensor.Layout{tensor.Dense, tensor.Padded} {
					l := loadertest.New(t, g, engine.CPUOptions{Workers: 2, IO: io}, opt)
					evict(t, dir)
					for _, cache := range []string{"cold", "warm"} {
						if got := loadertest.Epoch(t, l); !loadertest.Equal(got, want) {
							t.Errorf("%s chunks of %d bytes, %v, %s, %v: other data", kind, n, io, cache, opt.Layout)
						}
					}
				}
			}
			t.Cleanup(func() { g.Close() })
		}
	}
}

// ioSteps is a store on disk of n steps of 40,000 bytes, of some kind.
func ioSteps(t *testing.T, kind string, n int) (g *zarrio.Group, dir string) {
	t.Helper()
	s := arraytest.NewStore()
	a := &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{n, 100, 200}, Chunks: []int{1, 100, 200}, Dtype: "<u2", Blosc: kind == "blosc"}
	if kind == "sharded" {
		a.FullShards = true
		a.Chunks[0], a.Form = 8, &arraytest.Form{Inner: []int{1, 100, 200}, IndexChecksum: true, InnerForm: &arraytest.Form{ElementSize: 2}}
	}
	s.Put(t, a)
	dir = s.WriteDir(t)
	g, err := zarrio.Open(t.Context(), dir, zarrio.Options{Strict: true})
	require.NoError(t, err)
	t.Cleanup(func() { g.Close() })
	return g, dir
}

// TestIOErrors: what is wrong with a file is said alike, however it is read.
func TestIOErrors(t *testing.T) {
	for name, spoil := range map[string]func(file string) error{
		"missing":   os.Remove,
		"empty":     func(file string) error { return os.Truncate(file, 0) },
		"short":     func(file string) error { return os.Truncate(file, 20_000) },
		"long":      func(file string) error { return os.Truncate(file, 50_000) },
		"directory": func(file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o777)) },
	} {
		for _, kind := range []string{"raw", "blosc"} {
			g, dir := ioSteps(t, kind, 12)
			require.NoError(t, spoil(filepath.Join(dir, "t", "5.0.0")))
			var want string
			for _, io := range []engine.IO{engine.IOBuffered, engine.IOAuto, engine.IODirect, engine.IOUring} {
				l := loadertest.New(t, g, engine.CPUOptions{Workers: 1, IO: io}, loader.Options{Channels: []string{"t"}, Batch: 6})
				var got string
				for _, err := range l.Batches(t.Context()) {
					got = fmt.Sprint(err)
				}
				if io == engine.IOBuffered {
					want = got
				}
				if got != want || !strings.Contains(got, "t/5.0.0") && (kind != "blosc" || name != "long") { // a frame says where it ends
					t.Errorf("%s, %s, %v: %s; buffered: %s", name, kind, io, got, want)
				}
			}
		}
	}
}

// TestIOCancel leaves epochs at every batch, and by a context: nothing is open or runs afterwards.
func TestIOCancel(t *testing.T) {
	for _, io := range loadertest.AllIO {
		for _, kind := range []string{"raw", "blosc", "sharded"} {
			g, dir := ioSteps(t, kind, 64)
			files, goroutines := openFiles(t), runtime.NumGoroutine()
			e := engine.NewCPU(engine.CPUOptions{IO: io})
			l, err := loader.New(t.Context(), g, e, loader.Options{Channels: []string{"t"}, Batch: 8})
			require.NoError(t, err)
			for stop := range 4 {
				evict(t, dir)
				for b, err := range l.Batches(t.Context()) {
					require.NoError(t, err)
					if b.Index == stop {
						break
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				for b, err := range l.Batches(ctx) {
					if err == nil && b.Index == stop {
						cancel()
					}
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("%v, %s: %v", io, kind, err)
					}
				}
				cancel()
				for i, w := range e.Pool().Workers() {
					if _, files := w.Holds(); files > 0 {
						t.Errorf("%v, %s: worker %d has %d files open", io, kind, i, files)
					}
				}
			}
			if err := errors.Join(l.Close(), e.Close()); err != nil {
				t.Error(err)
			}
			if n := openFiles(t); n != files {
				t.Errorf("%v, %s: %d files are open, %d were", io, kind, n, files)
			}
			for range 1 << 20 { // those that are done may not be gone yet
				if runtime.NumGoroutine() <= goroutines {
					break
				}
				runtime.Gosched()
			}
			if n := runtime.NumGoroutine(); n > goroutines {
				t.Errorf("%v, %s: %d goroutines, %d were", io, kind, n, goroutines)
			}
		}
	}
}

// openFiles returns the number of this process's descriptors, or 0 where that isn't known.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// TestIOAllocs: nothing is allocated for a chunk.
func TestIOAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	if testing.Short() {
		t.Skip("emulated kernels, for which -short is, lack openat2, and without it to open a file allocates")
	}
	for _, io := range loadertest.AllIO {
		for _, kind := range []string{"raw", "blosc"} {
			measure := func(steps int) float64 {
				g, _ := ioSteps(t, kind, steps)
				l := loadertest.New(t, g, engine.CPUOptions{Workers: 2, IO: io}, loader.Options{Channels: []string{"t"}, Batch: steps / 2})
				epoch := func() {
					for _, err := range l.Batches(context.Background()) {
						require.NoError(t, err)
					}
				}
				epoch()
				runtime.GC()
				return testing.AllocsPerRun(5, epoch)
			}
			if few, many := measure(8), measure(80); many > few+10 {
				t.Errorf("%v, %s: %.1f allocations for 8 chunks, %.1f for 80", io, kind, few, many)
			}
		}
	}
}
