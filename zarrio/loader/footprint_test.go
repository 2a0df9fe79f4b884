package loader_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
)

// A greedy engine takes much memory, and notes what it is told.
type greedy struct {
	*engine.CPU
	takes    meta.Footprint
	selected int64
}

func (e *greedy) Prepare(_ *plan.Plan, selected int64) meta.Footprint {
	e.selected = selected
	return e.takes
}

// TestFootprint: what an engine takes besides the batches counts, in the memory that it is in.
func TestFootprint(t *testing.T) {
	half := hostmem.Limit()/2 + 1<<30
	g := loadertest.Open(t, arraytest.Steps(t, 12, 3, true), zarrio.Options{})
	for _, tt := range []struct {
		name  string
		takes meta.Footprint
		want  string // in the error
	}{
		{"little", meta.Footprint{Workers: 1 << 20, Kept: 1 << 20, Tables: 1 << 20}, ""},
		{"workers", meta.Footprint{Workers: 1 << 60}, "(buffers of workers 1152921504606846976, cached chunks 0, tables 0)"},
		{"cache", meta.Footprint{Kept: 1 << 60}, "use fewer workers, or cache less"},
		{"together", meta.Footprint{Workers: half, Kept: half, Tables: half}, "bytes of memory, and filling them"},
		{"device", meta.Footprint{Workers: 1 << 60, OnDevice: true}, "the batches need 0 bytes of memory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &greedy{CPU: engine.NewCPU(engine.CPUOptions{}), takes: tt.takes}
			defer e.Close()
			l, err := loader.New(t.Context(), g, e, loader.Options{Channels: []string{"t"}})
			if tt.want != "" {
				require.ErrorContains(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.takes, l.Footprint())
			require.EqualValues(t, 12*4*6*4, e.selected)
			require.NoError(t, l.Close())
		})
	}
}

// TestKeepAuto keeps all that an epoch needs, since that is little: later epochs read nothing.
func TestKeepAuto(t *testing.T) {
	g := loadertest.Open(t, arraytest.Steps(t, 24, 3, true), zarrio.Options{})
	l := loadertest.New(t, g, engine.CPUOptions{KeepBytes: engine.KeepAuto}, loader.Options{Channels: []string{"t"}, Batch: 4, Shuffle: loader.ByWindow, Seed: 1})
	require.Positive(t, l.Footprint().Kept)
	loadertest.Epoch(t, l)
	first := l.Stats()
	require.Positive(t, first.ReadBytes)
	loadertest.Epoch(t, l)
	again := l.Stats().Sub(first)
	require.Zero(t, again.ReadBytes)
	require.Zero(t, again.Chunks)
	require.Positive(t, again.Reused)
	require.Equal(t, first.PlacedBytes, again.PlacedBytes)
}
