package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"zarrbench/tools/internal/cli"
	"zarrbench/tools/report/internal/gate"
	"zarrbench/tools/report/internal/history"
	"zarrbench/tools/report/internal/page"
	"zarrbench/tools/report/internal/plot"
	"zarrbench/tools/report/internal/regions"
	"zarrbench/tools/report/internal/summary"
)

// The errors that have a meaning besides their text.
var (
	errRefused = errors.New("the comparison is refused") // the report says why
	errVerdict = errors.New("the gate does not pass")    // the verdict says why
)

// A result is what is known of the files, once all has been read.
type result struct {
	report  *summary.Report
	verdict *gate.Verdict    // nil without -gate
	history *history.History // nil without -history
	traces  []page.Trace
}

// run is the whole command. Neither unusable input nor a refusal is a verdict on what was measured: both end with the status 2.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	err := do(ctx, args, stdout, stderr)
	if _, known := errors.AsType[*cli.StatusError](err); err != nil && !known {
		err = &cli.StatusError{Err: err, Status: 2}
	}
	return err
}

func do(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, done, err := parse(args, stdout, stderr)
	if done {
		return err
	}
	r, err := c.read(ctx, stderr)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.write(r); err != nil {
		return err
	}
	if err := c.print(r, stdout); err != nil {
		return err
	}
	if r.verdict != nil {
		if status := r.verdict.ExitCode(); status != 0 {
			return &cli.StatusError{Err: verdictError(r.verdict), Status: status}
		}
		return nil
	}
	return refusal(r.report)
}

// verdictError is the error of a gate that isn't passed. Behind go run and make, which have statuses of their own, its text alone
// tells a failure from input that can't be judged.
func verdictError(v *gate.Verdict) error {
	if v.Status == gate.Unusable {
		return fmt.Errorf("%w: nothing failed, but the input is unusable: %s", errVerdict, v.Unusable[0])
	}
	return fmt.Errorf("%w: %s", errVerdict, v.Headline())
}

// read reads what the command is about.
func (c *command) read(ctx context.Context, stderr io.Writer) (*result, error) {
	r := new(result)
	var err error
	if len(c.paths) == 0 {
		return c.showHistory(stderr)
	}
	if r.report, err = summary.Read(c.paths, c.opt); err != nil {
		return nil, err
	}
	if c.gate {
		if c.judged.Expect, err = c.expected(); err != nil {
			return nil, err
		}
		r.verdict = gate.Judge(r.report, c.judged)
	}
	for _, t := range c.traces {
		sum, err := readTrace(t.path)
		if err != nil {
			return nil, err
		}
		r.traces = append(r.traces, page.Trace{Label: t.label, Sum: sum})
	}
	if c.history != "" {
		if err = c.remember(ctx, &r.report.Files[len(r.report.Files)-1], stderr); err != nil {
			return nil, err
		}
		if r.history, _, err = c.loadHistory(stderr); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// expected returns the rows that -expect lists.
func (c *command) expected() ([]string, error) {
	if c.expect == "" {
		return nil, nil
	}
	f, err := os.Open(c.expect)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := gate.ReadExpected(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.expect, err)
	}
	return rows, nil
}

func readTrace(path string) (*regions.Sum, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum, err := regions.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return sum, nil
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

// print prints a report in the form that was asked for, whole or not at all. The verdict comes first.
func (c *command) print(r *result, stdout io.Writer) error {
	var out bytes.Buffer
	var err error
	switch {
	case c.json:
		err = writeJSON(&out, r)
	case c.annotations:
		err = r.verdict.WriteAnnotations(&out)
	case c.markdown:
		if r.verdict != nil {
			err = r.verdict.WriteMarkdown(&out)
			out.WriteByte('\n')
		}
		writeMarkdown(&out, r.report)
	default:
		if r.history != nil && len(c.paths) == 0 {
			writeHistory(&out, r.history)
			out.WriteByte('\n')
		}
		if r.verdict != nil {
			err = r.verdict.WriteText(&out)
			out.WriteByte('\n')
		}
		writeText(&out, r.report)
	}
	if err != nil {
		return err
	}
	_, err = stdout.Write(out.Bytes())
	return err
}

// write makes the files that were asked for.
func (c *command) write(r *result) error {
	for _, f := range []struct {
		path  string
		write func(io.Writer) error
	}{
		{c.svg, func(w io.Writer) error { return plot.Write(w, r.report, plot.SVG) }},
		{c.png, func(w io.Writer) error { return plot.Write(w, r.report, plot.PNG) }},
		{c.html, func(w io.Writer) error { return page.Write(w, r.page(c)) }},
	} {
		if f.path == "" {
			continue
		}
		if err := writeFile(f.path, f.write); err != nil {
			return err
		}
	}
	return nil
}
