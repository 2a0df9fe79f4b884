package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"
)

// What a line Path: may say.
const (
	pathHost       = "host"
	pathKvikIO     = "kvikIO compat"
	pathGDS        = "true GDS"
	pathCompat     = "cuFile compat"
	pathUnverified = "cuFile, unverified"
	pathMixed      = "mixed"
)

// tileFlags are the flags of small windows.
func tileFlags() []string {
	return []string{"-batch", "64", "-window", "time=2,latitude=48,longitude=48"}
}

// references are the runs of the CPU engine on the small stores that other rows are compared with.
func references() map[string][]string {
	return map[string][]string{
		"cpu":          nil,
		"cpu-tiles":    tileFlags(),
		"cpu-shuffled": {"-shuffle", "7"},
	}
}

// ways of the rows of an engine: those of stores that cuFile can read. All others are read by the CPU.
type allowed []string

func (a allowed) of(store string) []string {
	if len(a) == 0 || slices.Contains(fileForms, store) {
		return a
	}
	return []string{pathHost}
}

var (
	byHost   = allowed{pathHost}
	byKvikIO = allowed{pathKvikIO}
	byCuFile = allowed{pathGDS, pathCompat, pathUnverified}
	byAny    = allowed{pathGDS, pathCompat, pathUnverified, pathKvikIO, pathHost, pathMixed}
)

// compare runs an engine on the small stores, and fails it if its data, its losses or the ways that
// the bytes took aren't what they must be.
func (k *kit) compare(ctx context.Context, label, reference string, want allowed, env []string, flags ...string) {
	refRows, err := k.reference(ctx, reference)
	if err != nil {
		if !errors.Is(err, errNoTime) {
			k.fail(label, err)
		} else {
			k.leftOut = append(k.leftOut, label)
		}
		return
	}
	k.do(ctx, k.smallEpochs(label, reference, env, flags...), func(output string) (string, error) {
		rows, err := parseRows(output)
		if err != nil {
			return "", err
		}
		if err := oneLine([]error{compareRows(refRows, rows), comparePaths(rows, want.of)}); err != nil {
			return "", err
		}
		return ways(rows), nil
	})
}

// smallEpochs returns the job of a run on the small stores.
func (k *kit) smallEpochs(label, reference string, env []string, flags ...string) job {
	return k.epochs(label, env, slices.Concat([]string{"-batch", "4"}, storeFlags(k.stores.small), references()[reference], flags)...)
}

// reference returns the rows of a run of the CPU engine. It runs once.
func (k *kit) reference(ctx context.Context, name string) ([]row, error) {
	if r, ok := k.refs[name]; ok {
		return r.rows, r.err
	}
	var r referenceRows
	begin := time.Now()
	var output string
	if output, r.err = k.exec(ctx, k.smallEpochs(name, name, nil, "-engine", "cpu")); r.err == nil {
		if r.rows, r.err = parseRows(output); r.err == nil {
			k.ok(name, time.Since(begin), "the reference")
		}
	}
	if r.err != nil && !errors.Is(r.err, errNoTime) {
		k.fail(name, r.err, lastLines(output, 4)...)
		r.err = errors.New("there is no reference")
	}
	k.refs[name] = r
	return r.rows, r.err
}

type referenceRows struct {
	rows []row
	err  error
}

// same compares each engine and mode with the CPU engine.
func (k *kit) same(ctx context.Context) {
	check := func(label, reference string, want allowed, flags ...string) {
		k.compare(ctx, label, reference, want, nil, flags...)
	}
	check("host", "cpu", byHost, "-engine", "host")
	check("gds-compat-on", "cpu", byKvikIO, "-engine", "gds", "-compat", "on")
	check("host-pageable", "cpu", byHost, "-engine", "host", "-pinned=false")
	check("host-padded", "cpu", byHost, "-engine", "host", "-layout", "padded")
	check("gds-compat-on-padded", "cpu", byKvikIO, "-engine", "gds", "-compat", "on", "-layout", "padded")
	check("gds-as-found", "cpu", byAny, "-engine", "gds")
	check("host-buffered", "cpu", byHost, "-engine", "host", "-io", "buffered")
	check("host-cold-direct", "cpu", byHost, "-engine", "host", "-cache", "cold", "-io", "direct")
	check("host-cold-uring", "cpu", byHost, "-engine", "host", "-cache", "cold", "-io", "uring")
	check("host-1-worker", "cpu", byHost, "-engine", "host", "-workers", "1")
	check("host-64-workers", "cpu", byHost, "-engine", "host", "-workers", "64")
	check("host-open-epoch", "cpu", byHost, "-engine", "host", "-open", "epoch")
	check("host-shuffled", "cpu-shuffled", byHost, "-engine", "host")
	check("host-tiles", "cpu-tiles", byHost, "-engine", "host")
	check("gds-compat-on-tiles", "cpu-tiles", byAny, "-engine", "gds", "-compat", "on")
	check("host-cpuprofile", "cpu", byHost, "-engine", "host", "-test.cpuprofile="+filepath.Join(k.logs(), "host.prof"))
}

// cufileStage compares the engine gds with the CPU engine while it reads by NVIDIA's libcufile.
func (k *kit) cufileStage(ctx context.Context) {
	k.gdsVerdict(ctx, "gdscheck-as-found", nil)
	if k.libcufile == "" {
		k.skip("cufile", "there is no libcufile.so.0: KIT_CUFILE names one")
		return
	}
	env := k.cufileEnv()
	k.gdsVerdict(ctx, "gdscheck", env)
	check := func(label, reference string, want allowed, flags ...string) {
		k.compare(ctx, label, reference, want, env, append([]string{"-engine", "gds"}, flags...)...)
	}
	for _, submit := range []string{"sync", "batch"} {
		for _, layout := range []string{"dense", "padded"} {
			check("gds-"+submit+"-"+layout, "cpu", byCuFile, "-compat", "off", "-submit", submit, "-layout", layout)
		}
	}
	check("gds-auto", "cpu", byAny)
	check("gds-open-epoch", "cpu", byCuFile, "-compat", "off", "-open", "epoch")
	check("gds-tiles", "cpu-tiles", byAny, "-compat", "off", "-submit", "sync")
	pattern := "^BenchmarkRaw$/store=raw/threads=(8|16)$/size=4MiB"
	j := job{label: "raw-cufile", limit: 90 * time.Second, env: env, args: []string{k.bench(), "-test.run=^$", "-test.bench=" + pattern,
		"-test.benchtime=2x", "-engine", "gds", "-cache", "cold", "-store", k.stores.half}}
	k.do(ctx, j, func(output string) (string, error) {
		_, err := parseRows(output)
		return "\n" + grep(output, "^Benchmark.* ns/op"), err
	})
}
