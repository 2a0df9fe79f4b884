package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"zarrbench/zarrio/engine"
)

// A reading is how a row's files are read.
type reading struct {
	io             engine.IO
	workers, depth int  // 0 for the engine's choice
	auto           bool // tune chooses both
	keep           int64
}

// requested returns the reading that the flags ask for, with one value of -io.
func requested(io engine.IO) reading {
	workers, auto, _ := parseWorkers(*workersFlag) // checked by checkFlags
	keep, _ := parseKeep(*keepFlag)
	return reading{io: io, workers: workers, depth: *depthFlag, auto: auto, keep: keep}
}

// parseWorkers parses the value of -workers: a number, or auto.
func parseWorkers(s string) (n int, auto bool, err error) {
	if s == "auto" {
		return 0, true, nil
	}
	if n, err = strconv.Atoi(s); err != nil || n < 0 {
		return 0, false, fmt.Errorf("-workers %s: want 0 or more, or auto", s)
	}
	return n, false, nil
}

// tune returns r, with the number of workers and the depth chosen if r.auto is set. It measures which number of workers reads
// the first batches of an epoch fastest, and then how many reads each worker should have in flight. Of numbers that are about
// as fast, it takes the least.
func (s *benchStore) tune(ctx context.Context, r reading, name string, n *deferredLines) (reading, error) {
	if !r.auto {
		return r, nil
	}
	r.auto = false
	var counts []int
	for k := 1; k <= max(32, 2*runtime.GOMAXPROCS(0)); k *= 2 {
		counts = append(counts, k)
	}
	workers, text, err := fastest(counts, func(k int) (time.Duration, error) {
		r.workers = k
		return s.trial(ctx, r)
	})
	if err != nil {
		return r, fmt.Errorf("-workers auto: %w", err)
	}
	r.workers = workers
	choice := fmt.Sprintf("-workers %d", workers)
	// With a warm page cache no read waits for the disk. The other values of -io have one read a worker.
	if ahead := r.io == engine.IOUring || r.io == engine.IOAuto && *cacheFlag != "warm"; ahead && *engineFlag != "gds" && *depthFlag == 0 {
		depth, more, err := fastest([]int{1, 2, 4, 8, 16, 32}, func(k int) (time.Duration, error) {
			r.depth = k
			return s.trial(ctx, r)
		})
		if err != nil {
			return r, fmt.Errorf("-workers auto: depth: %w", err)
		}
		r.depth = depth
		choice += fmt.Sprintf(" -depth %d", depth)
		text += "; by depth " + more
	}
	n.add("Workers: %s: %s (seconds by workers %s)", name, choice, text)
	return r, nil
}

const (
	// alike is how much longer than the fastest trial a trial may take to count as equally fast.
	alike = 1.03
	// worse is how much longer than the fastest trial two trials in a row must take to end the search.
	worse = 1.2
)

// fastest tries numbers in ascending order and returns the first that is about as fast as the fastest. text lists what was
// measured.
func fastest(numbers []int, trial func(int) (time.Duration, error)) (best int, text string, err error) {
	var took []time.Duration
	var words []string
	for i, k := range numbers {
		d, err := trial(k)
		if err != nil {
			return 0, "", err
		}
		took = append(took, d)
		words = append(words, fmt.Sprintf("%d: %.3f", k, d.Seconds()))
		least := slices.Min(took).Seconds()
		if i > 0 && took[i-1].Seconds() > worse*least && d.Seconds() > worse*least {
			break
		}
	}
	least := slices.Min(took).Seconds()
	i := slices.IndexFunc(took, func(d time.Duration) bool { return d.Seconds() <= alike*least })
	return numbers[i], strings.Join(words, ", "), nil
}

// trial returns how long the first batches of an epoch take: the least of several measurements, since disturbances only add
// time. Costs that occur once, such as opening files that stay open, are not included.
func (s *benchStore) trial(ctx context.Context, r reading) (least time.Duration, err error) {
	const (
		times = 3       // the first is not counted
		bytes = 1 << 30 // of an epoch
	)
	r.keep = 0 // what is cached is not read
	se, err := openSession(ctx, s, r, false)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, se.Close()) }()
	batch := se.loader.SampleBytes() * int64(*batchFlag)
	batches := max(2, int(bytes/max(batch, 1)))
	for i := range times {
		if err := se.loader.Seek(0, 0); err != nil {
			return 0, err
		}
		if err := s.dropCache(); err != nil {
			return 0, err
		}
		var d time.Duration // until the last of the batches; not until the ones prefetched after it are released
		start, left := time.Now(), batches
		for b, err := range se.loader.Batches(ctx) {
			if err == nil {
				err = b.Sync()
			}
			if err != nil {
				return 0, err
			}
			d = time.Since(start)
			if left--; left == 0 {
				break
			}
		}
		if i > 0 {
			least = min(cmp.Or(least, d), d)
		}
	}
	return least, nil
}
