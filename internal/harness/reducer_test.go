package harness

import (
	"errors"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/internal/loss"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// A reducingCPU is the CPU engine that computes on whole batches, as GPU engines do.
type reducingCPU struct {
	*engine.CPU
	fail  error // of the computations
	syncs int
}

func (e *reducingCPU) SquaredErrors(a, b tensor.Tensor, sums []float64) error {
	for i := range sums {
		s, c := i/a.Shape[1], i%a.Shape[1]
		sums[i] = loss.SquaredError(tensor.Plane[float32](a, s, c), tensor.Plane[float32](b, s, c))
	}
	return e.fail
}

func (e *reducingCPU) Checksums(t tensor.Tensor, sums []uint32) error {
	for i := range sums {
		sums[i] = crc32.ChecksumIEEE(t.PlaneBytes(i/t.Shape[1], i%t.Shape[1]))
	}
	return e.fail
}

func (e *reducingCPU) Sync(m tensor.Memory) error { e.syncs++; return e.CPU.Sync(m) }

// An namedEngine that computes on batches where they are gives the loss and the digest that the CPU engine's host memory does, and
// each batch is waited for once.
func TestReducer(t *testing.T) {
	path := synthetic(t, fixtures.Synthetic{Steps: 14, Form: "lz4", NLat: 7, NLon: 10})
	set(t, batchFlag, 3)
	s, err := describe(t.Context(), path)
	require.NoError(t, err)
	run := func(e namedEngine, withLoss bool) (epoch, digest, error) {
		se, err := newSession(t.Context(), e, &s, withLoss)
		require.NoError(t, err)
		defer se.Close()
		var d digest
		ep, err := se.pass(t.Context(), newProgress("test", 7), func(b *loader.Batch) error { return d.add(e, b) })
		return ep, d, err
	}
	want, wantDigest, err := run(engine.NewCPU(engine.CPUOptions{}), true)
	require.NoError(t, err)
	fake := &reducingCPU{CPU: engine.NewCPU(engine.CPUOptions{})}
	got, gotDigest, err := run(fake, true)
	require.NoError(t, err)
	require.Equal(t, want.loss, got.loss)
	require.Positive(t, got.loss)
	require.Equal(t, wantDigest, gotDigest)
	require.NotZero(t, gotDigest)
	require.Equal(t, 3, fake.syncs, "3 batches are waited for once each")
	got, _, err = run(&reducingCPU{CPU: engine.NewCPU(engine.CPUOptions{})}, false)
	require.NoError(t, err)
	require.Zero(t, got.loss, "without a loss")

	lost := errors.New("the context is lost")
	for _, withLoss := range []bool{true, false} {
		_, _, err := run(&reducingCPU{CPU: engine.NewCPU(engine.CPUOptions{}), fail: lost}, withLoss)
		require.ErrorIs(t, err, lost, "with a loss: %t", withLoss)
	}
	set(t, windowFlag, "time=1")
	_, _, err = run(&reducingCPU{CPU: engine.NewCPU(engine.CPUOptions{})}, true)
	require.ErrorContains(t, err, "a window's first and last step")
}
