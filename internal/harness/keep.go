package harness

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
)

// byteUnits are the units of a number of bytes, and their powers of two.
var byteUnits = []struct {
	name  string
	shift int
}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}

// parseKeep parses the value of -keep as engines take it.
func parseKeep(s string) (int64, error) {
	if s == "auto" {
		return engine.KeepAuto, nil
	}
	number, shift := s, 0
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(s, u.name); ok {
			number, shift = strings.TrimSpace(n), u.shift
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > 1<<62>>shift {
		return 0, fmt.Errorf("-keep %s: want auto, 0, or a number of bytes such as 2GiB", s)
	}
	return n << shift, nil
}

// keeps reports whether decoded chunks are cached across epochs.
func keeps() bool { return *keepFlag != "0" }

// reportKept reports what the cache of decoded chunks did in n epochs.
func reportKept(b *testing.B, s meta.Stats, n float64) {
	if keeps() {
		b.ReportMetric(float64(s.Reused)/n, "reused/op")
		b.ReportMetric(float64(s.Evicted)/n, "evicted/op")
		b.ReportMetric(float64(s.KeptBytes), "kept-bytes")
	}
}

// footprint returns how much memory a row takes, for its line in the results.
func footprint(l *loader.Loader) string {
	f := l.Footprint()
	where := ""
	if f.OnDevice {
		where = " on the GPU"
	}
	return fmt.Sprintf("%d batches of %s%s, workers' buffers up to %s, cached chunks up to %s, tables up to %s",
		l.Slots(), size(l.BatchBytes()), where, size(f.Workers), size(f.Kept), size(f.Tables))
}

// size formats n bytes in the largest unit that is no more than n.
func size(n int64) string {
	text := fmt.Sprintf("%d B", n)
	for _, u := range byteUnits {
		if n>>u.shift > 0 {
			text = fmt.Sprintf("%.1f %s", float64(n)/float64(int64(1)<<u.shift), u.name)
		}
	}
	return text
}
