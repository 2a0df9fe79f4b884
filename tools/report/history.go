package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/history"
	"zarrbench/tools/report/internal/summary"
)

// remember adds a file to the history, unless its content is there already. A run's commit and time are those that it wrote
// itself; if it wrote none, the commit is that of -commit or of the checkout, and the time is now.
func (c *command) remember(ctx context.Context, file *summary.File, stderr io.Writer) error {
	runs, _, err := history.Read(c.history)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if run := history.Known(runs, file.Text); run != nil {
		fmt.Fprintf(stderr, "report: %s is in the history already, as %s\n", file.Path, run.Path)
		return nil
	}
	commit := c.commit
	if commit == "" {
		commit = file.Commit()
	}
	if commit, err = history.Commit(ctx, ".", commit); err != nil {
		return err
	}
	at := file.First
	if at.IsZero() {
		at = time.Now()
	}
	_, err = history.Append(c.history, history.Run{Commit: commit, Time: at, Text: file.Text})
	return err
}

// loadHistory reads the history. Runs that can't be shown are named on stderr.
func (c *command) loadHistory(stderr io.Writer) (*history.History, []history.Run, error) {
	runs, skipped, err := history.Read(c.history)
	if err != nil {
		return nil, nil, err
	}
	h, more := history.New(runs, history.Options{Units: c.judged.Units, Alpha: c.opt.Alpha})
	for _, err := range append(skipped, more...) {
		fmt.Fprintln(stderr, "report: left out of the history:", err)
	}
	return h, runs, nil
}

// showHistory makes the report of a history alone: that of its newest run.
func (c *command) showHistory(stderr io.Writer) (*result, error) {
	h, runs, err := c.loadHistory(stderr)
	if err != nil {
		return nil, err
	}
	for i := len(runs) - 1; i >= 0; i-- {
		rep, err := summary.New([]summary.Input{{Path: runs[i].Path, Text: runs[i].Text}}, c.opt)
		if err == nil {
			return &result{report: rep, history: h}, nil
		}
	}
	return nil, fmt.Errorf("%s: the history has no runs: report -history DIR FILE adds one", c.history)
}

// writeHistory writes the rows of a history for a terminal: what each takes now, and its steps.
func writeHistory(w *bytes.Buffer, h *history.History) {
	fmt.Fprintln(w, "history:")
	for i := range h.Series {
		s := &h.Series[i]
		last := s.Points[len(s.Points)-1]
		fmt.Fprintf(w, "%s\n  n=%d  newest: %s, %s, %s\n", seriesName(s), len(s.Points), plainText(s.Unit, last.Median), shortCommit(last.Commit), last.Time.Format("2006-01-02"))
	}
	steps := 0
	for i := range h.Series {
		s := &h.Series[i]
		for _, step := range s.Steps {
			steps++
			fmt.Fprintf(w, "step: %s: %s to %s with %s (%s)\n", seriesName(s),
				plainText(s.Unit, step.Old), plainText(s.Unit, step.New), shortCommit(step.Commit), chart.Percent(step.New/step.Old-1))
		}
	}
	if steps == 0 {
		fmt.Fprintf(w, "no steps; a row needs %d runs before one can be marked\n", h.RunsNeeded)
	}
}

// seriesName names a series by its row and what tells it from others.
func seriesName(s *history.Series) string {
	var name strings.Builder
	name.WriteString(s.Row)
	for _, l := range s.Config {
		name.WriteString(" " + l.Key + ":" + l.Value)
	}
	return fmt.Sprintf("%s, %s (%s)", name.String(), s.Unit, strings.TrimPrefix(s.Engine+", "+s.Machine, ", "))
}

// plainText writes a value with its unit, for a terminal.
func plainText(unit string, v float64) string {
	return strings.ReplaceAll(chart.ScaleOf(unit, v).Text(v), "\u00a0", " ")
}

// shortCommit returns the beginning of a commit's hash, and -dirty if it has that.
func shortCommit(commit string) string {
	hash, dirty := strings.CutSuffix(commit, "-dirty")
	hash = hash[:min(len(hash), 10)]
	if dirty {
		hash += "-dirty"
	}
	return hash
}
