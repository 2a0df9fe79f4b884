package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/statsfile"
)

// TestListBad damages chunks, and wants the steps with them listed, and left out of statistics.
func TestListBad(t *testing.T) {
	hours := every(40, 6)
	dir, fields := fieldStore{hours: hours, compressor: "zstd", change: func(name string, step int, x []float32) {
		switch {
		case name == "t" && step == 20:
			x[0], x[1] = float32(math.NaN()), float32(math.NaN())
		case name == "t" && step == 21:
			x[0] = float32(math.NaN())
		case name == "z@level#1" && step == 30:
			x[7] = float32(math.Inf(1))
		}
	}}.make(t)
	damage(t, dir, "t/3.0.0", func(b []byte) []byte { return b[:len(b)/2] })
	damage(t, dir, "z/3.1.0.0", func(b []byte) []byte { return nil })
	damage(t, dir, "z/4.0.0.0", func(b []byte) []byte { return b[:3] })
	remove(t, dir, "t/39.0.0", "t/0.0.0")
	folder := t.TempDir()
	list, stats := filepath.Join(folder, "bad.json"), filepath.Join(folder, "stats.json")
	read := func() statsfile.BadList {
		t.Helper()
		return badList(t, list)
	}
	bad := []int{0, 3, 4, 20, 30, 39}
	var except []string
	for _, i := range bad {
		except = append(except, spellMoment(parsed(t, "2000-01-01")+hours[i]*3600e9))
	}
	for _, workers := range []string{"1", "5"} {
		out := info(t, "", "-stats", stats, "-list-bad", list, "-bad-share", "0.05", "-diff", "6h,12h", "-vars", "t,z", "-workers", workers, dir)
		contains(t, out, "bad      2000-01-01T18:00:00 t: chunk t/3.0.0: ", "6 of 40 steps are bad\n", "40 steps from 2000-01-01T00:00:00 to 2000-01-10T18:00:00, 6 left out")
		got := read()
		require.Equal(t, except, got.Except)
		var reasons []string
		for _, r := range got.Reasons {
			reasons = append(reasons, r.Time+" "+r.Channel+" "+r.Reason)
		}
		for i, want := range []string{except[0] + " t chunk t/0.0.0 is missing", except[1] + " t chunk t/3.0.0: ", except[1] + " z@level#1 chunk z/3.1.0.0: read: the file is empty",
			except[2] + " z@level#0 chunk z/4.0.0.0: ", except[3] + " t 6.667% of the values are NaN", except[4] + " z@level#1 has infinite values", except[5] + " t chunk t/39.0.0 is missing"} {
			require.Contains(t, reasons[i], want)
		}
		require.Len(t, reasons, 7)
		f, err := statsfile.ReadFile(stats)
		require.NoError(t, err)
		require.Equal(t, 6, f.LeftOut)
		for _, c := range f.Channels {
			var good [][]float32
			for i, x := range fields[c.Name] {
				if !slices.Contains(bad, i) {
					good = append(good, x)
				}
			}
			checkMoments(t, good, uniform, c.Moments)
			for k, by := range []int64{6, 12} {
				pairs := differences(fields[c.Name], hours, by, 0, len(hours), bad...)
				require.Equal(t, len(pairs), c.Differences[k].Pairs)
				checkMoments(t, pairs, uniform, c.Differences[k].Moments)
			}
		}
	}

	// Missing chunks may be none's fault; a part of the range has fewer.
	info(t, "", "-list-bad", list, "-missing", "ok", "-vars", "t", "-time", "2000-01-02/2000-02-01", "-bad-share", "0.01", dir)
	require.Equal(t, []string{"2000-01-06T00:00:00", "2000-01-06T06:00:00"}, read().Except)
	info(t, "", "-list-bad", list, "-vars", "t", "-time", "2000-01-02/2000-01-03", dir)
	require.Empty(t, read().Except)

	// Without a list they are errors.
	info(t, `at 2000-01-01T00:00:00: zarrio: `, "-stats", stats+"2", "-vars", "t", dir)
	info(t, `channel "z@level#1" has an infinite value at 2000-01-08T12:00:00`, "-stats", stats+"3", "-vars", "z@level#1", "-time", "2000-01-03/2000-01-09", dir)
	require.NoFileExists(t, stats+"2")
}

func badList(t *testing.T, path string) statsfile.BadList {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return decoded[statsfile.BadList](t, text)
}

// TestListBadStatic has an array without time: if it is damaged, each step is bad; if another is, it
// isn't to blame.
func TestListBadStatic(t *testing.T) {
	dir, _ := fieldStore{hours: every(4, 6), compressor: "zstd"}.make(t)
	list := filepath.Join(t.TempDir(), "bad.json")
	damage(t, dir, "t/2.0.0", func(b []byte) []byte { return b[:4] })
	info(t, "", "-list-bad", list, "-vars", "land,t", dir)
	got := badList(t, list)
	require.Equal(t, []string{"2000-01-01T12:00:00"}, got.Except)
	require.Len(t, got.Reasons, 1)
	require.Equal(t, "t", got.Reasons[0].Channel)

	damage(t, dir, "land/0.0", func(b []byte) []byte { return b[:4] })
	info(t, "", "-list-bad", list, "-vars", "t,land", "-time", "2000-01-01/2000-01-01T06", dir)
	got = badList(t, list)
	require.Len(t, got.Except, 2)
	for _, r := range got.Reasons {
		require.Equal(t, "land", r.Channel)
	}
}
