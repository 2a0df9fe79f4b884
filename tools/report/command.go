package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"zarrbench/tools/internal/cli"
	"zarrbench/tools/report/internal/gate"
	"zarrbench/tools/report/internal/summary"
)

var usage = cli.Usage{Before: `usage: report [flags] BASE.txt [NEW.txt]
       report -history DIR [flags]

Summarizes a file of benchmark output, or compares two: per row the total, median, mean and standard deviation, the rate, the
confidence interval and the p value, and in one sentence what an epoch's time became.

The exit status is 2 if a comparison is refused, since the data or the memory at the end differ, if a file is unusable or the
command line is wrong. With -gate it is 1 if a row of NEW.txt got worse or is missing, and 2 if there are too few samples to tell.

`, After: `
Examples:
  report cpu.txt                        what one run gave
  report cpu.txt gpu.txt                what changed, and whether it is significant
  report -html report.html cpu.txt gpu.txt
  report -json cpu.txt gpu.txt          all figures, as one JSON document
  report -gate -threshold 5% old.txt new.txt
  report -markdown old.txt new.txt >> "$GITHUB_STEP_SUMMARY"
  report -history runs -html history.html cpu.txt
  report -history runs -html history.html
`}

// A command is what the command line asks for.
type command struct {
	paths []string
	opt   summary.Options

	json, markdown, annotations bool
	svg, png, html              string // files to make; "" for none
	traces                      []traceFile

	gate   bool
	judged gate.Options
	expect string // a file of rows

	history string // a folder
	commit  string
}

// A traceFile is an execution trace, and what it is of.
type traceFile struct{ label, path string }

// parse reads the command line. done says that nothing is left to do.
func parse(args []string, stdout, stderr io.Writer) (c *command, done bool, err error) {
	c = &command{}
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.BoolVar(&c.json, "json", false, "print one JSON document")
	flags.BoolVar(&c.markdown, "markdown", false, "print Markdown, as for GitHub's job summary")
	flags.BoolVar(&c.annotations, "annotations", false, "with -gate: print the verdict as annotations for GitHub Actions")
	flags.Float64Var(&c.opt.Alpha, "alpha", 0.05, "a change is significant if its p value is below `P`; of the gate and of a history, the chance of any false alarm")
	flags.Float64Var(&c.opt.Confidence, "confidence", 0.95, "the confidence `level` of the intervals")
	flags.StringVar(&c.svg, "svg", "", "draw the medians and every sample into an SVG `file`")
	flags.StringVar(&c.png, "png", "", "the same as a PNG `file`")
	flags.StringVar(&c.html, "html", "", "write a web page, whole in one `file`")
	flags.Func("trace", "with -html: where the time of an execution trace goes, as `[LABEL=]FILE`; may be given several times", func(s string) error {
		label, path, named := strings.Cut(s, "=")
		if !named {
			label, path = s, s
		}
		if path == "" {
			return errors.New("want LABEL=FILE")
		}
		c.traces = append(c.traces, traceFile{label, path})
		return nil
	})
	flags.BoolVar(&c.gate, "gate", false, "judge NEW.txt against BASE.txt")
	threshold := "5%"
	flags.StringVar(&threshold, "threshold", threshold, "with -gate: the `change` that is large enough to fail, such as 5% or 0.05")
	units := ""
	flags.StringVar(&units, "units", units, "with -gate or -history: the `units` to look at, as sec/op,B/s (default sec/op)")
	flags.StringVar(&c.expect, "expect", "", "with -gate: a `file` of the rows that NEW.txt must have, one a line")
	flags.StringVar(&c.history, "history", "", "add the newer file to the history in the folder `DIR`, unless it is there, and show it with -html and -json; without files only show it")
	flags.StringVar(&c.commit, "commit", "", "with -history: the `commit` that was measured (default what the file's line Commit: says, or git's HEAD)")
	done, err = cli.Parse(flags, usage, args, func(flags *flag.FlagSet) error {
		c.paths = flags.Args()
		c.judged.Alpha = c.opt.Alpha
		if units != "" {
			c.judged.Units = strings.Split(units, ",")
		}
		var err error
		if c.judged.Threshold, err = gate.ParseThreshold(threshold); err != nil {
			return fmt.Errorf("-threshold: %w", err)
		}
		given := map[string]bool{}
		flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
		return c.check(given)
	}, stdout, stderr)
	return c, done, err
}

// check finds what is wrong with a command line whose flags are known.
func (c *command) check(given map[string]bool) error {
	for _, p := range []struct {
		flag  string
		value float64
		such  string
	}{{"alpha", c.opt.Alpha, "0.05"}, {"confidence", c.opt.Confidence, "0.95"}} {
		if !(p.value > 0 && p.value < 1) {
			return fmt.Errorf("-%s %v: want a number between 0 and 1, such as %s", p.flag, p.value, p.such)
		}
	}
	for _, path := range c.paths {
		if strings.HasPrefix(path, "-") {
			return fmt.Errorf("%s: flags stand before the files", path)
		}
	}
	for _, name := range []string{"annotations", "threshold", "expect"} {
		if given[name] && !c.gate {
			return fmt.Errorf("-%s: without -gate nothing is judged", name)
		}
	}
	forms := 0
	for _, form := range []bool{c.json, c.markdown, c.annotations} {
		if form {
			forms++
		}
	}
	switch {
	case forms > 1:
		return errors.New("want one of -json, -markdown and -annotations")
	case given["units"] && !c.gate && c.history == "":
		return errors.New("-units: want -gate or -history")
	case given["commit"] && c.history == "":
		return errors.New("-commit: want -history")
	case len(c.traces) > 0 && c.html == "":
		return errors.New("-trace: want -html, which shows it")
	case c.gate && len(c.paths) != 2:
		return fmt.Errorf("-gate: want two files, BASE.txt and NEW.txt, found %d", len(c.paths))
	case c.history != "" && len(c.paths) == 0:
		if given["commit"] {
			return errors.New("-commit: there is no file to add")
		}
		if len(c.traces) > 0 {
			return errors.New("-trace: want the file that it is of")
		}
	case len(c.paths) < 1 || len(c.paths) > 2:
		return fmt.Errorf("want one file to summarize or two to compare, found %d", len(c.paths))
	}
	return nil
}

// again is the command line that makes the report of the same files anew.
func (c *command) again() string {
	words := []string{"go run ./tools/report"}
	if c.html != "" {
		words = append(words, "-html", quote(c.html))
	}
	if len(c.paths) == 0 {
		words = append(words, "-history", quote(c.history))
	}
	for _, t := range c.traces {
		words = append(words, "-trace", quote(t.label+"="+t.path))
	}
	for _, path := range c.paths {
		words = append(words, quote(path))
	}
	return strings.Join(words, " ")
}

// quote makes one word of a shell's command line.
func quote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@%+"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
