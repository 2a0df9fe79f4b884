//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/cufile"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// needEmulatedCuFile skips the test over NVIDIA's library, which has no options and fails only where it must.
func needEmulatedCuFile(t *testing.T) {
	t.Helper()
	cudaemu.Need(t)
	if cudaemu.RealCufile() {
		t.Skip("NVIDIA's libcufile takes no faults")
	}
}

// brokenEpoch runs an epoch that is to end with an error, and returns that.
func brokenEpoch(t *testing.T, l *loader.Loader, turn func(*loader.Batch)) error {
	t.Helper()
	var failed error
	for b, err := range l.Batches(t.Context()) {
		if failed = err; err == nil && turn != nil {
			turn(b)
		}
	}
	if failed == nil {
		t.Fatal("the epoch ended without an error")
	}
	return failed
}

// wantReadError checks that an error is one of the reading of a chunk of the array "t", and says all of the words.
func wantReadError(t *testing.T, err error, words ...string) {
	t.Helper()
	zarrtest.WantError(t, err, words...)
	e, ok := errors.AsType[*meta.ChunkError](err)
	if !ok {
		t.Errorf("%v is no *ChunkError", err)
	} else if e.Array != "t" || !strings.HasPrefix(e.Key, "t/") || e.Step != "read" {
		t.Errorf("%q: array %q, key %q, step %q", err, e.Array, e.Key, e.Step)
	}
}

var bothSubmits = []Submit{SubmitSync, SubmitBatch}

// TestGDSReadErrors has reads fail with each code of the library, and goes on with the next epoch.
func TestGDSReadErrors(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, gdsFields(t, 16, 4, 6), zarrio.Options{})
	opt := loader.Options{Batch: 2}
	want := cpuEpoch(t, group, opt)
	codes := []int{int(syscall.EIO), int(syscall.EINVAL), int(syscall.ESTALE), int(syscall.ENOMEM), 6001, 6002}
	for code := 5001; code <= 5050; code++ {
		if !strings.HasPrefix(cufile.Name(code), "unknown") {
			codes = append(codes, code)
		}
	}
	for _, submit := range bothSubmits {
		_, l := gdsLoader(t, g, group, GDSOptions{Submit: submit, Workers: 3}, opt)
		call := map[Submit]string{SubmitSync: "cuFileRead", SubmitBatch: "cuFileBatchIO"}[submit]
		for i, code := range codes {
			for _, negative := range []int64{0, 1} {
				t.Run(fmt.Sprintf("%s/%d/%d", submit, code, negative), func(t *testing.T) {
					cudaemu.Set(t, "cufile.negative", negative)
					cudaemu.Fail(t, call, code, 0, i%16, 1)
					wantReadError(t, brokenEpoch(t, l, nil), fmt.Sprintf("%s (%d)", cufile.Name(code), code), call)
				})
			}
			if code%10 == 0 && !bytes.Equal(gpuEpoch(t, l), want) {
				t.Errorf("%s: the epoch after code %d differs", submit, code)
			}
		}
		if !bytes.Equal(gpuEpoch(t, l), want) {
			t.Errorf("%s: the last epoch differs", submit)
		}
	}
}

// TestGDSInterrupted has signals interrupt reads: they are made again.
func TestGDSInterrupted(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, gdsFields(t, 16, 4, 6), zarrio.Options{})
	opt := loader.Options{Batch: 2}
	want := cpuEpoch(t, group, opt)
	for submit, call := range map[Submit]string{SubmitSync: "cuFileRead", SubmitBatch: "cuFileBatchIO"} {
		_, l := gdsLoader(t, g, group, GDSOptions{Submit: submit}, opt)
		cudaemu.Fail(t, call, int(syscall.EINTR), 0, 3, 5)
		if !bytes.Equal(gpuEpoch(t, l), want) {
			t.Errorf("%s: the epoch differs", submit)
		}
	}
}

// TestGDSBatchErrors has the calls of batches fail.
func TestGDSBatchErrors(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, gdsFields(t, 32, 4, 6), zarrio.Options{})
	opt := loader.Options{Batch: 8}
	want := cpuEpoch(t, group, opt)
	for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
		for _, tt := range []struct {
			call string
			code int
		}{
			{"cuFileBatchIOSetUp", 5039}, {"cuFileBatchIOSetUp", 5043}, {"cuFileBatchIOSubmit", 5035}, {"cuFileBatchIOSubmit", 5037},
			{"cuFileBatchIOSubmit", 5040}, {"cuFileBatchIOGetStatus", 5030}, {"cuFileBatchIOGetStatus", 5041},
		} {
			for after := range 3 {
				if after > 0 && tt.call == "cuFileBatchIOSetUp" {
					break // each worker makes one when it comes to have a read, if it does
				}
				t.Run(fmt.Sprintf("%v/%s/%d/%d", layout, tt.call, tt.code, after), func(t *testing.T) {
					opt := opt
					opt.Layout = layout
					_, l := gdsLoader(t, g, group, GDSOptions{Submit: SubmitBatch, Workers: 3}, opt)
					cudaemu.Fail(t, tt.call, tt.code, 0, after, 1)
					wantReadError(t, brokenEpoch(t, l, nil), fmt.Sprintf("%s: %s (%d)", tt.call, cufile.Name(tt.code), tt.code))
					for range 2 {
						if !bytes.Equal(gpuEpoch(t, l), want) {
							t.Error("the epoch after it differs")
						}
					}
				})
			}
		}
	}
}

// TestGDSRegisterErrors has files refused by cuFile: kvikIO's modes say what becomes of them.
func TestGDSRegisterErrors(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	const n, bytesEach = 16, 4 * 6 * 4
	group, _ := onDisk(t, gdsFields(t, n, 4, 6), zarrio.Options{})
	opt := loader.Options{Batch: 2}
	want := cpuEpoch(t, group, opt)
	for _, code := range []int{5008, 5018, 5020, 5027, 5028, 5030} {
		for _, compat := range []Compat{CompatAuto, CompatOff} {
			t.Run(fmt.Sprintf("%d/%s", code, compat), func(t *testing.T) {
				e, l := gdsLoader(t, g, group, GDSOptions{Compat: compat}, opt)
				cudaemu.Fail(t, "cuFileHandleRegister", code, 0, 5, 3)
				if compat == CompatOff {
					wantReadError(t, brokenEpoch(t, l, nil), fmt.Sprintf("cuFileHandleRegister: %s (%d)", cufile.Name(code), code))
					return
				}
				if !bytes.Equal(gpuEpoch(t, l), want) {
					t.Error("the epoch differs")
				}
				if x := e.Transfers(); x.BounceBytes != 3*bytesEach || x.CuFileBytes != (n-3)*bytesEach || x.HostBytes != 0 {
					t.Errorf("%+v, want three files of %d bytes read by POSIX calls", x, bytesEach)
				}
				if e.Transfers().Path() != PathMixed {
					t.Errorf("path %q, want %q", e.Transfers().Path(), PathMixed)
				}
			})
		}
	}
}

// TestGDSMissing reads stores that lack chunks, shards, and inner chunks of shards.
func TestGDSMissing(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	const n = 32
	stores := map[string]*arraytest.Store{"chunks": gdsFields(t, n, 32, 40), "shards": gdsShards(t, n, 4, 32, 40, nil),
		"inner": gdsShards(t, n, 4, 32, 40, func(step int) bool { return step%5 == 2 })}
	for step := range n / 4 {
		if step%3 == 1 {
			delete(stores["chunks"].Values, fmt.Sprintf("t/%d.0.0", 3*step))
			delete(stores["shards"].Values, fmt.Sprintf("t/c/%d/0/0", step))
		}
	}
	for kind, s := range stores {
		group, dir := onDisk(t, s, zarrio.Options{})
		strict, err := zarrio.Open(t.Context(), dir, zarrio.Options{Strict: true})
		require.NoError(t, err)
		defer strict.Close()
		for _, gds := range []GDSOptions{{Submit: SubmitSync}, {Submit: SubmitBatch}, {Compat: CompatOn}, {Handles: 1}} {
			for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
				t.Run(fmt.Sprintf("%s/%+v/%v", kind, gds, layout), func(t *testing.T) {
					opt := loader.Options{Batch: 3, Layout: layout}
					cpu := cpuLoader(t, group, opt)
					want := bytes.Join(loadertest.Epoch(t, cpu), nil)
					e, l := gdsLoader(t, g, group, gds, opt)
					for range 2 {
						if !bytes.Equal(gpuEpoch(t, l), want) {
							t.Error("the epoch differs")
						}
					}
					if a, b := l.Stats(), cpu.Stats(); a.Missing != 2*b.Missing || a.Chunks != 2*b.Chunks || b.Missing == 0 {
						t.Errorf("%+v, want twice the CPU's %+v", a, b)
					}
					if path := e.Transfers().Path(); path == PathMixed || path == PathHost {
						t.Errorf("path %q, though the CPU read nothing", path)
					}
					_, l = gdsLoader(t, g, strict, gds, opt)
					err := brokenEpoch(t, l, nil)
					wantReadError(t, err, "missing")
					if !errors.Is(err, meta.ErrMissingChunk) {
						t.Errorf("%v is not ErrMissingChunk", err)
					}
				})
			}
		}
	}
}

// TestGPULost loses the device in the middle of an epoch. That ends with an error, and all can be closed.
func TestGPULost(t *testing.T) {
	needEmulatedCuFile(t)
	group, _ := onDisk(t, gdsFields(t, 32, 32, 40), zarrio.Options{})
	engines := map[string]func(*testing.T, *GPU) Engine{
		"host": func(t *testing.T, g *GPU) Engine { return must(t)(NewHost(g, HostOptions{Workers: 2})) },
	}
	for name, opt := range map[string]GDSOptions{"sync": {Workers: 2}, "batch": {Submit: SubmitBatch, Workers: 2}, "compat": {Compat: CompatOn, Workers: 2}} {
		engines[name] = func(t *testing.T, g *GPU) Engine {
			gdsSmall(t, &opt)
			return must(t)(NewGDS(g, opt))
		}
	}
	losses := map[string]func(*testing.T){
		"700": func(t *testing.T) { cudaemu.Set(t, "lost", 700) },
		"719": func(t *testing.T) { cudaemu.Set(t, "lost", 719) },
	}
	for _, call := range []string{"cuMemcpyDtoDAsync_v2", "cuMemcpyHtoDAsync_v2", "cuMemcpy2DAsync_v2"} {
		losses[call] = func(t *testing.T) { cudaemu.Fail(t, "exec."+call, 700, 0, 1, 1) }
	}
	for _, name := range slices.Sorted(maps.Keys(engines)) {
		for _, loss := range slices.Sorted(maps.Keys(losses)) {
			for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
				for _, lazy := range []int64{0, 1} {
					t.Run(fmt.Sprintf("%s/%s/%v/lazy=%d", name, loss, layout, lazy), func(t *testing.T) {
						cudaemu.NoLeaks(t)
						t.Setenv("KVIKIO_GDS_THRESHOLD", "0")
						cudaemu.Set(t, "lazy", lazy)
						g, err := Open(0)
						require.NoError(t, err)
						e := engines[name](t, g)
						l, err := loader.New(t.Context(), group, e, loader.Options{Channels: []string{"t"}, Batch: 2, Layout: layout})
						require.NoError(t, err)
						var failed error
						for b, err := range l.Batches(t.Context()) {
							if failed = err; err != nil {
								continue
							}
							if b.Index == 1 {
								losses[loss](t)
							}
							if err := b.Sync(); err != nil {
								failed = err
								break
							}
						}
						used := strings.HasPrefix(loss, "7") || name == "host" && loss == "cuMemcpyHtoDAsync_v2" || name == "compat" && loss == "cuMemcpyHtoDAsync_v2" ||
							(name == "sync" || name == "batch") && layout == tensor.Dense && loss == "cuMemcpyDtoDAsync_v2"
						var ce *cuda.Error
						if used && !errors.As(failed, &ce) && !errors.As(failed, new(*cufile.Error)) {
							t.Errorf("the epoch ended with %v, want an error of CUDA or cuFile", failed)
						}
						if !used && failed != nil {
							t.Error(failed)
						}
						if used {
							if err := brokenEpoch(t, l, func(b *loader.Batch) { b.Sync() }); err == nil {
								t.Error("an epoch on a lost device")
							}
						}
						// Errors are expected of a lost device; what counts is that all return, and leave nothing.
						for _, close := range []func() error{l.Close, e.Close, g.Close} {
							if err := close(); err != nil && !used {
								t.Error(err)
							}
						}
					})
				}
			}
		}
	}
}

// TestGPUCancel cancels epochs and leaves their loops at several moments: nothing is left of them, and the next one is whole.
func TestGPUCancel(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, gdsFields(t, 24, 32, 40), zarrio.Options{})
	why := errors.New("why")
	for _, lazy := range []int64{0, 1} {
		cudaemu.Set(t, "lazy", lazy)
		for _, gds := range []GDSOptions{{Submit: SubmitSync, Workers: 3}, {Submit: SubmitBatch, Workers: 3}, {Compat: CompatOn, Workers: 3}} {
			for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
				opt := loader.Options{Batch: 2, Layout: layout, Prefetch: 2}
				want := cpuEpoch(t, group, opt)
				_, l := gdsLoader(t, g, group, gds, opt)
				for stop := range 5 {
					ctx, cancel := context.WithCancelCause(t.Context())
					if stop == 0 {
						cancel(why)
					}
					n := 0
					var last error
					for b, err := range l.Batches(ctx) {
						if last = err; err != nil {
							continue
						}
						if n++; b.Index+1 == stop {
							cancel(why)
						}
					}
					cancel(nil)
					if !errors.Is(last, why) && n < l.Len() {
						t.Errorf("cancelled at %d: %d batches, %v", stop, n, last)
					}
					for b, err := range l.Batches(t.Context()) {
						require.NoError(t, err)
						if b.Index == stop {
							break
						}
					}
					if !bytes.Equal(gpuEpoch(t, l), want) {
						t.Errorf("%+v, %v: the epoch after a stop at %d differs", gds, layout, stop)
					}
				}
			}
		}
	}
}
