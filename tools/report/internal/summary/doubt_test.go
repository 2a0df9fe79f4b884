package summary_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/tools/report/internal/summary"
)

// A measured is a file of six epochs.
type measured struct {
	head                  string
	seconds, ceiling, cpu float64 // of the first epoch; each of the others takes 1 % more
}

func (m measured) text() []byte {
	var b strings.Builder
	b.WriteString("Unit ceiling-% better=higher\nUnit ceiling-sec better=lower\nUnit cpu-sec/op better=lower\n" + m.head + "\n")
	for i := range 6 {
		v := m.seconds * (1 + 0.01*float64(i))
		fmt.Fprintf(&b, "BenchmarkEpoch/a\t1\t%.0f ns/op\t%.4g ceiling-sec\t%.4g ceiling-%%\t%.4g cpu-sec/op\t1 data-crc32\n",
			1e9*v, m.ceiling, 100*m.ceiling/v, m.cpu*(1+0.01*float64(i)))
	}
	return []byte(b.String())
}

// TestUnjudged holds that nothing is called better or worse that the warnings take back.
func TestUnjudged(t *testing.T) {
	const buffered = "cache: warm\nEngine: cpu (4 workers, buffered, go1.26)"
	const direct = "cache: warm\nEngine: cpu (4 workers, direct, go1.26)"
	for _, tt := range []struct {
		name     string
		base, to measured
		doubt    string
		unjudged string // units
	}{
		{"alike", measured{buffered, 2, 1, 3}, measured{buffered, 1.5, 1, 2}, "", ""},
		{"another ceiling", measured{buffered, 2, 1, 3}, measured{buffered, 1.5, 0.9, 2}, "", "ceiling-%"},
		{"a better share of a slower ceiling", measured{buffered, 1, 0.3, 3}, measured{buffered, 3.7, 3, 2}, "", "ceiling-%"},
		{"memory and disk", measured{buffered, 1, 0.3, 3}, measured{direct, 3.7, 3, 2}, "a read from memory, b from the disk",
			"sec/op ceiling-sec ceiling-% cpu-sec/op data-crc32"},
		{"disk and memory", measured{direct, 3.7, 3, 2}, measured{buffered, 1, 0.3, 3}, "b read from memory, a from the disk",
			"sec/op ceiling-sec ceiling-% cpu-sec/op data-crc32"},
		{"machines", measured{"Machine: x", 2, 1, 3}, measured{"Machine: y", 1.5, 1, 2}, "the machines differ",
			"sec/op ceiling-sec ceiling-% cpu-sec/op data-crc32"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := summary.New([]summary.Input{{Path: "a.txt", Text: tt.base.text()}, {Path: "b.txt", Text: tt.to.text()}}, summary.Options{})
			require.NoError(t, err)
			require.Len(t, r.Rows, 1)
			row := &r.Rows[0]
			require.Equal(t, tt.doubt, row.Doubt)
			var unjudged []string
			for _, u := range row.Units {
				if u.Change.Unjudged {
					unjudged = append(unjudged, u.Name)
				}
			}
			require.Equal(t, tt.unjudged, strings.Join(unjudged, " "))
			if tt.doubt != "" {
				require.Contains(t, r.Sentences[0].Text, ", but "+tt.doubt)
			}
		})
	}
}

func TestFacts(t *testing.T) {
	row := "BenchmarkX 1 5 ns/op\n"
	r, err := summary.New([]summary.Input{
		{Path: "a.txt", Text: []byte("Store: s = /s\nStore: t = /t\nMachine: m\nEngine: cpu\nDate: 2026-11-30T22:15:00Z\nsteps: 4\ncache: warm\n" + row + "Date: 2026-11-30T20:59:30Z\n" + row)},
		{Path: "b.txt", Text: []byte("Store: s = /s\nStore: t = /t\nMachine: m\nEngine: gds\nDate: 2026-12-01T01:15:00+02:00\nCommit: abc\nsteps: 4\ncache: warm\n" + row)},
	}, summary.Options{})
	require.NoError(t, err)
	require.Equal(t, []summary.Fact{
		{Key: "Date", Values: []string{"2026-11-30 20:59 to 22:15 UTC", "2026-11-30 23:15 UTC"}},
		{Key: "Store", Values: []string{"s = /s; t = /t"}},
		{Key: "Machine", Values: []string{"m"}},
		{Key: "Engine", Values: []string{"cpu", "gds"}},
		{Key: "Commit", Values: []string{"", "abc"}},
		{Key: "Config", Values: []string{"steps: 4, cache: warm"}},
	}, r.Facts())
	require.Equal(t, time.Date(2026, 11, 30, 20, 59, 30, 0, time.UTC), r.Files[0].First)
	require.Equal(t, "abc", r.Files[1].Commit())
	require.Empty(t, r.Files[0].Commit())
}
