package harness

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
)

// Epoch times epochs of each store.
func Epoch(b *testing.B) {
	skipUnsupported(b)
	for i := range stores {
		s := &stores[i]
		name := fmt.Sprintf("%s/batch=%d/loss=%s", s.rowName(s.form), s.batch(), *lossFlag)
		runRow(b, name, func(b *testing.B, lines *deferredLines) { epochs(b, s, requested(ioMode()), withLoss(), lines) })
	}
}

// Read times epochs without a loss, for each value of -io and for 1, 2, 4 and 8 workers, or the number of -workers.
func Read(b *testing.B) {
	skipUnsupported(b)
	counts := []string{"1", "2", "4", "8"}
	if *workersFlag != "0" {
		counts = []string{*workersFlag}
	}
	for i := range stores {
		s := &stores[i]
		for _, io := range ioModes() {
			for _, workers := range counts {
				name := fmt.Sprintf("%s/batch=%d/io=%s/workers=%s", s.rowName(s.form), s.batch(), io, workers)
				r := requested(io)
				r.workers, r.auto, _ = parseWorkers(workers) // numbers, or checked by checkFlags
				runRow(b, name, func(b *testing.B, lines *deferredLines) { epochs(b, s, r, false, lines) })
			}
		}
	}
}

// epochs is the body of a row. An untimed epoch computes the digest of the data and fills the caches; timed epochs follow.
// Before each of them, the ceiling is measured: the time to read the same files and do nothing with them.
func epochs(b *testing.B, s *benchStore, r reading, loss bool, lines *deferredLines) {
	ctx := b.Context()
	if err := s.warm(ctx, r.io); err != nil {
		b.Fatal(err)
	}
	r, err := s.tune(ctx, r, rowName(b), lines)
	if err != nil {
		b.Fatal(err)
	}
	resetPeakRSS()
	open := func() (*session, time.Duration) {
		start := time.Now()
		se, err := openSession(ctx, s, r, loss)
		if err != nil {
			b.Fatal(err)
		}
		return se, time.Since(start)
	}
	se, openTime := open()
	defer func() { se.Close() }()
	bar := newProgress(b.Name(), se.loader.Samples())
	defer bar.finish()

	var d digest
	proof, err := se.pass(ctx, bar, func(batch *loader.Batch) error { return d.add(se.engine, batch) })
	if err != nil {
		b.Fatal(err)
	}
	if se.loader.Len() == 1 {
		lines.add("Batches: %s: one an epoch, of %d samples (-batch %d): nothing was prefetched", rowName(b), proof.samples, *batchFlag)
	}
	lines.add("Memory: %s: %s", rowName(b), footprint(se.loader))
	addBad(se.loader.Bad(), rowName(b), lines)
	var totals transferTotals = noTotals{}
	if activeGPU != nil {
		totals = activeGPU.newTotals()
		if err := activeGPU.calibrate(ctx, se, rowName(b), lines); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(se.loader.Samples()) * se.loader.SampleElementBytes())
	b.ReportAllocs()

	var (
		m       measured
		samples int
	)
	for b.Loop() {
		b.StopTimer()
		m.ceiling += s.ceiling(b, se)
		s.evict(b)
		// Each timed epoch is epoch 0: in a shuffled order, others would be other work, with another loss.
		anew := *openFlag == "epoch"
		var err error
		if anew {
			err = se.Close()
		} else {
			err = se.loader.Seek(0, 0)
		}
		if err != nil {
			b.Fatal(err)
		}
		if !anew {
			totals.begin(se.engine)
		}
		cpu := cpuTime()
		b.StartTimer()
		start := time.Now()
		if anew {
			se, openTime = open()
			m.open += openTime
		}
		before := se.loader.Stats()
		opened := time.Since(start)
		e, err := se.pass(ctx, bar, nil)
		if err != nil {
			b.Fatal(err)
		}
		elapsed := time.Since(start)
		b.StopTimer()
		if e.loss != proof.loss {
			b.Fatalf("the loss of this epoch is %v, the first had %v: the data changed, or a race did", e.loss, proof.loss)
		}
		samples += e.samples
		m.add(e, elapsed, opened, cpuTime()-cpu, before, se.loader.Stats())
		totals.end(se.engine)
		b.StartTimer()
	}
	if *openFlag == "once" {
		m.open = openTime * time.Duration(b.N)
	}
	m.report(b, samples)
	if n := se.loader.SampleBytes(); n != se.loader.SampleElementBytes() {
		b.ReportMetric(float64(samples)*float64(n)/float64(m.epochs), "out-B/op")
	}
	b.ReportMetric(float64(d.places), "data-crc32")
	b.ReportMetric(float64(d.sum), "data-sum")
	if loss {
		b.ReportMetric(proof.loss, "loss")
	}
	if rss := peakRSS(); rss > 0 {
		b.ReportMetric(float64(rss), "peak-RSS-bytes")
	}
	totals.report(b, se, s, lines)
}

// evict calls dropCache, and fails b on an error.
func (s *benchStore) evict(b *testing.B) {
	if err := s.dropCache(); err != nil {
		b.Fatal(err)
	}
}

// ceiling returns how long the session's workers take to read the stored bytes of an epoch and discard them.
func (s *benchStore) ceiling(b *testing.B, se *session) time.Duration {
	s.evict(b)
	start := time.Now()
	if _, err := se.loader.Ceiling(b.Context()); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// measured adds up the costs of a row's epochs.
type measured struct {
	epochs                      int
	total, ceiling, open, first time.Duration
	stall, firstWaits, cpu      time.Duration // stall is the sum of the waits for all batches
	waits                       []time.Duration
	stats                       meta.Stats
}

// add adds an epoch. The loader's stats were before, and are after.
func (m *measured) add(e epoch, elapsed, opened, cpu time.Duration, before, after meta.Stats) {
	m.epochs++
	m.total += elapsed
	m.cpu += cpu
	m.stats.Add(after.Sub(before))
	m.first += opened + e.waits[0]
	m.firstWaits += e.waits[0]
	for _, w := range e.waits {
		m.stall += w
	}
	m.waits = append(m.waits, e.waits...)
}

// report reports the row's metrics besides ns/op.
func (m *measured) report(b *testing.B, samples int) {
	n := float64(m.epochs)
	b.ReportMetric(float64(samples)/m.total.Seconds(), "samples/s")
	b.ReportMetric(m.first.Seconds()/n, "first-batch-sec")
	slices.Sort(m.waits)
	b.ReportMetric(m.waits[len(m.waits)/2].Seconds(), "p50-batch-sec")
	if len(m.waits) >= 100 {
		b.ReportMetric(m.waits[len(m.waits)*99/100].Seconds(), "p99-batch-sec")
	} else {
		b.ReportMetric(m.waits[len(m.waits)-1].Seconds(), "slowest-batch-sec")
	}
	b.ReportMetric(m.cpu.Seconds()/n, "cpu-sec/op")
	b.ReportMetric(m.open.Seconds()/n, "open-sec")
	b.ReportMetric(float64(m.stats.ReadBytes)/n, "read-B/op")
	reportKept(b, m.stats, n)
	reportBad(b, m.stats.Bad, n)
	b.ReportMetric(m.ceiling.Seconds()/n, "ceiling-sec")
	if *stepFlag == 0 {
		b.ReportMetric(100*m.ceiling.Seconds()/m.total.Seconds(), "ceiling-%")
		return
	}
	b.ReportMetric(100*m.stall.Seconds()/m.total.Seconds(), "stall-%")
	if len(m.waits) > m.epochs {
		b.ReportMetric(100*(m.stall-m.firstWaits).Seconds()/(m.total-m.firstWaits).Seconds(), "steady-stall-%")
	}
}
