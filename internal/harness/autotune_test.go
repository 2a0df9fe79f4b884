package harness

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
)

// TestFastest takes the fewest that are about as fast as the fastest, and tries no more where more bring nothing.
func TestFastest(t *testing.T) {
	for _, c := range []struct {
		took  []time.Duration
		tried int
		best  int
	}{
		{[]time.Duration{100, 50, 25, 24, 24, 24}, 6, 8},
		{[]time.Duration{100, 101, 110, 112, 90, 100}, 6, 16},
		{[]time.Duration{10, 11, 13, 14, 1, 1}, 4, 1},
		{[]time.Duration{10, 30, 10, 30, 10, 10}, 6, 1},
		{[]time.Duration{7}, 1, 1},
	} {
		t.Run(fmt.Sprint(c.took), func(t *testing.T) {
			tried := 0
			var numbers []int
			for i := range c.took {
				numbers = append(numbers, 1<<i)
			}
			best, text, err := fastest(numbers, func(int) (time.Duration, error) {
				tried++
				return c.took[tried-1] * time.Second, nil
			})
			require.NoError(t, err)
			require.Equal(t, c.tried, tried)
			require.Equal(t, c.best, best)
			require.Regexp(t, fmt.Sprintf(`^1: %d\.000`, c.took[0]), text)
		})
	}
	broken := errors.New("broken")
	_, _, err := fastest([]int{1}, func(int) (time.Duration, error) { return 0, broken })
	require.ErrorIs(t, err, broken)
}

// TestTune: -workers auto prints what it chose, for rows that have the same names and data in every run.
func TestTune(t *testing.T) {
	needEngine(t, defaultEngine)
	raw := synthetic(t, fixtures.Synthetic{Steps: 10, Form: "raw", NLat: 13, NLon: 24})
	args := []string{"-test.bench=^Benchmark(Epoch|Read)$", "-store", raw, "-batch", "3", "-io", "uring"}
	want := rows(t, append(args, "-workers", "2")...)
	stdout, stderr, err := bench(t, append(args, "-workers", "auto")...)
	require.NoError(t, err, stdout+stderr)
	found := parse(t, stdout)
	for _, name := range []string{"Epoch/store=raw/codec=none/chunk=1x13x24/batch=3/loss=mse", "Read/store=raw/codec=none/chunk=1x13x24/batch=3/io=uring/workers=auto"} {
		got, like := found[name], want[strings.Replace(name, "=auto", "=2", 1)]
		require.NotNil(t, got, "no row %s among\n%s", name, stdout)
		require.NotNil(t, like, name)
		require.Equal(t, value(t, like, "data-crc32"), value(t, got, "data-crc32"), name)
		require.Regexp(t, `(?m)^Workers: `+regexp.QuoteMeta(name)+`: -workers \d+( -depth \d+)? \(seconds by workers 1: .*\)$`, stdout)
	}
	require.Len(t, rows(t, append(args, "-workers", "3", "-depth", "5")...), 2)
}
