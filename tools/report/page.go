package main

import (
	"math"
	"strings"

	"zarrbench/tools/report/internal/gate"
	"zarrbench/tools/report/internal/history"
	"zarrbench/tools/report/internal/page"
)

// page is what the web page shows.
func (r *result) page(c *command) page.Data {
	d := page.Data{Report: r.report, Traces: r.traces, Command: c.again()}
	if r.verdict != nil {
		d.Gate = pageGate(r.verdict)
	}
	if r.history != nil {
		for i := range r.history.Series {
			d.History = append(d.History, pageTrend(&r.history.Series[i]))
		}
	}
	return d
}

func pageGate(v *gate.Verdict) *page.Gate {
	_, text, _ := strings.Cut(v.Headline(), ": ") // the page has a word of its own for the status
	g := &page.Gate{Status: page.Status(v.Status), Text: text}
	for _, j := range v.Judgements {
		text := string(j.Outcome)
		if j.Why != "" {
			text += ": " + j.Why
		}
		g.Verdicts = append(g.Verdicts, page.Verdict{Row: j.Row, Unit: j.Unit, Failed: j.Outcome.Fails(), Change: orNaN(j.Change), P: orNaN(j.Holm), Text: text})
	}
	return g
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func pageTrend(s *history.Series) page.Trend {
	t := page.Trend{Where: strings.TrimSuffix(s.Machine+", "+s.Engine, ", "), Row: s.Row, Unit: s.Unit, Better: s.Better}
	for _, l := range s.Config {
		t.Row += " " + l.Key + ":" + l.Value
	}
	for _, p := range s.Points {
		t.Points = append(t.Points, page.Point{Commit: p.Commit, Time: p.Time.Format("2006-01-02"), Median: p.Median, Low: p.Low, High: p.High, Samples: p.Samples})
	}
	for _, p := range s.Steps {
		step := page.Step{At: p.At, Change: p.New/p.Old - 1, P: p.Corrected}
		if p.P == 0 { // an exact unit, which is not tested
			step.P = math.NaN()
		}
		t.Steps = append(t.Steps, step)
	}
	return t
}
