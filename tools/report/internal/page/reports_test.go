package page

import (
	"fmt"
	"math"
	"time"

	"zarrbench/tools/report/internal/regions"
	"zarrbench/tools/report/internal/summary"
)

// full returns data of which every section has something.
func full(r *summary.Report) Data {
	return Data{
		Report:  r,
		Command: "go test -bench=Epoch -benchtime=1x -count=10 -tags gds . -args -engine host -open epoch -store /data/era5.zarr > host.txt\ngo test -bench=Epoch -benchtime=1x -count=10 -tags gds . -args -engine gds -open epoch -store /data/era5.zarr > gds.txt\ngo run ./tools/report -html report.html host.txt gds.txt",
		Gate: &Gate{
			Status: Passed, Text: "1 row in sec/op: none got worse by more than 5 %.",
			Verdicts: []Verdict{{Row: r.Rows[0].Name, Unit: "sec/op", Change: -0.2598, P: 0.00001}, {Row: "Epoch/store=gone", Unit: "sec/op", Change: math.NaN(), P: math.NaN(), Text: "not expected"}},
		},
		Traces: []Trace{{Label: "host", Sum: &regions.Sum{Span: 17 * time.Second, Regions: []regions.Region{
			{Type: "decode", Count: 4392, Goroutines: 8, Total: 9 * time.Second, Self: 9 * time.Second},
			{Type: "place", Count: 4392, Goroutines: 8, Total: 3 * time.Second, Self: 3 * time.Second},
			{Type: "read", Count: 4392, Goroutines: 8, Total: 82 * time.Second, Self: 70 * time.Second},
			{Type: "step", Count: 23, Goroutines: 1, Total: 2 * time.Second, Self: 2 * time.Second},
			{Type: "wait", Count: 24, Goroutines: 1, Total: 14 * time.Second, Self: 14 * time.Second},
		}}}},
		History: history(40),
	}
}

// history returns two rows over so many commits; the first has a step.
func history(commits int) []Trend {
	const machine = "AMD EPYC, 2 CPUs, linux/amd64; cpu"
	fast := Trend{Where: machine, Row: "Epoch/store=raw/codec=none", Unit: "sec/op", Better: summary.Lower, Steps: []Step{{At: commits / 2, Change: -0.2, P: 0.0003}}}
	slow := Trend{Where: machine, Row: "Epoch/store=lz4/codec=blosc-lz4", Unit: "B/s", Better: summary.Higher}
	for i := range commits {
		noise := 1 + 0.01*math.Sin(float64(i*i))
		p := Point{Commit: fmt.Sprintf("%08x%032x", uint32(0x9e3779b9*(i+1)), i), Time: fmt.Sprintf("2026-10-%02d", i%30+1), Median: 0.4 * noise, Samples: 10}
		if i >= commits/2 {
			p.Median *= 0.8
		}
		p.Low, p.High = p.Median*0.99, p.Median*1.01
		fast.Points = append(fast.Points, p)
		if i%3 > 0 {
			p.Median, p.Low, p.High = 9e9*noise, 8.8e9, 9.2e9
			slow.Points = append(slow.Points, p)
		}
	}
	return []Trend{fast, slow}
}
