package harness

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/meta"

	"zarrbench/fixtures"
)

// The rows of a run have the names and lines that pair them with another run's, and the figures that follow from the data.
func TestBenchmarkOutput(t *testing.T) {
	needEngine(t, defaultEngine)
	raw := synthetic(t, fixtures.Synthetic{Steps: 10, Form: "raw", NLat: 13, NLon: 24})
	lz4 := synthetic(t, fixtures.Synthetic{Steps: 10, Form: "lz4", NLat: 13, NLon: 24})
	got := rows(t, "-test.bench=^BenchmarkEpoch$", "-store", raw, "-store", lz4, "-batch", "3")
	const sampleBytes = 2 * 3 * 13 * 24 * 4
	var crc, loss float64
	for _, name := range []string{
		"Epoch/store=raw/codec=none/chunk=1x13x24/batch=3/loss=mse",
		"Epoch/store=lz4/codec=blosc-lz4/chunk=1x13x24/batch=3/loss=mse",
	} {
		r := got[name]
		require.NotNil(t, r, "no row %s among %v", name, got)
		require.Equal(t, "synthetic", config(r, "data"), name)
		require.Equal(t, "10", config(r, "steps"), name)
		require.Equal(t, "warm", config(r, "cache"), name)
		require.Empty(t, config(r, "Engine"), "%s: the engine is in a line that benchstat compares", name)
		if crc == 0 {
			crc, loss = value(t, r, "data-crc32"), value(t, r, "loss")
			require.NotZero(t, crc, name)
			require.Positive(t, loss, name)
		}
		require.Equal(t, crc, value(t, r, "data-crc32"), name)
		require.Equal(t, loss, value(t, r, "loss"), name)
		bps, spo := value(t, r, "B/s"), value(t, r, "sec/op")
		bytes := bps * spo
		require.InDelta(t, 5*sampleBytes, bytes, 1e-3*bytes+0.01e6*spo, name) // MB/s is printed with two digits after the point
		for _, unit := range []string{"samples/s", "first-batch-sec", "p50-batch-sec", "slowest-batch-sec", "open-sec", "ceiling-sec", "ceiling-%"} {
			require.Positive(t, value(t, r, unit), "%s: %s", name, unit)
		}
	}
	require.EqualValues(t, 5*sampleBytes, value(t, got["Epoch/store=raw/codec=none/chunk=1x13x24/batch=3/loss=mse"], "read-B/op"))

	// However an epoch is run, the data are the same.
	for _, args := range [][]string{
		{"-workers", "1"}, {"-workers", "5"}, {"-layout", "padded"}, {"-prefetch", "0"}, {"-prefetch", "3"}, {"-open", "epoch"}, {"-step", "1ms"},
		{"-io", "buffered"}, {"-io", "direct"}, {"-io", "uring"}, {"-io", "uring", "-depth", "1"}, {"-io", "uring", "-depth", "30"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			for name, r := range rows(t, append([]string{"-test.bench=^BenchmarkEpoch$", "-store", raw, "-batch", "3"}, args...)...) {
				require.Equal(t, crc, value(t, r, "data-crc32"), name)
				require.Equal(t, loss, value(t, r, "loss"), name)
			}
		})
	}
	// Another order is other data, and the same seed the same order.
	seen := map[float64]bool{crc: true}
	for _, seed := range []string{"1", "2", "chunk:4"} { // by chunks of one step is by windows, so that the seed is another one
		var crcs []float64
		for range 2 {
			for _, r := range rows(t, "-test.bench=^BenchmarkEpoch$", "-store", raw, "-batch", "3", "-shuffle", seed) {
				crcs = append(crcs, value(t, r, "data-crc32"))
			}
		}
		require.Equal(t, crcs[0], crcs[1], "-shuffle %s", seed)
		require.NotContains(t, seen, crcs[0], "-shuffle %s", seed)
		seen[crcs[0]] = true
	}
}

// Every benchmark runs once, and -cache cold either drops the files or says why it can't.
func TestBenchmarksRun(t *testing.T) {
	needEngine(t, defaultEngine)
	lz4 := synthetic(t, fixtures.Synthetic{Steps: 16, Form: "lz4", NLat: 12, NLon: 24, Levels: 3, ChunkSteps: 4, LonLat: true})
	got := rows(t, "-test.bench=.", "-store", lz4, "-vars", "geopotential@level=500,u_component_of_wind@level#2", "-window", "time=3:2")
	for _, name := range []string{
		"Epoch/store=lz4/codec=blosc-lz4/chunk=4x3x24x12/batch=14/loss=mse",
		"Read/store=lz4/codec=blosc-lz4/chunk=4x3x24x12/batch=14/io=auto/workers=8",
		"Chunk/store=lz4/codec=blosc-lz4/chunk=4x3x24x12",
		fmt.Sprintf("Decode/codec=zstd/bytes=%d", 4*3*24*12*4),
	} {
		require.NotNil(t, got[name], "no row %s among %d", name, len(got))
	}
	stdout, stderr, err := bench(t, "-test.bench=^BenchmarkEpoch$", "-store", lz4, "-vars", "geopotential", "-cache", "cold")
	if err != nil && !strings.Contains(stdout+stderr, "stay in the page cache") || err == nil && !strings.Contains(stdout, "cache: cold") {
		t.Errorf("-cache cold: %v\n%s%s", err, stdout, stderr)
	}
}

// A store that is not whole, a loss that is no number, and flags that mean nothing fail with the reason.
func TestBenchmarkFailures(t *testing.T) {
	needEngine(t, defaultEngine)
	whole := synthetic(t, fixtures.Synthetic{Steps: 6, Form: "raw", NLat: 12, NLon: 24})
	half := synthetic(t, fixtures.Synthetic{Steps: 6, Form: "raw", NLat: 12, NLon: 24})
	require.NoError(t, os.Remove(filepath.Join(half, "u_component_of_wind", "3.0.0")))
	nan := synthetic(t, fixtures.Synthetic{Steps: 6, Form: "raw", NLat: 12, NLon: 24})
	field := bytes.Repeat(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN()))), 12*24)
	require.NoError(t, os.WriteFile(filepath.Join(nan, "geopotential", "2.0.0"), field, 0o666))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-store", half}, `array "u_component_of_wind": chunk "u_component_of_wind/3.0.0": read: the chunk is missing`},
		{[]string{"-store", nan}, "the loss is NaN"},
		{[]string{"-store", filepath.Join(half, "nothing")}, "no such file or directory"},
		{[]string{"-store", half, "-vars", "t2m"}, "-vars chooses the arrays"},
		{[]string{"-store", half, "-window", "time"}, `window "time": want DIMENSION=SIZE`},
		{[]string{"-store", whole, "-window", "time=1"}, "-loss mse compares a window's first and last step"},
		{[]string{"-store", half, "-io", "x"}, "-io x: want auto or buffered"},
		{[]string{"-store", half, "-io", "mmap"}, "-io mmap: want auto or buffered"},
		{[]string{"-store", half, "-shuffle", "x"}, "-shuffle x: want a number"},
		{[]string{"-store", half, "-batch", "0"}, "-batch 0: want 1 or more"},
		{[]string{"-store", half, "-workers", "-1"}, "-workers -1: want 0 or more, or auto"},
		{[]string{"-store", half, "-depth", "-1"}, "-depth -1: want 0 or more"},
	} {
		t.Run(c.want, func(t *testing.T) {
			stdout, stderr, err := bench(t, append([]string{"-test.bench=^BenchmarkEpoch$"}, c.args...)...)
			require.Error(t, err)
			require.Contains(t, stdout+stderr, c.want)
		})
	}
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
					m.add(epoch{samples: 8, waits: c.waits}, 100*ms, 0, 0, meta.Stats{}, meta.Stats{ReadBytes: 1})
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
