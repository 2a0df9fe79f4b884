package harness

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"zarrbench/zarrio/loader"
)

var badFlag = flag.String("bad", "error", "chunks whose data are damaged: error; or nan, which has NaN in their place and lists them")

// badMode returns the value of -bad, which checkFlags has checked.
func badMode() loader.Bad {
	mode, _ := loader.ParseBad(*badFlag)
	return mode
}

// maxBadLine is how many bad chunks a row's line describes.
const maxBadLine = 3

// addBad adds the row's line about the bad chunks of an epoch, if they become NaN.
func addBad(bad loader.BadChunks, row string, lines *deferredLines) {
	if badMode() != loader.BadNaN {
		return
	}
	text := "no chunks"
	if bad.Count > 0 {
		var list []string
		for _, c := range bad.First[:min(len(bad.First), maxBadLine)] {
			list = append(list, c.String())
		}
		if bad.Count > len(list) {
			list = append(list, "...")
		}
		unit := "chunks"
		if bad.Count == 1 {
			unit = "chunk"
		}
		text = fmt.Sprintf("%d %s: %s", bad.Count, unit, strings.Join(list, "; "))
	}
	lines.add("Bad: %s: %s", row, text)
}

// reportBad reports how often one of n epochs read a bad chunk, if they become NaN.
func reportBad(b *testing.B, chunks int64, n float64) {
	if badMode() == loader.BadNaN {
		b.ReportMetric(float64(chunks)/n, "bad/op")
	}
}
