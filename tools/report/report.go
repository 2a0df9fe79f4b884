package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"zarrbench/tools/report/internal/summary"
)

const usage = `usage: report [flags] BASE.txt [NEW.txt]

Summarizes a file of benchmark output, or compares two: per row the total, median, mean and standard deviation, the rate, the
confidence interval and the p value, and in one sentence what an epoch's time became.

The exit status is 2 if a comparison is refused, since the data or the memory at the end differ, if a file is unusable or the
command line is wrong.

`

const examples = `
Examples:
  report cpu.txt                        what one run gave
  report cpu.txt gpu.txt                what changed, and whether it is significant
  report -json cpu.txt gpu.txt          all figures, as one JSON document
  report -markdown old.txt new.txt >> "$GITHUB_STEP_SUMMARY"
`

// A command is what the command line asks for.
type command struct {
	paths    []string
	json     bool
	markdown bool
	opt      summary.Options
}

// run is the whole command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, help, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		help(stdout)
		return nil
	}
	if err != nil {
		help(stderr)
		return fmt.Errorf("%w (%w)", err, errUsage)
	}
	rep, err := summary.Read(c.paths, c.opt)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.print(rep, stdout); err != nil {
		return err
	}
	return refusal(rep)
}

// refusal is the error of a report that refuses to compare, with the first reason: the report may go where nobody looks.
func refusal(rep *summary.Report) error {
	switch n := len(rep.Refusals); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%w: %s", errRefused, rep.Refusals[0].Text)
	default:
		return fmt.Errorf("%w for %d reasons: %s", errRefused, n, rep.Refusals[0].Text)
	}
}

// print prints a report in the form that was asked for, whole or not at all.
func (c *command) print(rep *summary.Report, stdout io.Writer) error {
	var out bytes.Buffer
	switch {
	case c.json:
		if err := writeJSON(&out, rep); err != nil {
			return err
		}
	case c.markdown:
		writeMarkdown(&out, rep)
	default:
		writeText(&out, rep)
	}
	_, err := stdout.Write(out.Bytes())
	return err
}

// parse reads the command line. help describes it.
func parse(args []string) (c *command, help func(io.Writer), err error) {
	c = &command{}
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints errors, help prints the rest
	flags.Usage = func() {}
	flags.BoolVar(&c.json, "json", false, "print one JSON document")
	flags.BoolVar(&c.markdown, "markdown", false, "print Markdown, as for GitHub's job summary")
	flags.Float64Var(&c.opt.Alpha, "alpha", 0.05, "a change is significant if its p value is below `P`")
	flags.Float64Var(&c.opt.Confidence, "confidence", 0.95, "the confidence `level` of the intervals")
	help = func(w io.Writer) {
		fmt.Fprint(w, usage)
		flags.SetOutput(w)
		flags.PrintDefaults()
		fmt.Fprint(w, examples)
	}
	if err := flags.Parse(args); err != nil {
		return c, help, err
	}
	c.paths = flags.Args()
	return c, help, c.check()
}

// check finds what is wrong with a command line whose flags are known.
func (c *command) check() error {
	for _, p := range []struct {
		flag  string
		value float64
	}{{"alpha", c.opt.Alpha}, {"confidence", c.opt.Confidence}} {
		if !(p.value > 0 && p.value < 1) {
			return fmt.Errorf("-%s %v: want a number between 0 and 1", p.flag, p.value)
		}
	}
	for _, path := range c.paths {
		if strings.HasPrefix(path, "-") {
			return fmt.Errorf("%s: flags stand before the files", path)
		}
	}
	switch {
	case c.json && c.markdown:
		return errors.New("want one of -json and -markdown")
	case len(c.paths) < 1 || len(c.paths) > 2:
		return fmt.Errorf("want one file to summarize or two to compare, found %d", len(c.paths))
	}
	return nil
}
