package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"zarrbench/tools/internal/cli"
)

const usage = `usage: run.sh [STAGE...]

Proves and measures the GPU engines on this machine. Without stages it runs all of them:

`

const settings = `
Environment:
  KIT_SECONDS  all is over after so many seconds (540)
  KIT_DATA     the folder for the stores; without it, one on a disk of this machine
  KIT_STEPS    time steps of the stores that are measured (256: 14 GB in all)
  KIT_GRID     points of their fields (721x1440)
  KIT_SMALL    1: few steps, few points and one epoch a row, to try the kit
  KIT_CUFILE   the libcufile.so.0 to use; without it, this machine's, or else the kit's own
  KIT_FLAGS    more flags for every benchmark, such as "-batch 128"
  OUT          the folder for log.txt and logs.tgz (the folder out of the kit)
`

// A stage is a part of the kit that can be run alone.
type stage struct {
	name, about string
	run         func(*kit, context.Context)
}

func stages() []stage {
	return []stage{
		{"kernels", "the driver compiles the kernels, and each equals its definition to the bit", (*kit).kernels},
		{"same", "the engines deliver the same data and losses as the CPU engine", (*kit).same},
		{"cufile", "the same by NVIDIA's libcufile", (*kit).cufileStage},
		{"speed", "five epochs a row, from the page cache", (*kit).speed},
		{"ceilings", "what this machine gives at most: copies, kernels, reads", (*kit).ceilings},
		{"peers", "other readers on the same stores and the same GPU", (*kit).peers},
		{"cold", "epochs from the disk", (*kit).cold},
		{"sanitize", "compute-sanitizer on the kernels and on an epoch", (*kit).sanitize},
	}
}

// errFailed is returned after a run whose summary says what failed.
var errFailed = fmt.Errorf("the summary says what failed: %w", cli.ErrPrinted)

// run is the whole command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("run.sh", flag.ContinueOnError)
	var head strings.Builder
	head.WriteString(usage)
	for _, s := range stages() {
		fmt.Fprintf(&head, "  %-9s %s\n", s.name, s.about)
	}
	var c config
	resolve := func(*flag.FlagSet) (err error) {
		c, err = newConfig(flags.Args())
		return err
	}
	if done, err := cli.Parse(flags, cli.Usage{Before: head.String(), After: settings}, args, resolve, stdout, stderr); done {
		return err
	}
	k, err := newKit(c, stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.log.Close()) }()
	return k.all(ctx)
}

// A kit is a run of it.
type kit struct {
	config
	machine
	log      *os.File
	w        io.Writer // standard output, and the log
	begin    time.Time
	deadline time.Time
	failed   []string // what failed, and why
	skipped  []string // what can't be done on this machine, and why
	leftOut  []string // what there was no time for
	oks      int      // how many things succeeded
	tried    []string // the stages that were more than skipped
	stores   storeSet
	refs     map[string]referenceRows
}

func newKit(c config, stdout io.Writer) (*kit, error) {
	if err := errors.Join(os.MkdirAll(c.out, 0o777), os.RemoveAll(c.logs()), os.MkdirAll(c.logs(), 0o777)); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(c.out, "log.txt"))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &kit{config: c, log: log, w: io.MultiWriter(stdout, log), begin: now, deadline: now.Add(c.time), refs: map[string]referenceRows{}}, nil
}

func (k *kit) printf(format string, args ...any) { fmt.Fprintf(k.w, format, args...) }

// title begins a part of the output.
func (k *kit) title(text string) {
	k.printf("\n== %s (second %.0f)\n", text, time.Since(k.begin).Seconds())
}

// fail records and prints a failure, with the lines that explain it.
func (k *kit) fail(label string, err error, detail ...string) {
	k.failed = append(k.failed, fmt.Sprintf("%s: %v", label, err))
	k.printf("FAIL %-24s %v\n", label, err)
	for _, line := range detail {
		k.printf("       %s\n", line)
	}
}

// skip records and prints that a thing can't be done here.
func (k *kit) skip(label, reason string) {
	k.skipped = append(k.skipped, label+": "+reason)
	k.printf("skip %-24s %s\n", label, reason)
}

// all runs what was asked for and prints the summary.
func (k *kit) all(ctx context.Context) error {
	tiny, err := k.prepare(ctx)
	if err != nil {
		k.fail("data", err)
		return k.summary()
	}
	if err := k.open(ctx, tiny); err != nil {
		k.printf("\nNo GPU can be used here, so nothing was proved:\n  %v\n", err)
		return errFailed
	}
	k.facts(ctx)
	if err := k.makeStores(ctx); err != nil {
		k.fail("stores", err)
		return k.summary()
	}
	for _, s := range stages() {
		if !slices.Contains(k.want, s.name) {
			continue
		}
		if ctx.Err() != nil {
			k.fail(s.name, context.Cause(ctx))
			continue
		}
		k.title(s.name + ": " + s.about)
		oks, failed, leftOut := k.oks, len(k.failed), len(k.leftOut)
		s.run(k, ctx)
		if k.oks > oks || len(k.failed) > failed || len(k.leftOut) > leftOut {
			k.tried = append(k.tried, s.name)
		}
		if err := k.pack(); err != nil {
			k.fail("logs.tgz", err)
		}
	}
	return k.summary()
}

// summary says what came of the run. What failed is last.
func (k *kit) summary() error {
	k.title("summary")
	list := func(head string, items []string) {
		if len(items) > 0 {
			k.printf("%s\n  %s\n", head, strings.Join(items, "\n  "))
		}
	}
	list("skipped:", k.skipped)
	list(fmt.Sprintf("left out, since KIT_SECONDS=%.0f were over:", k.time.Seconds()), k.leftOut)
	switch {
	case len(k.failed) > 0:
		list(fmt.Sprintf("%d failed:", len(k.failed)), k.failed)
	case len(k.tried) == 0:
		k.printf("nothing could be tried\n")
	default:
		k.printf("nothing failed of: %s\n", strings.Join(k.tried, " "))
	}
	if err := k.pack(); err != nil {
		return err
	}
	if len(k.failed)+len(k.leftOut) > 0 || len(k.tried) == 0 {
		return errFailed
	}
	return nil
}
