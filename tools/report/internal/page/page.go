// Package page writes a report as a web page: one file that opens from disk, asks no server for anything, and can be read
// without JavaScript, in the dark, on a telephone and on paper.
package page

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"zarrbench/tools/report/internal/regions"
	"zarrbench/tools/report/internal/summary"
)

// Data is what a page shows. What is nil or empty has no section.
type Data struct {
	Report  *summary.Report
	Gate    *Gate
	History []Trend
	Traces  []Trace
	// Command is what reproduces the report, as one types it into a shell; of several lines where it needs them.
	Command string
}

// A Gate is the verdict on a comparison.
type Gate struct {
	Status   Status
	Text     string // the verdict in a sentence
	Verdicts []Verdict
}

// A Status is a verdict in a word.
type Status string

const (
	Passed   Status = "pass"
	Failed   Status = "fail"
	Unusable Status = "unusable" // not everything could be judged
)

// A Verdict is what the gate says of a row in a unit, or of a row that is missing.
type Verdict struct {
	Row, Unit string
	Failed    bool
	Change    float64 // new/base - 1 of the medians; NaN where there is none
	P         float64 // after correction; NaN where there is none
	Text      string  // what became of it: "worse", "missing"; and why
}

// A Trend is a row's medians in a unit, at commit after commit of one machine and engine.
type Trend struct {
	Where  string // the machine and engine; those of one place stand together
	Row    string // its key
	Unit   string
	Better summary.Better
	Points []Point // the oldest first
	Steps  []Step
}

// A Point is a median, and the interval that it lies in, at a commit.
type Point struct {
	Commit            string // its hash, whole or short
	Time              string // as it is shown: 2026-11-23
	Median, Low, High float64
	Samples           int
}

// A Step is a change that lasted.
type Step struct {
	At     int     // index of the first point after it
	Change float64 // new/old - 1 of the levels
	P      float64 // after correction; NaN where there was no test
}

// A Trace is where the time of a run went.
type Trace struct {
	Label string // of what, such as a side's label
	Sum   *regions.Sum
}

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

var page = template.Must(template.New("page").Parse(pageHTML))

// Write writes the page. The same data give the same bytes. Nothing that stands in a file of benchmark output, and so nothing of
// Data, becomes markup; and the page forbids its browser to run any script or use any style but its own, or to ask a server for
// anything.
func Write(w io.Writer, d Data) error {
	if d.Report == nil {
		return fmt.Errorf("page: there is no report")
	}
	v := newView(d)
	v.Style, v.Script = template.CSS(pageCSS), template.JS(pageJS)
	v.Policy = fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; img-src data:; base-uri 'none'; form-action 'none'", digest(pageJS), digest(pageCSS))
	out := bufio.NewWriterSize(w, 1<<16)
	if err := page.Execute(out, v); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return out.Flush()
}

// digest returns what a Content-Security-Policy calls a script or a style by.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
