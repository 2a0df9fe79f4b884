//go:build gds && linux && (amd64 || arm64)

package harness

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"zarrbench/fixtures"
	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// Fields of 65x64 points are more than kvikIO's threshold of 16 KiB, and no whole number of pages.
const gridLat, gridLon = 65, 64

// forms writes a small store of each form that the engines treat differently, and returns the flags that name them.
func forms(t *testing.T, s fixtures.Synthetic) []string {
	t.Helper()
	s.NLat, s.NLon = gridLat, gridLon
	dir := t.TempDir()
	var args []string
	add := func(path string) { args = append(args, "-store", path) }
	for _, form := range []string{fixtures.FormRaw, fixtures.FormLZ4, fixtures.FormZstd, fixtures.FormShard} {
		s.Form = form
		path := filepath.Join(dir, form+".zarr")
		require.NoError(t, s.Write(t.Context(), path))
		add(path)
	}
	path := filepath.Join(dir, "rawshard.zarr")
	shardRaw(t, filepath.Join(dir, "raw.zarr"), path)
	add(path)
	return args
}

// shardRaw copies the fields of a store to one whose shards, of two chunks, hold chunks that are not compressed.
func shardRaw(t *testing.T, from, to string) {
	t.Helper()
	g, err := zarrio.Open(t.Context(), from, zarrio.Options{})
	require.NoError(t, err)
	defer g.Close()
	require.NoError(t, os.Mkdir(to, 0o777))
	dir, err := store.OpenDir(to)
	require.NoError(t, err)
	defer dir.Close()
	w, err := write.Create(dir, 3, g.Attrs())
	require.NoError(t, err)
	for _, channel := range channelNames() {
		a, err := g.Array(t.Context(), channel)
		require.NoError(t, err)
		data, err := zarrio.Read[float32](t.Context(), a, nil)
		require.NoError(t, err)
		m := a.Metadata()
		shard := slices.Clone(m.Chunks)
		shard[0] *= 2
		aw, err := w.Array(channel, write.ArraySpec{Shape: m.Shape, Chunks: m.Chunks, Shards: shard, DType: m.DType, Dims: m.Dims})
		require.NoError(t, err)
		require.NoError(t, aw.Write(t.Context(), make([]int, len(m.Shape)), m.Shape, tensor.AsBytes(data)))
		require.NoError(t, aw.Finish(t.Context()))
	}
	require.NoError(t, w.Finish(t.Context()))
}

// A variant is a way to run BenchmarkEpoch: the emulation's options, and flags.
type variant struct {
	emu  string
	args []string
}

// eachEpochs runs BenchmarkEpoch in each variant, two at a time, and returns the rows of each.
func eachEpochs(t *testing.T, variants []variant) []map[string]*benchfmt.Result {
	t.Helper()
	type result struct {
		stdout, stderr string
		err            error
	}
	var (
		wg      sync.WaitGroup
		slots   = make(chan bool, 2)
		results = make([]result, len(variants))
	)
	for i, v := range variants {
		env := emuEnv(t, v.emu)
		wg.Go(func() {
			slots <- true
			r := &results[i]
			r.stdout, r.stderr, r.err = benchIn(t, env, append([]string{"-test.bench=^BenchmarkEpoch$", "-batch", "4"}, v.args...)...)
			<-slots
		})
	}
	wg.Wait()
	var found []map[string]*benchfmt.Result
	for i, r := range results {
		if r.err != nil {
			t.Fatalf("EMU=%s, %v: %v\n%s%s", variants[i].emu, variants[i].args, r.err, r.stdout, r.stderr)
		}
		found = append(found, parse(t, r.stdout))
	}
	return found
}

// sameData checks that rows have the names, digests and losses of others.
func sameData(t *testing.T, what string, got, want map[string]*benchfmt.Result) {
	t.Helper()
	if g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(g, w) || len(w) == 0 {
		t.Errorf("%s: rows %q, want %q", what, g, w)
		return
	}
	for name, w := range want {
		for _, unit := range []string{"data-crc32", "loss"} {
			if g, w := value(t, got[name], unit), value(t, w, unit); g != w {
				t.Errorf("%s: %s: %s %v, want %v", what, name, unit, g, w)
			}
		}
	}
}

// sameEpochs checks that each variant, of the same stores and flags, gives what the CPU engine does.
func sameEpochs(t *testing.T, flags []string, variants []variant) {
	t.Helper()
	all := []variant{{"", []string{"-engine", "cpu"}}}
	all = append(all, variants...)
	for i := range all {
		all[i].args = slices.Concat(flags, all[i].args)
	}
	found := eachEpochs(t, all)
	for i, got := range found[1:] {
		sameData(t, fmt.Sprintf("EMU=%s %v", variants[i].emu, variants[i].args), got, found[0])
	}
}

// Whatever the engine and however it works, the batches in the GPU's memory and the loss computed there are the CPU engine's.
func TestGPUEpochs(t *testing.T) {
	cudaemu.Need(t)
	stores := forms(t, fixtures.Synthetic{Steps: 20})
	// Work that runs only when it is waited for, in memory that holds no zeros, shows what isn't waited for.
	var runs []variant
	for _, emu := range []string{"lazy=1", ""} {
		runs = append(runs, variant{emu, []string{"-engine", "host"}}, variant{emu, []string{"-engine", "gds", "-submit", "sync"}},
			variant{emu, []string{"-engine", "gds", "-submit", "batch"}}, variant{emu, []string{"-engine", "gds", "-layout", "padded"}})
	}
	runs = append(runs, variant{lean, []string{"-engine", "host", "-pinned=false"}})
	for _, compat := range []string{"on", "off", "auto"} {
		for _, submit := range []string{"sync", "batch", "auto"} {
			runs = append(runs, variant{lean, []string{"-engine", "gds", "-compat", compat, "-submit", submit}})
		}
	}
	for _, engine := range []string{"host", "gds"} {
		for _, args := range [][]string{
			{"-layout", "padded"}, {"-open", "epoch"}, {"-prefetch", "0"}, {"-prefetch", "3"},
			{"-workers", "1"}, {"-workers", "2"}, {"-workers", "3"}, {"-workers", "4"}, {"-workers", "5"},
		} {
			runs = append(runs, variant{lean, append([]string{"-engine", engine}, args...)})
		}
	}
	runs = append(runs, variant{lean, []string{"-engine", "gds", "-layout", "padded", "-submit", "batch"}}, variant{lean, []string{"-engine", "gds", "-layout", "padded", "-compat", "on"}})
	runs = append(runs, variant{lean + ",devices=3", []string{"-engine", "gds", "-gpu", "2"}})
	if testing.Short() {
		runs = runs[:4] // the ways to fill a batch, once each
	}
	sameEpochs(t, stores, runs)
	for _, seed := range []string{"7", "chunk:7"} {
		sameEpochs(t, append(slices.Clone(stores), "-shuffle", seed), []variant{{lean, []string{"-engine", "host"}}, {lean, []string{"-engine", "gds"}}})
	}
}

// Chunks of several steps and levels, of which a channel is a part, other orders of dimensions, windows that overlap and cut
// the grid: what a GPU engine can't copy as it lies in the file.
func TestGPUPieces(t *testing.T) {
	cudaemu.Need(t)
	for _, lonLat := range []bool{false, true} {
		stores := forms(t, fixtures.Synthetic{Steps: 18, Levels: 3, ChunkSteps: 4, LonLat: lonLat})
		windows := [][]string{{"-window", "time=3:2"}, {"-window", "time=2,latitude=32,longitude=40"}, {"-window", "time=2", "-layout", "padded"}}
		if testing.Short() {
			windows = windows[1:2]
		}
		for _, flags := range windows {
			flags = slices.Concat(stores, flags, []string{"-vars", "geopotential@level#1,u_component_of_wind@level#2,v_component_of_wind@level#0"})
			sameEpochs(t, flags, []variant{
				{lean, []string{"-engine", "host"}}, {"", []string{"-engine", "gds"}},
				{lean, []string{"-engine", "gds", "-submit", "batch"}}, {lean, []string{"-engine", "gds", "-compat", "on"}},
			})
		}
	}
}

// benchstat pairs each row of a run on the CPU with one on a GPU: names, lower-case lines and units are the same, and so are
// the figures that mustn't vary.
func TestGPUPairs(t *testing.T) {
	cudaemu.Need(t)
	stores := forms(t, fixtures.Synthetic{Steps: 8})
	run := func(engine string) map[string]*benchfmt.Result {
		out, stderr, err := benchIn(t, emuEnv(t, lean), append(stores, "-test.bench=^Benchmark(Epoch|Read|Chunk|Decode)$", "-engine", engine, "-batch", "2", "-open", "epoch")...)
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", engine, err, out, stderr)
		}
		return parse(t, out)
	}
	want := run("cpu")
	for _, engine := range []string{"host", "gds"} {
		got := run(engine)
		if g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(g, w) {
			t.Fatalf("%s: rows %q, want %q", engine, g, w)
		}
		for name, w := range want {
			if g, w := compared(got[name]), compared(w); g != w {
				t.Errorf("%s: %s: benchstat compares by %q, want %q", engine, name, g, w)
			}
			for _, v := range w.Values {
				g, ok := got[name].Value(v.Unit)
				exact := slices.Contains([]string{"data-crc32", "loss", "read-B/op"}, v.Unit)
				if engine == "gds" && v.Unit == "read-B/op" && strings.Contains(name, "shard=") && g > v.Value && g < 1.3*v.Value {
					continue // whole pages
				}
				if !ok || exact && g != v.Value {
					t.Errorf("%s: %s: %s %v (there: %t), want %v", engine, name, v.Unit, g, ok, v.Value)
				}
			}
		}
	}
}

// compared returns the lines above a row that benchstat takes apart.
func compared(r *benchfmt.Result) string {
	var lines []string
	for _, c := range r.Config {
		if c.File {
			lines = append(lines, fmt.Sprintf("%s: %s", c.Key, c.Value))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// linesOf returns the lines that begin with a key.
func linesOf(out, key string) (found []string) {
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, key+": "); ok {
			found = append(found, strings.TrimSuffix(rest, "\n"))
		}
	}
	return found
}

// The output says that it is emulated, what was used, and after each row which way its bytes took.
func TestGPULines(t *testing.T) {
	cudaemu.Need(t)
	stores := forms(t, fixtures.Synthetic{Steps: 8})
	rawRow, lz4Row := fmt.Sprintf("Epoch/store=raw/codec=none/chunk=1x%dx%d/batch=4/loss=mse", gridLat, gridLon), "Epoch/store=lz4/codec=blosc-lz4/chunk="
	for _, c := range []struct {
		emu, raw, lz4 string // the ways of the two stores
		submit        string
		args          []string
	}{
		{"", "cuFile compat", "host", "", []string{"-engine", "gds", "-submit", "sync"}},
		{"", "cuFile compat", "host", "sync", []string{"-engine", "gds", "-open", "epoch"}},
		{"", "cuFile compat", "host", "any", []string{"-engine", "gds"}},
		{"nvfs=1", "true GDS", "host", "", []string{"-engine", "gds", "-submit", "sync"}},
		{"nvfs=1", "true GDS", "host", "", []string{"-engine", "gds", "-submit", "batch"}},
		{"nvfs=1", "kvikIO compat", "host", "", []string{"-engine", "gds", "-submit", "sync", "-compat", "on"}},
		{"", "host", "host", "", []string{"-engine", "host"}},
	} {
		t.Run(strings.TrimSpace(c.emu+" "+strings.Join(c.args, " ")), func(t *testing.T) {
			if cudaemu.RealCufile() && c.raw == "true GDS" {
				t.Skip("NVIDIA's library finds no nvidia-fs")
			}
			args := slices.Concat([]string{"-test.bench=^BenchmarkEpoch$", "-batch", "4"}, stores[:4], c.args)
			out, stderr, err := benchIn(t, emuEnv(t, strings.TrimPrefix(c.emu+","+lean, ",")), args...)
			require.NoError(t, err, out+stderr)
			require.Equal(t, []string{"emulated: timings mean nothing"}, linesOf(out, "Note"))
			require.Equal(t, []string{"device"}, linesOf(out, "Endpoint"))
			require.Regexp(t, `^\[.*, CUDA .*; raw on .*\]$`, linesOf(out, "GDS"))
			require.Regexp(t, `^\[`+c.args[1]+` \(`, linesOf(out, "Engine"))
			plans := linesOf(out, "Plan")
			require.Len(t, plans, 2)
			require.Regexp(t, "^lz4: host: ", plans[1])
			paths := linesOf(out, "Path")
			require.Len(t, paths, 2)
			require.Regexp(t, "^"+rawRow+": path="+c.raw+", ", paths[0])
			require.Regexp(t, "^"+lz4Row+".*: path="+c.lz4+", ", paths[1])
			where := "cufile-B"
			switch c.raw {
			case "host":
				where = "host-B"
			case "kvikIO compat":
				where = "bounce-B"
			}
			require.Contains(t, paths[0], fmt.Sprintf(" %s=%d,", where, 8*3*gridLat*gridLon*4))
			if c.args[1] == "gds" { // files that were opened in the untimed epoch stay open
				anew := slices.Contains(c.args, "epoch")
				require.Equal(t, !anew, strings.Contains(paths[0], "opened=0, evicted=0;"), paths[0])
			}
			submit := linesOf(out, "Submit")
			switch c.submit {
			case "":
				require.Empty(t, submit)
			case "any":
				require.Len(t, submit, 1)
				require.Regexp(t, "^"+rawRow+": ", submit[0])
			default:
				require.Len(t, submit, 1)
				require.Regexp(t, "^"+rawRow+": "+c.submit, submit[0])
			}
		})
	}
}

// TestGPUConverts: the CPU converts elements, which the lines say. That is not the path that -require wants.
func TestGPUConverts(t *testing.T) {
	cudaemu.Need(t)
	if cudaemu.RealCufile() {
		t.Skip("NVIDIA's library finds no nvidia-fs")
	}
	stores := forms(t, fixtures.Synthetic{Steps: 8})[:2]
	for _, c := range []struct {
		name, plan, path string
		fails            string
		args             []string
	}{
		{"gds", "host: the CPU converts elements", "host", "", []string{"-engine", "gds", "-dtype", "bfloat16"}},
		{"gds, required", "host: the CPU converts elements", "host", "path=host, not true GDS: host: the CPU converts elements",
			[]string{"-engine", "gds", "-dtype", "bfloat16", "-require"}},
		{"gds, nothing to convert", "cuFile, unverified: read by cuFile, whose counts tell the path after a read", "true GDS", "",
			[]string{"-engine", "gds", "-dtype", "float32", "-require"}},
		{"host", "host: the CPU converts elements", "host", "", []string{"-engine", "host", "-dtype", "bfloat16"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := slices.Concat([]string{"-test.bench=^BenchmarkEpoch$", "-batch", "4", "-loss", "none"}, stores, c.args)
			out, stderr, err := benchIn(t, emuEnv(t, "nvfs=1,"+lean), args...)
			if c.fails == "" {
				require.NoError(t, err, out+stderr)
			} else {
				require.Error(t, err)
				require.Contains(t, out+stderr, c.fails)
			}
			require.Equal(t, []string{"raw: " + c.plan}, linesOf(out, "Plan"))
			paths := linesOf(out, "Path")
			require.Len(t, paths, 1)
			require.Contains(t, paths[0], ": path="+c.path+", ")
			require.Equal(t, c.path == "host", strings.Contains(paths[0], "; the CPU converts elements; "), paths[0])
		})
	}
}

// BenchmarkRaw reads the files of the stores by cuFile, by threads, sizes and registration.
func TestGPURaw(t *testing.T) {
	cudaemu.Need(t)
	stores := forms(t, fixtures.Synthetic{Steps: 8})[:4]
	out, stderr, err := benchIn(t, emuEnv(t, lean), append(stores, "-test.bench=^BenchmarkRaw$")...)
	require.NoError(t, err, out+stderr)
	got := parse(t, out)
	require.Len(t, got, 2*5*3*2)
	for _, name := range []string{"Raw/store=raw/threads=1/size=1MiB/registered=true", "Raw/store=lz4/threads=16/size=16MiB/registered=false"} {
		r := got[name]
		require.NotNil(t, r, name)
		bytes, fields := value(t, r, "B/s")*value(t, r, "sec/op"), 8.0*3*gridLat*gridLon*4
		if strings.Contains(name, "=raw") && bytes < fields*0.9 || bytes > fields*1.1 {
			t.Errorf("%s: %v bytes an op, the fields have %v", name, bytes, fields)
		}
	}

	// What the BAR has no room for is left out, and said. NVIDIA's library doesn't ask the emulation for room.
	if cudaemu.RealCufile() {
		return
	}
	out, stderr, err = benchIn(t, emuEnv(t, fmt.Sprintf("bar=%d,%s", 200<<20, lean)),
		append(stores, "-test.bench=^BenchmarkRaw$/store=raw/threads=16/size=16MiB", "-submit", "sync", "-require")...)
	if err != nil || len(parse(t, out)) != 1 || !strings.Contains(stderr, "/registered=true: skipped: zarrio: raw reads: cuFileBufRegister: ") {
		t.Errorf("a small BAR: %v\n%s%s", err, out, stderr)
	}
}
