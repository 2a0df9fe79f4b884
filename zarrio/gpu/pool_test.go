//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// TestGPUPool makes engine after engine on one GPU, as a benchmark does that opens everything anew for each epoch: only the
// first one allocates. Rings have one slot: how many of a longer one are made depends on how soon copies end.
func TestGPUPool(t *testing.T) {
	cudaemu.NoLeaks(t)
	group, _ := onDisk(t, gdsFields(t, 12, 61, 97), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 3}
	want := bytes.Join(loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt)), nil)
	makers := []string{"cuMemHostRegister_v2", "cuMemHostAlloc", "cuStreamCreate", "cuEventCreate", "cuModuleLoadData"}
	for _, tt := range []struct {
		name   string
		engine func(*GPU) (Engine, error)
	}{
		{"host", func(g *GPU) (Engine, error) { return NewHost(g, HostOptions{Workers: 1, RingBytes: slotSize}) }},
		{"compat", func(g *GPU) (Engine, error) {
			return NewGDS(g, GDSOptions{Workers: 1, RingBytes: slotSize, Compat: CompatOn})
		}},
		{"gds", func(g *GPU) (Engine, error) { return NewGDS(g, GDSOptions{Workers: 1, RingBytes: slotSize}) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "gds" && cudaemu.RealCufile() {
				t.Skip("NVIDIA's libcufile pins memory of its own")
			}
			g := testGPU(t, 0)
			made := make([]int64, len(makers))
			for epoch := range 3 {
				e := must(t)(tt.engine(g))
				l, err := loader.New(t.Context(), group, e, opt)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, gpuEpoch(t, l)), "epoch %d differs", epoch)
				for b, err := range l.Batches(t.Context()) {
					require.NoError(t, err)
					require.NoError(t, e.SquaredErrors(b.Input(), b.Target(), make([]float64, b.Len)))
				}
				require.NoError(t, l.Close())
				require.NoError(t, e.Close())
				for i, name := range makers {
					if now := calls(name); epoch == 0 {
						made[i] = now
					} else {
						require.Equal(t, made[i], now, "%s in epoch %d", name, epoch)
					}
				}
			}
		})
	}
}

// TestGPUPoolBlocks holds which idle memory serves which request.
func TestGPUPoolBlocks(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	size := func(n int64) (got int64) {
		require.NoError(t, g.withContext(func() error {
			b, err := g.newBlock(n)
			got = int64(len(b))
			g.freeBlock(b)
			return err
		}))
		return got
	}
	for _, tt := range []struct{ n, want, idle int64 }{
		{100, 100, 1},
		{50, 100, 1},
		{8 << 20, 8 << 20, 1}, // the small one is freed for it
		{100, 100, 2},
		{3 << 20, 8 << 20, 2},
		{1 << 20, 1 << 20, 2},
	} {
		require.Equal(t, tt.want, size(tt.n), "%d bytes", tt.n)
		require.EqualValues(t, tt.idle, len(g.pool.blocks), "after %d bytes", tt.n)
	}
}

// A barrierStore has reads of chunks wait until n of them do.
type barrierStore struct {
	*arraytest.Store
	n    int64
	in   atomic.Int64
	open chan struct{}
}

func (s *barrierStore) ReadRange(ctx context.Context, key string, dst []byte, off int64) (int, int64, error) {
	if strings.HasPrefix(key, "t/") && !strings.Contains(key, ".z") {
		if s.in.Add(1) == s.n {
			close(s.open)
		}
		select {
		case <-s.open:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	return s.Store.ReadRange(ctx, key, dst, off)
}

func (s *barrierStore) Coalesce() (gap, size int64) { return 0, 0 }
func (s *barrierStore) Requests() int               { return int(s.n) }

// TestGPUSlots has 64 workers read into slots at once: none waits for a slot.
func TestGPUSlots(t *testing.T) {
	cudaemu.NoLeaks(t)
	const workers = 64
	s := &barrierStore{Store: arraytest.Steps(t, workers+1, 1, true), n: workers, open: make(chan struct{})}
	group, err := zarrio.OpenStore(t.Context(), s, zarrio.Options{})
	require.NoError(t, err)
	g := testGPU(t, 0)
	e := must(t)(NewHost(g, HostOptions{Workers: workers, KeepBytes: -1}))
	require.Contains(t, e.String(), "ring of 80 x 4 MiB")
	l := loadertest.NewOn(t, group, e, loader.Options{Channels: []string{"t"}, Batch: workers, Windows: []loader.Window{{Dim: "time", Size: 1}}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // of a wait that would not end
	defer cancel()
	for b, err := range l.Batches(ctx) {
		require.NoError(t, err)
		require.NoError(t, b.Sync())
		break
	}
	require.GreaterOrEqual(t, s.in.Load(), int64(workers))
}
