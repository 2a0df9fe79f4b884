package harness

import (
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"zarrbench/fixtures"
	"zarrbench/internal/loss"
	"zarrbench/zarrio"
)

// A reducingCPU is the CPU engine that computes on whole batches, as GPU engines do.
type reducingCPU struct {
	*zarrio.CPU
	fail  error // of the computations
	syncs int
}

func (e *reducingCPU) SquaredErrors(a, b zarrio.Tensor, sums []float64) error {
	for i := range sums {
		s, c := i/a.Shape[1], i%a.Shape[1]
		sums[i] = loss.SquaredError(zarrio.Plane[float32](a, s, c), zarrio.Plane[float32](b, s, c))
	}
	return e.fail
}

func (e *reducingCPU) Checksums(t zarrio.Tensor, sums []uint32) error {
	for i := range sums {
		sums[i] = crc32.ChecksumIEEE(t.PlaneBytes(i/t.Shape[1], i%t.Shape[1]))
	}
	return e.fail
}

func (e *reducingCPU) Sync(m zarrio.Memory) error { e.syncs++; return e.CPU.Sync(m) }

// An engine that computes on batches where they are gives the loss and the digest that the CPU engine's host memory does, and
// each batch is waited for once.
func TestReducer(t *testing.T) {
	path := synthetic(t, fixtures.Synthetic{Steps: 14, Form: "lz4", NLat: 7, NLon: 10})
	set(t, batchFlag, 3)
	s, err := describe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	run := func(e engine, withLoss bool) (epoch, digest, error) {
		se, err := newSession(t.Context(), e, &s, withLoss)
		if err != nil {
			t.Fatal(err)
		}
		defer se.Close()
		var d digest
		ep, err := se.pass(t.Context(), newProgress("test", 7), func(b *zarrio.Batch) error { return d.add(e, b) })
		return ep, d, err
	}
	want, wantDigest, err := run(zarrio.NewCPU(zarrio.CPUOptions{}), true)
	if err != nil {
		t.Fatal(err)
	}
	fake := &reducingCPU{CPU: zarrio.NewCPU(zarrio.CPUOptions{})}
	got, gotDigest, err := run(fake, true)
	if err != nil {
		t.Fatal(err)
	}
	if got.loss != want.loss || gotDigest != wantDigest || !(got.loss > 0) || gotDigest == 0 {
		t.Errorf("loss %v, digest %08x; want %v, %08x", got.loss, gotDigest, want.loss, wantDigest)
	}
	if fake.syncs != 3 {
		t.Errorf("3 batches were synchronised %d times", fake.syncs)
	}
	if got, _, err := run(&reducingCPU{CPU: zarrio.NewCPU(zarrio.CPUOptions{})}, false); err != nil || got.loss != 0 {
		t.Errorf("without a loss: %v, %v", got.loss, err)
	}

	lost := errors.New("the context is lost")
	for _, withLoss := range []bool{true, false} {
		if _, _, err := run(&reducingCPU{CPU: zarrio.NewCPU(zarrio.CPUOptions{}), fail: lost}, withLoss); !errors.Is(err, lost) {
			t.Errorf("with a loss %t: error %v, want %v", withLoss, err, lost)
		}
	}
	set(t, windowFlag, "time=1")
	if _, _, err := run(&reducingCPU{CPU: zarrio.NewCPU(zarrio.CPUOptions{})}, true); err == nil || !strings.Contains(err.Error(), "a window's first and last step") {
		t.Errorf("windows of one step: error %v", err)
	}
}
