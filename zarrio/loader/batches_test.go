package loader_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store/storetest"
)

// prefetches are the ways to run ahead that are worth a test.
var prefetches = []int{-1, 1, 3}

// iterOptions is what the tests of iteration share: 20 windows, 7 batches, chunks that several batches need.
func iterOptions(prefetch int) loader.Options {
	return loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 3, Overlap: 2}}, Batch: 3, Prefetch: prefetch, Retain: 1, Shuffle: loader.ByChunk, Seed: 5}
}

const ldIterSteps, ldIterBatches = 22, 7

// reference returns the first epochs of ldIter.
func reference(t *testing.T, epochs int) [][][]byte {
	l := loadertest.New(t, loadertest.Open(t, arraytest.Steps(t, ldIterSteps, 4, false), zarrio.Options{}), engine.CPUOptions{Workers: 1, KeepBytes: -1}, iterOptions(-1))
	var want [][][]byte
	for range epochs {
		want = append(want, loadertest.Epoch(t, l))
	}
	if len(want[0]) != ldIterBatches || loadertest.Equal(want[0], want[1]) {
		t.Fatalf("%d batches, epochs equal: %t", len(want[0]), loadertest.Equal(want[0], want[1]))
	}
	return want
}

func TestBatchesBreak(t *testing.T) {
	want := reference(t, 2)
	for _, prefetch := range prefetches {
		for stop := range ldIterBatches {
			synctest.Test(t, func(t *testing.T) {
				l := loadertest.New(t, loadertest.Open(t, arraytest.Steps(t, ldIterSteps, 4, stop%2 == 0), zarrio.Options{}), engine.CPUOptions{Workers: 2}, iterOptions(prefetch))
				var kept *loader.Batch
				for b, err := range l.Batches(t.Context()) {
					require.NoError(t, err)
					if b.Index == stop {
						b.Retain()
						kept = b
						if stop%2 == 1 {
							synctest.Wait() // until all that can be filled ahead is
						}
						break
					}
				}
				synctest.Wait() // nobody goes on filling
				before := l.Stats()
				if got := loadertest.Epoch(t, l); !loadertest.Equal(got, want[1]) {
					t.Errorf("prefetch %d: after a break at %d, the next epoch differs", prefetch, stop)
				}
				if l.Stats() == before {
					t.Error("the second epoch read nothing")
				}
				if !bytes.Equal(loadertest.Bytes(t, kept), want[0][stop]) {
					t.Errorf("prefetch %d: batch %d changed while it was retained", prefetch, stop)
				}
				kept.Release()
			})
		}
	}
}

func TestBatchesCancel(t *testing.T) {
	want := reference(t, 2)
	why := errors.New("why")
	for _, prefetch := range prefetches {
		for stop := range ldIterBatches + 1 {
			synctest.Test(t, func(t *testing.T) {
				l := loadertest.New(t, loadertest.Open(t, arraytest.Steps(t, ldIterSteps, 4, false), zarrio.Options{}), engine.CPUOptions{Workers: 2}, iterOptions(prefetch))
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if stop == 0 {
					cancel(why)
				}
				n := 0
				var last error
				for b, err := range l.Batches(ctx) {
					if last != nil {
						t.Fatal("the sequence goes on after an error")
					}
					if last = err; err != nil {
						continue
					}
					if !bytes.Equal(loadertest.Bytes(t, b), want[0][n]) {
						t.Errorf("batch %d differs", n)
					}
					if n++; n == stop {
						cancel(why)
					}
				}
				if done := n == ldIterBatches; !done && !errors.Is(last, why) || done && last != nil {
					t.Errorf("prefetch %d, cancelled at %d: %d batches, error %v", prefetch, stop, n, last)
				}
				if ahead := n - stop; ahead > max(prefetch, 0)+1 {
					t.Errorf("prefetch %d: %d batches after the cancellation", prefetch, ahead)
				}
				if !loadertest.Equal(loadertest.Epoch(t, l), want[1]) {
					t.Errorf("prefetch %d: after a cancellation at %d, the next epoch differs", prefetch, stop)
				}
			})
		}
	}
}

// TestBatchesCancelRead cancels while the workers wait for the store.
func TestBatchesCancelRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := storetest.NewFaults(arraytest.Steps(t, ldIterSteps, 4, false))
		g, err := zarrio.OpenStore(t.Context(), f, zarrio.Options{})
		require.NoError(t, err)
		l := loadertest.New(t, g, engine.CPUOptions{Workers: 3}, iterOptions(1))
		f.Set("", storetest.Fault{Wait: make(chan struct{})})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			synctest.Wait()
			cancel()
		}()
		n := 0
		for _, err := range l.Batches(ctx) {
			if n++; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
		}
		if n != 1 {
			t.Errorf("%d turns, want the error alone", n)
		}
	})
}

func TestBatchesError(t *testing.T) {
	want := reference(t, 2)
	broken := errors.New("broken")
	for _, prefetch := range prefetches {
		for after := 0; ; after++ {
			clean := false
			synctest.Test(t, func(t *testing.T) {
				f := storetest.NewFaults(arraytest.Steps(t, ldIterSteps, 4, after%2 == 0))
				g, err := zarrio.OpenStore(t.Context(), f, zarrio.Options{})
				require.NoError(t, err)
				l := loadertest.New(t, g, engine.CPUOptions{Workers: 2}, iterOptions(prefetch))
				f.Set("", storetest.Fault{After: after, Err: broken})
				n := 0
				var kept *loader.Batch
				var last error
				for b, err := range l.Batches(t.Context()) {
					if last != nil {
						t.Fatal("the sequence goes on after an error")
					}
					if last = err; err != nil {
						continue
					}
					if !bytes.Equal(loadertest.Bytes(t, b), want[0][n]) {
						t.Errorf("batch %d differs", n)
					}
					if n++; n == 1 {
						b.Retain()
						kept = b
					}
				}
				f.Clear()
				if clean = last == nil; clean {
					if n != ldIterBatches {
						t.Errorf("%d batches and no error", n)
					}
				} else {
					var chunk *meta.ChunkError
					if !errors.Is(last, broken) || !errors.As(last, &chunk) || chunk.Array != "t" {
						t.Errorf("got error %v, want one of a chunk of t that is %q", last, broken)
					}
				}
				if !loadertest.Equal(loadertest.Epoch(t, l), want[1]) {
					t.Errorf("prefetch %d: after an error at read %d, the next epoch differs", prefetch, after)
				}
				if kept != nil {
					if !bytes.Equal(loadertest.Bytes(t, kept), want[0][0]) {
						t.Error("a retained batch changed")
					}
					kept.Release()
				}
			})
			if clean {
				break
			}
		}
	}
}

func TestBatchesAllRetained(t *testing.T) {
	for _, prefetch := range prefetches {
		synctest.Test(t, func(t *testing.T) {
			l := loadertest.New(t, loadertest.Open(t, arraytest.Steps(t, ldIterSteps, 4, false), zarrio.Options{}), engine.CPUOptions{Workers: 2}, iterOptions(prefetch))
			var kept []*loader.Batch
			var last error
			for b, err := range l.Batches(t.Context()) {
				if last = err; err == nil {
					b.Retain()
					kept = append(kept, b)
				}
			}
			slots := max(prefetch, 0) + 2
			want := fmt.Sprintf("all %d batches are retained: release one, or raise Retain (now 1)", slots)
			if last == nil || !strings.Contains(last.Error(), want) || len(kept) != slots {
				t.Errorf("retained %d batches, error %v", len(kept), last)
			}
			if err := l.Close(); err == nil || !strings.Contains(err.Error(), "closed while a batch is retained (epoch 0, batch 0, samples 0 to 2)") {
				t.Errorf("Close while batches are retained: %v", err)
			}
			for _, b := range kept {
				b.Release()
			}
			if n := len(loadertest.Epoch(t, l)); n != ldIterBatches {
				t.Errorf("%d batches in the next epoch", n)
			}
		})
	}
}

// TestBatchesRetainWhole retains an epoch that has as many batches as there are slots: none is lacking.
func TestBatchesRetainWhole(t *testing.T) {
	opt := loader.Options{Channels: []string{"t"}, Batch: 2, Retain: 1}
	l := loadertest.New(t, loadertest.Open(t, arraytest.Steps(t, 12, 4, false), zarrio.Options{}), engine.CPUOptions{}, opt)
	n := 0
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		b.Retain()
		defer b.Release()
		n++
	}
	if n != 3 {
		t.Errorf("%d batches, want 3", n)
	}
}

// TestBatchesPipeline releases batches from other goroutines.
func TestBatchesPipeline(t *testing.T) {
	want := reference(t, 2)
	l := loadertest.New(t, loadertest.Open(t, arraytest.Steps(t, ldIterSteps, 4, true), zarrio.Options{}), engine.CPUOptions{Workers: 2}, iterOptions(1))
	got := make([][]byte, ldIterBatches)
	var wg sync.WaitGroup
	room := make(chan struct{}, 1) // Retain
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		room <- struct{}{}
		b.Retain()
		wg.Go(func() {
			got[b.Index] = loadertest.Bytes(t, b)
			b.Release()
			<-room
		})
	}
	wg.Wait()
	if !loadertest.Equal(got, want[0]) {
		t.Error("batches differ")
	}
}

// TestBatchesPanic leaves the loop by a panic: the loader is as good as after a break.
func TestBatchesPanic(t *testing.T) {
	want := reference(t, 2)
	synctest.Test(t, func(t *testing.T) {
		l := loadertest.New(t, loadertest.Open(t, arraytest.Steps(t, ldIterSteps, 4, false), zarrio.Options{}), engine.CPUOptions{Workers: 2}, iterOptions(1))
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			for range l.Batches(t.Context()) {
				panic("the body's")
			}
		}()
		if !loadertest.Equal(loadertest.Epoch(t, l), want[1]) {
			t.Error("the next epoch differs")
		}
	})
}

func TestBatchesMisuse(t *testing.T) {
	e := engine.NewCPU(engine.CPUOptions{})
	g := loadertest.Open(t, arraytest.Steps(t, 8, 4, false), zarrio.Options{})
	l, err := loader.New(t.Context(), g, e, loader.Options{Channels: []string{"t"}, Batch: 2})
	require.NoError(t, err)
	want := func(what string, err error, text string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got error %v, want %q", what, err, text)
		}
	}
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		for _, err := range l.Batches(t.Context()) {
			want("a loop in a loop", err, "an epoch is already in progress")
		}
		want("Close in the loop", l.Close(), "closed while an epoch is in progress")
		if b.Index == 0 {
			if err := l.Seek(5, 2); err != nil { // takes effect with the next loop
				t.Error(err)
			}
		}
		if b.Epoch != 0 {
			t.Errorf("%v", b)
		}
	}
	for b := range l.Batches(t.Context()) {
		if b.Epoch != 5 || b.First != 2 || b.Index != 1 {
			t.Errorf("after Seek(5, 2): %v", b)
		}
	}
	for _, at := range [][2]int{{-1, 0}, {0, -1}, {0, 5}} {
		want("Seek", l.Seek(at[0], at[1]), "zarrio: loader: seek to epoch ")
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	for _, err := range l.Batches(t.Context()) {
		want("an engine that is closed", err, "cpu engine: used after Close")
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, err := range l.Batches(t.Context()) {
		want("Batches after Close", err, "used after Close")
	}
}

// TestBatchesShareEngine runs two loaders on one engine at the same time.
func TestBatchesShareEngine(t *testing.T) {
	want := reference(t, 2)
	e := engine.NewCPU(engine.CPUOptions{Workers: 2})
	var wg sync.WaitGroup
	for range 2 {
		l, err := loader.New(t.Context(), loadertest.Open(t, arraytest.Steps(t, ldIterSteps, 4, true), zarrio.Options{}), e, iterOptions(1))
		require.NoError(t, err)
		wg.Go(func() {
			for epoch := range 2 {
				for b, err := range l.Batches(t.Context()) {
					if err != nil {
						t.Error(err)
					} else if !bytes.Equal(loadertest.Bytes(t, b), want[epoch][b.Index]) {
						t.Errorf("%v differs", b)
					}
				}
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// TestBatchesResume goes on from every sample of an epoch.
func TestBatchesResume(t *testing.T) {
	for _, shuffle := range []loader.Shuffle{loader.InOrder, loader.ByWindow, loader.ByChunk} {
		for _, drop := range []bool{false, true} {
			opt := iterOptions(1)
			opt.Shuffle, opt.Tail = shuffle, loader.TailShort
			if drop {
				opt.Tail = loader.TailDrop
			}
			opt.Rank, opt.World = 1, 2
			g := loadertest.Open(t, arraytest.Steps(t, 43, 4, true), zarrio.Options{})
			l := loadertest.New(t, g, engine.CPUOptions{}, opt)
			var whole [][]byte // by sample
			run := func(sample int) (got [][]byte) {
				require.NoError(t, l.Seek(3, sample))
				for b, err := range l.Batches(t.Context()) {
					require.NoError(t, err)
					if b.Epoch != 3 || b.First != sample+len(got) || b.Index != b.First/3 || drop && b.Len != 3 {
						t.Fatalf("%v, of %d", b, b.Len)
					}
					for i := range b.Len {
						var one []byte
						for _, tensor := range b.Tensors {
							one = append(one, tensor.PlaneBytes(i, 0)...)
						}
						got = append(got, one)
					}
				}
				return got
			}
			whole = run(0)
			if len(whole) != l.Samples() {
				t.Fatalf("%d samples, want %d", len(whole), l.Samples())
			}
			for sample := range l.Samples() + 1 {
				rest := whole[sample:]
				if drop {
					rest = rest[:len(rest)/3*3]
				}
				if got := run(sample); !loadertest.Equal(got, rest) {
					t.Errorf("shuffle %d, drop %t: resumed at %d, the rest differs", shuffle, drop, sample)
				}
			}
		}
	}
}
