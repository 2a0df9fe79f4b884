package loader_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/loss"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// TestLoaderKnown runs the study's loop over real data and compares with what xbatcher and NumPy made of them.
func TestLoaderKnown(t *testing.T) {
	if ndcopy.BigEndian {
		t.Skip("the known digests are of little-endian elements, which batches on this machine don't have")
	}
	type batch struct {
		N     int
		Shape []int
		MSE   float64 `json:"mse_f64"`
		X     string  `json:"sha_x"`
		Y     string  `json:"sha_y"`
		T0    []int64
	}
	var answers map[string][]batch
	zarrtest.SharedJSON(t, "known_answers_loop.json", &answers)
	wind := []string{"geopotential", "u_component_of_wind", "v_component_of_wind"}
	for _, tt := range []struct {
		name, store string
		channels    []string
		batch       int
	}{
		{"uk_t2m_bs32", "era5_uk_t2m_6h", []string{"2m_temperature"}, 32},
		{"uk_t2m_bs8", "era5_uk_t2m_6h", []string{"2m_temperature"}, 8},
		{"eraint_zuv500_bs32", "eraint_zuv500", wind, 32},
		{"member0_zt_bs32", "era5_member0_zt", []string{"geopotential", "temperature"}, 32}, // its levels are channels here
	} {
		for _, form := range []string{".raw.zarr", ".lz4.zarr"} {
			t.Run(tt.name+form, func(t *testing.T) {
				g, err := zarrio.Open(t.Context(), zarrtest.Shared(t, filepath.Join("data", tt.store+form)), zarrio.Options{Strict: true})
				require.NoError(t, err)
				defer g.Close()
				want := answers[tt.name]
				for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
					l := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Channels: tt.channels, Batch: tt.batch, Layout: layout})
					if l.Len() != len(want) || len(want) == 0 {
						t.Fatalf("%d batches, want %d", l.Len(), len(want))
					}
					for b, err := range l.Batches(t.Context()) {
						require.NoError(t, err)
						w := want[b.Index]
						if b.Len != w.N {
							t.Errorf("%v has %d samples, want %d", b, b.Len, w.N)
						}
						var sums []float64
						for i := range b.Len {
							for c := range b.Input().Shape[1] {
								sums = append(sums, loss.SquaredError(tensor.Plane[float32](b.Input(), i, c), tensor.Plane[float32](b.Target(), i, c)))
							}
						}
						if got := loss.Mean(sums, int64(b.Input().Elements())); math.Abs(got-w.MSE) > 1e-6*w.MSE {
							t.Errorf("%v: loss %v, want %v", b, got, w.MSE)
						}
						for step, sha := range []string{w.X, w.Y} {
							dst := make([]byte, b.Tensors[step].Elements()*4)
							require.NoError(t, b.Tensors[step].CopyTo(dst))
							if sum := sha256.Sum256(dst); hex.EncodeToString(sum[:]) != sha {
								t.Errorf("%v, step %d: SHA-256 %x, want %s", b, step, sum, sha)
							}
						}
						for i, t0 := range w.T0 {
							if timesOf(b, 0)[i] != t0 {
								t.Errorf("%v, sample %d: time %d, want %d", b, i, timesOf(b, 0)[i], t0)
							}
						}
					}
				}
			})
		}
	}
}
