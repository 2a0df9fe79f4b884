package zarrbench

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/write"
)

// mixedStore writes a store of 12 steps: a mask without steps, and two fields that are stored differently.
func mixedStore(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	dir, err := store.OpenDir(path)
	require.NoError(t, err)
	defer dir.Close()
	w, err := write.Create(dir, 2, nil)
	require.NoError(t, err)
	for _, spec := range []struct {
		name string
		write.ArraySpec
	}{
		{"mask", write.ArraySpec{Shape: []int{5, 8}, Chunks: []int{5, 8}, Dims: []string{"latitude", "longitude"}}},
		{"wind", write.ArraySpec{Shape: []int{12, 5, 8}, Chunks: []int{4, 5, 8}, Dims: []string{"time", "latitude", "longitude"},
			Compressor: write.Compressor{Name: "zstd"}}},
		{"rain", write.ArraySpec{Shape: []int{12, 5, 8}, Chunks: []int{3, 5, 8}, Dims: []string{"time", "latitude", "longitude"},
			Compressor: write.Compressor{Name: "zstd"}}},
	} {
		spec.DType = zarrio.Float32
		a, err := w.Array(spec.name, spec.ArraySpec)
		require.NoError(t, err)
		n := 1
		for _, k := range spec.Shape {
			n *= k
		}
		fields := make([]float32, n)
		for i := range fields {
			fields[i] = float32(i)
		}
		require.NoError(t, a.Write(t.Context(), make([]int, len(spec.Shape)), spec.Shape, zarrio.AsBytes(fields)))
		require.NoError(t, a.Finish(t.Context()))
	}
	require.NoError(t, w.Finish(t.Context()))
	return path
}

// What rows and the line "steps" say is that of all channels, in whichever order they are given.
func TestDescribeChannels(t *testing.T) {
	path := mixedStore(t)
	for _, c := range []struct {
		vars  string
		form  form
		first form
		note  string
	}{
		{"wind", form{"zstd", "4x5x8"}, form{"zstd", "4x5x8"}, ""},
		{"wind,rain", form{"zstd", mixed}, form{"zstd", "4x5x8"}, " (mixed: wind: codec=zstd, chunk=4x5x8; rain: codec=zstd, chunk=3x5x8)"},
		{"mask,wind,wind", form{mixed, mixed}, form{"none", "5x8"}, " (mixed: mask: codec=none, chunk=5x8; wind: codec=zstd, chunk=4x5x8)"},
		{"wind,mask", form{mixed, mixed}, form{"zstd", "4x5x8"}, " (mixed: wind: codec=zstd, chunk=4x5x8; mask: codec=none, chunk=5x8)"},
	} {
		t.Run(c.vars, func(t *testing.T) {
			set(t, varsFlag, c.vars)
			s, err := describe(t.Context(), path)
			require.NoError(t, err)
			require.Equal(t, c.form, s.form)
			require.Equal(t, c.first, s.first)
			require.Equal(t, c.note, s.note)
			require.Equal(t, 12, s.steps)
			require.Equal(t, 6, s.samples)
		})
	}
	t.Run("other windows", func(t *testing.T) {
		set(t, varsFlag, "mask,wind")
		set(t, windowFlag, "latitude=2,time=3:1")
		s, err := describe(t.Context(), path)
		require.NoError(t, err)
		require.Equal(t, []int{12, 2 * 5}, []int{s.steps, s.samples})
	})
	t.Run("no such array", func(t *testing.T) {
		set(t, varsFlag, "mask,winds")
		_, err := describe(t.Context(), path)
		require.ErrorContains(t, err, "(-vars chooses the arrays)")
	})
	t.Run("no loader", func(t *testing.T) {
		set(t, windowFlag, "depth=2")
		set(t, varsFlag, "wind")
		s, err := describe(t.Context(), path)
		require.NoError(t, err)
		require.Equal(t, []int{12, 0, *batchFlag}, []int{s.steps, s.samples, s.batch()})
	})
}

// A row's name has the batch that ran, and a line says if an epoch is one batch.
func TestBatchOfRow(t *testing.T) {
	needEngine(t, defaultEngine)
	raw := synthetic(t, fixtures.Synthetic{Steps: 12, Form: "raw", NLat: 5, NLon: 8})
	for _, c := range []struct{ batch, row, line string }{
		{"1000", "batch=6", "of 6 samples (-batch 1000): nothing was prefetched"},
		{"6", "batch=6", "of 6 samples (-batch 6): nothing was prefetched"},
		{"5", "batch=5", ""},
	} {
		t.Run(c.batch, func(t *testing.T) {
			stdout, stderr, err := bench(t, "-test.bench=^Benchmark(Epoch|Read)$", "-store", raw, "-batch", c.batch)
			require.NoError(t, err, stderr)
			found := parse(t, stdout)
			require.Len(t, found, 5)
			for name := range found {
				require.Contains(t, name, "/"+c.row+"/")
				line := "Batches: " + name + ": one an epoch, " + c.line + "\n"
				require.Equal(t, c.line != "", strings.Contains(stdout, line), "%q in\n%s", line, stdout)
			}
			require.Equal(t, c.line != "", strings.Contains(stdout, "Batches: "), stdout)
		})
	}
}

// What may vary from run to run isn't marked exact.
func TestReadUnit(t *testing.T) {
	needEngine(t, defaultEngine)
	raw := synthetic(t, fixtures.Synthetic{Steps: 6, Form: "raw", NLat: 5, NLon: 8})
	for _, c := range []struct{ shuffle, want string }{
		{"", "Unit read-B/op assume=exact\n"},
		{"1", "Unit read-B/op better=lower\n"},
		{"chunk:1", "Unit read-B/op better=lower\n"},
	} {
		t.Run("shuffle="+c.shuffle, func(t *testing.T) {
			stdout, stderr, err := bench(t, "-test.bench=^BenchmarkEpoch$", "-store", raw, "-shuffle", c.shuffle)
			require.NoError(t, err, stderr)
			require.Equal(t, 1, strings.Count(stdout, "Unit read-B/op "), stdout)
			require.Contains(t, stdout, c.want)
		})
	}
}

// With -step a row tells how long the model waits, for all batches and for those behind the first. How near the ceiling it is
// isn't said: the model's time isn't the loader's.
func TestStall(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name  string
		step  time.Duration
		waits []time.Duration
		want  map[string]float64
	}{
		{"no model", 0, []time.Duration{30 * ms, 0, 10 * ms}, map[string]float64{"ceiling-%": 20}},
		{"some batches", 10 * ms, []time.Duration{30 * ms, 0, 12 * ms}, map[string]float64{"stall-%": 42, "steady-stall-%": 100. * 12 / 70}},
		{"one batch", 10 * ms, []time.Duration{30 * ms}, map[string]float64{"stall-%": 30}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set(t, stepFlag, c.step)
			r := testing.Benchmark(func(b *testing.B) {
				var m measured
				for range 2 {
					m.add(epoch{samples: 8, waits: c.waits}, 100*ms, 0, 0, 1)
					m.ceiling += 20 * ms
				}
				m.report(b, 16)
			})
			for _, unit := range []string{"ceiling-%", "stall-%", "steady-stall-%"} {
				got, ok := r.Extra[unit]
				want, wanted := c.want[unit]
				require.Equal(t, wanted, ok, unit)
				require.InDelta(t, want, got, 1e-9, unit)
				if ok {
					require.Contains(t, units, "Unit "+unit+" better=")
				}
			}
		})
	}
}
