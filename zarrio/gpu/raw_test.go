//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/cufile"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// TestRawReader reads files whole, in several sizes.
func TestRawReader(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	dir := t.TempDir()
	var paths []string
	var all int64
	for i, n := range []int{0, 1, 4095, 4096, 4097, 100000, 1 << 20} {
		paths = append(paths, filepath.Join(dir, strconv.Itoa(i)))
		require.NoError(t, os.WriteFile(paths[i], bytes.Repeat([]byte{byte(i)}, n), 0o666))
		all += int64(n)
	}
	for _, opt := range []RawOptions{{}, {Workers: 1, Size: 4096}, {Workers: 3, Size: 65536, Registered: true}, {Workers: 20, Size: 8192, Registered: true}} {
		for _, short := range []int64{0, 2} {
			cudaemu.Set(t, "cufile.short", short)
			r, err := g.NewRawReader(paths, opt)
			require.NoError(t, err)
			for range 2 {
				if n, err := r.Read(t.Context()); n != all || err != nil {
					t.Errorf("%+v: %d bytes, %v, want %d", opt, n, err, all)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := r.Read(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%+v: cancelled: %v", opt, err)
			}
			if err := g.Close(); err == nil {
				t.Error("the GPU was closed under the reader")
			}
			cudaemu.Fail(t, "cuFileRead", 5017, 0, 2, 1)
			_, err = r.Read(t.Context())
			zarrtest.WantError(t, err, "raw reads", dir, "cuFileRead: CU_FILE_INVALID_MAPPING_RANGE (5017)")
			require.NoError(t, os.Truncate(paths[6], 5000))
			_, err = r.Read(t.Context())
			zarrtest.WantError(t, err, paths[6], "the file shrank")
			require.NoError(t, os.WriteFile(paths[6], make([]byte, 1<<20), 0o666))
			if err := errors.Join(r.Close(), r.Close()); err != nil {
				t.Error(err)
			}
			_, err = r.Read(t.Context())
			zarrtest.WantError(t, err, "used after Close")
		}
	}
	for _, tt := range []struct {
		paths []string
		opt   RawOptions
		want  string
	}{
		{paths, RawOptions{Size: 100}, "100 bytes a read"}, {paths, RawOptions{Workers: -1}, "-1 workers"}, {paths, RawOptions{Size: 2 << 30}, "bytes a read"},
		{append(paths[:2:2], filepath.Join(dir, "none")), RawOptions{}, "none"}, {append(paths[:2:2], dir), RawOptions{}, dir},
	} {
		_, err := g.NewRawReader(tt.paths, tt.opt)
		zarrtest.WantError(t, err, "raw reads", tt.want)
	}
	cudaemu.Fail(t, "cuFileBufRegister", cufile.GPUMemoryPinningFailed, 0, 0, 1)
	_, err := g.NewRawReader(paths, RawOptions{Registered: true})
	zarrtest.WantError(t, err, "CU_FILE_GPU_MEMORY_PINNING_FAILED (5036)")
}

// TestGPUClosed uses engines after Close.
func TestGPUClosed(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, gdsFields(t, 8, 4, 6), zarrio.Options{})
	gds := GDSOptions{}
	gdsSmall(t, &gds)
	for _, e := range []Engine{must(t)(NewHost(g, HostOptions{})), must(t)(NewGDS(g, gds)), must(t)(NewGDS(g, GDSOptions{Compat: CompatOn}))} {
		l, err := loader.New(t.Context(), group, e, loader.Options{Channels: []string{"t"}})
		require.NoError(t, err)
		if err := errors.Join(e.Close(), e.Close()); err != nil {
			t.Error(err)
		}
		zarrtest.WantError(t, brokenEpoch(t, l, nil), "used after Close")
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
			if _, err := loader.New(t.Context(), group, e, loader.Options{Channels: []string{"t"}, Layout: layout}); err == nil {
				t.Errorf("%v: a loader on a closed engine", e)
			}
		}
		_, err = e.Alloc(100, tensor.Dense)
		zarrtest.WantError(t, err, "used after Close")
		if e.Transfers().HostBytes != 0 || e.Transfers().Path() != PathNone || e.Available() != 0 {
			t.Errorf("%v: %+v, path %q, %d bytes", e, e.Transfers(), e.Transfers().Path(), e.Available())
		}
	}
}
