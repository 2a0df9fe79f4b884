package loader_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// panics runs f and returns what it panics with.
func panics(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestBatchLeases(t *testing.T) {
	l := loadertest.New(t, loadertest.Open(t, arraytest.Steps(t, 8, 4, false), zarrio.Options{}), engine.CPUOptions{}, loader.Options{Channels: []string{"t"}, Batch: 2, Retain: 1})
	const (
		noRelease = "zarrio: Release of a batch that is not retained"
		noRetain  = "zarrio: Retain of a batch that is no longer valid"
	)
	var first *loader.Batch
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		if got := panics(func() { b.Release() }); got != noRelease { // this lease is the loop's
			t.Errorf("Release in the loop, without Retain: %v", got)
		}
		b.Retain()
		b.Retain()
		b.Release()
		if b.Index == 0 {
			first = b
		} else {
			b.Release()
		}
	}
	first.Retain()
	first.Release()
	first.Release()
	for range 2 { // misuse changes nothing
		if got := panics(func() { first.Release() }); got != noRelease {
			t.Errorf("Release once too often: %v", got)
		}
		if got := panics(first.Retain); got != noRetain {
			t.Errorf("Retain too late: %v", got)
		}
	}
	if n := len(loadertest.Epoch(t, l)); n != l.Len() {
		t.Errorf("%d batches in the next epoch", n)
	}
}

func TestBatchDescribesItself(t *testing.T) {
	l := loadertest.New(t, loadertest.Open(t, arraytest.Steps(t, 10, 4, false), zarrio.Options{}), engine.CPUOptions{}, loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 3, Overlap: 1}}, Batch: 3})
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		if b.Input().Offset != b.Tensors[0].Offset || b.Target().Offset != b.Tensors[2].Offset {
			t.Error("input and target are not the first and the last step's tensors")
		}
		if want := "epoch 0, batch 1, samples 3 to 3"; b.Index == 1 && b.String() != want {
			t.Errorf("String() = %q, want %q", b, want)
		}
		require.Nil(t, b.Times("input"), "times without a time array")
	}
}
