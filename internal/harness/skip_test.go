//go:build gds && linux && (amd64 || arm64)

package harness

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/loader"
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
		require.NoError(t, os.WriteFile(filepath.Join(broken, name), []byte("no library"), 0o666))
	}
	require.NoError(t, os.Symlink(emulated(t, "libcuda.so.1"), filepath.Join(onlyCUDA, "libcuda.so.1")))
	// One that can't be loaded hides the one that the machine may have.
	require.NoError(t, os.Symlink(filepath.Join(broken, "libcufile.so.0"), filepath.Join(onlyCUDA, "libcufile.so.0")))
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
		t.Run(c.name, func(t *testing.T) {
			if c.name == "no library" && exists("/proc/driver/nvidia") {
				t.Skip("this machine has the library")
			}
			args := append([]string{"-test.bench=."}, c.args...)
			out, stderr, err := benchIn(t, c.env, args...)
			require.NoError(t, err, out+stderr)
			for _, b := range []string{"Epoch", "Read", "Chunk", "Decode", "Raw"} {
				require.Regexp(t, `(?m)^Benchmark`+b+`: skipped: -engine (gds|host): .*`+regexp.QuoteMeta(c.want), stderr)
			}
			_, stderr, err = benchIn(t, c.env, append(args, "-require")...)
			require.Error(t, err)
			require.Regexp(t, `^zarrbench: -require: -engine .*`+regexp.QuoteMeta(c.want), lastLine(stderr))
		})
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
	require.NoError(t, os.Symlink(emulated(t, "libcuda.so.1"), filepath.Join(onlyCUDA, "libcuda.so.1")))
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
		t.Run(c.name, func(t *testing.T) {
			out, stderr, err := benchIn(t, c.env, append([]string{"-test.bench=^BenchmarkEpoch$", "-require"}, c.args...)...)
			if c.want == "" {
				require.NoError(t, err, out+stderr)
			} else {
				require.Error(t, err, out)
				require.Regexp(t, `^zarrbench: -require: Epoch/store=.*`+regexp.QuoteMeta(c.want), lastLine(stderr))
			}
			require.Len(t, linesOf(out, "Path"), 1, out)
		})
	}
}

// What fails a run on the CPU fails it on a GPU, with the same words.
func TestGPUFailures(t *testing.T) {
	cudaemu.Need(t)
	half, nan := forms(t, fixtures.Synthetic{Steps: 6})[1], forms(t, fixtures.Synthetic{Steps: 6})[1]
	require.NoError(t, os.Remove(filepath.Join(half, "u_component_of_wind", "3.0.0")))
	field := bytes.Repeat(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN()))), gridLat*gridLon)
	require.NoError(t, os.WriteFile(filepath.Join(nan, "geopotential", "2.0.0"), field, 0o666))
	for _, engine := range [][]string{{"-engine", "host"}, {"-engine", "gds"}, {"-engine", "gds", "-submit", "batch"}, {"-engine", "gds", "-compat", "on"}} {
		for _, c := range []struct {
			name string
			args []string
			want string
		}{
			{"the second of one GPU", []string{"-gpu", "1"}, "GPU 1: "},
			{"a missing chunk", []string{"-store", half}, `array "u_component_of_wind": chunk "u_component_of_wind/3.0.0": read: the chunk is missing`},
			{"NaN", []string{"-store", nan}, "the loss is NaN"},
		} {
			t.Run(strings.Join(engine, " ")+"/"+c.name, func(t *testing.T) {
				out, stderr, err := bench(t, slices.Concat([]string{"-test.bench=^BenchmarkEpoch$"}, c.args, engine)...)
				require.Error(t, err)
				require.Contains(t, out+stderr, c.want)
			})
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
				require.NoError(t, err)
				se, err := openSession(t.Context(), &s, reading{io: ioMode(), workers: 2}, true)
				require.NoError(t, err)
				defer se.Close()
				_, err = se.pass(t.Context(), newProgress("test", 6), nil) // files are open now
				require.NoError(t, err)
				last := ""
				err = s.chunkFiles(func(f *os.File) error {
					if name := filepath.Base(f.Name()); name == "9.0.0" {
						last = f.Name()
					}
					return nil
				})
				require.NoError(t, err)
				if form == 9 {
					last = filepath.Join(s.path, "geopotential", "c", "4", "0", "0")
				}
				require.FileExists(t, last)
				_, err = se.pass(t.Context(), newProgress("test", 6), func(b *loader.Batch) error {
					if b.Index == 0 {
						return os.Truncate(last, 5000)
					}
					return nil
				})
				var chunk *zarrio.ChunkError
				require.ErrorAs(t, err, &chunk)
				require.ErrorContains(t, chunk, filepath.Base(s.path))
			})
		}
	}
}

// Batches that the GPU has no memory for are refused with what is asked for, what is free, and what would fit; and that fits.
func TestGPUMemory(t *testing.T) {
	cudaemu.Need(t)
	raw := forms(t, fixtures.Synthetic{Steps: 80})[:2] // 40 samples of 6 fields of 17 kB
	for _, engine := range []string{"host", "gds"} {
		t.Run(engine, func(t *testing.T) {
			env := emuEnv(t, fmt.Sprintf("memory=%d", 6<<20))
			args := append([]string{"-test.bench=^BenchmarkEpoch$", "-engine", engine}, raw...)
			out, stderr, err := benchIn(t, env, append(args, "-batch", "40")...)
			refusal := regexp.MustCompile(`a batch of 40 samples needs \d+ bytes, 2 of them .* only \d+ bytes of memory are available: a batch of (\d+) would fit`)
			found := refusal.FindStringSubmatch(out + stderr)
			require.Error(t, err)
			require.NotNil(t, found, out+stderr)
			n, err := strconv.Atoi(found[1])
			require.NoError(t, err)
			require.Positive(t, n)
			out, stderr, err = benchIn(t, env, append(args, "-batch", found[1])...)
			require.NoError(t, err, "-batch %s: %s%s", found[1], out, stderr)
		})
	}
}
