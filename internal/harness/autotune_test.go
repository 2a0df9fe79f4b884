package harness

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

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
		tried := 0
		var numbers []int
		for i := range c.took {
			numbers = append(numbers, 1<<i)
		}
		best, text, err := fastest(numbers, func(int) (time.Duration, error) {
			tried++
			return c.took[tried-1] * time.Second, nil
		})
		if err != nil || tried != c.tried || best != c.best || !strings.HasPrefix(text, fmt.Sprintf("1: %d.000", c.took[0])) {
			t.Errorf("%v: %d after %d trials, %q, %v; want %d after %d", c.took, best, tried, text, err, c.best, c.tried)
		}
	}
	broken := errors.New("broken")
	if _, _, err := fastest([]int{1}, func(int) (time.Duration, error) { return 0, broken }); err != broken {
		t.Error(err)
	}
}

// TestTune: -workers auto prints what it chose, for rows that have the same names and data in every run.
func TestTune(t *testing.T) {
	needEngine(t, defaultEngine)
	raw := synthetic(t, fixtures.Synthetic{Steps: 10, Form: "raw", NLat: 13, NLon: 24})
	args := []string{"-test.bench=^Benchmark(Epoch|Read)$", "-store", raw, "-batch", "3", "-io", "uring"}
	want := rows(t, append(args, "-workers", "2")...)
	stdout, stderr, err := bench(t, append(args, "-workers", "auto")...)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	found := parse(t, stdout)
	for _, name := range []string{"Epoch/store=raw/codec=none/chunk=1x13x24/batch=3/loss=mse", "Read/store=raw/codec=none/chunk=1x13x24/batch=3/io=uring/workers=auto"} {
		got, like := found[name], want[strings.Replace(name, "=auto", "=2", 1)]
		if got == nil || like == nil {
			t.Fatalf("no row %s among\n%s", name, stdout)
		}
		if g, w := value(t, got, "data-crc32"), value(t, like, "data-crc32"); g != w {
			t.Errorf("%s: data-crc32 %v, want %v", name, g, w)
		}
		line := regexp.MustCompile(`(?m)^Workers: ` + regexp.QuoteMeta(name) + `: -workers \d+( -depth \d+)? \(seconds by workers 1: .*\)$`)
		if !line.MatchString(stdout) {
			t.Errorf("no line Workers: of %s in\n%s", name, stdout)
		}
	}
	if again := rows(t, append(args, "-workers", "3", "-depth", "5")...); len(again) != 2 {
		t.Errorf("%d rows with -depth", len(again))
	}
}
