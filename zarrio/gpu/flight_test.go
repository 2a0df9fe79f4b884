//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/turns"
)

// TestRequestsInFlightGPU is TestRequestsInFlight for the engines that end on a GPU.
func TestRequestsInFlightGPU(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	for _, kind := range loadertest.FlightKinds {
		for _, workers := range []int{0, 64} {
			t.Run(fmt.Sprintf("host/%s/%d workers", kind, workers), func(t *testing.T) {
				e := must(t)(NewHost(g, HostOptions{Workers: workers}))
				defer func() { require.NoError(t, e.Close()) }()
				loadertest.NewFlight(t, kind, 150, 64).Read(t, e, 64)
			})
		}
		t.Run("gds/"+kind+"/64 workers", func(t *testing.T) {
			e := must(t)(NewGDS(g, GDSOptions{Workers: 64}))
			defer func() { require.NoError(t, e.Close()) }()
			loadertest.NewFlight(t, kind, 150, 64).Read(t, e, 64)
		})
	}
}

// TestOneTurnGPU has 64 workers share one turn and one slot. A worker that waits for the slot has no turn, and one that waits for
// the turn may have the slot: all come through.
func TestOneTurnGPU(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	for _, lazy := range []int64{0, 1} {
		cudaemu.Set(t, "lazy", lazy)
		for _, kind := range loadertest.FlightKinds {
			t.Run(fmt.Sprintf("host/%s/lazy %d", kind, lazy), func(t *testing.T) {
				e := must(t)(NewHost(g, HostOptions{Workers: 64, RingBytes: slotSize}))
				defer func() { require.NoError(t, e.Close()) }()
				e.(*hostEngine).pool.SetTurns(turns.New(1))
				f := loadertest.NewFlight(t, kind, 150, 64)
				f.Values(t, e, func() {})
			})
			t.Run(fmt.Sprintf("gds/%s/lazy %d", kind, lazy), func(t *testing.T) {
				e := must(t)(NewGDS(g, GDSOptions{Workers: 64}))
				defer func() { require.NoError(t, e.Close()) }()
				e.(*gdsEngine).pool.SetTurns(turns.New(1))
				f := loadertest.NewFlight(t, kind, 150, 64)
				f.Values(t, e, func() {})
			})
		}
	}
}
