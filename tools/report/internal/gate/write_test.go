package gate

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/tools/report/internal/summary"
)

// written is what one of the writers writes.
func written(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, write(&b))
	return b.String()
}

// mixed is a verdict with every outcome that is written.
func mixed() *Verdict {
	r := report(
		timed("Epoch/store=raw/codec=none", around(1, 10), around(1.1, 10)),
		timed("Epoch/store=lz4", around(1, 10), around(0.8, 10)),
		timed("Epoch/odd|name`*", around(1, 10), nil),
		timed("Epoch/new", nil, around(1, 10)),
		timed("Epoch/few", around(1, 2), around(1, 2)),
		timed("Epoch/other", around(1, 10), around(1, 10)),
	)
	r.Refusals = []summary.Finding{{Kind: "data", Row: "Epoch/other", Text: "The data differ: 100% of it,\nsee data-crc32."}}
	return Judge(r, Options{Threshold: 0.05})
}

func TestWriteText(t *testing.T) {
	got := written(t, mixed().WriteText)
	want := `gate: FAIL: 3 failures
  worse: Epoch/store=raw/codec=none: sec/op 999.0 ms to 1098.9 ms, +10.00% (p=1.1e-05, after Holm's correction 3.2e-05, n=10+10)
  missing: Epoch/odd|name` + "`" + `*: base.txt has it, new.txt doesn't
  refused: Epoch/other: The data differ: 100% of it, see data-crc32.
  unusable: 1 of 3 tests have 2 and 2 samples, with which no change can be significant at 0.05 after the correction for all tests: take 5 or more on each side (make gate COUNT=5)
  better: Epoch/store=lz4: sec/op 999.0 ms to 799.2 ms, -20.00% (p=1.1e-05, after Holm's correction 3.2e-05, n=10+10)
  new: Epoch/new: base.txt doesn't have it
gate: 3 tests of sec/op (Mann-Whitney, alpha 0.05 after Holm's correction over all of them); changes of up to 5% pass; 1 better, 1 new
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got = written(t, Judge(report(timed("Epoch/a", around(1, 10), around(1, 10))), Options{}).WriteText)
	if want := "gate: pass: nothing got worse, and nothing is missing\ngate: 1 test of sec/op (Mann-Whitney, alpha 0.05 after Holm's correction over all of them); changes of up to 0% pass; 0 better, 0 new\n"; got != want {
		t.Errorf("a pass: got\n%s\nwant\n%s", got, want)
	}
	got = written(t, Judge(report(), Options{}).WriteText)
	if !strings.HasPrefix(got, "gate: UNUSABLE: this input can't be judged\n  unusable: no row of base.txt has the unit sec/op\n") {
		t.Errorf("unusable: got\n%s", got)
	}
}

func TestWriteMarkdown(t *testing.T) {
	got := written(t, mixed().WriteMarkdown)
	want := `### Gate: FAIL: 3 failures

> **Unusable:** 1 of 3 tests have 2 and 2 samples, with which no change can be significant at 0.05 after the correction for all tests: take 5 or more on each side (make gate COUNT=5)

| outcome | row | unit | base | new | change | p | p after Holm |
|---|---|---|--:|--:|--:|--:|--:|
| **worse** | ` + "`Epoch/store=raw/codec=none`" + ` | sec/op | 999.0 ms | 1098.9 ms | +10.00% | 1.1e-05 | 3.2e-05 |
| better | ` + "`Epoch/store=lz4`" + ` | sec/op | 999.0 ms | 799.2 ms | -20.00% | 1.1e-05 | 3.2e-05 |
| **missing** | ` + "`` Epoch/odd\\|name`* ``" + `<br>base.txt has it, new.txt doesn't |  |  |  |  |  |  |
| new | ` + "`Epoch/new`" + `<br>base.txt doesn't have it |  |  |  |  |  |  |
| **refused** | ` + "`Epoch/other`" + `<br>The data differ: 100% of it, see data-crc32. |  |  |  |  |  |  |

3 tests of sec/op (Mann-Whitney, alpha 0.05 after Holm's correction over all of them); changes of up to 5% pass; 1 better, 1 new
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWriteAnnotations(t *testing.T) {
	got := written(t, mixed().WriteAnnotations)
	want := `::error title=gate%3A sec/op worse::Epoch/store=raw/codec=none: sec/op 999.0 ms to 1098.9 ms, +10.00%25 (p=1.1e-05, after Holm's correction 3.2e-05, n=10+10)
::error title=gate%3A missing::Epoch/odd|name` + "`" + `*: base.txt has it, new.txt doesn't
::error title=gate%3A refused::Epoch/other: The data differ: 100%25 of it, see data-crc32.
::error title=gate%3A unusable input::1 of 3 tests have 2 and 2 samples, with which no change can be significant at 0.05 after the correction for all tests: take 5 or more on each side (make gate COUNT=5)
::warning title=gate%3A new::Epoch/new: base.txt doesn't have it
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got = written(t, (&Verdict{Status: Unusable, Unusable: []string{"50%: a,\r\nb"}}).WriteAnnotations)
	if want := "::error title=gate%3A unusable input::50%25: a,%0D%0Ab\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Of more failures than GitHub shows, those are written that it shows, and how many there are.
func TestManyAnnotations(t *testing.T) {
	for _, c := range []struct {
		rows, lines int
		last        string
	}{
		{10, 10, "::error title=gate%3A missing::Epoch/9: base.txt has it, new.txt doesn't"},
		{11, 10, "::error title=gate%3A more::and 2 more, which the report lists"},
		{501, 10, "::error title=gate%3A more::and 492 more, which the report lists"},
	} {
		v := &Verdict{Status: Fail}
		for i := range c.rows {
			v.Judgements = append(v.Judgements, Judgement{Row: fmt.Sprintf("Epoch/%d", i), Outcome: Missing, Why: "base.txt has it, new.txt doesn't"})
		}
		if table := written(t, v.WriteMarkdown); strings.Count(table, "**missing**") != min(c.rows, maxMarkdown) || strings.Contains(table, "\nand 1 more\n") != (c.rows == 501) {
			t.Errorf("%d rows in Markdown:\n%s", c.rows, table)
		}
		lines := strings.Split(strings.TrimSpace(written(t, v.WriteAnnotations)), "\n")
		if len(lines) != c.lines || lines[len(lines)-1] != c.last {
			t.Errorf("%d rows: %d lines, the last of them %s", c.rows, len(lines), lines[len(lines)-1])
		}
	}
}

// Whatever a row is called, an annotation is a line that says it, and that a workflow reads as it was meant.
func FuzzAnnotation(f *testing.F) {
	f.Add("Epoch/store=raw", "sec/op", "why")
	f.Add("100%, a:b", "x::y", "::error::z\r\n::warning::")
	f.Fuzz(func(t *testing.T, row, unit, why string) {
		j := Judgement{Row: row, Unit: unit, Outcome: Refused, Why: why}
		v := &Verdict{Status: Fail, Unusable: []string{why}, Judgements: []Judgement{j}}
		lines := strings.SplitAfter(written(t, v.WriteAnnotations), "\n")
		if len(lines) != 3 || lines[2] != "" {
			t.Fatalf("%q: want 2 lines", lines)
		}
		decode := strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",")
		for i, want := range []string{j.text(), why} {
			rest, ok := strings.CutPrefix(lines[i], "::error title=")
			title, text, found := strings.Cut(rest, "::")
			if !ok || !found || strings.ContainsAny(title, ":,\r") || decode.Replace(strings.TrimSuffix(text, "\n")) != want {
				t.Errorf("%q: want an error with the text %q", lines[i], want)
			}
		}
	})
}

// Programs read the verdict by these names.
func TestVerdictJSON(t *testing.T) {
	text, err := json.Marshal(mixed())
	require.NoError(t, err)
	var v struct {
		Status     string
		Alpha      float64
		Threshold  float64
		Units      []string
		Tests      int
		Unusable   []string
		Judgements []map[string]any
	}
	require.NoError(t, json.Unmarshal(text, &v))
	if v.Status != "fail" || v.Alpha != 0.05 || v.Threshold != 0.05 || v.Tests != 3 || len(v.Unusable) != 1 || len(v.Judgements) != 6 {
		t.Errorf("verdict %+v", v)
	}
	worse := v.Judgements[0]
	for _, key := range []string{"base", "new", "change", "p", "p_holm", "samples"} {
		if worse[key] == nil {
			t.Errorf("%v has no %s", worse, key)
		}
	}
	if worse["row"] != "Epoch/store=raw/codec=none" || worse["unit"] != "sec/op" || worse["outcome"] != "worse" {
		t.Errorf("the first judgement is %v", worse)
	}
}
