package gate

import (
	"fmt"
	"io"
	"strings"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/markdown"
)

// WriteText writes the verdict for a terminal: its first line says it, the last what was judged, and how.
func (v *Verdict) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "gate: %s\n", v.Headline())
	for _, j := range v.Failures() {
		fmt.Fprintf(&b, "  %s: %s\n", j.Outcome, j.text())
	}
	for _, why := range v.Unusable {
		fmt.Fprintf(&b, "  unusable: %s\n", why)
	}
	for _, j := range v.Judgements {
		if j.Outcome == Better || j.Outcome == New {
			fmt.Fprintf(&b, "  %s: %s\n", j.Outcome, j.text())
		}
	}
	fmt.Fprintf(&b, "gate: %s\n", v.method())
	_, err := io.WriteString(w, b.String())
	return err
}

// maxMarkdown is how many judgements a job's summary lists: it may have 1 MiB in all.
const maxMarkdown = 500

// WriteMarkdown writes the verdict for GitHub's job summary.
func (v *Verdict) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Gate: %s\n\n", v.Headline())
	for _, why := range v.Unusable {
		fmt.Fprintf(&b, "> **Unusable:** %s\n\n", markdown.Escape(why))
	}
	shown, left := 0, 0
	header := "| outcome | row | unit | base | new | change | p | p after Holm |\n|---|---|---|--:|--:|--:|--:|--:|\n"
	for _, j := range v.Judgements {
		switch j.Outcome {
		case Same, Blind: // of no interest, and said above
			continue
		}
		if shown == maxMarkdown {
			left++
			continue
		}
		shown++
		b.WriteString(header)
		header = ""
		bold := ""
		if j.Outcome.Fails() {
			bold = "**"
		}
		row := "the files"
		if j.Row != "" {
			row = markdown.Code(j.Row)
		}
		if j.Why != "" {
			row += "<br>" + markdown.Escape(j.Why)
		}
		fmt.Fprintf(&b, "| %s%s%s | %s | %s | %s | %s | %s | %s | %s |\n", bold, j.Outcome, bold, row, markdown.Escape(j.Unit),
			optional(j.Base, j.scaled), optional(j.New, j.scaled), optional(j.Change, percent), optional(j.P, pValue), optional(j.Holm, pValue))
	}
	if left > 0 {
		fmt.Fprintf(&b, "\nand %d more\n", left)
	}
	fmt.Fprintf(&b, "\n%s\n", markdown.Escape(v.method()))
	_, err := io.WriteString(w, b.String())
	return err
}

// maxAnnotations is how many errors GitHub shows of one step.
const maxAnnotations = 10

// WriteAnnotations writes the verdict as workflow commands, which GitHub shows as annotations: an error for each failure, and
// for each reason why the input is unusable, a warning for each row that is new.
//
// The format is that of GitHub's documentation, "Workflow commands for GitHub Actions"; the escapes are those of its toolkit.
func (v *Verdict) WriteAnnotations(w io.Writer) error {
	type command struct{ level, title, text string }
	var errs, warnings []command
	for _, j := range v.Judgements {
		what := strings.TrimSpace(j.Unit + " " + string(j.Outcome))
		switch {
		case j.Outcome.Fails():
			errs = append(errs, command{"error", "gate: " + what, j.text()})
		case j.Outcome == New:
			warnings = append(warnings, command{"warning", "gate: " + what, j.text()})
		}
	}
	for _, why := range v.Unusable {
		errs = append(errs, command{"error", "gate: unusable input", why})
	}
	var b strings.Builder
	for _, list := range [][]command{errs, warnings} {
		if n := len(list); n > maxAnnotations {
			list = append(list[:maxAnnotations-1:maxAnnotations-1],
				command{list[0].level, "gate: more", fmt.Sprintf("and %d more, which the report lists", n-maxAnnotations+1)})
		}
		for _, c := range list {
			fmt.Fprintf(&b, "::%s title=%s::%s\n", c.level, escapeProperty.Replace(c.title), escapeData.Replace(c.text))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var (
	escapeData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	escapeProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// Headline is the verdict in a line.
func (v *Verdict) Headline() string {
	switch failed := len(v.Failures()); v.Status {
	case Pass:
		return "pass: nothing got worse, and nothing is missing"
	case Fail:
		return fmt.Sprintf("FAIL: %d %s", failed, plural(failed, "failure", "failures"))
	}
	return "UNUSABLE: this input can't be judged"
}

// method says what was judged.
func (v *Verdict) method() string {
	return fmt.Sprintf("%d %s of %s (Mann-Whitney, alpha %v after Holm's correction over all of them); changes of up to %s pass; %d better, %d new",
		v.Tests, plural(v.Tests, "test", "tests"), strings.Join(v.Units, ", "), v.Alpha, share(v.Threshold), v.count(Better), v.count(New))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// text is a judgement without its outcome, in a line: row, unit, change and p.
func (j *Judgement) text() string {
	var parts []string
	if j.Row != "" {
		parts = append(parts, j.Row)
	}
	if j.Base != nil && j.New != nil {
		s := fmt.Sprintf("%s %s to %s", j.Unit, j.scaled(*j.Base), j.scaled(*j.New))
		if j.Change != nil {
			s += ", " + percent(*j.Change)
		}
		if j.P != nil && j.Holm != nil {
			s += fmt.Sprintf(" (p=%s, after Holm's correction %s, n=%d+%d)", pValue(*j.P), pValue(*j.Holm), j.Samples[0], j.Samples[1])
		}
		parts = append(parts, s)
	}
	if j.Why != "" {
		parts = append(parts, j.Why)
	}
	return strings.Join(strings.Fields(strings.Join(parts, ": ")), " ")
}

// scaled writes a value as it is read, such as 14.71 ms, with the prefix that the other median has too.
func (j *Judgement) scaled(v float64) string {
	scale := chart.ScaleOf(j.Unit, v)
	if j.Base != nil && j.New != nil {
		scale = chart.ScaleOf(j.Unit, *j.Base, *j.New)
	}
	return strings.ReplaceAll(scale.Text(v), "\u00a0", " ")
}

func percent(v float64) string { return fmt.Sprintf("%+.2f%%", 100*v) }
func share(v float64) string   { return fmt.Sprintf("%.4g%%", 100*v) }
func pValue(v float64) string  { return fmt.Sprintf("%.2g", v) }

// optional writes a number that may be absent.
func optional(v *float64, format func(float64) string) string {
	if v == nil {
		return ""
	}
	return format(*v)
}
