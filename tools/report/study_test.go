package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/golden"
	"zarrbench/tools/report/internal/summary"
)

// studyFigures are what the study published of ten epochs, in seconds: the median, the mean, here with the digits that the total
// has besides, and the standard deviation (ddof 1). The epochs themselves it did not publish.
type studyFigures struct{ median, mean, deviation float64 }

var study = map[string]studyFigures{
	"host": {16.0240, 15.92952, 0.3761},
	"gds":  {11.8606, 12.15782, 0.8311},
}

// The samples below and above the two in the middle, as multiples of distances that are solved for, and the order in which they
// stand in the file.
var (
	studyBelow  = []float64{0.3, 0.6, 0.8, 1.0}
	studyAbove  = []float64{0.1, 0.2, 0.5, 1.0}
	studyMiddle = 0.01 // seconds between the median and the two beside it
	studyOrder  = []int{9, 4, 7, 0, 5, 2, 8, 3, 6, 1}
)

// studyEpochs returns ten times in nanoseconds that have the figures. Below the median they are at m - a*studyBelow, above at m +
// b*studyAbove, and the two in the middle beside m: the mean gives b as a linear function of a, and the deviation a quadratic
// equation in a.
func studyEpochs(f studyFigures) ([]int64, error) {
	const n = 10
	sum := func(list []float64, power float64) (s float64) {
		for _, v := range list {
			s += math.Pow(v, power)
		}
		return s
	}
	p1, p2, q1, q2 := sum(studyBelow, 1), sum(studyBelow, 2), sum(studyAbove, 1), sum(studyAbove, 2)
	// With d the mean less the median: b*q1 - a*p1 = n*d, and the squared distances from the median are those from the mean plus
	// n*d².
	d := f.mean - f.median
	squares := (n-1)*f.deviation*f.deviation + n*d*d - 2*studyMiddle*studyMiddle
	k0, k1 := n*d/q1, p1/q1 // b = k0 + k1*a
	qa, qb, qc := p2+k1*k1*q2, 2*k0*k1*q2, k0*k0*q2-squares
	a := (-qb + math.Sqrt(qb*qb-4*qa*qc)) / (2 * qa)
	b := k0 + k1*a
	if !(a*studyBelow[0] > studyMiddle && b*studyAbove[0] > studyMiddle) {
		return nil, fmt.Errorf("no samples have these figures: a is %v, b is %v", a, b)
	}
	sorted := []float64{f.median - studyMiddle, f.median + studyMiddle}
	for i := range studyBelow {
		sorted = append(sorted, f.median-a*studyBelow[i], f.median+b*studyAbove[i])
	}
	slices.Sort(sorted)
	epochs := make([]int64, n)
	for i, k := range studyOrder {
		epochs[i] = int64(math.Round(1e9 * sorted[k]))
	}
	return epochs, nil
}

// studyText is the benchmark output that epochs would have given: 732 samples of two steps, of three fields each.
func studyText(engine string, epochs []int64) string {
	var text strings.Builder
	fmt.Fprintf(&text, `Unit samples/s better=higher
Unit data-crc32 assume=exact
Unit loss assume=exact
Note: made from the study's median, mean and deviation: its epochs were not published, and nothing was measured
data: study
steps: 1464
cache: warm
open: epoch
Engine: %s
Endpoint: device
goos: linux
goarch: amd64
pkg: zarrbench
`, engine)
	const samples = 732
	const bytes = samples * 2 * 3 * 721 * 1440 * 4
	for _, ns := range epochs {
		seconds := float64(ns) / 1e9
		fmt.Fprintf(&text, "BenchmarkEpoch/store=raw/codec=none/chunk=1x721x1440/batch=32/loss=mse-8\t1\t%d ns/op\t%.2f MB/s\t0 data-crc32\t0 loss\t%.4g samples/s\n",
			ns, bytes/seconds/1e6, samples/seconds)
	}
	text.WriteString("PASS\n")
	return text.String()
}

// TestStudy makes samples with the study's figures, and holds that the report gives these figures and the study's sentence back.
func TestStudy(t *testing.T) {
	for engine, f := range study {
		epochs, err := studyEpochs(f)
		if err != nil {
			t.Fatalf("%s: %v", engine, err)
		}
		golden.Compare(t, "study/"+engine+".txt", studyText(engine, epochs))
	}

	files := []string{"testdata/study/host.txt", "testdata/study/gds.txt"}
	text, _ := report(t, nil, files...)
	golden.Compare(t, "study.golden", text)
	markdown, _ := report(t, nil, append([]string{"-markdown"}, files...)...)
	golden.Compare(t, "study.golden.md", markdown)
	for _, want := range []string{
		"gds uses 25.98% less time than host\n",
		"Total: 159.2952 seconds, Median: 16.0240 seconds/epoch, Mean: 15.9295 ± 0.3761 seconds/epoch, Rate: 1.138 GB/s",
		"Total: 121.5782 seconds, Median: 11.8606 seconds/epoch, Mean: 12.1578 ± 0.8311 seconds/epoch, Rate: 1.538 GB/s",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}

	document, _ := report(t, nil, append([]string{"-json"}, files...)...)
	var rep summary.Report
	require.NoError(t, json.Unmarshal([]byte(document), &rep))
	if got := rep.Sentences[0].Text; got != "gds uses 25.98% less time than host" || len(rep.Sentences) != 1 {
		t.Errorf("sentence %q", got)
	}
	u := rep.Rows[0].Unit("sec/op")
	for i, s := range u.Sides {
		want := study[rep.Files[i].Label]
		if math.Abs(s.Median-want.median) > 1e-8 || math.Abs(s.Mean-want.mean) > 1e-8 || math.Abs(s.StdDev-want.deviation) > 1e-8 || len(s.Samples) != 10 {
			t.Errorf("%s: %d samples, median %v, mean %v, deviation %v, want 10 and %v", rep.Files[i].Label, len(s.Samples), s.Median, s.Mean, s.StdDev, want)
		}
	}
	if !u.Change.Significant || u.Change.Worse || fmt.Sprintf("%.4f", u.Change.Ratio) != "-0.2598" {
		t.Errorf("the change is %+v", u.Change)
	}
}
