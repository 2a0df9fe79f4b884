package loader_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/race"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// once says which chunks were not read exactly once.
func once(t *testing.T, got map[string]int, chunks int) {
	t.Helper()
	if len(got) != chunks {
		t.Errorf("%d chunks were read, want %d", len(got), chunks)
	}
	for key, n := range got {
		if n != 1 {
			t.Errorf("chunk %s was read %d times", key, n)
		}
	}
}

func TestLoaderReadsOnce(t *testing.T) {
	for _, blosc := range []bool{false, true} {
		for _, shuffle := range []loader.Shuffle{loader.InOrder, loader.ByChunk} {
			s := arraytest.Steps(t, 61, 8, blosc)
			l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{Workers: 3},
				loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 3, Overlap: 2}}, Batch: 5, Shuffle: shuffle})
			s.Counts()
			for range 2 {
				before := l.Stats()
				loadertest.Epoch(t, l)
				reads := s.Counts()
				after := l.Stats()
				n := 0
				for _, r := range reads {
					n += r
				}
				if int64(n) != after.Chunks-before.Chunks {
					t.Errorf("blosc %t: %d reads, Stats count %d", blosc, n, after.Chunks-before.Chunks)
				}
				if shuffle == loader.InOrder {
					once(t, reads, 8)
					if after.Reused == before.Reused {
						t.Errorf("blosc %t: nothing was reused", blosc)
					}
				} else if len(reads) != 8 || n > 16 { // a window may reach into the next chunk, read then and again in its turn
					t.Errorf("blosc %t, by chunk: %d reads of %d chunks", blosc, n, len(reads))
				}
			}
		}
	}
}

// TestLoaderSharesChunk has two levels of one array as channels, and both in a chunk.
func TestLoaderSharesChunk(t *testing.T) {
	for _, blosc := range []bool{false, true} {
		s := arraytest.NewStore()
		s.Put(t, &arraytest.Array{Name: "z", Dims: []string{"time", "level", "y", "x"}, Shape: []int{12, 5, 4, 6}, Chunks: []int{1, 5, 4, 6}, Blosc: blosc})
		s.Put(t, &arraytest.Array{Name: "land", Dims: []string{"y", "x"}, Shape: []int{4, 6}, Blosc: blosc})
		l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{Workers: 3}, loader.Options{Channels: []string{"z@level#4", "land", "z@level#1"}, Batch: 2})
		s.Counts()
		loadertest.Epoch(t, l)
		once(t, s.Counts(), 12+1)
		if got, want := l.Stats().DecodedBytes, int64(13*4*6*4*5); got > want {
			t.Errorf("decoded %d bytes, want at most %d", got, want)
		}
	}
}

// TestLoaderFilesChange changes a chunk between two epochs of which the first was cut short: what was kept for its next
// batch is out of date.
func TestLoaderFilesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := arraytest.Steps(t, 20, 20, false)
		opt := loader.Options{Channels: []string{"t"}, Batch: 2}
		l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, opt)
		for range l.Batches(t.Context()) {
			synctest.Wait() // until the next batch is filled, and what the third needs is kept
			break
		}
		s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{20, 4, 6}, Elem: arraytest.Elem("new")})
		want := loadertest.Epoch(t, loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, opt))
		if !loadertest.Equal(loadertest.Epoch(t, l), want) {
			t.Error("the epoch after the change has data from before it")
		}
	})
}

func holes(t *testing.T, blosc bool) *arraytest.Store {
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{12, 4, 6}, Chunks: []int{2, 4, 3}, Blosc: blosc, Fill: "7.5",
		Missing: func(c []int) bool { return c[0] == 3 && c[2] == 1 }})
	return s
}

func TestLoaderMissing(t *testing.T) {
	for _, blosc := range []bool{false, true} {
		for _, keep := range []int64{0, -1} {
			opt := loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 3, Overlap: 2}}, Batch: 2}
			l := loadertest.New(t, loadertest.Open(t, holes(t, blosc), zarrio.Options{}), engine.CPUOptions{KeepBytes: keep}, opt)
			for b, err := range l.Batches(t.Context()) {
				require.NoError(t, err)
				for i, o := range b.Windows {
					for s := range b.Tensors {
						missing := (o.Start[0]+s)/2 == 3
						if v := tensor.Plane[float32](b.Tensors[s], i, 0)[5]; (v == 7.5) != missing {
							t.Errorf("blosc %t, keep %d: step %d: %v", blosc, keep, o.Start[0]+s, v)
						}
					}
				}
			}
			if st := l.Stats(); st.Missing == 0 || st.Missing >= st.Chunks {
				t.Errorf("%+v", st)
			}
		}
		l := loadertest.New(t, loadertest.Open(t, holes(t, blosc), zarrio.Options{Strict: true}), engine.CPUOptions{}, loader.Options{Channels: []string{"t"}, Batch: 2})
		var last error
		n := 0
		for _, err := range l.Batches(t.Context()) {
			last = err
			n++
		}
		var chunk *meta.ChunkError
		if !errors.Is(last, meta.ErrMissingChunk) || !errors.As(last, &chunk) || chunk.Array != "t" || chunk.Key != "t/3.0.1" || chunk.Store != "mem" || n != 2 {
			t.Errorf("strict: turn %d: %v", n, last)
		}
	}
}

func TestLoaderStats(t *testing.T) {
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{8, 4, 6}, Chunks: []int{1, 4, 6}})
	s.Put(t, &arraytest.Array{Name: "z", Dims: []string{"time", "y", "x"}, Shape: []int{8, 4, 6}, Chunks: []int{4, 4, 6}, Blosc: true})
	s.Put(t, &arraytest.Array{Name: "hole", Dims: []string{"y", "x"}, Shape: []int{4, 6}, Missing: func([]int) bool { return true }})
	l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{Workers: 2}, loader.Options{Channels: []string{"t", "z", "hole"}, Batch: 2})
	const plane = 4 * 6 * 4
	stored := int64(8*plane + len(s.Values["z/0.0.0"]) + len(s.Values["z/1.0.0"]))
	// 8 chunks of t, 2 of z, and the hole is looked for in both batches.
	want := meta.Stats{Chunks: 12, Missing: 2, ReadBytes: stored, DecodedBytes: 16 * plane, PlacedBytes: 24 * plane}
	for epoch := range int64(2) {
		loadertest.Epoch(t, l)
		if epoch == 0 {
			if got := l.Stats(); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
	}
	want.Add(want)
	if got := l.Stats(); got != want {
		t.Errorf("after two epochs: got %+v, want %+v", got, want)
	}
}

func TestLoaderOnSample(t *testing.T) {
	s := arraytest.Steps(t, 21, 4, true)
	s.Put(t, &arraytest.Array{Name: "u", Dims: []string{"time", "y", "x"}, Shape: []int{21, 4, 6}, Chunks: []int{3, 2, 5}})
	opt := loader.Options{Channels: []string{"t", "u"}, Windows: []loader.Window{{Dim: "time", Size: 2, Overlap: 1}}, Batch: 3, Prefetch: 2}
	want := map[int][]byte{}
	plain := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, opt)
	sample := func(b *loader.Batch, i int) (out []byte) {
		for _, tensor := range b.Tensors {
			out = append(append(out, tensor.PlaneBytes(i, 0)...), tensor.PlaneBytes(i, 1)...)
		}
		return out
	}
	for b, err := range plain.Batches(t.Context()) {
		require.NoError(t, err)
		for i := range b.Len {
			want[b.First+i] = sample(b, i)
		}
	}
	calls := make([]atomic.Int32, len(want))
	stop := errors.New("enough")
	var failAt atomic.Int32
	failAt.Store(-1)
	opt.OnSample = func(b *loader.Batch, i int) error {
		calls[b.First+i].Add(1)
		if int32(b.First+i) == failAt.Load() {
			return stop
		}
		if !slices.Equal(sample(b, i), want[b.First+i]) {
			return fmt.Errorf("%v: sample %d is not whole", b, i)
		}
		return nil
	}
	l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{Workers: 4}, opt)
	loadertest.Epoch(t, l)
	for i := range calls {
		if n := calls[i].Load(); n != 1 {
			t.Errorf("sample %d: %d calls", i, n)
		}
	}
	failAt.Store(10)
	n := 0
	var last error
	for b, err := range l.Batches(t.Context()) {
		if last = err; err == nil {
			n += b.Len
		}
	}
	if !errors.Is(last, stop) || n != 9 {
		t.Errorf("an error for sample 10: %d samples, then %v", n, last)
	}
	failAt.Store(-1)
	loadertest.Epoch(t, l)
}

// tightEngine is an engine with little memory left.
type tightEngine struct {
	*engine.CPU
	left   int64
	allocs int
}

func (e *tightEngine) Available() int64 { return e.left }

func (e *tightEngine) Alloc(n int64, layout tensor.Layout) (tensor.Memory, error) {
	if e.allocs--; e.allocs < 0 {
		return nil, fmt.Errorf("allocate %d bytes: %w", n, errors.ErrUnsupported)
	}
	return e.CPU.Alloc(n, layout)
}

func TestLoaderMemory(t *testing.T) {
	cpu := engine.NewCPU(engine.CPUOptions{})
	defer cpu.Close()
	g := loadertest.Open(t, arraytest.Steps(t, 100, 4, false), zarrio.Options{})
	const sample = 2 * 4 * 6 * 4
	opt := loader.Options{Channels: []string{"t"}, Batch: 40, Retain: 1}
	load := func(left int64, allocs int) (string, error) {
		l, err := loader.New(t.Context(), g, &tightEngine{CPU: cpu, left: left, allocs: allocs}, opt)
		if err != nil {
			return err.Error(), err
		}
		return "", l.Close()
	}
	got, _ := load(100*sample, 3)
	want := fmt.Sprintf("zarrio: loader: a batch of 40 samples needs %d bytes, 3 of them (prefetch 1, retain 1) %d, but only %d bytes of memory are available: a batch of 30 would fit", 40*sample, 120*sample, 100*sample)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	opt.Batch = 30
	if got, err := load(100*sample, 3); err != nil {
		t.Errorf("the batch that would fit: %s", got)
	}
	if got, _ := load(sample, 3); !strings.HasSuffix(got, "not even a batch of 1 would fit: use smaller windows or fewer channels") {
		t.Error(got)
	}
	for n := range 3 {
		if got, err := load(math.MaxInt64, n); !errors.Is(err, errors.ErrUnsupported) || !strings.HasPrefix(got, "zarrio: loader: allocate 8192 bytes: ") {
			t.Errorf("after %d blocks: %s", n, got)
		}
	}
	// Window and layout that no memory would hold, and whose size overflows.
	opt = loader.Options{Channels: []string{"t"}, Partial: true, Windows: []loader.Window{{Dim: "time", Size: 1 << 16, Overlap: 0}, {Dim: "y", Size: math.MaxInt32, Overlap: 0}, {Dim: "x", Size: math.MaxInt32, Overlap: 0}}}
	if _, err := loader.New(t.Context(), g, cpu, opt); err == nil || !strings.Contains(err.Error(), "not even a batch of 1 would fit") {
		t.Error(err)
	}
}

// TestLoaderAllocs: what an epoch allocates depends on its batches, not on their chunks.
func TestLoaderAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	measure := func(steps, batch, chunk int, blosc bool) float64 {
		opt := loader.Options{Channels: []string{"t"}, Batch: batch, Windows: []loader.Window{{Dim: "time", Size: 4, Overlap: 2}}}
		l := loadertest.New(t, bareStore{Store: arraytest.Steps(t, steps, chunk, blosc)}.open(t), engine.CPUOptions{Workers: 2}, opt)
		epoch := func() {
			for _, err := range l.Batches(context.Background()) {
				require.NoError(t, err)
			}
		}
		epoch()
		runtime.GC()
		return testing.AllocsPerRun(5, epoch) / float64(l.Len())
	}
	for _, blosc := range []bool{false, true} {
		for _, chunk := range []int{1, 3} {
			few, many := measure(66, 4, chunk, blosc), measure(258, 16, chunk, blosc)
			t.Logf("blosc %t, chunks of %d: %.1f and %.1f allocations a batch", blosc, chunk, few, many)
			if many > few+2 || many > 25 {
				t.Errorf("blosc %t, chunks of %d: %.1f allocations a batch of 4, %.1f of 16", blosc, chunk, few, many)
			}
		}
	}
}

// bareStore is a store that allocates nothing for a read.
type bareStore struct{ *arraytest.Store }

func (s bareStore) ReadRange(_ context.Context, key string, dst []byte, off int64) (int, int64, error) {
	value, ok := s.Values[key]
	if !ok {
		return 0, 0, fs.ErrNotExist
	}
	return copy(dst, value[off:]), int64(len(value)), nil
}

func (s bareStore) open(tb testing.TB) *zarrio.Group {
	g, err := zarrio.OpenStore(tb.Context(), s, zarrio.Options{})
	require.NoError(tb, err)
	return g
}
