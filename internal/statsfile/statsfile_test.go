package statsfile_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/statsfile"
)

func example() *statsfile.File {
	nan := statsfile.Number(math.NaN())
	return &statsfile.File{
		Version: 1, Store: "era5.zarr", Time: []string{"2000-01-01T00:00:00", "2000-01-02T18:00:00"}, Steps: 8, LeftOut: 1, Weights: statsfile.Area,
		Channels: []statsfile.Channel{
			{Name: "t@level=500", Moments: statsfile.Moments{Count: 10, Missing: 2, Mean: 0.1, Std: 1e-300, Min: -3, Max: 4},
				Differences: []statsfile.Difference{{Offset: "6h", Pairs: 3, Moments: statsfile.Moments{Count: 5, Mean: 1. / 3, Std: 2, Min: 0, Max: 1}}}},
			{Name: "land", Moments: statsfile.Moments{Count: 3, Mean: 1, Min: 1, Max: 1}, Differences: []statsfile.Difference{}},
			{Name: "none", Moments: statsfile.Moments{Missing: 3, Mean: nan, Std: nan, Min: nan, Max: nan}, Differences: []statsfile.Difference{}},
		},
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stats.json")
	require.NoError(t, statsfile.WriteFile(path, example()))
	first, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := statsfile.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, statsfile.WriteFile(path, f))
	second, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(first), string(second))
	require.Equal(t, example().Channels[:2], f.Channels[:2])
	require.True(t, math.IsNaN(float64(f.Channels[2].Mean)))

	_, err = statsfile.ReadFile(path + ".none")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestReadFileRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stats.json")
	require.NoError(t, statsfile.WriteFile(path, example()))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, tt := range []struct{ name, old, new, want string }{
		{"another version", `"version": 1`, `"version": 2`, "version 2 is not supported; supported: 1"},
		{"a fraction", `"version": 1`, `"version": 1.5`, "version 1.5 is not supported"},
		{"no version", `"version": 1,`, ``, `no field "version"`},
		{"a version that is text", `"version": 1`, `"version": "x"`, "not a file of statistics"},
		{"no JSON", `{`, `[`, "not a file of statistics"},
		{"an unknown field", `"steps"`, `"stages": 1, "steps"`, `unknown field "stages"`},
		{"an unknown field of a channel", `"missing": 2`, `"missing": 2, "median": 3`, `unknown field "median"`},
		{"no mean", `"mean": 0.1,`, ``, `no field "channels[0].mean"`},
		{"no count of a difference", `"count": 5,`, ``, `channels[0].differences[0].count`},
		{"more left out than read", `"left_out": 1`, `"left_out": 9`, "8 steps, 9 left out"},
		{"no steps", `"steps": 8,`, ``, `no field "steps"`},
		{"another case", `"store"`, `"Store"`, `no field "store"`},
		{"data after the end", "\n}\n", "\n}{}", "not a file of statistics"},
		{"weights", `"area"`, `"equal"`, `weights "equal": want uniform or area`},
		{"one time", `"2000-01-01T00:00:00",`, ``, "time of 1 ends"},
		{"the same channel", `"land"`, `"none"`, `channel "none" is without a name, or listed twice`},
		{"no name", `"land"`, `""`, `channel "" is without a name`},
		{"a negative count", `"count": 10`, `"count": -1`, `channel "t@level=500": count -1`},
		{"a mean of nothing", `"count": 10`, `"count": 0`, "although there are no values"},
		{"no mean of values", `"mean": 0.1`, `"mean": null`, `channel "t@level=500": mean is not a number, although there are 10 values`},
		{"a negative std", `1e-300`, `-1`, "contradict"},
		{"a difference without an offset", `"6h"`, `""`, `difference "" of 3 pairs is invalid`},
		{"a number that is text", `"mean": 0.1`, `"mean": "0.1"`, "cannot unmarshal string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changed := strings.Replace(string(text), tt.old, tt.new, 1)
			require.NotEqual(t, string(text), changed)
			require.NoError(t, os.WriteFile(path, []byte(changed), 0o666))
			_, err := statsfile.ReadFile(path)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, path)
		})
	}
}

func TestWriteFileRefuses(t *testing.T) {
	f := example()
	f.Channels[0].Mean = statsfile.Number(math.Inf(1))
	path := filepath.Join(t.TempDir(), "stats.json")
	require.ErrorContains(t, statsfile.WriteFile(path, f), `channel "t@level=500": mean is infinite`)
	require.NoFileExists(t, path)
}

func TestWriteBadList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.json")
	for _, tt := range []struct {
		name    string
		reasons []statsfile.Reason
		except  []string
	}{
		{"none", nil, []string{}},
		{"some", []statsfile.Reason{{Time: "2000-01-01T06:00:00", Channel: "t", Reason: "x"}, {Time: "2000-01-01T06:00:00", Channel: "u", Reason: "y"},
			{Time: "2000-01-02T00:00:00", Channel: "t", Reason: "z"}}, []string{"2000-01-01T06:00:00", "2000-01-02T00:00:00"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.NoError(t, statsfile.WriteBadList(path, tt.reasons))
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			var list statsfile.BadList
			require.NoError(t, json.Unmarshal(text, &list))
			require.Equal(t, statsfile.BadList{Version: 1, Except: tt.except, Reasons: append([]statsfile.Reason{}, tt.reasons...)}, list)
			require.Contains(t, string(text), `"except": [`)
		})
	}
}
