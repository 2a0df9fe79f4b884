//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/race"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

// arrayOf opens the array of a channel.
func arrayOf(tb testing.TB, g *zarrio.Group, channel string) *zarrio.Array {
	tb.Helper()
	name, _, _ := strings.Cut(channel, "@")
	a, err := g.Array(tb.Context(), name)
	require.NoError(tb, err)
	return a
}

// gdsFields is a store with one array "t" of n steps, each a chunk of rows x cols float32.
func gdsFields(tb testing.TB, n, rows, cols int) *arraytest.Store {
	s := arraytest.NewStore()
	s.Put(tb, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{n, rows, cols}, Chunks: []int{1, rows, cols}, Fill: "7"})
	return s
}

// gdsShards is gdsFields in shards of per steps, whose inner chunks lie one behind the other. Those of which gone says so are
// missing.
func gdsShards(tb testing.TB, n, per, rows, cols int, gone func(step int) bool) *arraytest.Store {
	s := arraytest.NewStore()
	a := &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{n, rows, cols}, Chunks: []int{per, rows, cols}, Fill: "7", FullShards: true,
		Form: &arraytest.Form{Inner: []int{1, rows, cols}, IndexChecksum: true, InnerForm: &arraytest.Form{}}}
	s.Put(tb, a)
	for k := range (n + per - 1) / per {
		parts := make([][]byte, per)
		for i := range min(per, n-k*per) {
			if gone != nil && gone(k*per+i) {
				continue
			}
			parts[i] = make([]byte, 0, 4*rows*cols)
			arraytest.EachIndex([]int{rows, cols}, func(at []int) {
				var e [4]byte
				a.Elem(e[:], []int{k*per + i, at[0], at[1]})
				parts[i] = append(parts[i], e[:]...)
			})
		}
		s.Values[fmt.Sprintf("t/c/%d/0/0", k)] = arraytest.PackShard(parts, false)
	}
	return s
}

// gdsSmall has engines of NewGDS read everything by cuFile, and take little memory: the emulation fills it when it is allocated.
func gdsSmall(tb testing.TB, gds *GDSOptions) {
	for name, value := range map[string]string{"KVIKIO_GDS_THRESHOLD": "0", "KVIKIO_BOUNCE_BUFFER_SIZE": "65536", "KVIKIO_TASK_SIZE": "65536"} {
		if os.Getenv(name) == "" {
			tb.Setenv(name, value)
		}
	}
	gds.RingBytes = cmp.Or(gds.RingBytes, 16*65536)
}

// gdsLoader makes a loader on an engine that gdsSmall is for.
func gdsLoader(tb testing.TB, g *GPU, group *zarrio.Group, gds GDSOptions, opt loader.Options) (Engine, *loader.Loader) {
	tb.Helper()
	gdsSmall(tb, &gds)
	if opt.Channels == nil {
		opt.Channels = []string{"t"}
	}
	e := must(tb)(NewGDS(g, gds))
	return e, loadertest.NewOn(tb, group, e, opt)
}

// cpuEpoch returns what gpuEpoch of the same options should.
func cpuEpoch(tb testing.TB, group *zarrio.Group, opt loader.Options) []byte {
	tb.Helper()
	opt.Channels = []string{"t"}
	return bytes.Join(loadertest.Epoch(tb, loadertest.New(tb, group, engine.CPUOptions{}, opt)), nil)
}

// openCounter counts whatever opens a file of its directory.
type openCounter struct {
	*store.Dir
	opens atomic.Int64
}

func (c *openCounter) ReadRange(ctx context.Context, key string, dst []byte, off int64) (int, int64, error) {
	c.opens.Add(1)
	return c.Dir.ReadRange(ctx, key, dst, off)
}

func (c *openCounter) OpenFile(key string, flags int) (*os.File, error) {
	c.opens.Add(1)
	return c.Dir.OpenFile(key, flags)
}

func (c *openCounter) OpenValue(ctx context.Context, key string) (store.Value, error) {
	c.opens.Add(1)
	return c.Dir.OpenValue(ctx, key)
}

// counted opens a store's directory with an openCounter.
func counted(tb testing.TB, s *arraytest.Store) (*zarrio.Group, *openCounter) {
	tb.Helper()
	d, err := store.OpenDir(s.WriteDir(tb))
	require.NoError(tb, err)
	tb.Cleanup(func() { d.Close() })
	c := &openCounter{Dir: d}
	g, err := zarrio.OpenStore(tb.Context(), c, zarrio.Options{})
	require.NoError(tb, err)
	return g, c
}

// TestGDSSteady runs epochs of files that fit the cache: after the first one nothing is opened, registered or allocated any
// more, and where the planes of batches are padded nothing is copied on the GPU either.
func TestGDSSteady(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	const n, rows, cols = 24, 32, 32
	makers := []string{"cuFileHandleRegister", "cuFileBufRegister", "cuMemAlloc_v2", "cuMemHostRegister_v2", "cuStreamCreate", "cuEventCreate", "cuFileBatchIOSetUp"}
	for _, kind := range []string{"chunks", "shards"} {
		s := gdsFields(t, n, rows, cols)
		files := int64(n)
		if kind == "shards" {
			s, files = gdsShards(t, n, 4, rows, cols, nil), n/4
		}
		group, opens := counted(t, s)
		for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
			for _, submit := range []Submit{SubmitSync, SubmitBatch} {
				t.Run(fmt.Sprintf("%s/%v/%s", kind, layout, submit), func(t *testing.T) {
					opt := loader.Options{Batch: 4, Layout: layout, Shuffle: loader.ByWindow, Seed: 3}
					want := cpuLoader(t, group, opt)
					// Of few workers each meets a read, and makes what it keeps, in the first epoch.
					e, l := gdsLoader(t, g, group, GDSOptions{Submit: submit, Workers: 1, RingBytes: 8 * 65536}, opt)
					var first map[string]int64
					for epoch := range 3 {
						copies := calls("cuMemcpyDtoDAsync_v2") + calls("cuMemcpy2DAsync_v2")
						if got := gpuEpoch(t, l); !bytes.Equal(got, bytes.Join(loadertest.Epoch(t, want), nil)) {
							t.Errorf("epoch %d differs from the CPU's", epoch)
						}
						copies = calls("cuMemcpyDtoDAsync_v2") + calls("cuMemcpy2DAsync_v2") - copies
						now := map[string]int64{"Opened": e.Transfers().Opened}
						for _, name := range makers {
							now[name] = calls(name)
						}
						if epoch == 0 {
							first = now
							if now["Opened"] != files {
								t.Errorf("%d files opened, want %d", now["Opened"], files)
							}
						} else if !maps.Equal(now, first) {
							t.Errorf("epoch %d: calls so far %v, after the first %v", epoch, now, first)
						}
						bytes := int64(epoch+1) * n * rows * cols * 4
						x := e.Transfers()
						if x.CuFileBytes != bytes || x.HostBytes != 0 || x.UnalignedBytes != 0 || x.Evicted != 0 {
							t.Errorf("epoch %d: %+v, want %d bytes by cuFile", epoch, x, bytes)
						}
						if layout == tensor.Padded && (x.InPlaceBytes != bytes || copies != 0) {
							t.Errorf("epoch %d: %d of %d bytes were read in place, and %d copies made", epoch, x.InPlaceBytes, bytes, copies)
						}
						if layout == tensor.Dense && (x.InPlaceBytes != 0 || copies != n) {
							t.Errorf("epoch %d: %d bytes were read in place, and %d copies made, want %d", epoch, x.InPlaceBytes, copies, n)
						}
					}
					// The CPU's epochs open files of their own: alone, the engine opens none.
					before := opens.opens.Load()
					gpuEpoch(t, l)
					if now := opens.opens.Load(); now != before {
						t.Errorf("%d files were opened in the fourth epoch", now-before)
					}
				})
			}
		}
	}
}

// cpuLoader makes a loader of the array "t" on the CPU.
func cpuLoader(tb testing.TB, group *zarrio.Group, opt loader.Options) *loader.Loader {
	tb.Helper()
	opt.Channels = []string{"t"}
	return loadertest.New(tb, group, engine.CPUOptions{}, opt)
}

// A measuredEngine measures the allocations of the first Fill once measure is set, by more Fills of the same plan.
type measuredEngine struct {
	Engine
	measure bool
	allocs  float64
}

func (e *measuredEngine) Fill(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error) {
	if e.measure {
		e.measure = false
		runtime.GC()
		var err error
		e.allocs = testing.AllocsPerRun(5, func() {
			if _, fillErr := e.Engine.Fill(context.Background(), p, m); fillErr != nil {
				err = fillErr
			}
		})
		if err != nil {
			return meta.Stats{}, err
		}
	}
	return e.Engine.Fill(ctx, p, m)
}

// TestGPUFillAllocs measures Fills of few and of many chunks: what they allocate doesn't grow with these.
func TestGPUFillAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	host := func(pageable bool) func() Engine {
		return func() Engine {
			return must(t)(NewHost(g, HostOptions{Workers: 2, RingBytes: 4 * slotSize, Pageable: pageable}))
		}
	}
	gds := func(opt GDSOptions) func() Engine {
		gdsSmall(t, &opt)
		opt.Workers = 2
		return func() Engine { return must(t)(NewGDS(g, opt)) }
	}
	engines := map[string]func() Engine{"host": host(false), "pageable": host(true), "sync": gds(GDSOptions{Submit: SubmitSync}),
		"batch": gds(GDSOptions{Submit: SubmitBatch}), "compat": gds(GDSOptions{Compat: CompatOn})}
	stores := map[string]*arraytest.Store{"chunks": gdsFields(t, 128, 32, 32), "shards": gdsShards(t, 128, 16, 32, 32, nil)}
	for kind, s := range stores {
		group, _ := onDisk(t, s, zarrio.Options{})
		for _, name := range slices.Sorted(maps.Keys(engines)) {
			for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
				if layout == tensor.Padded && name != "sync" && name != "batch" {
					continue // it is all the same to the others
				}
				t.Run(fmt.Sprintf("%s/%s/%v", kind, name, layout), func(t *testing.T) {
					measure := func(batch int) float64 {
						e := &measuredEngine{Engine: engines[name]()}
						l := loadertest.NewOn(t, group, e, loader.Options{Channels: []string{"t"}, Batch: batch, Layout: layout})
						gpuEpoch(t, l)
						gpuEpoch(t, l)
						e.measure = true
						gpuEpoch(t, l)
						return e.allocs
					}
					few, many := measure(2), measure(60)
					most := few + 8
					if kind == "shards" {
						most += 16 // each of the eight may be opened by both workers
					}
					if many > most || many > 60 {
						t.Errorf("%v allocations to fill a batch of 4 chunks, %v of 120", few, many)
					}
				})
			}
		}
	}
}

// TestGDSHandles runs epochs of more files than are kept open.
func TestGDSHandles(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	const n = 40
	group, _ := onDisk(t, gdsFields(t, n, 4, 6), zarrio.Options{})
	opt := loader.Options{Batch: 5, Shuffle: loader.ByWindow, Seed: 1}
	for _, submit := range []Submit{SubmitSync, SubmitBatch} {
		for _, compat := range []Compat{CompatOn, CompatAuto} {
			for _, handles := range []int{1, 3, n} {
				t.Run(fmt.Sprintf("%s/%s/%d", submit, compat, handles), func(t *testing.T) {
					want := cpuLoader(t, group, opt)
					e, l := gdsLoader(t, g, group, GDSOptions{Handles: handles, Submit: submit, Compat: compat, Workers: 3}, opt)
					for epoch := range 2 {
						if got := gpuEpoch(t, l); !bytes.Equal(got, bytes.Join(loadertest.Epoch(t, want), nil)) {
							t.Errorf("epoch %d differs", epoch)
						}
					}
					x := e.Transfers()
					switch open := x.Opened - x.Evicted; {
					case handles == n && (x.Opened != n || x.Evicted != 0):
						t.Errorf("%+v, want %d files opened once", x, n)
					case handles < n && (x.Evicted < n || x.Opened < n || open < 1):
						t.Errorf("%+v, want most files evicted", x)
					case submit == SubmitSync && open > int64(max(handles, 3)): // each worker holds one
						t.Errorf("%d files are open, want %d", open, handles)
					}
					if live := cudaemu.Get("handles"); compat == CompatAuto && !cudaemu.RealCufile() && live != x.Opened-x.Evicted {
						t.Errorf("%d files are registered, want %d", live, x.Opened-x.Evicted)
					}
				})
			}
		}
	}
}

// limitFiles sets how many files the process may open, until the test's end.
func limitFiles(t *testing.T, n uint64) {
	t.Helper()
	var old unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	if n > old.Max {
		t.Skipf("no more than %d files may be open", old.Max)
	}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: old.Max}))
	t.Cleanup(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	})
}

// TestGDSManyFiles reads 4,392 files, as many as the study's month of fields has, where 256 may be open.
func TestGDSManyFiles(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	const n = 4392
	group, _ := onDisk(t, gdsFields(t, n, 1, 2), zarrio.Options{})
	opt := loader.Options{Batch: 122}
	want := cpuEpoch(t, group, opt)
	limitFiles(t, 256)
	if got := defaultHandles(); got != 64 {
		t.Errorf("%d handles are the default where 256 files may be open, want 64", got)
	}
	e, l := gdsLoader(t, g, group, GDSOptions{}, opt)
	if got := gpuEpoch(t, l); !bytes.Equal(got, want) {
		t.Error("the epoch differs")
	}
	if x := e.Transfers(); x.Opened != n || x.Evicted < n-64-8 { // each worker may hold one more
		t.Errorf("%+v, want %d files opened, of which 64 stay so", x, n)
	}
}

// TestGDSTooFewFiles lets the engine keep more files open than the process may have.
func TestGDSTooFewFiles(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	if _, err := g.cuFile(); err != nil { // which has a child process look first
		t.Fatal(err)
	}
	group, _ := onDisk(t, gdsFields(t, 200, 4, 6), zarrio.Options{})
	opt := loader.Options{Batch: 10}
	want := cpuEpoch(t, group, opt)
	names, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	limitFiles(t, uint64(len(names)+24))
	for name, gds := range map[string]GDSOptions{
		"sync": {Handles: 1000, Workers: 8}, "batch": {Handles: 1000, Workers: 2, Submit: SubmitBatch},
		"compat": {Handles: 1000, Workers: 8, Compat: CompatOn}, "direct": {Handles: 1000, Workers: 8, Compat: CompatOn}, "small": {Handles: 1000, Workers: 8},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "direct" {
				t.Setenv("KVIKIO_AUTO_DIRECT_IO_READ", "on")
			}
			if name == "small" { // below the threshold: a second descriptor for each file
				t.Setenv("KVIKIO_GDS_THRESHOLD", "100")
			}
			e, l := gdsLoader(t, g, group, gds, opt)
			for range 3 {
				if got := gpuEpoch(t, l); !bytes.Equal(got, want) {
					t.Error("the epoch differs")
				}
			}
			if x := e.Transfers(); x.Evicted == 0 {
				t.Errorf("%+v, want files evicted", x)
			}
		})
	}
}
