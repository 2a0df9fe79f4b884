package loader

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/race"
	"zarrbench/zarrio/store"
)

var (
	chunksFlag = flag.Int("chunks", 1000, "chunks of the largest store of BenchmarkChunks, of 4 KiB each")
	chunksDir  = flag.String("chunksdir", "", "a `DIRECTORY` in which the stores of BenchmarkChunks are kept; without it they are made anew")
)

// manyChunkBytes is the size of a chunk in a store of many: 32x32 float32.
const manyChunkBytes = 4096

// manyMetadata is the consolidated metadata of fields "t" of 32x32, one a chunk, and their hourly times.
func manyMetadata(chunks int) string {
	const array = `"%s/.zarray": {"zarr_format": 2, "shape": %s, "chunks": %s, "dtype": "%s", "fill_value": 0, "order": "C", "filters": null, "compressor": null}`
	return `{"zarr_consolidated_format": 1, "metadata": {".zgroup": {"zarr_format": 2},` +
		fmt.Sprintf(array, "t", fmt.Sprintf("[%d, 32, 32]", chunks), "[1, 32, 32]", "<f4") + `, "t/.zattrs": {"_ARRAY_DIMENSIONS": ["time", "y", "x"]},` +
		fmt.Sprintf(array, "time", fmt.Sprintf("[%d]", chunks), fmt.Sprintf("[%d]", chunks), "<i8") +
		`, "time/.zattrs": {"_ARRAY_DIMENSIONS": ["time"], "units": "hours since 1959-01-01"}}}`
}

// A manyStore is a store of so many chunks, whose values are computed: the first four bytes of each chunk are its number.
type manyStore struct {
	metadata string
	chunks   int
}

func newManyStore(chunks int) *manyStore { return &manyStore{manyMetadata(chunks), chunks} }

func (s *manyStore) String() string { return "many" }

func (s *manyStore) ReadRange(_ context.Context, key string, dst []byte, off int64) (n int, size int64, err error) {
	if key == ".zmetadata" {
		return copy(dst, s.metadata[min(int(off), len(s.metadata)):]), int64(len(s.metadata)), nil
	}
	if key == "time/0" {
		size = 8 * int64(s.chunks)
		n = int(min(int64(len(dst)), max(size-off, 0)))
		for i := range n / 8 {
			binary.LittleEndian.PutUint64(dst[8*i:], uint64(off/8+int64(i)))
		}
		return n, size, nil
	}
	number, ok := strings.CutPrefix(key, "t/")
	number, grid := strings.CutSuffix(number, ".0.0")
	i, err := strconv.Atoi(number)
	if !ok || !grid || err != nil || i < 0 || i >= s.chunks || off != 0 {
		return 0, 0, fs.ErrNotExist
	}
	clear(dst)
	if len(dst) >= 4 {
		binary.LittleEndian.PutUint32(dst, uint32(i))
	}
	return min(len(dst), manyChunkBytes), manyChunkBytes, nil
}

// time1959 is the first hour of the times.
const time1959 = -347155200e9

// manyOptions are of loaders of such stores: a window is a chunk.
func manyOptions(shuffle Shuffle) Options {
	return Options{Channels: []string{"t"}, Windows: []Window{{"time", 1, 0}}, Shuffle: shuffle, Seed: 1}
}

// openMany opens a store and begins an epoch at a sample, of which it reads one batch.
func openMany(tb testing.TB, st store.Store, shuffle Shuffle, at func(*Loader) int) {
	tb.Helper()
	g, err := zarrio.OpenStore(tb.Context(), st, zarrio.Options{Strict: true})
	require.NoError(tb, err)
	e := engine.NewCPU(engine.CPUOptions{Workers: 2})
	defer e.Close()
	l, err := New(tb.Context(), g, e, manyOptions(shuffle))
	require.NoError(tb, err)
	defer l.Close()
	require.NoError(tb, l.Seek(3, at(l)))
	for b, err := range l.Batches(tb.Context()) {
		require.NoError(tb, err)
		start := b.Windows[0].Start[0]
		if got := binary.NativeEndian.Uint32(b.Input().PlaneBytes(0, 0)); int(got) != start {
			tb.Fatalf("sample of step %d is chunk %d", start, got)
		}
		if got, want := b.Times("input")[0][0], time1959+int64(start)*3600e9; got != want {
			tb.Fatalf("sample of step %d has the time %d, want %d", start, got, want)
		}
		break
	}
}

// TestChunksMemory: to open an array, to begin an epoch anywhere in it and to read a batch takes the memory that it takes,
// however many chunks there are.
func TestChunksMemory(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	for _, shuffle := range []Shuffle{InOrder, ByWindow, ByChunk} {
		measure := func(chunks int) (objects, bytes uint64) {
			st := newManyStore(chunks)
			objects, bytes = 1<<62, 1<<62
			for range 5 { // the least: what happens to be collected from pools is no cost of chunks
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				openMany(t, st, shuffle, func(l *Loader) int { return l.Samples() - 64 })
				runtime.ReadMemStats(&after)
				objects = min(objects, after.Mallocs-before.Mallocs)
				bytes = min(bytes, after.TotalAlloc-before.TotalAlloc)
			}
			return objects, bytes
		}
		few, fewBytes := measure(100)
		many, manyBytes := measure(1_000_000)
		// What grows is the buffer for times, up to timesAtOnce, and how often it is filled.
		if many > few+40*(1+1_000_000/timesAtOnce) || manyBytes > fewBytes+8*timesAtOnce+1<<17 {
			t.Errorf("shuffle %d: %d objects and %d bytes for a million chunks, %d and %d for a hundred", shuffle, many, manyBytes, few, fewBytes)
		}
		t.Logf("shuffle %d: %d objects and %d bytes for a million chunks, %d and %d for a hundred", shuffle, many, manyBytes, few, fewBytes)
	}
}

// BenchmarkChunks measures what a chunk costs in stores of more and more of them. An op is to open the store in its middle and
// have the first batch (do=open), to plan the read of a chunk (plan), and to plan it and read it into a batch (read). Beside
// these stands what the store takes for reading the same files in the same order, as many at once, without a loader (store):
// the file system has its own curve.
func BenchmarkChunks(b *testing.B) {
	for chunks := 100; chunks <= *chunksFlag; chunks *= 10 {
		b.Run("chunks="+strconv.Itoa(chunks), func(b *testing.B) {
			dir := manyDir(b, chunks)
			for _, order := range []struct {
				name string
				Shuffle
			}{{"sequential", InOrder}, {"window", ByWindow}, {"chunk", ByChunk}} {
				b.Run("do=open/shuffle="+order.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						st, err := store.OpenDir(dir)
						if err != nil {
							b.Fatal(err)
						}
						openMany(b, st, order.Shuffle, func(l *Loader) int { return l.Samples() / 2 })
						st.Close()
					}
				})
				b.Run("do=plan/shuffle="+order.name, func(b *testing.B) { benchMany(b, dir, order.Shuffle, false) })
				b.Run("do=read/shuffle="+order.name, func(b *testing.B) { benchMany(b, dir, order.Shuffle, true) })
				if order.Shuffle != ByChunk { // of one window a chunk, that is another random order
					b.Run("do=store/shuffle="+order.name, func(b *testing.B) { benchManyFiles(b, dir, chunks, order.Shuffle == ByWindow) })
				}
			}
		})
	}
}

// benchMany goes through b.N windows of epochs, and reads them or only plans to.
func benchMany(b *testing.B, dir string, shuffle Shuffle, read bool) {
	g, err := zarrio.Open(b.Context(), dir, zarrio.Options{Strict: true})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	e := engine.NewCPU(engine.CPUOptions{})
	defer e.Close()
	opt := manyOptions(shuffle)
	opt.Prefetch = -1
	l, err := New(b.Context(), g, e, opt)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	b.ReportAllocs()
	b.ResetTimer()
	for left, epoch := b.N, 0; left > 0; epoch++ {
		if !read {
			l.eachPlan(b.Context(), l.epochSource(epoch, 0), func(_ int, p *plannedBatch) error {
				if left -= len(p.at); left <= 0 {
					return context.Canceled
				}
				return nil
			})
			continue
		}
		for batch, err := range l.Batches(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			if left -= batch.Len; left <= 0 {
				break
			}
		}
	}
}

// benchManyFiles reads b.N chunks by the store alone.
func benchManyFiles(b *testing.B, dir string, chunks int, shuffled bool) {
	st, err := store.OpenDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			buf, key := make([]byte, manyChunkBytes), make([]byte, 0, 32)
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				if i %= chunks; shuffled {
					i = int(permute(uint64(i), uint64(chunks), 1))
				}
				key = append(strconv.AppendInt(append(key[:0], "t/"...), int64(i), 10), ".0.0"...)
				if _, _, err := st.ReadRange(b.Context(), unsafe.String(&key[0], len(key)), buf, 0); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// manyDir returns a directory with the content of a manyStore.
func manyDir(b *testing.B, chunks int) string {
	dir := *chunksDir
	if dir == "" {
		dir = b.TempDir()
	}
	dir = filepath.Join(dir, strconv.Itoa(chunks)+".zarr")
	done := filepath.Join(dir, ".zmetadata")
	if _, err := os.Stat(done); err == nil {
		return dir
	}
	st := newManyStore(chunks)
	for _, name := range []string{"t", "time"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
			b.Fatal(err)
		}
	}
	write := func(key string, buf []byte) {
		n, _, err := st.ReadRange(b.Context(), key, buf, 0)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, key), buf[:n], 0o666)
		}
		if err != nil {
			b.Error(err)
		}
	}
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			buf := make([]byte, manyChunkBytes)
			for i := w; i < chunks && !b.Failed(); i += workers {
				write(fmt.Sprintf("t/%d.0.0", i), buf)
			}
		})
	}
	wg.Wait()
	write("time/0", make([]byte, 8*chunks))
	write(".zmetadata", make([]byte, len(st.metadata))) // last: a store that has it is whole
	if b.Failed() {
		b.FailNow()
	}
	return dir
}
