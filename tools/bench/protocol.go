package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"zarrbench/tools/internal/cli"
)

const protocolUsage = `usage: bench compare|study|gate [-count N] [-out PREFIX] [-report COMMAND] [-- FLAG... [-- REPORT FLAG...]]

Measures by a protocol, and reports:
  compare  both ways to the GPU: gds.test -engine host into cpu.txt, -engine gds into gpu.txt
  study    the study's protocol: N epochs in one process per engine; each epoch opens the store
  gate     baseline.test and bench.test; the exit status is 1 if bench.test is slower
The flags behind the first -- are passed to the binaries, those behind the second to the report.

`

// The binaries that the Makefile builds.
const (
	cpuBinary      = "./bench.test"
	gpuBinary      = "./gds.test"
	baselineBinary = "./baseline.test"
)

// A plan is what a protocol measures, and how it reports that.
type plan struct {
	count  int // runs of each side
	sides  []*side
	report []string // arguments of the report
}

// A measuring has what the command line of a protocol says.
type measuring struct {
	count  int
	out    string   // the beginning of the files' names
	flags  []string // of the binaries
	report []string // flags of the report
}

var protocols = map[string]func(context.Context, measuring, io.Writer) (plan, error){
	"compare": compare,
	"study":   study,
	"gate":    gate,
}

// follow runs a protocol.
func follow(ctx context.Context, name string, args []string, stdout, stderr io.Writer) error {
	var m measuring
	flags := flag.NewFlagSet("bench "+name, flag.ContinueOnError)
	flags.IntVar(&m.count, "count", 10, "measure `N` times")
	flags.StringVar(&m.out, "out", "", "the `PREFIX` of the files' names, such as results/mine-")
	reporter := flags.String("report", "go run ./tools/report", "the `COMMAND` that reports")
	check := func(*flag.FlagSet) error {
		if m.count < 1 {
			return fmt.Errorf("-count %d: want 1 or more", m.count)
		}
		if len(strings.Fields(*reporter)) == 0 {
			return errors.New("-report: want a command")
		}
		if behind := len(args) - flags.NArg(); flags.NArg() > 0 && (behind == 0 || args[behind-1] != "--") {
			return fmt.Errorf("unexpected argument %q: want -- before the flags of the binaries", flags.Arg(0))
		}
		m.flags = flags.Args()
		if i := slices.Index(m.flags, "--"); i >= 0 {
			m.flags, m.report = m.flags[:i:i], m.flags[i+1:]
		}
		return nil
	}
	if done, err := cli.Parse(flags, cli.Usage{Before: protocolUsage}, args, check, stdout, stderr); done {
		return err
	}
	p, err := protocols[name](ctx, m, stdout)
	if err != nil {
		return err
	}
	c := &command{count: p.count, sides: p.sides}
	if err := c.find(); err != nil {
		return err
	}
	if err := c.run(ctx, stderr); err != nil {
		return err
	}
	words := slices.Concat(strings.Fields(*reporter), p.report)
	report := exec.CommandContext(ctx, words[0], words[1:]...)
	report.Stdout, report.Stderr = stdout, stderr
	err = report.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil && exit.ExitCode() > 0 {
		return &cli.StatusError{Err: fmt.Errorf("%w: %w", cli.ErrPrinted, exit), Status: exit.ExitCode()}
	}
	return err
}

// side returns a side of the measurement. Flags of its own win over those of all sides.
func (m measuring) side(file, binary string, flags ...string) *side {
	return &side{path: m.out + file, binary: binary, args: slices.Concat(m.flags, flags)}
}

func compare(ctx context.Context, m measuring, stdout io.Writer) (plan, error) {
	missing, err := missingGPU(ctx, m.flags)
	if err != nil {
		return plan{}, err
	}
	cpu := m.side("cpu.txt", cpuBinary)
	p := plan{count: m.count, sides: []*side{cpu}, report: slices.Concat(m.report, []string{cpu.path})}
	if missing != "" {
		fmt.Fprintf(stdout, "%sThere is no second side: only the CPU engine is measured, which ends in host memory, into %s.\n", missing, cpu.path)
		return p, nil
	}
	host, gds := m.side("cpu.txt", gpuBinary, "-engine", "host"), m.side("gpu.txt", gpuBinary, "-engine", "gds")
	p.sides, p.report = []*side{host, gds}, append(p.report, gds.path)
	return p, nil
}

func study(ctx context.Context, m measuring, stdout io.Writer) (plan, error) {
	missing, err := missingGPU(ctx, m.flags)
	if err != nil {
		return plan{}, err
	}
	m.flags = slices.Concat([]string{fmt.Sprintf("-test.count=%d", m.count), "-open", "epoch", "-io", "buffered"}, m.flags)
	base, head := m.side("study-host.txt", gpuBinary, "-engine", "host"), m.side("study-gds.txt", gpuBinary, "-engine", "gds")
	if missing != "" {
		fmt.Fprintf(stdout, "%sBoth sides are the CPU engine: differences between them are chance.\n", missing)
		base, head = m.side("study-first.txt", cpuBinary), m.side("study-second.txt", cpuBinary)
	}
	// The study measured GDS first.
	report := slices.Concat([]string{"-svg", m.out + "study.svg"}, m.report, []string{base.path, head.path})
	return plan{count: 1, sides: []*side{head, base}, report: report}, nil
}

func gate(_ context.Context, m measuring, _ io.Writer) (plan, error) {
	fail := func(err error) (plan, error) { return plan{}, &cli.StatusError{Err: err, Status: 2} }
	if _, err := os.Stat(baselineBinary); err != nil {
		return fail(fmt.Errorf("%w: make baseline, in the state to compare with, builds it", err))
	}
	// A report with an alpha of its own needs another number of runs, and counts them itself.
	alpha := func(word string) bool { return strings.HasPrefix(strings.TrimLeft(word, "-"), "alpha") }
	if rows := countStores(m.flags); !slices.ContainsFunc(m.report, alpha) && m.count < enough(rows) {
		return fail(fmt.Errorf("%d runs a side are too few for the gate: with %d row(s) no change can be significant; COUNT=%d is the least",
			m.count, rows, enough(rows)))
	}
	base, head := m.side("baseline.txt", baselineBinary), m.side("new.txt", cpuBinary)
	report := slices.Concat([]string{"-gate"}, m.report, []string{base.path, head.path})
	return plan{count: m.count, sides: []*side{base, head}, report: report}, nil
}

// countStores returns the number of stores that the flags of a benchmark name. Each has one row at least.
func countStores(flags []string) int {
	n := 0
	for _, word := range flags {
		if name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "="); name == "store" && strings.HasPrefix(word, "-") {
			n++
		}
	}
	return max(n, 1)
}

// enough returns how many runs a side can show a change in one of so many rows. The least p of the Mann-Whitney test is
// 2/C(2n, n), and Holm's correction multiplies it by the number of rows: docs/ci.md has the table.
func enough(rows int) int {
	for n := 1; ; n++ {
		p := 2 * float64(rows)
		for i := 1; i <= n; i++ {
			p *= float64(i) / float64(n+i)
		}
		if p <= 0.05 {
			return n
		}
	}
}

var required = regexp.MustCompile(`(?m)^zarrbench: -require: (.*)$`)

// missingGPU returns what the GPU engines lack on this machine, in lines for people, or "" if they can run.
func missingGPU(ctx context.Context, flags []string) (string, error) {
	args := slices.Concat(flags, []string{"-test.run=^$", "-test.bench=^$", "-engine", "gds", "-require"})
	out, err := exec.CommandContext(ctx, gpuBinary, args...).CombinedOutput()
	if err == nil {
		return "", nil
	}
	reasons := required.FindAllSubmatch(out, -1)
	if len(reasons) == 0 || ctx.Err() != nil {
		return "", withEnd(fmt.Errorf("%s %s: %w", gpuBinary, strings.Join(args, " "), err), out)
	}
	var text strings.Builder
	text.WriteString("No GPU can be used here:\n")
	for _, r := range reasons {
		fmt.Fprintf(&text, "  %s\n", r[1])
	}
	return text.String(), nil
}
