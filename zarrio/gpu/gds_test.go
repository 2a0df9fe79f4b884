//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

// TestGDSBAR makes engines on GPUs whose BAR has little room.
func TestGDSBAR(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, gdsFields(t, 32, 32, 40), zarrio.Options{})
	for _, tt := range []struct {
		bar, ring int64
		slots     int
		inPlace   bool
	}{
		{256 << 20, 0, 40, true}, {8 * slotSize, 0, 5, true}, {8 * slotSize, 8 * slotSize, 8, false}, {9 * slotSize, 9 * slotSize, 9, false},
		{2*slotSize - 1, 0, 1, true}, {slotSize, 0, 1, false}, {slotSize, slotSize, 1, false},
	} {
		for _, submit := range bothSubmits {
			t.Run(fmt.Sprintf("%d/%d/%s", tt.bar, tt.ring, submit), func(t *testing.T) {
				cudaemu.Set(t, "bar", tt.bar)
				opt := loader.Options{Batch: 4, Layout: tensor.Padded}
				t.Setenv("KVIKIO_GDS_THRESHOLD", "0")
				e := must(t)(NewGDS(g, GDSOptions{Submit: submit, RingBytes: tt.ring}))
				opt.Channels = []string{"t"}
				l := loadertest.NewOn(t, group, e, opt)
				if want := fmt.Sprintf("ring of %d x 4 MiB registered", tt.slots); !strings.Contains(e.String(), want) {
					t.Errorf("%v, want %q", e, want)
				}
				if n := cudaemu.Get("registered_bytes"); n > tt.bar {
					t.Errorf("%d bytes are registered, the BAR has %d", n, tt.bar)
				}
				if !bytes.Equal(gpuEpoch(t, l), cpuEpoch(t, group, opt)) {
					t.Error("the epoch differs")
				}
				if x := e.Transfers(); (x.InPlaceBytes > 0) != tt.inPlace || x.CuFileBytes != 32*32*40*4 {
					t.Errorf("%+v, want reads in place: %t", x, tt.inPlace)
				}
			})
		}
	}
	cudaemu.Set(t, "bar", slotSize-1)
	_, err := NewGDS(g, GDSOptions{})
	zarrtest.WantError(t, err, "4194304 bytes", "cuFileBufRegister", "CU_FILE_GPU_MEMORY_PINNING_FAILED (5036)")
	if _, err := NewGDS(g, GDSOptions{RingBytes: 100}); err == nil || !strings.Contains(err.Error(), "a ring of 100 bytes") {
		t.Errorf("a ring of 100 bytes: %v", err)
	}
}

// TestGPUMemory has little memory on the GPU: errors say how much was asked for and is free, and which batch would fit.
func TestGPUMemory(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, gdsFields(t, 200, 64, 64), zarrio.Options{})
	gds := GDSOptions{}
	gdsSmall(t, &gds)
	fit := regexp.MustCompile(`needs (\d+) bytes, 2 of them \(prefetch 1, retain 0\) (\d+), but only (\d+) bytes of memory are available: a batch of (\d+) would fit`)
	for name, engine := range map[string]func() Engine{
		"host": func() Engine { return must(t)(NewHost(g, HostOptions{})) },
		"gds":  func() Engine { return must(t)(NewGDS(g, gds)) },
	} {
		t.Run(name, func(t *testing.T) {
			e := engine()
			opt := loader.Options{Channels: []string{"t"}, Batch: 100}
			cudaemu.Set(t, "memory", cudaemu.Get("alloc_bytes")+3<<20)
			_, err := loader.New(t.Context(), group, e, opt)
			if err == nil {
				t.Fatal("no error")
			}
			m := fit.FindStringSubmatch(err.Error())
			if m == nil || m[1] != strconv.Itoa(200*64*64*4) || m[2] != strconv.Itoa(2*200*64*64*4) || m[3] != strconv.FormatInt(e.Available(), 10) {
				t.Fatalf("error %q, want bytes and a batch that fits", err)
			}
			if opt.Batch, _ = strconv.Atoi(m[4]); opt.Batch < 1 {
				t.Fatal(err)
			}
			l := loadertest.NewOn(t, group, e, opt)
			if !bytes.Equal(gpuEpoch(t, l), cpuEpoch(t, group, opt)) {
				t.Error("the epoch of batches that fit differs")
			}
			cudaemu.Set(t, "memory", cudaemu.Get("alloc_bytes")+1<<10)
			_, err = loader.New(t.Context(), group, e, loader.Options{Channels: []string{"t"}, Batch: 1})
			zarrtest.WantError(t, err, "only 1024 bytes", "not even a batch of 1 would fit")
			// What was free may be taken by others by now, or lie in pieces.
			cudaemu.Set(t, "memory", cudaemu.Get("alloc_bytes")+8<<20)
			cudaemu.Fail(t, "cuMemAlloc_v2", 2, 0, 1, 1)
			_, err = loader.New(t.Context(), group, e, loader.Options{Channels: []string{"t"}, Batch: 4})
			zarrtest.WantError(t, err, "CUDA_ERROR_OUT_OF_MEMORY", strconv.Itoa(2*4*64*64*4+devicePage), strconv.FormatInt(8<<20-(2*4*64*64*4+devicePage), 10))
			oom, ok := errors.AsType[*cuda.OutOfMemoryError](err)
			if !ok || oom.Bytes < 2*4*64*64*4 || oom.Free != 8<<20-(2*4*64*64*4+devicePage) {
				t.Errorf("%#v", oom)
			}
		})
	}
	t.Setenv("KVIKIO_TASK_SIZE", "")
	cudaemu.Set(t, "memory", cudaemu.Get("alloc_bytes")+3*slotSize)
	e := must(t)(NewGDS(g, GDSOptions{}))
	if want := "ring of 2 x 4 MiB registered"; !strings.Contains(e.String(), want) {
		t.Errorf("%v, want %q", e, want)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	cudaemu.Set(t, "memory", cudaemu.Get("alloc_bytes")+slotSize)
	_, err := NewGDS(g, GDSOptions{})
	zarrtest.WantError(t, err, "CUDA_ERROR_OUT_OF_MEMORY", strconv.Itoa(slotSize+devicePage), strconv.Itoa(slotSize))
	if oom, ok := errors.AsType[*cuda.OutOfMemoryError](err); !ok || oom.Bytes != slotSize+devicePage || oom.Free != slotSize {
		t.Errorf("%#v", oom)
	}
}

// TestGDSCompat chooses kvikIO's mode by option and by its variable.
func TestGDSCompat(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	group, _ := onDisk(t, gdsFields(t, 16, 4, 6), zarrio.Options{})
	want := cpuEpoch(t, group, loader.Options{})
	const all = 16 * 4 * 6 * 4
	for _, tt := range []struct {
		option Compat
		env    string
		broken bool // cuFile can't be opened
		cufile bool // it is used
		text   string
	}{
		{"", "", false, true, "compat auto"}, {"", "ON", false, false, "kvikIO compat"}, {"", "off", false, true, "compat off"},
		{CompatAuto, "on", false, true, "compat auto"}, {CompatOff, "on", false, true, "compat off"}, {CompatOn, "off", false, false, "compat on"},
		{"", "", true, false, "kvikIO compat, 16 bounce buffers of 64 KiB, since cuFile can't be used: cuFileDriverOpen: CU_FILE_NVFS_SETUP_ERROR (5033)"},
		{CompatOn, "", true, false, "kvikIO compat"}, {CompatOff, "", true, false, ""},
	} {
		t.Run(fmt.Sprintf("%s/%s/%t", tt.option, tt.env, tt.broken), func(t *testing.T) {
			g := testGPU(t, 0)
			t.Setenv("KVIKIO_COMPAT_MODE", tt.env)
			gds := GDSOptions{Compat: tt.option}
			gdsSmall(t, &gds)
			if tt.broken {
				cudaemu.Fail(t, "cuFileDriverOpen", 5033, 0, 0, -1)
			}
			if tt.text == "" {
				_, err := NewGDS(g, gds)
				zarrtest.WantError(t, err, "cuFileDriverOpen: CU_FILE_NVFS_SETUP_ERROR (5033)")
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("%v is not ErrUnsupported", err)
				}
				return
			}
			e, l := gdsLoader(t, g, group, gds, loader.Options{})
			if !strings.Contains(e.String(), tt.text) {
				t.Errorf("%v, want %q", e, tt.text)
			}
			if !bytes.Equal(gpuEpoch(t, l), want) {
				t.Error("the epoch differs")
			}
			path, why := e.PathOf(arrayOf(t, group, l.Channels()[0]), false)
			x := e.Transfers()
			switch {
			case tt.cufile && (x.CuFileBytes != all || x.HostBytes != 0 || e.Transfers().Path() != PathCuFileCompat || path != PathUnknown):
				t.Errorf("%+v, path %q, of the array %q", x, e.Transfers().Path(), path)
			case !tt.cufile && (x.BounceBytes != all || x.HostBytes != 0 || x.CuFileBytes != 0 || e.Transfers().Path() != PathKvikIOCompat || path != PathKvikIOCompat || why == ""):
				t.Errorf("%+v, path %q, of the array %q (%s)", x, e.Transfers().Path(), path, why)
			}
		})
	}
	g := testGPU(t, 0)
	t.Setenv("KVIKIO_COMPAT_MODE", "perhaps")
	_, err := NewGDS(g, GDSOptions{})
	zarrtest.WantError(t, err, "KVIKIO_COMPAT_MODE", "perhaps")
	t.Setenv("KVIKIO_COMPAT_MODE", "")
	_, err = NewGDS(g, GDSOptions{Compat: "maybe"})
	zarrtest.WantError(t, err, "maybe")
}

// TestGDSTasks splits reads by KVIKIO_TASK_SIZE, and decides by the whole of what is split whether that goes by POSIX calls.
func TestGDSTasks(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	const n, size = 6, 50 * 1000 * 4
	group, _ := onDisk(t, gdsFields(t, n, 50, 1000), zarrio.Options{})
	for _, tt := range []struct {
		task, threshold string
		each            int64 // calls a chunk
	}{
		{"4194304", "0", 1}, {"65536", "0", 4}, {"8192", "0", 25}, {"65536", "3500", 4}, {"65536", "200000", 4}, {"65536", "200001", 0}, {"4194304", "", 1}, {"200000", "", 1},
		{"65535", "", 4},
	} {
		for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
			t.Run(fmt.Sprintf("%s/%s/%v", tt.task, tt.threshold, layout), func(t *testing.T) {
				if tt.threshold == "" { // kvikIO's default, of which gdsLoader knows nothing
					tt.threshold = "16384"
				}
				t.Setenv("KVIKIO_TASK_SIZE", tt.task)
				t.Setenv("KVIKIO_GDS_THRESHOLD", tt.threshold)
				t.Setenv("KVIKIO_BOUNCE_BUFFER_SIZE", "16777216")
				opt := loader.Options{Batch: 1, Layout: layout}
				e, l := gdsLoader(t, g, group, GDSOptions{Workers: 2, Submit: SubmitSync, RingBytes: 2 * slotSize}, opt)
				before := calls("cuFileRead")
				if !bytes.Equal(gpuEpoch(t, l), cpuEpoch(t, group, opt)) {
					t.Error("the epoch differs")
				}
				if got := calls("cuFileRead") - before; got != n*tt.each {
					t.Errorf("%d calls of cuFileRead, want %d", got, n*tt.each)
				}
				x := e.Transfers()
				if tt.each == 0 && x.BounceBytes != n*size || tt.each > 0 && (x.BounceBytes != 0 || x.CuFileBytes != n*size) {
					t.Errorf("%+v", x)
				}
			})
		}
	}
}

// TestGDSOddSizes reads chunks of one to three pages, give or take a byte, by every way to read. What lies behind a short read
// is poison, of which nothing may be seen.
func TestGDSOddSizes(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	s := arraytest.NewStore()
	var sizes []int
	for p := range 3 {
		sizes = append(sizes, (p+1)*tensor.PageSize-1, (p+1)*tensor.PageSize, (p+1)*tensor.PageSize+1)
	}
	sizes = append(sizes, 1, 511, 513)
	for _, n := range sizes {
		s.Put(t, &arraytest.Array{Name: fmt.Sprintf("a%d", n), Dims: []string{"time", "y", "x"}, Shape: []int{6, 1, n}, Chunks: []int{1, 1, n}, Dtype: "|u1"})
		s.Put(t, &arraytest.Array{Name: fmt.Sprintf("b%d", n), Dims: []string{"time", "y", "x"}, Shape: []int{6, 1, n}, Chunks: []int{4, 1, n}, Dtype: "|u1"})
	}
	group, _ := onDisk(t, s, zarrio.Options{})
	for _, mode := range []string{"sync", "batch", "compat", "direct", "overread"} {
		for _, short := range []int64{0, 1, 2, 3} {
			if short > 0 && mode != "sync" && mode != "batch" {
				continue
			}
			t.Run(fmt.Sprintf("%s/short=%d", mode, short), func(t *testing.T) {
				cudaemu.Set(t, "cufile.short", short)
				gds := GDSOptions{Submit: SubmitSync, Workers: 2}
				switch mode {
				case "batch":
					gds.Submit = SubmitBatch
				case "overread":
					t.Setenv("KVIKIO_AUTO_DIRECT_IO_READ_OVERREAD", "on")
					fallthrough
				case "direct":
					t.Setenv("KVIKIO_AUTO_DIRECT_IO_READ", "on")
					fallthrough
				case "compat":
					gds.Compat = CompatOn
				}
				gdsSmall(t, &gds)
				e := must(t)(NewGDS(g, gds))
				defer e.Close()
				for _, n := range sizes {
					for _, name := range []string{"a", "b"} {
						for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
							opt := loader.Options{Channels: []string{fmt.Sprintf("%s%d", name, n)}, Batch: 2, Layout: layout}
							l, err := loader.New(t.Context(), group, e, opt)
							require.NoError(t, err)
							if !bytes.Equal(gpuEpoch(t, l), bytes.Join(loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt)), nil)) {
								t.Errorf("%v, %v: the epoch differs", opt.Channels, layout)
							}
							if err := l.Close(); err != nil {
								t.Error(err)
							}
						}
					}
				}
			})
		}
	}
}

// noDirect is a directory on a file system that refuses O_DIRECT.
type noDirect struct{ *store.Dir }

func (d noDirect) OpenFile(key string, flags int) (*os.File, error) {
	if flags&unix.O_DIRECT != 0 {
		return nil, unix.EINVAL
	}
	return d.Dir.OpenFile(key, flags)
}

// TestGDSNoDirectIO reads a store whose file system refuses O_DIRECT.
func TestGDSNoDirectIO(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	d, err := store.OpenDir(gdsFields(t, 8, 4, 6).WriteDir(t))
	require.NoError(t, err)
	defer d.Close()
	group, err := zarrio.OpenStore(t.Context(), noDirect{d}, zarrio.Options{})
	require.NoError(t, err)
	for _, compat := range []Compat{CompatAuto, CompatOn} {
		t.Run(string(compat), func(t *testing.T) {
			t.Setenv("KVIKIO_AUTO_DIRECT_IO_READ", "on")
			e, l := gdsLoader(t, g, group, GDSOptions{Compat: compat}, loader.Options{})
			if !bytes.Equal(gpuEpoch(t, l), cpuEpoch(t, group, loader.Options{})) {
				t.Error("the epoch differs")
			}
			if x := e.Transfers(); x.BounceBytes != 8*96 || e.Transfers().Path() != PathKvikIOCompat {
				t.Errorf("%+v, path %q", x, e.Transfers().Path())
			}
		})
	}
	_, l := gdsLoader(t, g, group, GDSOptions{Compat: CompatOff}, loader.Options{})
	wantReadError(t, brokenEpoch(t, l, nil), "invalid argument")
}

// TestGDSCalibrate chooses between the ways to submit, and says why. The epoch that follows is the next one.
func TestGDSCalibrate(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	s := gdsFields(t, 24, 32, 40)
	for name, s := range map[string]*arraytest.Store{"chunks": s, "shards": gdsShards(t, 24, 4, 32, 40, func(i int) bool { return i%7 == 3 })} {
		group, _ := onDisk(t, s, zarrio.Options{})
		for _, tt := range []struct {
			gds     GDSOptions
			version int64
			want    string
		}{
			{GDSOptions{}, 1200, `^(sync|batch) \(medians of 6 reads of a batch: sync .*, batch .*\)$`},
			{GDSOptions{Submit: SubmitSync}, 1200, "^sync, as requested$"},
			{GDSOptions{Submit: SubmitBatch}, 1200, "^batch, as requested$"},
			{GDSOptions{Compat: CompatOn}, 1200, "^nothing to choose: cuFile is not used$"},
			{GDSOptions{}, 1060, "^sync: this cuFile has no batches$"},
		} {
			for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
				t.Run(fmt.Sprintf("%s/%s/%v", name, tt.want, layout), func(t *testing.T) {
					cudaemu.Set(t, "cufile.version", tt.version)
					opt := loader.Options{Batch: 2, Layout: layout, Shuffle: loader.ByWindow, Seed: 4}
					want := cpuLoader(t, group, opt)
					e, l := gdsLoader(t, testGPU(t, 0), group, tt.gds, opt)
					for range 3 {
						text, err := e.Calibrate(t.Context(), l)
						if err != nil || !regexp.MustCompile(tt.want).MatchString(text) {
							t.Errorf("%q, %v, want %q", text, err, tt.want)
						}
						if way, _, _ := strings.Cut(text, " "); tt.gds == (GDSOptions{}) && !strings.Contains(e.String(), "submit "+strings.Trim(way, ":,")) {
							t.Errorf("%v, after %q", e, text)
						}
						if !bytes.Equal(gpuEpoch(t, l), bytes.Join(loadertest.Epoch(t, want), nil)) {
							t.Error("the epoch after it differs")
						}
					}
					require.NoError(t, l.Seek(9, l.Samples()))
					if text, err := e.Calibrate(t.Context(), l); err != nil || text == "" {
						t.Errorf("of an epoch that is over: %q, %v", text, err)
					}
					require.NoError(t, l.Seek(9, 0))
					ctx, cancel := context.WithCancel(t.Context())
					cancel()
					if _, err := e.Calibrate(ctx, l); tt.gds == (GDSOptions{}) && tt.version == 1200 && !errors.Is(err, context.Canceled) {
						t.Errorf("cancelled: %v", err)
					}
				})
			}
		}
	}
}
