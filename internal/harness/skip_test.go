//go:build gds && linux && (amd64 || arm64)

package harness

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zarrbench/fixtures"
	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
)

// libraryPath returns an environment of the emulation whose libraries are looked for in dir alone.
func libraryPath(t *testing.T, dir string) []string {
	t.Helper()
	env := slices.DeleteFunc(emuEnv(t, ""), func(v string) bool { return strings.HasPrefix(v, "LD_LIBRARY_PATH=") })
	return append(env, "LD_LIBRARY_PATH="+dir)
}

// emulated returns the path of a library of the emulation.
func emulated(t *testing.T, name string) string {
	t.Helper()
	for _, v := range emuEnv(t, "") {
		if list, ok := strings.CutPrefix(v, "LD_LIBRARY_PATH="); ok {
			for _, dir := range filepath.SplitList(list) {
				if path := filepath.Join(dir, name); exists(path) {
					return path
				}
			}
		}
	}
	t.Fatalf("the emulation has no %s", name)
	return ""
}

// A machine that lacks something skips each benchmark, and says what; with -require it fails, and says so last.
func TestGPUSkips(t *testing.T) {
	cudaemu.Need(t)
	nothing, broken, onlyCUDA := t.TempDir(), t.TempDir(), t.TempDir()
	for _, name := range []string{"libcuda.so.1", "libcufile.so.0"} {
		if err := os.WriteFile(filepath.Join(broken, name), []byte("no library"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(emulated(t, "libcuda.so.1"), filepath.Join(onlyCUDA, "libcuda.so.1")); err != nil {
		t.Fatal(err)
	}
	// One that can't be loaded hides the one that the machine may have.
	if err := os.Symlink(filepath.Join(broken, "libcufile.so.0"), filepath.Join(onlyCUDA, "libcufile.so.0")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want string // in the reason
	}{
		{"no library", libraryPath(t, nothing), nil, "libcuda.so.1"},
		{"no library of CUDA", libraryPath(t, broken), nil, "libcuda.so.1"},
		{"no library of CUDA, host", libraryPath(t, broken), []string{"-engine", "host"}, "libcuda.so.1"},
		{"cuInit", emuEnv(t, "fail=cuInit:999:0:0:-1"), nil, "cuInit"},
		{"no device", emuEnv(t, "devices=0"), nil, "there is no NVIDIA GPU"},
		{"no cuFile", libraryPath(t, onlyCUDA), []string{"-compat", "off"}, "libcufile.so.0"},
	} {
		if c.name == "no library" && exists("/proc/driver/nvidia") {
			continue // this machine has the real one
		}
		args := append([]string{"-test.bench=."}, c.args...)
		out, stderr, err := benchIn(t, c.env, args...)
		if err != nil {
			t.Errorf("%s: %v\n%s%s", c.name, err, out, stderr)
		}
		for _, b := range []string{"Epoch", "Read", "Chunk", "Decode", "Raw"} {
			if !regexp.MustCompile(`(?m)^Benchmark` + b + `: skipped: -engine (gds|host): .*` + regexp.QuoteMeta(c.want)).MatchString(stderr) {
				t.Errorf("%s: Benchmark%s: no reason with %q in\n%s", c.name, b, c.want, stderr)
			}
		}
		out, stderr, err = benchIn(t, c.env, append(args, "-require")...)
		if err == nil || !strings.HasPrefix(lastLine(stderr), "zarrbench: -require: -engine ") || !strings.Contains(lastLine(stderr), c.want) {
			t.Errorf("%s, -require: %v\n%s%s", c.name, err, out, stderr)
		}
	}
}

// -require asks for true GDS, and says for each row which other way its bytes took.
func TestGPURequire(t *testing.T) {
	cudaemu.Need(t)
	if cudaemu.RealCufile() {
		t.Skip("NVIDIA's library finds no nvidia-fs")
	}
	stores := forms(t, fixtures.Synthetic{Steps: 8})
	raw, lz4, rawShards := stores[:2], stores[2:4], stores[8:]
	onlyCUDA := t.TempDir()
	if err := os.Symlink(emulated(t, "libcuda.so.1"), filepath.Join(onlyCUDA, "libcuda.so.1")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want string // at the end; "" where it passes
	}{
		{"nvidia-fs", emuEnv(t, "nvfs=1,"+lean), raw, ""},
		{"nvidia-fs, batches", emuEnv(t, "nvfs=1,"+lean), append(slices.Clone(raw), "-submit", "batch"), ""},
		{"peer to peer, batches", emuEnv(t, "p2p=1,"+lean), append(slices.Clone(raw), "-submit", "batch"), ""},
		{"nvidia-fs, batches that nothing counts", emuEnv(t, "nvfs=1,cufile.batch_uncounted=1,"+lean), append(slices.Clone(raw), "-submit", "batch"),
			"path=cuFile, unverified, not true GDS: cuFile's counts don't say which way the reads of batches went"},
		{"nvidia-fs, shards", emuEnv(t, "nvfs=1,"+lean), rawShards, ""},
		{"nvidia-fs, host", emuEnv(t, "nvfs=1,"+lean), append(slices.Clone(lz4), "-engine", "host"), ""},
		{"cuFile compat", emuEnv(t, lean), raw, "path=cuFile compat, not true GDS: tools/gdscheck says what is missing"},
		{"kvikIO compat", emuEnv(t, "nvfs=1,"+lean), append(slices.Clone(raw), "-compat", "on"), "path=kvikIO compat, not true GDS"},
		{"no cuFile", libraryPath(t, onlyCUDA), raw, "not true GDS"},
		{"compressed", emuEnv(t, "nvfs=1,"+lean), lz4, "path=host, not true GDS: host: chunks are encoded"},
	} {
		out, stderr, err := benchIn(t, c.env, append([]string{"-test.bench=^BenchmarkEpoch$", "-require"}, c.args...)...)
		if (err != nil) != (c.want != "") || c.want != "" && (!strings.HasPrefix(lastLine(stderr), "zarrbench: -require: Epoch/store=") || !strings.Contains(lastLine(stderr), c.want)) {
			t.Errorf("%s: %v\n%s%s\nwant %q at the end", c.name, err, out, stderr, c.want)
		}
		if len(linesOf(out, "Path")) != 1 {
			t.Errorf("%s: no line says the path\n%s", c.name, out)
		}
	}
}

// What fails a run on the CPU fails it on a GPU, with the same words.
func TestGPUFailures(t *testing.T) {
	cudaemu.Need(t)
	half, nan := forms(t, fixtures.Synthetic{Steps: 6})[1], forms(t, fixtures.Synthetic{Steps: 6})[1]
	if err := os.Remove(filepath.Join(half, "u_component_of_wind", "3.0.0")); err != nil {
		t.Fatal(err)
	}
	field := bytes.Repeat(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN()))), gridLat*gridLon)
	if err := os.WriteFile(filepath.Join(nan, "geopotential", "2.0.0"), field, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, engine := range [][]string{{"-engine", "host"}, {"-engine", "gds"}, {"-engine", "gds", "-submit", "batch"}, {"-engine", "gds", "-compat", "on"}} {
		out, stderr, err := bench(t, append([]string{"-test.bench=^BenchmarkEpoch$", "-gpu", "1"}, engine...)...)
		if err == nil || !strings.Contains(stderr, "GPU 1: ") {
			t.Errorf("%v: the second of one GPU: %v\n%s%s", engine, err, out, stderr)
		}
		for store, want := range map[string]string{
			half: `array "u_component_of_wind": chunk "u_component_of_wind/3.0.0": read: the chunk is missing`,
			nan:  "the loss is NaN",
		} {
			out, stderr, err := bench(t, append([]string{"-test.bench=^BenchmarkEpoch$", "-store", store}, engine...)...)
			if err == nil || !strings.Contains(out+stderr, want) {
				t.Errorf("%v: %v\n%s%s\nwant a failure with %q", engine, err, out, stderr, want)
			}
		}
	}
}

// A file that shrinks during an epoch is an error that names its chunk, on every engine, and nothing is left behind.
func TestGPUFileShrinks(t *testing.T) {
	cudaemu.Need(t)
	cudaemu.NoLeaks(t)
	set(t, batchFlag, 2)
	set(t, prefetchFlag, 0)
	for _, form := range []int{1, 9} { // raw files, and shards of raw chunks
		for _, name := range engines {
			t.Run(fmt.Sprintf("%d/%s", form, name), func(t *testing.T) {
				useEngine(t, name)
				s, err := describe(t.Context(), forms(t, fixtures.Synthetic{Steps: 12})[form])
				if err != nil {
					t.Fatal(err)
				}
				se, err := openSession(t.Context(), &s, reading{io: ioMode(), workers: 2}, true)
				if err != nil {
					t.Fatal(err)
				}
				defer se.Close()
				if _, err := se.pass(t.Context(), newProgress("test", 6), nil); err != nil { // files are open now
					t.Fatal(err)
				}
				last := ""
				err = s.chunkFiles(func(f *os.File) error {
					if filepath.Base(f.Name()) == map[int]string{1: "9.0.0", 9: "0"}[form] {
						last = f.Name()
					}
					return nil
				})
				if form == 9 {
					last = filepath.Join(s.path, "geopotential", "c", "4", "0", "0")
				}
				if err != nil || last == "" {
					t.Fatalf("no file to shrink: %v", err)
				}
				_, err = se.pass(t.Context(), newProgress("test", 6), func(b *zarrio.Batch) error {
					if b.Index == 0 {
						return os.Truncate(last, 5000)
					}
					return nil
				})
				var chunk *zarrio.ChunkError
				if !errors.As(err, &chunk) || !strings.Contains(chunk.Error(), filepath.Base(s.path)) {
					t.Errorf("error %v, want one of a chunk", err)
				}
			})
		}
	}
}

// Batches that the GPU has no memory for are refused with what is asked for, what is free, and what would fit; and that fits.
func TestGPUMemory(t *testing.T) {
	cudaemu.Need(t)
	raw := forms(t, fixtures.Synthetic{Steps: 80})[:2] // 40 samples of 6 fields of 17 kB
	for _, engine := range []string{"host", "gds"} {
		env := emuEnv(t, fmt.Sprintf("memory=%d", 6<<20))
		args := append([]string{"-test.bench=^BenchmarkEpoch$", "-engine", engine}, raw...)
		out, stderr, err := benchIn(t, env, append(args, "-batch", "40")...)
		refusal := regexp.MustCompile(`a batch of 40 samples needs \d+ bytes, 2 of them .* only \d+ bytes of memory are available: a batch of (\d+) would fit`)
		found := refusal.FindStringSubmatch(out + stderr)
		if err == nil || found == nil {
			t.Errorf("%s: %v\n%s%s", engine, err, out, stderr)
			continue
		}
		if n, _ := strconv.Atoi(found[1]); n < 1 {
			t.Errorf("%s: %q", engine, found[0])
		}
		if out, stderr, err := benchIn(t, env, append(args, "-batch", found[1])...); err != nil {
			t.Errorf("%s: -batch %s: %v\n%s%s", engine, found[1], err, out, stderr)
		}
	}
}
