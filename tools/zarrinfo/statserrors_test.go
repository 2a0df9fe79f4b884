package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatsErrors(t *testing.T) {
	dir, _ := fieldStore{hours: every(8, 6)}.make(t)
	plain := makeStore(t, 2) // has no times
	path := filepath.Join(t.TempDir(), "stats.json")
	unordered, _ := fieldStore{hours: []int64{0, 6, 6, 12}}.make(t)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no such channel", []string{"-vars", "t,q", dir}, "q"},
		{"no range", []string{"-time", "2001-01-01/2002-01-01", dir}, "no step is within -time: the first of 8 is at 2000-01-01T00:00:00, the last at 2000-01-02T18:00:00"},
		{"no pairs", []string{"-diff", "6h,5h", dir}, "-diff 5h: no two of the 8 steps"},
		{"no times for a range", []string{"-vars", "raw", "-time", "2000-01-01/2000-01-02", plain}, `-time needs times, but the array "raw" has no coordinate "time"`},
		{"no times for offsets", []string{"-vars", "raw", "-diff", "6h", plain}, "-diff needs times"},
		{"no latitudes", []string{"-vars", "raw", "-area", plain}, `-area: neither "latitude" nor "longitude"`},
		{"times", []string{"-vars", "time", dir}, `array "time" has 1 dimensions`},
		{"times out of order", []string{"-vars", "t", unordered}, "the time at index 2 is missing, or not after the one before it"},
		{"no arrays", []string{filepath.Join(plain, "deep", "lz4")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == "" {
				tt.want = "name the channels"
			}
			info(t, tt.want, append([]string{"-stats", path}, tt.args...)...)
			require.NoFileExists(t, path)
		})
	}
	// Without times, all steps can be read; all arrays with time and a grid are taken.
	require.Empty(t, statistics(t, "-vars", "raw", plain).Time)
	var names []string
	for _, c := range statistics(t, dir).Channels {
		names = append(names, c.Name)
	}
	require.Equal(t, []string{"t", "z@level#0", "z@level#1"}, names)
}

func TestStatsUsage(t *testing.T) {
	for _, tt := range []struct {
		args string
		want string
	}{
		{"-stats= a", "need the name of a file"},
		{"-vars t a", "-vars is for -stats and -list-bad"},
		{"-workers 2 a", "-workers is for"},
		{"-stats x -list-bad x a", "the same file"},
		{"-stats x -check a", "go without -check"},
		{"-list-bad x -diff 6h a", "-diff and -area are for -stats"},
		{"-list-bad x -area a", "-diff and -area are for -stats"},
		{"-stats x -bad-share 0.1 a", "-bad-share is for -list-bad"},
		{"-list-bad x -bad-share 1.5 a", "-bad-share 1.5: want 0 to 1"},
		{"-list-bad x -bad-share NaN a", "-bad-share NaN"},
		{"-stats x -workers -1 a", "-workers -1: want 0 to"},
		{"-stats x -vars t,,u a", "a channel has no name"},
		{"-stats x -time= a", "-time: range \"\": want A/B"},
		{"-stats x -time 2000-01-01/x a", `"x" is not a time in UTC`},
		{"-stats x -time 2000-01-02/2000-01-01 a", "ends before it begins"},
		{"-stats x -time 1500-01-01/2000-01-01 a", "out of range: want times from 1677"},
		{"-stats x -diff 0h a", `offset "0h": want a time above 0`},
		{"-stats x -diff six a", `offset "six"`},
		{"-stats x -diff 24h,1d a", `offsets "24h" and "1d" are equal`},
		{"-stats x", "want one PATH"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			var out, stderr bytes.Buffer
			err := run(t.Context(), strings.Fields(tt.args), &out, &stderr)
			require.ErrorContains(t, err, tt.want)
			require.True(t, strings.HasPrefix(stderr.String(), "usage: "))
		})
	}
}
