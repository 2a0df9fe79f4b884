package zarrbench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"zarrbench/fixtures"
	"zarrbench/zarrio"

	"golang.org/x/perf/benchfmt"
)

// synthetic writes a small store and returns its path.
func synthetic(t *testing.T, s fixtures.Synthetic) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), s.Form+".zarr")
	if err := s.Write(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// bench runs this test binary's benchmarks in a process of their own and returns what it printed. The engine is this build's
// default, unless the arguments say otherwise.
func bench(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return benchIn(t, benchEnv(t), args...)
}

// benchIn is bench in an environment; nil is this process's.
func benchIn(t *testing.T, env []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"-test.run=^$", "-test.benchtime=1x"}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// rows runs benchmarks that must pass and parses what they print as benchstat does.
func rows(t *testing.T, args ...string) map[string]*benchfmt.Result {
	t.Helper()
	stdout, stderr, err := bench(t, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, stdout, stderr)
	}
	return parse(t, stdout)
}

// parse reads rows as benchstat does.
func parse(t *testing.T, stdout string) map[string]*benchfmt.Result {
	t.Helper()
	r := benchfmt.NewReader(strings.NewReader(stdout), "stdout")
	found := map[string]*benchfmt.Result{}
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			found[strings.TrimSuffix(rec.Name.String(), fmt.Sprintf("-%d", gomaxprocs(rec)))] = rec.Clone()
		case *benchfmt.SyntaxError:
			t.Errorf("not in the benchmark format: %v", rec)
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// lastLine returns the last line of what was printed.
func lastLine(s string) string {
	s = strings.TrimSuffix(s, "\n")
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func gomaxprocs(r *benchfmt.Result) int {
	_, parts := r.Name.Parts()
	n := 1
	for _, p := range parts {
		_, _ = fmt.Sscanf(string(p), "-%d", &n)
	}
	return n
}

func value(t *testing.T, r *benchfmt.Result, unit string) float64 {
	t.Helper()
	v, ok := r.Value(unit)
	if !ok {
		t.Fatalf("%s has no %s", r.Name, unit)
	}
	return v
}

func config(r *benchfmt.Result, key string) string {
	for _, c := range r.Config {
		if c.Key == key {
			return string(c.Value)
		}
	}
	return ""
}

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
		if r == nil {
			t.Fatalf("no row %s among %v", name, got)
		}
		if d, s, c := config(r, "data"), config(r, "steps"), config(r, "cache"); d != "synthetic" || s != "10" || c != "warm" {
			t.Errorf("%s: data %q, steps %q, cache %q", name, d, s, c)
		}
		if e := config(r, "Engine"); e != "" {
			t.Errorf("%s: the engine is in a line that benchstat compares", name)
		}
		if crc == 0 {
			crc, loss = value(t, r, "data-crc32"), value(t, r, "loss")
		}
		if c, l := value(t, r, "data-crc32"), value(t, r, "loss"); c != crc || l != loss || c == 0 || !(l > 0) {
			t.Errorf("%s: data-crc32 %v, loss %v; the other form has %v, %v", name, c, l, crc, loss)
		}
		bps, spo := value(t, r, "B/s"), value(t, r, "sec/op")
		if bytes := bps * spo; math.Abs(bytes-5*sampleBytes) > 1e-3*bytes+0.01e6*spo { // few digits are printed, two of them behind that of a MB/s
			t.Errorf("%s: %v bytes an op, want %d", name, bytes, 5*sampleBytes)
		}
		for _, unit := range []string{"samples/s", "first-batch-sec", "p50-batch-sec", "slowest-batch-sec", "open-sec", "ceiling-sec", "ceiling-%"} {
			if v := value(t, r, unit); !(v > 0) {
				t.Errorf("%s: %s is %v", name, unit, v)
			}
		}
	}
	if v := value(t, got["Epoch/store=raw/codec=none/chunk=1x13x24/batch=3/loss=mse"], "read-B/op"); v != 5*sampleBytes {
		t.Errorf("raw: %v bytes read an op, want %d", v, 5*sampleBytes)
	}

	// However an epoch is run, the data are the same.
	for _, args := range [][]string{
		{"-workers", "1"}, {"-workers", "5"}, {"-layout", "padded"}, {"-prefetch", "0"}, {"-prefetch", "3"}, {"-open", "epoch"}, {"-step", "1ms"},
		{"-io", "buffered"}, {"-io", "direct"}, {"-io", "uring"}, {"-io", "uring", "-depth", "1"}, {"-io", "uring", "-depth", "30"},
	} {
		for name, r := range rows(t, append([]string{"-test.bench=^BenchmarkEpoch$", "-store", raw, "-batch", "3"}, args...)...) {
			if c, l := value(t, r, "data-crc32"), value(t, r, "loss"); c != crc || l != loss {
				t.Errorf("%v: %s: data-crc32 %v, loss %v; want %v, %v", args, name, c, l, crc, loss)
			}
		}
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
		if crcs[0] != crcs[1] || seen[crcs[0]] {
			t.Errorf("-shuffle %s: data-crc32 %v, after %v", seed, crcs, seen)
		}
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
		if got[name] == nil {
			t.Errorf("no row %s among %d", name, len(got))
		}
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
	if err := os.Remove(filepath.Join(half, "u_component_of_wind", "3.0.0")); err != nil {
		t.Fatal(err)
	}
	nan := synthetic(t, fixtures.Synthetic{Steps: 6, Form: "raw", NLat: 12, NLon: 24})
	field := bytes.Repeat(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN()))), 12*24)
	if err := os.WriteFile(filepath.Join(nan, "geopotential", "2.0.0"), field, 0o666); err != nil {
		t.Fatal(err)
	}
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
		{[]string{"-store", half, "-shuffle", "x"}, "-shuffle x: want a number"},
		{[]string{"-store", half, "-batch", "0"}, "-batch 0: want 1 or more"},
		{[]string{"-store", half, "-workers", "-1"}, "-workers -1: want 0 or more, or auto"},
		{[]string{"-store", half, "-depth", "-1"}, "-depth -1: want 0 or more"},
	} {
		stdout, stderr, err := bench(t, append([]string{"-test.bench=^BenchmarkEpoch$"}, c.args...)...)
		if err == nil || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%v: %v\n%s%s\nwant a failure with %q", c.args, err, stdout, stderr, c.want)
		}
	}
}

// The digest and the loss are what a reader of the store computes in the plainest way.
func TestDigestAndLoss(t *testing.T) {
	for _, name := range engines {
		t.Run(name, func(t *testing.T) { testDigestAndLoss(t, name) })
	}
}

func testDigestAndLoss(t *testing.T, name string) {
	useEngine(t, name)
	path := synthetic(t, fixtures.Synthetic{Steps: 9, Form: "lz4", NLat: 7, NLon: 10})
	const batch, plane = 3, 7 * 10
	set(t, batchFlag, batch)
	s, err := describe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	se, err := openSession(t.Context(), &s, reading{io: ioMode(), workers: 2}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer se.Close()
	var got digest
	e, err := se.pass(t.Context(), newProgress("test", 4), func(b *zarrio.Batch) error { return got.add(se.engine, b) })
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string][]float32{}
	for _, name := range loaderOptions().Channels {
		a, err := se.group.Array(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if fields[name], err = zarrio.Read[float32](t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
	}
	var want uint32
	var loss float64
	for b, first := range []int{0, 3} {
		var sum float64
		samples := min(batch, 4-first)
		for tensor := range 2 {
			for i := range samples {
				for c, name := range loaderOptions().Channels {
					at := func(step int) []float32 { return fields[name][(2*(first+i)+step)*plane:][:plane] }
					crc := crc32.ChecksumIEEE(zarrio.AsBytes(at(tensor)))
					var record []byte
					for _, v := range []int{b, tensor, i, c, int(crc)} {
						record = binary.LittleEndian.AppendUint32(record, uint32(v))
					}
					want = crc32.Update(want, crc32.IEEETable, record)
					for k, x := range at(0) {
						d := float64(x - at(1)[k])
						sum += float64(tensor) * d * d
					}
				}
			}
		}
		loss += sum / float64(samples*3*plane) / 2
	}
	if uint32(got) != want {
		t.Errorf("digest %08x, want %08x", uint32(got), want)
	}
	if math.Abs(e.loss-loss) > 1e-9*loss {
		t.Errorf("loss %v, want %v", e.loss, loss)
	}
}

// set gives a flag another value for one test.
func set[T any](t *testing.T, flag *T, v T) {
	old := *flag
	*flag = v
	t.Cleanup(func() { *flag = old })
}

// useEngine makes an engine that which is opened in this process for one test, and opens the GPU that it needs.
func useEngine(t *testing.T, name string) {
	t.Helper()
	needEngine(t, name)
	set(t, engineFlag, name)
	if err := openGPU(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeGPU(); err != nil {
			t.Error(err)
		}
	})
}

// TestFastest takes the fewest that are about as fast as the fastest, and tries no more where more bring nothing.
func TestFastest(t *testing.T) {
	for _, c := range []struct {
		took  []time.Duration
		tried int
		best  int
	}{
		{[]time.Duration{100, 50, 25, 24, 24, 24}, 6, 8},
		{[]time.Duration{100, 101, 110, 112, 90, 100}, 6, 16},
		{[]time.Duration{10, 11, 13, 14, 1, 1}, 4, 1},
		{[]time.Duration{10, 30, 10, 30, 10, 10}, 6, 1},
		{[]time.Duration{7}, 1, 1},
	} {
		tried := 0
		var numbers []int
		for i := range c.took {
			numbers = append(numbers, 1<<i)
		}
		best, text, err := fastest(numbers, func(int) (time.Duration, error) {
			tried++
			return c.took[tried-1] * time.Second, nil
		})
		if err != nil || tried != c.tried || best != c.best || !strings.HasPrefix(text, fmt.Sprintf("1: %d.000", c.took[0])) {
			t.Errorf("%v: %d after %d trials, %q, %v; want %d after %d", c.took, best, tried, text, err, c.best, c.tried)
		}
	}
	broken := errors.New("broken")
	if _, _, err := fastest([]int{1}, func(int) (time.Duration, error) { return 0, broken }); err != broken {
		t.Error(err)
	}
}

// TestTune: -workers auto prints what it chose, for rows that have the same names and data in every run.
func TestTune(t *testing.T) {
	needEngine(t, defaultEngine)
	raw := synthetic(t, fixtures.Synthetic{Steps: 10, Form: "raw", NLat: 13, NLon: 24})
	args := []string{"-test.bench=^Benchmark(Epoch|Read)$", "-store", raw, "-batch", "3", "-io", "uring"}
	want := rows(t, append(args, "-workers", "2")...)
	stdout, stderr, err := bench(t, append(args, "-workers", "auto")...)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	found := parse(t, stdout)
	for _, name := range []string{"Epoch/store=raw/codec=none/chunk=1x13x24/batch=3/loss=mse", "Read/store=raw/codec=none/chunk=1x13x24/batch=3/io=uring/workers=auto"} {
		got, like := found[name], want[strings.Replace(name, "=auto", "=2", 1)]
		if got == nil || like == nil {
			t.Fatalf("no row %s among\n%s", name, stdout)
		}
		if g, w := value(t, got, "data-crc32"), value(t, like, "data-crc32"); g != w {
			t.Errorf("%s: data-crc32 %v, want %v", name, g, w)
		}
		line := regexp.MustCompile(`(?m)^Workers: ` + regexp.QuoteMeta(name) + `: -workers \d+( -depth \d+)? \(seconds by workers 1: .*\)$`)
		if !line.MatchString(stdout) {
			t.Errorf("no line Workers: of %s in\n%s", name, stdout)
		}
	}
	if again := rows(t, append(args, "-workers", "3", "-depth", "5")...); len(again) != 2 {
		t.Errorf("%d rows with -depth", len(again))
	}
}
