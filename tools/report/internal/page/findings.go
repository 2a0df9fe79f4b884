package page

import (
	"fmt"
	"math"
	"slices"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/summary"
)

// openFindings is how many findings are shown without being asked for, closedFindings how many of the others with.
const (
	openFindings   = 6
	closedFindings = 200
)

// maxFindingRows is how many rows are named beneath a finding that several have.
const maxFindingRows = 5

// findings are reasons to refuse or to doubt, those with the same text as one.
type findings struct {
	Open, Closed []finding
	More         string // what the closed ones are behind
	Left         string // how many are left out
}

type finding struct {
	Text string
	Rows []string
	More string // how many rows are not named
}

// newFindings returns what a report found; nil for nothing.
func newFindings(all []summary.Finding) *findings {
	if len(all) == 0 {
		return nil
	}
	var texts []string
	rows := map[string][]string{}
	for _, f := range all {
		if _, ok := rows[f.Text]; !ok {
			texts = append(texts, f.Text)
		}
		if f.Row == "" {
			rows[f.Text] = append(rows[f.Text], "") // of the files as a whole
		} else {
			rows[f.Text] = append(rows[f.Text], chart.Printable(f.Row))
		}
	}
	v := new(findings)
	for i, text := range texts {
		named := slices.DeleteFunc(rows[text], func(row string) bool { return row == "" })
		f := finding{Text: text, Rows: named}
		if n := len(named) - maxFindingRows; n > 0 {
			f.Rows, f.More = named[:maxFindingRows], fmt.Sprintf("and %s", plural(n, "more row"))
		}
		switch {
		case i < openFindings:
			v.Open = append(v.Open, f)
		case i < openFindings+closedFindings:
			v.Closed = append(v.Closed, f)
		}
	}
	v.More = fmt.Sprintf("%d more", len(v.Closed))
	if n := len(texts) - openFindings - closedFindings; n > 0 {
		v.Left = fmt.Sprintf("%d further ones are left out here.", n)
	}
	return v
}

// A gateView is the gate's verdict.
type gateView struct {
	Title, Class, Text string
	Verdicts           []verdictView
	Cap                string
}

type verdictView struct {
	Row, Unit, Text string
	Failed          bool
	Change, P       string
}

func newGate(g *Gate) *gateView {
	if g == nil {
		return nil
	}
	v := &gateView{Title: "The gate can't judge this", Class: "warn", Text: g.Text}
	switch g.Status {
	case Passed:
		v.Title, v.Class = "The gate is passed", "pass"
	case Failed:
		v.Title, v.Class = "The gate is not passed", "refuse"
	}
	for _, d := range g.Verdicts {
		if len(v.Verdicts) == maxLines {
			v.Cap = plural(len(g.Verdicts)-maxLines, "more verdict") + " are left out here."
			break
		}
		line := verdictView{Row: chart.Printable(d.Row), Unit: chart.Printable(d.Unit), Text: d.Text, Failed: d.Failed}
		if !math.IsNaN(d.Change) {
			line.Change = chart.Percent(d.Change)
		}
		if !math.IsNaN(d.P) {
			line.P = pText(d.P)
		}
		v.Verdicts = append(v.Verdicts, line)
	}
	return v
}
