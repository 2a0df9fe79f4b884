package loader_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/loader"
)

func TestStep(t *testing.T) {
	for _, tt := range []struct {
		json, text string
		want       loader.Step
	}{
		{`2`, "2", loader.Step{N: 2}},
		{`-1`, "-1", loader.Step{N: -1}},
		{`"-1"`, "-1", loader.Step{N: -1}},
		{`"+3"`, "3", loader.Step{N: 3}},
		{`"-6h"`, "-6h", loader.Step{Time: -6 * time.Hour, ByTime: true}},
		{`"0h"`, "0h", loader.Step{ByTime: true}},
		{`"1d"`, "24h", loader.Step{Time: 24 * time.Hour, ByTime: true}},
		{`"-10d"`, "-240h", loader.Step{Time: -240 * time.Hour, ByTime: true}},
		{`"1d12h30m"`, "2190m", loader.Step{Time: 36*time.Hour + 30*time.Minute, ByTime: true}},
		{`"1.5h"`, "90m", loader.Step{Time: 90 * time.Minute, ByTime: true}},
		{`"1ms"`, "1ms", loader.Step{Time: time.Millisecond, ByTime: true}},
	} {
		t.Run(tt.json, func(t *testing.T) {
			var s loader.Step
			require.NoError(t, json.Unmarshal([]byte(tt.json), &s))
			require.Equal(t, tt.want, s)
			require.Equal(t, tt.text, s.String())
			doc, err := json.Marshal(s)
			require.NoError(t, err)
			var again loader.Step
			require.NoError(t, json.Unmarshal(doc, &again))
			require.Equal(t, s, again)
		})
	}
	for _, bad := range []string{`""`, `"h"`, `"6"x`, `2.5`, `1e3`, `"6 h"`, `"-"`, `"--6h"`, `"1d-6h"`, `"d"`, `"1d0"`, `"1y"`, `"1M"`,
		`null`, `true`, `[]`, `4294967296`, `"999999999d"`, `"106751d24h"`, `"99999999999h"`} {
		t.Run(bad, func(t *testing.T) {
			var s loader.Step
			require.Error(t, json.Unmarshal([]byte(bad), &s))
		})
	}
}

func TestTimeRange(t *testing.T) {
	at := func(s string) int64 {
		x, err := time.Parse(time.RFC3339Nano, s)
		require.NoError(t, err)
		return x.UnixNano()
	}
	for _, tt := range []struct{ text, from, to, canonical string }{
		{"1979-01-01/2015-12-31", "1979-01-01T00:00:00Z", "2015-12-31T23:59:59.999999999Z", "1979-01-01/2015-12-31"},
		{"1979", "1979-01-01T00:00:00Z", "1979-12-31T23:59:59.999999999Z", "1979-01-01/1979-12-31"},
		{"1979-02/1980-02", "1979-02-01T00:00:00Z", "1980-02-29T23:59:59.999999999Z", "1979-02-01/1980-02-29"},
		{"1979-03-04", "1979-03-04T00:00:00Z", "1979-03-04T23:59:59.999999999Z", "1979-03-04"},
		{"1979-03-04T06", "1979-03-04T06:00:00Z", "1979-03-04T06:00:00Z", "1979-03-04T06:00:00"},
		{"1979-03-04T00:00Z", "1979-03-04T00:00:00Z", "1979-03-04T00:00:00Z", "1979-03-04T00:00:00"},
		{"1979-03-04 06:30/1979-03-04T06:30:01.5", "1979-03-04T06:30:00Z", "1979-03-04T06:30:01.5Z", "1979-03-04T06:30:00/1979-03-04T06:30:01.5"},
		{"1979-03-04T23:59:59.999999999", "1979-03-04T23:59:59.999999999Z", "1979-03-04T23:59:59.999999999Z", "1979-03-04T23:59:59.999999999"},
		{"1979/", "1979-01-01T00:00:00Z", "", "1979-01-01/"},
		{"/1979", "", "1979-12-31T23:59:59.999999999Z", "/1979-12-31"},
		{"/", "", "", "/"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			want := loader.TimeRange{From: math.MinInt64, To: math.MaxInt64}
			if tt.from != "" {
				want.From = at(tt.from)
			}
			if tt.to != "" {
				want.To = at(tt.to)
			}
			r, err := loader.ParseTimeRange(tt.text)
			require.NoError(t, err)
			require.Equal(t, want, r)
			require.Equal(t, tt.canonical, r.String())
		})
	}
	for _, tt := range []struct{ text, want string }{
		{"", "want A/B"},
		{"1980/1979", "ends before it begins"},
		{"1979-02-30", "there is no time"},
		{"1979-01-01T24", "there is no time"},
		{"1979-1-1", "is not a time in UTC"},
		{"79", "is not a time in UTC"},
		{"1979Z", "is not a time in UTC"},
		{"1979-01-01T06:00+01:00", "is not a time in UTC"},
		{"1979-01-01/02/03", "is not a time in UTC"},
		{"1979-01-01T00:00:00.1234567891", "is not a time in UTC"},
		{"1500/1979", "out of range"},
		{"1979/2262", "out of range"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			_, err := loader.ParseTimeRange(tt.text)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestSelectJSON(t *testing.T) {
	doc := `{"time":["1979-01-01/2015-12-31","2017/"],"stride":"6h","gaps":"drop","windows":[3,"1980-01-01"],` +
		`"except":[0,"1981-02"],"split":{"file":"splits.json","name":"train"}}`
	var s loader.Select
	require.NoError(t, json.Unmarshal([]byte(doc), &s))
	out, err := json.Marshal(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"time":["1979-01-01/2015-12-31","2017-01-01/"],"stride":"6h","gaps":"drop","windows":[3,"1980-01-01"],`+
		`"except":[0,"1981-02-01/1981-02-28"],"split":{"file":"splits.json","name":"train"}}`, string(out))
	out, err = json.Marshal(loader.Select{})
	require.NoError(t, err)
	require.Equal(t, `{}`, string(out))

	for _, tt := range []struct{ doc, want string }{
		{`{"times":["1979"]}`, `unknown field "times": want one of ["time" "stride"`},
		{`{"Time":["1979"]}`, `unknown field "Time"`},
		{`{"gaps":"keep","gaps":"drop"}`, `duplicate field "gaps"`},
		{`{"time":"1979"}`, `time: want a list of ranges of times, found "1979"`},
		{`{"time":[]}`, `time: want a list of ranges of times, found []`},
		{`{"time":["1979",1980]}`, `time: element 1: want a range of times, found 1980`},
		{`{"time":["1979","198"]}`, `time: element 1: range "198": `},
		{`{"stride":0}`, `stride: 0: want at least one step`},
		{`{"stride":"-6h"}`, `stride: -6h: want at least one step`},
		{`{"stride":true}`, `stride: want a number of steps or a duration, found true`},
		{`{"gaps":"jump"}`, `gaps: gaps "jump": want keep, drop or error`},
		{`{"windows":[-1]}`, `windows: element 0: window number -1: want a whole number`},
		{`{"windows":[1.5]}`, `windows: element 0: window number 1.5: want a whole number`},
		{`{"except":[null]}`, `except: element 0: want a window number or a range of times, found null`},
		{`{"split":{"file":"a"}}`, `split: want "file" and "name"`},
		{`{"split":{"file":"a","name":"b","c":1}}`, `split: unknown field "c"`},
		{`{"split":{"file":"a","name":"b","file":"c"}}`, `split: duplicate field "file"`},
		{`{"split":{"file":1,"name":"b"}}`, `split: file: want a string, found 1`},
		{`["1979"]`, `want a JSON object, found ["1979"]`},
	} {
		t.Run(tt.doc, func(t *testing.T) {
			s := loader.Select{Gaps: loader.DropGaps}
			require.ErrorContains(t, json.Unmarshal([]byte(tt.doc), &s), tt.want)
			require.Equal(t, loader.Select{Gaps: loader.DropGaps}, s) // left alone
		})
	}
}

func TestSplitName(t *testing.T) {
	s, err := loader.ParseSplitName("a:b/splits.json:train")
	require.NoError(t, err)
	require.Equal(t, loader.SplitName{File: "a:b/splits.json", Name: "train"}, s)
	require.Equal(t, "a:b/splits.json:train", s.String())
	for _, bad := range []string{"", "train", ":train", "splits.json:"} {
		t.Run(bad, func(t *testing.T) {
			_, err := loader.ParseSplitName(bad)
			require.ErrorContains(t, err, "want FILE:NAME")
		})
	}
}

// FuzzTimeRange: the text of a range is read as the same range.
func FuzzTimeRange(f *testing.F) {
	for _, s := range []string{"1979-01-01/2015-12-31", "1979", "1979-03", "1979-03-04T06:00Z/", "/1979-01-01 01:02:03.04", "/", "1979-01-01T00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := loader.ParseTimeRange(s)
		if err != nil {
			return
		}
		if again, err := loader.ParseTimeRange(r.String()); err != nil || again != r || r.From > r.To {
			t.Fatalf("%q is %v, which is read as %v, %v", s, r, again, err)
		}
	})
}

// FuzzSelect: a selection that was read is written as the same selection.
func FuzzSelect(f *testing.F) {
	f.Add([]byte(`{"time":["1979-01-01/2015-12-31","2017/"],"stride":"6h","gaps":"drop","windows":[3,"1980"],"except":[0],"split":{"file":"f","name":"n"}}`))
	f.Add([]byte(`{"stride":3,"gaps":"error","except":["1979-01-01T06"]}`))
	f.Add([]byte(`{"gaps":"keep","gaps":"keep"}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var s, again loader.Select
		if json.Unmarshal(doc, &s) != nil {
			return
		}
		out, err := json.Marshal(s)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(out, &again))
		require.Equal(t, s, again)
	})
}
