//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// change replaces the value of a step by f's result of it; nil for none. In place, it stays the same file.
func change(t *testing.T, dir, key string, inPlace bool, f func([]byte) []byte) {
	t.Helper()
	name := filepath.Join(dir, filepath.FromSlash(key))
	old, err := os.ReadFile(name)
	require.NoError(t, err)
	value := f(old)
	switch {
	case value == nil:
		err = os.Remove(name)
	case inPlace:
		err = os.WriteFile(name, value, 0o666)
	default:
		err = errors.Join(os.WriteFile(name+".new", value, 0o666), os.Rename(name+".new", name))
	}
	require.NoError(t, err)
}

// TestGDSFilesChange has files shrink, vanish and be replaced in the middle of an epoch, while they are open and while they
// are not. The epoch gives what the file held when it was opened, or an error that names the chunk; once all is well again, so is
// the next epoch.
func TestGDSFilesChange(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	const n, rows, cols, victim = 6, 32, 40, 5
	half := func(b []byte) []byte { return b[:len(b)/2] }
	longer := func(b []byte) []byte { return append(slices.Clone(b), 1, 2, 3) }
	same := slices.Clone[[]byte]
	for _, kind := range []string{"chunks", "shards"} {
		s, key := gdsFields(t, n, rows, cols), fmt.Sprintf("t/%d.0.0", victim)
		if kind == "shards" {
			s, key = gdsShards(t, n, 1, rows, cols, nil), fmt.Sprintf("t/c/%d/0/0", victim)
		}
		for _, tt := range []struct {
			name    string
			inPlace bool
			to      func([]byte) []byte
			open    string // what the epoch's error says while the file is open; "" for none
			closed  string // and while it is not
		}{
			{"shrinks", true, half, "read", "read"},
			{"empty", true, func([]byte) []byte { return []byte{} }, "read", "read"},
			{"grows", true, longer, "", "bytes"},
			{"vanishes", false, func([]byte) []byte { return nil }, "", "missing"},
			{"smaller", false, half, "", "bytes"},
			{"larger", false, longer, "", "bytes"},
			{"copied", false, same, "", ""},
		} {
			for _, mode := range []string{"sync", "batch", "compat", "direct"} {
				for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
					for _, open := range []bool{true, false} {
						t.Run(fmt.Sprintf("%s/%s/%s/%v/open=%t", kind, tt.name, mode, layout, open), func(t *testing.T) {
							group, dir := onDisk(t, s, zarrio.Options{Strict: true})
							opt := loader.Options{Batch: 1, Prefetch: -1, Layout: layout}
							want := cpuEpoch(t, group, opt)
							gds := GDSOptions{Submit: SubmitSync, Handles: n, Workers: 2}
							switch mode {
							case "batch":
								gds.Submit = SubmitBatch
							case "direct":
								t.Setenv("KVIKIO_AUTO_DIRECT_IO_READ", "on")
								fallthrough
							case "compat":
								gds.Compat = CompatOn
							}
							if !open {
								gds.Handles = 1
							}
							_, l := gdsLoader(t, g, group, gds, opt)
							if !bytes.Equal(gpuEpoch(t, l), want) {
								t.Fatal("the first epoch differs")
							}
							original := zarrtest.ReadText(t, filepath.Join(dir, filepath.FromSlash(key)))
							var got []byte
							var failed error
							for b, err := range l.Batches(t.Context()) {
								if err != nil {
									failed = err
									continue
								}
								got = append(got, loadertest.Bytes(t, b)...)
								if b.Index == 0 {
									change(t, dir, key, tt.inPlace, tt.to)
								}
							}
							expected := tt.closed
							if open {
								expected = tt.open
							}
							if expected == "" {
								if failed != nil || !bytes.Equal(got, want) {
									t.Errorf("the epoch differs, or failed: %v", failed)
								}
							} else {
								wantReadError(t, failed, expected, key)
								if missing := errors.Is(failed, meta.ErrMissingChunk); missing != (expected == "missing") {
									t.Errorf("%v: is ErrMissingChunk: %t", failed, missing)
								}
							}
							// As programs do that write files anew.
							name := filepath.Join(dir, filepath.FromSlash(key))
							require.NoError(t, errors.Join(os.WriteFile(name+".new", []byte(original), 0o666), os.Rename(name+".new", name)))
							if again := gpuEpoch(t, l); !bytes.Equal(again, want) {
								t.Error("the epoch after it differs")
							}
						})
					}
				}
			}
		}
	}
}
