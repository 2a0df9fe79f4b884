// Package reporttest makes reports for tests of what is made from reports.
package reporttest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"zarrbench/tools/report/internal/summary"
)

// host and gds are samples with the medians, means and deviations of the study: 16.0240, 15.9295 ± 0.3761; 11.8606, 12.1578 ±
// 0.8311.
var (
	host = []float64{16.2705, 16.6551, 15.5948, 15.5583, 15.6821, 16.0448, 15.4038, 16.0226, 16.0254, 16.0379}
	gds  = []float64{13.6266, 13.3522, 11.8267, 11.6911, 10.9083, 12.3445, 11.5494, 11.8297, 11.8915, 12.5581}
)

// The study's epoch.
const (
	epochBytes   = 18_239_800_320
	epochSamples = 732
)

// Side returns samples with their statistics. The interval is that of the sign test for ten samples, the second and the ninth;
// with fewer there is none.
func Side(samples ...float64) *summary.Side {
	s := &summary.Side{Samples: samples}
	sorted := slices.Sorted(slices.Values(samples))
	n := len(sorted)
	for _, v := range samples {
		s.Total += v
	}
	s.Median = (sorted[(n-1)/2] + sorted[n/2]) / 2
	s.Mean = s.Total / float64(n)
	for _, v := range samples {
		s.StdDev += (v - s.Mean) * (v - s.Mean)
	}
	if n > 1 {
		s.StdDev = math.Sqrt(s.StdDev / float64(n-1))
	}
	s.Low, s.High = sorted[0], sorted[n-1]
	if n >= 10 {
		s.Low, s.High, s.Confidence = sorted[1], sorted[n-2], 0.9785
	}
	return s
}

// Exact returns samples of an exact unit.
func Exact(raw ...string) *summary.Side {
	samples := make([]float64, len(raw))
	for i := range raw {
		fmt.Sscan(raw[i], &samples[i])
	}
	s := Side(samples...)
	s.Raw = raw
	return s
}

// Unit returns a unit of one side or two, compared where there are two.
func Unit(name string, better summary.Better, sides ...*summary.Side) summary.Unit {
	u := summary.Unit{Name: name, Better: better, Sides: sides}
	u.Exact = slices.ContainsFunc(sides, func(s *summary.Side) bool { return s != nil && s.Raw != nil })
	if u.Exact || len(sides) != 2 || sides[0] == nil || sides[1] == nil {
		return u
	}
	c := &summary.Change{Ratio: sides[1].Median/sides[0].Median - 1, P: 0.481}
	if sides[0].High < sides[1].Low || sides[1].High < sides[0].Low {
		c.P, c.Significant = 0.000011, true
	}
	c.Worse = better == summary.Lower && c.Ratio > 0 || better == summary.Higher && c.Ratio < 0
	u.Change = c
	return u
}

// Study returns a report with the study's figures, and with such other units as a run of BenchmarkEpoch has.
func Study() *summary.Report {
	r := files("host", "gds")
	r.Rows = []summary.Row{epoch("Epoch/store=era5/codec=none/chunk=1x721x1440/batch=32/loss=mse", host, gds)}
	r.Sentences = []summary.Sentence{{Row: r.Rows[0].Key(), Text: "gds uses 25.98% less time than host"}}
	return r
}

// One returns a report of one file with a row.
func One() *summary.Report {
	r := files("cpu")
	r.Rows = []summary.Row{epoch("Epoch/store=era5/codec=none/chunk=1x721x1440/batch=32/loss=mse", host)}
	return r
}

// Single returns a report of one file with one sample.
func Single() *summary.Report {
	r := files("cpu")
	r.Rows = []summary.Row{epoch("Epoch/store=raw/codec=none/chunk=1x721x1440/batch=32/loss=mse", host[:1])}
	r.Warnings = []summary.Finding{{Kind: "samples", Text: "1 sample has no spread: run with -count 10."}}
	return r
}

const emulated = "gds ran on an emulated GPU, whose times mean nothing"

// Unequal returns a report of two files whose rows and configuration differ in part, with refusals and warnings.
func Unequal() *summary.Report {
	r := files("cpu", "gds")
	slow := make([]float64, len(gds))
	for i := range slow {
		slow[i] = gds[i] / 300
	}
	r.Rows = []summary.Row{
		epoch("Epoch/store=raw/codec=none/chunk=1x721x1440/batch=32/loss=mse", host, gds),
		epoch("Epoch/store=lz4/codec=blosc-lz4/chunk=1x721x1440/batch=32/loss=mse", slow, nil),
		epoch("Epoch/store=shard/codec=blosc-lz4/chunk=1x721x1440/shard=8x721x1440/batch=32/loss=mse", nil, slow),
		epoch("Epoch/store=raw/codec=none/chunk=1x721x1440/batch=32/loss=mse", slow, host[:3]),
	}
	r.Rows[0].Config = []summary.Line{{Key: "cache", Value: "warm"}}
	r.Rows[1].Config = []summary.Line{{Key: "cache", Value: "warm"}}
	r.Rows[2].Config = []summary.Line{{Key: "cache", Value: "warm"}}
	r.Rows[3].Config = []summary.Line{{Key: "cache", Value: "cold"}}
	for i := range r.Rows[3].Units {
		r.Rows[3].Units[i].Change = nil
	}
	r.Sentences = []summary.Sentence{{Row: r.Rows[0].Key(), Text: "gds uses 25.98% less time than cpu, but " + emulated}}
	r.Rows[0].Doubt = emulated
	for i := range r.Rows[0].Units {
		if c := r.Rows[0].Units[i].Change; c != nil {
			c.Unjudged = true
		}
	}
	r.Refusals = []summary.Finding{{Kind: "data", Row: r.Rows[3].Key(), Text: "The sides read other data (data-crc32 1980415575 and 77): give both the same -store."}}
	r.Warnings = []summary.Finding{
		{Kind: "emulated", Text: "gds ran on an emulated GPU: its timings mean nothing."},
		{Kind: "samples", Row: r.Rows[3].Key(), Text: "3 samples are too few for an interval: run with -count 10."},
		{Kind: "missing", Row: r.Rows[1].Key(), Text: "gds doesn't have this row."},
	}
	r.Files[1].Notes = append(r.Files[1].Notes, summary.Line{Key: "Note", Value: "emulated: timings mean nothing"})
	return r
}

// Workers returns a report of BenchmarkRead's rows: two stores by 1, 2, 4 and 8 workers.
func Workers() *summary.Report {
	r := files("cpu")
	rng := rand.New(rand.NewPCG(1, 2))
	for _, store := range []string{"raw/codec=none", "lz4/codec=blosc-lz4"} {
		for _, workers := range []int{1, 2, 4, 8} {
			samples := make([]float64, 10)
			for i := range samples {
				samples[i] = 8 / math.Pow(float64(workers), 0.8) * (1 + 0.05*rng.Float64())
			}
			name := fmt.Sprintf("Read/store=%s/chunk=1x721x1440/batch=32/io=buffered/workers=%d", store, workers)
			r.Rows = append(r.Rows, epoch(name, samples))
		}
	}
	return r
}

// Many returns a report of n rows on two sides, of which each seventh changed.
func Many(n int) *summary.Report {
	r := files("base", "new")
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	for i := range n {
		var sides [2][]float64
		for side := range sides {
			for range 10 {
				v := (0.02 + 0.001*float64(i%50)) * (1 + 0.03*rng.NormFloat64())
				if side == 1 && i%7 == 3 {
					v *= 1.2 + 0.001*float64(i%100)
				}
				sides[side] = append(sides[side], v)
			}
		}
		r.Rows = append(r.Rows, epoch(fmt.Sprintf("Epoch/store=s%04d/codec=zstd/chunk=1x721x1440/batch=32/loss=mse", i), sides[0], sides[1]))
	}
	return r
}

func files(labels ...string) *summary.Report {
	r := &summary.Report{Alpha: 0.05, Conf: 0.95}
	for i, label := range labels {
		f := summary.File{
			Path:  label + ".txt",
			Label: label,
			First: time.Date(2026, 11, 30, 20, 59, 0, 0, time.UTC),
			Last:  time.Date(2026, 11, 30, 21, 4, 0, 0, time.UTC),
			Notes: []summary.Line{
				{Key: "Store", Value: "era5 = /data/era5.zarr"},
				{Key: "Engine", Value: label + " (8 workers)"},
				{Key: "Codecs", Value: "zstd: libzstd 1.5.4; gzip, zlib: libdeflate"},
				{Key: "Endpoint", Value: "device"},
				{Key: "Machine", Value: "AMD EPYC, 2 CPUs, GOMAXPROCS 2, linux/amd64"},
			},
			Config: []summary.Line{
				{Key: "data", Value: "era5"}, {Key: "steps", Value: "1464"}, {Key: "cache", Value: "cold"}, {Key: "open", Value: "epoch"},
				{Key: "goos", Value: "linux"}, {Key: "goarch", Value: "amd64"}, {Key: "pkg", Value: "zarrbench"}, {Key: "cpu", Value: "AMD EPYC"},
			},
			Text: []byte("Engine: " + label + " (8 workers)\ndata: era5\nPASS\n"),
		}
		if i == 1 {
			f.Notes = append(f.Notes, summary.Line{Key: "GDS", Value: "NVIDIA RTX A2000, CUDA 12.9, cuFile 1.20; era5 on ext4, /dev/nvme0n1"})
		}
		r.Files = append(r.Files, f)
	}
	return r
}

// epoch returns a row with the units of BenchmarkEpoch, made from the seconds of each side's epochs; nil is a side that doesn't
// have the row.
func epoch(name string, seconds ...[]float64) summary.Row {
	each := func(f func(side int, v float64) float64) []*summary.Side {
		sides := make([]*summary.Side, len(seconds))
		for i, s := range seconds {
			if s == nil {
				continue
			}
			values := make([]float64, len(s))
			for n, v := range s {
				values[n] = f(i, v)
			}
			sides[i] = Side(values...)
		}
		return sides
	}
	raw := func(text string) []*summary.Side {
		sides := make([]*summary.Side, len(seconds))
		for i, s := range seconds {
			if s != nil {
				sides[i] = Exact(slices.Repeat([]string{text}, len(s))...)
			}
		}
		return sides
	}
	ceiling := []float64{6.2, 5.9}
	return summary.Row{Name: name, Units: []summary.Unit{
		Unit("sec/op", summary.Lower, each(func(_ int, v float64) float64 { return v })...),
		Unit("B/s", summary.Higher, each(func(_ int, v float64) float64 { return epochBytes / v })...),
		Unit("samples/s", summary.Higher, each(func(_ int, v float64) float64 { return epochSamples / v })...),
		Unit("cpu-sec/op", summary.Lower, each(func(i int, v float64) float64 { return v * []float64{1.6, 0.35}[i] })...),
		Unit("stall-%", summary.Lower, each(func(i int, v float64) float64 { return []float64{55, 31}[i] + math.Mod(v, 1) })...),
		Unit("ceiling-sec", summary.Lower, each(func(i int, v float64) float64 { return ceiling[i] * (1 + math.Mod(v, 0.01)) })...),
		Unit("ceiling-%", summary.Higher, each(func(i int, v float64) float64 { return 100 * ceiling[i] / v })...),
		Unit("first-batch-sec", summary.Lower, each(func(_ int, v float64) float64 { return v / 20 })...),
		Unit("peak-RSS-bytes", summary.Lower, each(func(_ int, v float64) float64 { return 700e6 + 1e6*math.Floor(v) })...),
		Unit("read-B/op", summary.Neither, raw("18239800320")...),
		Unit("data-crc32", summary.Neither, raw("1980415575")...),
		Unit("loss", summary.Neither, raw("103945")...),
	}}
}
