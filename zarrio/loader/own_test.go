package loader_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// TestOwnEngine: without an engine a loader makes one, whose batches are those of the CPU engine, and closes it.
func TestOwnEngine(t *testing.T) {
	g := loadertest.Open(t, arraytest.Steps(t, 9, 1, false), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 4}
	l, err := loader.New(t.Context(), g, nil, opt)
	require.NoError(t, err)
	e := l.Engine()
	require.True(t, loadertest.Equal(loadertest.Epoch(t, l), loadertest.Epoch(t, loadertest.New(t, g, engine.CPUOptions{}, opt))))
	require.NoError(t, l.Close())
	m, err := e.Alloc(1<<12, tensor.Dense)
	require.NoError(t, err)
	defer m.Free()
	_, err = e.Fill(t.Context(), l.FirstPlan(), m)
	require.ErrorContains(t, err, "used after Close")

	opt.Batch = -1
	_, err = loader.New(t.Context(), g, nil, opt)
	require.ErrorContains(t, err, "batch of -1 samples")
}
