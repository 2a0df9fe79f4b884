package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// writeLarge writes output of 10,000 rows, and returns its path.
func writeLarge(tb testing.TB, name string, samples int, scale float64) string {
	tb.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(len(name))))
	var text bytes.Buffer
	fmt.Fprintf(&text, "Engine: %s\nEndpoint: host\ngoos: linux\n", name)
	for range samples {
		for row := range 10_000 {
			fmt.Fprintf(&text, "BenchmarkEpoch/row=%d/loss=none-8\t1\t%d ns/op\t1 data-crc32\n", row, int64(scale*(1e9+3e7*rng.NormFloat64())))
		}
	}
	path := filepath.Join(tb.TempDir(), name+".txt")
	require.NoError(tb, os.WriteFile(path, text.Bytes(), 0o666))
	return path
}

// TestLarge compares 10,000 rows: all are in the text, and as many in the Markdown as a job's summary holds.
func TestLarge(t *testing.T) {
	base, to := writeLarge(t, "host", 4, 1), writeLarge(t, "gds", 4, 0.5)
	text, _ := report(t, nil, base, to)
	for _, want := range []string{"\nEpoch/row=0/loss=none\n", "\nEpoch/row=9999/loss=none\n", "and 9992 more rows"} { // of a warning that all have
		if !strings.Contains(text, want) {
			t.Errorf("the text of 10,000 rows lacks %q", want)
		}
	}
	markdown, _ := report(t, nil, "-markdown", base, to)
	if n := len(markdown); n > 1<<20 || n < 800<<10 {
		t.Errorf("%d bytes of Markdown, want what fits into 1 MiB", n)
	}
	for _, want := range []string{" more rows are left out.", "The metrics of "} {
		if !strings.Contains(markdown, want) {
			t.Errorf("the Markdown of 10,000 rows lacks %q", want)
		}
	}
}

func BenchmarkReport(b *testing.B) {
	base, to := writeLarge(b, "host", 10, 1), writeLarge(b, "gds", 10, 0.5)
	for _, form := range []string{"text", "json", "markdown"} {
		b.Run("rows=10000/form="+form, func(b *testing.B) {
			args := []string{base, to}
			if form != "text" {
				args = append([]string{"-" + form}, args...)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := run(b.Context(), args, io.Discard, io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
