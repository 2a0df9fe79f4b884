package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"zarrbench/fixtures"
	"zarrbench/tools/internal/cli"
)

const layoutsUsage = `usage: bench layouts [flags] [-- FLAG...]

Measures bench.test on stores that take more than reading planes into place: one level of many in a chunk, many steps in a chunk,
coarse grids, other orders of dimensions and bytes, patches. Each row runs in turn with an older benchmark, with tensorstore and with
a loop over C-Blosc, as far as there are any. Stores that are not there are made: 18 GB for all rows. The flags behind -- are passed
to the benchmarks.

`

// A layout is a row: what is read of a store. Its flags are separated by spaces.
type layout struct {
	name        string // also of its files
	store       string // one of layoutStores
	flags       string // of the benchmarks
	since       string // flags that a benchmark may be too old for: it runs without them
	tensorstore string // flags of tensorstore_epoch.py; "" leaves it out
	limit       string // arguments of blosc_limit; "" leaves it out
}

const (
	oneLevel = "-vars geopotential@level=500,u_component_of_wind@level=500,v_component_of_wind@level=500"
	patches  = "-window time=2,latitude=48,longitude=48"
)

// The study's grid is the zero value's. 500 hPa is level 21 of 37.
var (
	layoutStores = map[string]fixtures.Synthetic{
		"levels":     {Steps: 16, Levels: 37, Form: fixtures.FormLZ4, Seed: 1},
		"steps32":    {Steps: 192, ChunkSteps: 32, Form: fixtures.FormLZ4, Seed: 2},
		"coarse":     {Steps: 6000, ChunkSteps: 100, Levels: 13, NLat: 32, NLon: 64, LonLat: true, Form: fixtures.FormLZ4, Seed: 3},
		"raw":        {Steps: 128, Seed: 4},
		"forder-raw": {Steps: 128, FOrder: true, Seed: 5},
		"forder-lz4": {Steps: 128, FOrder: true, Form: fixtures.FormLZ4, Seed: 5},
		"big-raw":    {Steps: 128, BigEndian: true, Seed: 5},
		"big-lz4":    {Steps: 128, BigEndian: true, Form: fixtures.FormLZ4, Seed: 5},
		"both-raw":   {Steps: 128, FOrder: true, BigEndian: true, Seed: 5},
		"both-lz4":   {Steps: 128, FOrder: true, BigEndian: true, Form: fixtures.FormLZ4, Seed: 5},
	}
	layoutRows = []layout{
		{name: "levels-warm", store: "levels", flags: oneLevel, tensorstore: "--level 500", limit: "16 37 21 4152960 warm 2 3"},
		{name: "levels-cold", store: "levels", flags: oneLevel + " -cache cold", tensorstore: "--level 500 --cache cold --files 32",
			limit: "16 37 21 4152960 cold 8 3"},
		{name: "steps32-cold", store: "steps32", flags: "-batch 8 -cache cold", tensorstore: "--batch 8 --cache cold --files 32 --pool 800000000"},
		{name: "steps32-shuffled-cold", store: "steps32", flags: "-batch 8 -shuffle 1 -cache cold",
			tensorstore: "--batch 8 --shuffle 1 --by batch --cache cold --files 32"},
		{name: "coarse-shuffled", store: "coarse", flags: "-shuffle 1"},
		{name: "coarse-shuffled-keep", store: "coarse", flags: "-shuffle 1", since: "-keep KEEP", tensorstore: "--shuffle 1 --pool POOL"},
		{name: "forder-raw", store: "forder-raw", tensorstore: "--cache warm"},
		{name: "forder-lz4", store: "forder-lz4", tensorstore: "--cache warm"},
		{name: "big-raw", store: "big-raw", tensorstore: "--cache warm"},
		{name: "big-lz4", store: "big-lz4", tensorstore: "--cache warm"},
		{name: "both-raw", store: "both-raw", tensorstore: "--cache warm"},
		{name: "both-lz4", store: "both-lz4", tensorstore: "--cache warm"},
		{name: "patches-warm", store: "raw", flags: patches},
		{name: "patches-cold", store: "raw", flags: patches + " -cache cold"},
	}
)

// A comparison has what the command line of layouts says.
type comparison struct {
	measuring
	old        string // an older benchmark, "" for none
	data       string // the folder of the stores
	keep, pool string
	peers      map[string]string // programs by name: tensorstore's Python, limit
	reporter   []string
	rows       []layout
	stores     map[string]fixtures.Synthetic
}

// compareLayouts is the protocol layouts.
func compareLayouts(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c := comparison{rows: layoutRows, stores: layoutStores}
	flags := flag.NewFlagSet("bench layouts", flag.ContinueOnError)
	flags.IntVar(&c.count, "count", 10, "measure `N` times")
	flags.StringVar(&c.out, "out", "", "the `PREFIX` of the files' names, such as results/layouts-")
	flags.StringVar(&c.old, "old", "", "an older `BENCHMARK` to compare with, built by go test -c")
	flags.StringVar(&c.data, "data", filepath.Join(fixtures.Dir(), "data", "layouts"), "the `FOLDER` of the stores")
	flags.StringVar(&c.keep, "keep", "auto", "the `SIZE` of the benchmarks' cache of decoded chunks in the row that has one")
	flags.StringVar(&c.pool, "pool", "2147483648", "the `BYTES` of tensorstore's cache there")
	only := flags.String("rows", "", "measure only rows whose names match the `REGEXP`")
	prepare := flags.String("peers", "./tools/peers/prepare.sh", "the `COMMAND` that prepares what else is compared; empty for none")
	reporter := flags.String("report", "go tool benchstat", "the `COMMAND` that reports: benchstat")
	check := func(*flag.FlagSet) error {
		match, err := regexp.Compile(*only)
		if err != nil {
			return fmt.Errorf("-rows: %w", err)
		}
		var names []string
		for _, r := range c.rows {
			names = append(names, r.name)
		}
		c.rows = slices.DeleteFunc(slices.Clone(c.rows), func(r layout) bool { return !match.MatchString(r.name) })
		c.reporter, c.flags = strings.Fields(*reporter), flags.Args()
		switch behind := len(args) - flags.NArg(); {
		case len(c.rows) == 0:
			return fmt.Errorf("-rows %s: matches none of %s", *only, strings.Join(names, ", "))
		case c.count < 1:
			return fmt.Errorf("-count %d: want 1 or more", c.count)
		case len(c.reporter) == 0:
			return errors.New("-report: want a command")
		case flags.NArg() > 0 && (behind == 0 || args[behind-1] != "--"):
			return fmt.Errorf("unexpected argument %q: want -- before the flags of the benchmarks", flags.Arg(0))
		}
		return nil
	}
	if done, err := cli.Parse(flags, cli.Usage{Before: layoutsUsage}, args, check, stdout, stderr); done {
		return err
	}
	var err error
	if c.peers, err = preparePeers(ctx, *prepare, stderr); err != nil {
		return err
	}
	return c.run(ctx, stdout, stderr)
}

// preparePeers runs a command that prints names and programs, and returns these.
func preparePeers(ctx context.Context, command string, stderr io.Writer) (map[string]string, error) {
	words := strings.Fields(command)
	if len(words) == 0 {
		return nil, nil
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stderr = stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("-peers %s: %w", command, err)
	}
	peers := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, program, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			peers[name] = program
		}
	}
	return peers, nil
}

// run measures all rows. One that fails doesn't stop those behind it.
func (c *comparison) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := c.makeStores(ctx, stderr); err != nil {
		return err
	}
	var failed []error
	for _, r := range c.rows {
		if err := c.measure(ctx, r, stdout, stderr); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", r.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// makeStores makes the stores of the rows that are not there.
func (c *comparison) makeStores(ctx context.Context, stderr io.Writer) error {
	for i, r := range c.rows {
		if slices.ContainsFunc(c.rows[:i], func(other layout) bool { return other.store == r.store }) {
			continue
		}
		path, s := c.path(r), c.stores[r.store]
		if _, err := os.Stat(path); err != nil {
			fmt.Fprintf(stderr, "making %s: at most %d MB of SYNTHETIC fields\n", path, s.Bytes()/1e6)
		}
		if err := s.Write(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// path returns the folder of a row's store.
func (c *comparison) path(r layout) string { return filepath.Join(c.data, r.store+".zarr") }

// measure runs the sides of a row in turn, and reports on them.
func (c *comparison) measure(ctx context.Context, r layout, stdout, stderr io.Writer) error {
	fields := func(text string) []string {
		return strings.Fields(strings.NewReplacer("KEEP", c.keep, "POOL", c.pool).Replace(text))
	}
	flags, since := fields(r.flags), fields(r.since)
	base := slices.Concat([]string{"-test.run=^$", "-test.bench=^BenchmarkEpoch$", "-test.benchtime=1x", "-loss", "none", "-store", c.path(r)}, flags)
	var sides []*side
	names := map[*side]string{}
	add := func(name, binary string, args ...string) {
		s := &side{path: c.out + r.name + "-" + name + ".txt", binary: binary, args: args}
		sides, names[s] = append(sides, s), name
	}
	if c.old != "" {
		args := base
		if known, err := knows(ctx, c.old, since); err != nil {
			return err
		} else if known {
			args = slices.Concat(base, since)
		} else {
			fmt.Fprintf(stderr, "%s: %s has no %s, and runs without it\n", r.name, c.old, since[0])
		}
		add("old", c.old, slices.Concat(args, c.flags)...)
	}
	if known, err := knows(ctx, cpuBinary, since); err != nil {
		return err
	} else if !known {
		fmt.Fprintf(stderr, "%s: skipped: %s has no %s\n", r.name, cpuBinary, since[0])
		return nil
	}
	add("new", cpuBinary, slices.Concat(base, since, c.flags)...)
	if python := c.peers["tensorstore"]; python != "" && r.tensorstore != "" {
		add("tensorstore", python, slices.Concat([]string{"tools/peers/tensorstore_epoch.py", c.path(r), "--name", "Epoch/reader=tensorstore", "--epochs", "1"}, fields(r.tensorstore))...)
	}
	if program := c.peers["limit"]; program != "" && r.limit != "" {
		add("limit", program, slices.Concat([]string{"Epoch/reader=limit", c.path(r)}, fields(r.limit))...)
	}
	command := &command{count: c.count, sides: sides}
	if err := command.find(); err != nil {
		return err
	}
	if err := command.run(ctx, stderr); err != nil {
		return err
	}
	// The sides name their rows differently, and have other lines above them.
	words := slices.Concat(c.reporter, []string{"-row", ".name", "-table", "", "-filter", ".unit:(sec/op OR B/s)"})
	for _, s := range sides {
		words = append(words, names[s]+"="+s.path)
	}
	fmt.Fprintln(stdout, strings.Join(slices.Concat([]string{r.name + ":"}, flags, since), " "))
	report := exec.CommandContext(ctx, words[0], words[1:]...)
	report.Stdout, report.Stderr = stdout, stderr
	return report.Run()
}

// knows reports whether a benchmark has the flag that the words begin with, or there is none.
func knows(ctx context.Context, binary string, words []string) (bool, error) {
	if len(words) == 0 {
		return true, nil
	}
	text, err := exec.CommandContext(ctx, binary, "-help").CombinedOutput()
	if len(text) == 0 && err != nil {
		return false, fmt.Errorf("%s -help: %w", binary, err)
	}
	return regexp.MustCompile(`(?m)^\s+` + regexp.QuoteMeta(words[0]) + `\b`).Match(text), nil
}
