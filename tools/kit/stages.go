package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// epochs returns the job of a run of BenchmarkEpoch.
func (k *kit) epochs(label string, env []string, flags ...string) job {
	args := slices.Concat([]string{k.bench(), "-test.run=^$", "-test.bench=^BenchmarkEpoch$", "-test.benchtime=1x"}, k.flags, flags)
	return job{label: label, env: env, args: args}
}

// tests returns the job of the tests of package ptx on the GPU that match a pattern.
func (k *kit) tests(label, pattern string, before ...string) job {
	args := append(before, k.ptxTest(), "-test.v", "-test.run="+pattern)
	return job{label: label, limit: 2 * time.Minute, env: []string{"ZARRBENCH_GPU=real"}, args: args}
}

var (
	passed  = regexp.MustCompile(`(?m)^--- PASS: Test(\S+)`)
	skipped = regexp.MustCompile(`(?m)^ +\S+_test\.go:\d+: (.*)\n--- SKIP: Test(\S+)`)
)

// kernels runs the tests of package ptx whose programs are the kernels. Those of the interpreter skip
// themselves; those that need the project's sources are left out.
func (k *kit) kernels(ctx context.Context) {
	j := k.tests("kernels", "^Test")
	j.args = append(j.args, "-test.skip=^Test(Generate|Source|CRCTable|CombineCRC32|Grids|Operations)")
	k.do(ctx, j, func(output string) (string, error) {
		var names []string
		for _, m := range passed.FindAllStringSubmatch(output, -1) {
			names = append(names, m[1])
		}
		if len(names) == 0 {
			return "", fmt.Errorf("no test ran on the GPU")
		}
		for _, m := range skipped.FindAllStringSubmatch(output, -1) {
			if !strings.Contains(m[1], "tests the interpreter") && m[2] != "OutOfBounds" {
				k.skip("kernels: "+m[2], m[1])
			}
		}
		return strings.Join(names, ", "), nil
	})
}

// speed measures epochs from the page cache.
func (k *kit) speed(ctx context.Context) {
	raw := storeFlags(k.stores.large[:1])
	small := storeFlags(k.stores.small[:1])
	t := k.newTable(ctx, k.repeats(5))
	t.run("warm-cpu", nil, storeFlags(k.stores.large), "-engine", "cpu")
	t.run("warm-host", nil, storeFlags(k.stores.large), "-engine", "host")
	t.same("warm-host", "warm-cpu")
	t.run("warm-compat-on", nil, raw, "-engine", "gds", "-compat", "on")
	if k.libcufile != "" {
		t.run("warm-gds", k.cufileEnv(), raw, "-engine", "gds")
	}
	t.run("warm-host-auto", nil, raw, "-engine", "host", "-workers", "auto")
	t.run("warm-no-loss", nil, raw, "-engine", "host", "-loss", "none")
	t.run("warm-pageable", nil, raw, "-engine", "host", "-pinned=false")
	t.run("warm-pageable-4", nil, raw, "-engine", "host", "-pinned=false", "-workers", "4")
	t.run("warm-open-epoch", nil, raw, "-engine", "host", "-open", "epoch")
	t.run("warm-tiles", nil, small, append(tileFlags(), "-engine", "host")...)
	t.run("warm-tiles-cpu", nil, small, append(tileFlags(), "-engine", "cpu")...)
	t.same("warm-tiles", "warm-tiles-cpu")
	t.print()
}

// cold measures epochs from the disk.
func (k *kit) cold(ctx context.Context) {
	half := append(storeFlags([]string{k.stores.half}), "-cache", "cold")
	t := k.newTable(ctx, k.repeats(3))
	t.run("cold-cpu", nil, half, "-engine", "cpu")
	t.run("cold-host", nil, half, "-engine", "host")
	t.run("cold-cpu-direct", nil, half, "-engine", "cpu", "-io", "direct")
	t.run("cold-host-direct", nil, half, "-engine", "host", "-io", "direct")
	t.run("cold-compat-on", nil, half, "-engine", "gds", "-compat", "on")
	if k.libcufile != "" {
		t.run("cold-gds-sync", k.cufileEnv(), half, "-engine", "gds", "-compat", "off", "-submit", "sync")
		t.run("cold-gds-batch", k.cufileEnv(), half, "-engine", "gds", "-compat", "off", "-submit", "batch")
	}
	for _, label := range slices.Clone(t.labels) {
		t.same(label, "cold-cpu")
	}
	t.print()
}

// repeats is how many epochs a row has: n, or one if all is small.
func (k *kit) repeats(n int) int {
	if k.small {
		return 1
	}
	return n
}

// A table is rows of several runs.
type table struct {
	k      *kit
	ctx    context.Context
	count  int
	labels []string
	rows   map[string][]row
}

func (k *kit) newTable(ctx context.Context, count int) *table {
	return &table{k: k, ctx: ctx, count: count, rows: map[string][]row{}}
}

func (t *table) run(label string, env, stores []string, flags ...string) {
	j := t.k.epochs(label, env, slices.Concat(stores, flags, []string{fmt.Sprint("-test.count=", t.count)})...)
	j.limit = 2 * time.Minute
	t.k.do(t.ctx, j, func(output string) (string, error) {
		rows, err := parseRows(output)
		t.labels, t.rows[label] = append(t.labels, label), rows
		return "", err
	})
}

// same fails the run of a label if its data or losses aren't those of the reference. A run that isn't
// there has failed already.
func (t *table) same(label, reference string) {
	want, got := t.rows[reference], t.rows[label]
	if want == nil || got == nil {
		return
	}
	if err := compareRows(want, got); err != nil {
		t.k.fail(label, err)
	}
}

func (t *table) print() { printTable(t.k.w, t.labels, t.rows) }

// ceilings measures what the machine gives at most.
func (k *kit) ceilings(ctx context.Context) {
	j := job{label: "ceilings-kernels", limit: 2 * time.Minute, env: []string{"ZARRBENCH_GPU=real"},
		args: []string{k.ptxTest(), "-test.run=^$", "-test.bench=^BenchmarkOnGPU$", "-test.benchtime=10x"}}
	if k.small {
		j.args = append(j.args, "-test.short")
	}
	k.do(ctx, j, func(output string) (string, error) {
		_, err := parseRows(output)
		return "bytes read and written:\n" + grep(output, "^BenchmarkOnGPU/"), err
	})
	if k.python == "" {
		k.skip("ceilings-copies", "there is no python3")
		return
	}
	files, err := filepath.Glob(filepath.Join(k.stores.half, "geopotential", "[0-9]*"))
	if err != nil || len(files) == 0 {
		k.fail("ceilings-copies", fmt.Errorf("%s has no chunks: %v", k.stores.half, err))
		return
	}
	args := []string{k.python, filepath.Join(k.dir, "python", "ceilings.py")}
	if k.small {
		args = append(args, "--small")
	}
	j = job{label: "ceilings-copies", limit: 90 * time.Second, env: k.pythonEnv(), args: append(args, files...), tail: 20}
	k.do(ctx, j, func(output string) (string, error) { return "\n" + output, nil })
}

// grep returns the lines of text that match a pattern.
func grep(text, pattern string) string {
	return strings.Join(regexp.MustCompile("(?m)"+pattern+".*$").FindAllString(text, -1), "\n")
}

// peers measures other readers.
func (k *kit) peers(ctx context.Context) {
	switch {
	case k.python == "":
		k.skip("peers", "there is no python3")
	case !k.numpy:
		k.skip("peers", "python3 has no numpy")
	case k.emulated && !k.named:
		k.skip("peers", "the driver is emulated: timings would mean nothing")
	default:
		env := append(k.pythonEnv(), "KVIKIO_COMPAT_MODE=ON")
		if k.libcufile != "" {
			env = append(env, k.cufileEnv()...)
		}
		program := []string{k.python, filepath.Join(k.dir, "python", "peers.py"), "--raw", k.stores.large[0]}
		run := func(label, store string, limit time.Duration, peers ...string) {
			args := slices.Concat(program, []string{store}, peers)
			k.do(ctx, job{label: label, limit: limit, env: env, args: args, tail: len(peers)}, func(output string) (string, error) { return "\n" + output, nil })
		}
		run("peers", k.stores.large[0], 150*time.Second,
			"preads", "kvikio", "kvikio-open", "tensorstore-kept", "tensorstore", "torch", "gdsstore", "zarr")
		run("peers-lz4", k.stores.large[1], time.Minute, "tensorstore-kept", "zarr")
	}
}

// sanitizer is where CUDA has its compute-sanitizer, if PATH doesn't find one.
const sanitizer = "/usr/local/cuda/bin/compute-sanitizer"

// sanitize runs kernels and an epoch under compute-sanitizer.
func (k *kit) sanitize(ctx context.Context) {
	tool, err := exec.LookPath("compute-sanitizer")
	if err != nil {
		tool = sanitizer
	}
	switch {
	case k.emulated:
		k.skip("sanitize", "the driver is emulated: compute-sanitizer needs a GPU")
		return
	case !exists(tool):
		k.skip("sanitize", "there is no compute-sanitizer")
		return
	}
	verdict := func(output string) (string, error) {
		return grep(output, `^=+ (ERROR|RACECHECK) SUMMARY`), nil
	}
	for _, check := range []string{"memcheck", "racecheck"} {
		j := k.tests("sanitize-"+check, "SegmentSquares|Turns|PlaneCRCs", tool, "--tool", check, "--error-exitcode", "9")
		k.do(ctx, j, verdict)
	}
	j := k.epochs("sanitize-epoch", nil, "-engine", "host", "-batch", "2", "-store", k.stores.small[0])
	j.limit = 2 * time.Minute
	j.args = append([]string{tool, "--tool", "memcheck", "--error-exitcode", "9"}, j.args...)
	k.do(ctx, j, verdict)
}

// gdsVerdict prints what gdscheck says of the folder of the stores. Its exit status is 0 for true GDS
// alone, and any verdict is an answer.
func (k *kit) gdsVerdict(ctx context.Context, label string, env []string) {
	output, err := k.exec(ctx, job{label: label, env: env, args: []string{k.gdscheck(), filepath.Dir(k.data)}})
	if output == "" && err != nil {
		k.fail(label, err)
		return
	}
	k.printf("%s: %s\n", label, strings.Join(lastLines(output, 2), "\n  "))
}
