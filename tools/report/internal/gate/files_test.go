package gate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/tools/report/internal/summary"
)

// What a gate is for, from the text of two files to the verdict.
func TestJudgeFiles(t *testing.T) {
	rows := func(seconds map[string]float64, crc int) string {
		var b strings.Builder
		b.WriteString("Unit data-crc32 assume=exact\nUnit samples/s better=higher\ncache: warm\nEngine: cpu\nEndpoint: host\n")
		for i := range 10 {
			for _, name := range []string{"a", "b", "c"} {
				if s := seconds[name] * (1 + 0.003*float64(i)); s > 0 {
					fmt.Fprintf(&b, "BenchmarkEpoch/row=%s/loss=mse-2\t1\t%.0f ns/op\t%.2f samples/s\t%d data-crc32\n", name, s*1e9, 32/s, crc)
				}
			}
		}
		return b.String()
	}
	base := rows(map[string]float64{"a": 1, "b": 2, "c": 3}, 7)
	for _, c := range []struct {
		name, text string
		units      []string
		status     Status
		want       string
	}{
		{"the same", base, nil, Pass, "same a sec/op; same b sec/op; same c sec/op"},
		{"slower", rows(map[string]float64{"a": 1, "b": 2.3, "c": 3}, 7), nil, Fail, "same a sec/op; worse b sec/op; same c sec/op"},
		{"by rate", rows(map[string]float64{"a": 0.5, "b": 2.3, "c": 3}, 7), []string{"samples/s"}, Fail, "better a samples/s; worse b samples/s; same c samples/s"},
		{"a row less", rows(map[string]float64{"a": 1, "c": 3}, 7), nil, Fail, "same a sec/op; missing b; same c sec/op"},
		{"other data", rows(map[string]float64{"a": 1, "b": 2, "c": 3}, 8), nil, Fail, "refused a; refused b; refused c"},
		{"another configuration", strings.Replace(base, "cache: warm", "cache: cold", 1), nil, Fail, "refused"}, // the files as a whole
	} {
		r, err := summary.New([]summary.Input{{Path: "base.txt", Text: []byte(base)}, {Path: "new.txt", Text: []byte(c.text)}}, summary.Options{})
		require.NoError(t, err)
		v := Judge(r, Options{Threshold: DefaultThreshold, Units: c.units})
		got := strings.NewReplacer("Epoch/row=", "", "/loss=mse", "").Replace(outcomes(v))
		if got != c.want || v.Status != c.status {
			t.Errorf("%s: %s: %s\nwant %s", c.name, v.Status, got, c.want)
		}
	}
}
