package loader_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/store/storetest"
)

// newIter returns a loader of 20 windows in chunks that several batches need.
func newIter(t *testing.T, prefetch int) *loader.Loader {
	g := loadertest.Open(t, arraytest.Steps(t, ldIterSteps, 4, true), zarrio.Options{})
	return loadertest.New(t, g, engine.CPUOptions{Workers: 2}, iterOptions(prefetch))
}

// TestStreamEpoch streams the samples of an epoch: the batches are the same, and so is what is read.
func TestStreamEpoch(t *testing.T) {
	for _, prefetch := range prefetches {
		l := newIter(t, prefetch)
		var lists [][]int64
		var want [][]byte
		for b, err := range l.Batches(t.Context()) {
			require.NoError(t, err)
			lists = append(lists, slices.Clone(b.Samples))
			want = append(want, loadertest.Bytes(t, b))
		}
		before := l.Stats()
		var got [][]byte
		first := 0
		// The caller's slice is used again.
		seq := func(yield func([]int64) bool) {
			var list []int64
			for _, l := range lists {
				list = append(list[:0], l...)
				if !yield(list) {
					return
				}
				clear(list)
			}
		}
		for b, err := range l.Stream(t.Context(), seq) {
			require.NoError(t, err)
			require.Equal(t, []int{0, len(got), first}, []int{b.Epoch, b.Index, b.First})
			require.Equal(t, lists[b.Index], b.Samples)
			first += b.Len
			got = append(got, loadertest.Bytes(t, b))
		}
		require.True(t, loadertest.Equal(want, got))
		require.Equal(t, before.Chunks, l.Stats().Chunks-before.Chunks)
		require.Equal(t, before.Reused, l.Stats().Reused-before.Reused)
		for b := range l.Batches(t.Context()) {
			require.Equal(t, 1, b.Epoch, "a stream is no epoch")
			break
		}
	}
}

// TestStreamLists: lists may be empty, and repeat windows.
func TestStreamLists(t *testing.T) {
	for _, prefetch := range prefetches {
		l := newIter(t, prefetch)
		lists := [][]int64{{}, {5, 5, 5}, nil, {19}, {0, 19}, {}}
		n := 0
		for b, err := range l.Stream(t.Context(), slices.Values(lists)) {
			require.NoError(t, err)
			require.Equal(t, n, b.Index)
			require.Len(t, b.Samples, len(lists[n]))
			require.True(t, slices.Equal(lists[n], b.Samples))
			require.Equal(t, len(lists[n]), b.Tensors[0].Shape[0])
			for i, w := range b.Samples {
				require.EqualValues(t, w, b.Windows[i].Start[0])
				require.Equal(t, b.Len, b.Input().Shape[0])
			}
			if n == 1 {
				require.Equal(t, b.Input().PlaneBytes(0, 0), b.Input().PlaneBytes(2, 0))
			}
			if b.Len == 0 {
				require.Contains(t, b.String(), "no samples")
				require.Empty(t, loadertest.Bytes(t, b))
			}
			n++
		}
		require.Equal(t, len(lists), n)
		for range l.Stream(t.Context(), slices.Values([][]int64(nil))) {
			t.Error("a batch of no list")
		}
	}
}

func TestStreamErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lists [][]int64
		ok    int // batches before the error
		want  string
	}{
		{"negative", [][]int64{{1}, {2, -1}}, 1, "zarrio: loader: stream: list 1: sample 1: window -1: want 0 to 19"},
		{"past the end", [][]int64{{20}}, 0, "list 0: sample 0: window 20: want 0 to 19"},
		{"too long", [][]int64{{0}, {1}, {2}, {1, 2, 3, 4}, {1}}, 3, "list 3: 4 windows: a batch has room for 3"},
		{"not selected", [][]int64{{3, 4}, {5}}, 1, "list 1: sample 0: window 5 is not among those that are selected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, prefetch := range prefetches {
				l := newIter(t, prefetch)
				if tt.name == "not selected" {
					require.NoError(t, l.SelectSteps(0, 3, 4, 6, 19))
				}
				n, fails := 0, 0
				for b, err := range l.Stream(t.Context(), slices.Values(tt.lists)) {
					if err != nil {
						require.ErrorContains(t, err, tt.want)
						fails++
						continue
					}
					require.Zero(t, fails, "the sequence goes on after an error")
					require.Equal(t, tt.lists[n], b.Samples)
					n++
				}
				require.Equal(t, 1, fails)
				require.Equal(t, tt.ok, n, "batches before the error")
				require.NotEmpty(t, loadertest.Epoch(t, l), "the loader can be used again")
			}
		})
	}
	l := newIter(t, 1)
	for _, err := range l.Stream(t.Context(), nil) {
		require.ErrorContains(t, err, "stream: no sequence of lists")
	}
	for range l.Batches(t.Context()) {
		for _, err := range l.Stream(t.Context(), slices.Values([][]int64{{1}})) {
			require.ErrorContains(t, err, "an epoch is already in progress")
		}
	}
}

// endless returns a sequence of lists without an end, and a function that reports whether it is at
// work.
func endless() (lists iter.Seq[[]int64], working func() bool) {
	busy := false
	return func(yield func([]int64) bool) {
		busy = true
		defer func() { busy = false }()
		for i := int64(0); yield([]int64{i % 20, (i + 3) % 20}); i++ {
		}
	}, func() bool { return busy }
}

// TestStreamEnds ends the loop in all ways: the caller's sequence and all goroutines end with it.
func TestStreamEnds(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, l *loader.Loader, f *storetest.Faults, lists iter.Seq[[]int64])
	}{
		{"break", func(t *testing.T, l *loader.Loader, _ *storetest.Faults, lists iter.Seq[[]int64]) {
			n := 0
			for _, err := range l.Stream(t.Context(), lists) {
				require.NoError(t, err)
				if n++; n == 5 {
					break
				}
			}
		}},
		{"cancel", func(t *testing.T, l *loader.Loader, _ *storetest.Faults, lists iter.Seq[[]int64]) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var last error
			for b, err := range l.Stream(ctx, lists) {
				if last = err; err == nil && b.Index == 3 {
					cancel(broken)
				}
			}
			require.ErrorIs(t, last, broken)
		}},
		{"error", func(t *testing.T, l *loader.Loader, f *storetest.Faults, lists iter.Seq[[]int64]) {
			f.Set("", storetest.Fault{After: 4, Err: broken})
			var last error
			for _, err := range l.Stream(t.Context(), lists) {
				last = err
			}
			require.ErrorIs(t, last, broken)
			f.Clear()
		}},
		{"panic", func(t *testing.T, l *loader.Loader, _ *storetest.Faults, lists iter.Seq[[]int64]) {
			require.PanicsWithValue(t, "the body's", func() {
				for range l.Stream(t.Context(), lists) {
					panic("the body's")
				}
			})
		}},
		{"panic of the sequence", func(t *testing.T, l *loader.Loader, _ *storetest.Faults, lists iter.Seq[[]int64]) {
			require.PanicsWithValue(t, "the sequence's", func() {
				n := 0
				for _, err := range l.Stream(t.Context(), func(yield func([]int64) bool) {
					for list := range lists {
						if n++; n > 6 {
							panic("the sequence's")
						}
						if !yield(list) {
							return
						}
					}
				}) {
					require.NoError(t, err)
				}
			})
		}},
		{"retained", func(t *testing.T, l *loader.Loader, _ *storetest.Faults, lists iter.Seq[[]int64]) {
			var kept []*loader.Batch
			for b, err := range l.Stream(t.Context(), lists) {
				if err != nil {
					require.ErrorContains(t, err, "batches are retained")
					continue
				}
				b.Retain()
				kept = append(kept, b)
			}
			for _, b := range kept {
				b.Release()
			}
		}},
		{"goexit", func(t *testing.T, l *loader.Loader, _ *storetest.Faults, lists iter.Seq[[]int64]) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range l.Stream(t.Context(), lists) {
					runtime.Goexit()
				}
			}()
			<-done
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := reference(t, 2)
			for _, prefetch := range prefetches {
				synctest.Test(t, func(t *testing.T) { // it fails if a goroutine is left
					f := storetest.NewFaults(arraytest.Steps(t, ldIterSteps, 4, false))
					g, err := zarrio.OpenStore(t.Context(), f, zarrio.Options{})
					require.NoError(t, err)
					l := loadertest.New(t, g, engine.CPUOptions{Workers: 2, KeepBytes: -1}, iterOptions(prefetch))
					lists, working := endless()
					tt.end(t, l, f, lists)
					require.False(t, working(), "the sequence is left at work")
					got := loadertest.Epoch(t, l)
					require.True(t, loadertest.Equal(want[0], got), "the next epoch differs")
				})
			}
		})
	}
}

// TestStreamAhead: a list is pulled by the loop's goroutine, Prefetch + 2 ahead.
func TestStreamAhead(t *testing.T) {
	for _, prefetch := range prefetches {
		synctest.Test(t, func(t *testing.T) {
			l := newIter(t, prefetch)
			pulled := 0
			for b, err := range l.Stream(t.Context(), func(yield func([]int64) bool) {
				for yield([]int64{int64(pulled % 20)}) {
					pulled++
				}
			}) {
				require.NoError(t, err)
				synctest.Wait() // until all that can be filled ahead is
				require.Equal(t, b.Index+max(prefetch, 0)+1, pulled)
				if b.Index == 30 {
					break
				}
			}
		})
	}
}

// TestSelected: an epoch has the selected windows alone, by the numbers of all.
func TestSelected(t *testing.T) {
	for _, shuffle := range []loader.Shuffle{loader.InOrder, loader.ByWindow, loader.ByChunk} {
		t.Run(shuffle.String(), func(t *testing.T) {
			opt := iterOptions(1)
			opt.Shuffle = shuffle
			l := loadertest.New(t, loadertest.Open(t, arraytest.Steps(t, ldIterSteps, 4, false), zarrio.Options{}), engine.CPUOptions{}, opt)
			whole := map[int64][]byte{}
			for b, err := range l.Batches(t.Context()) {
				require.NoError(t, err)
				for i, w := range b.Samples {
					whole[w] = bytes.Clone(b.Target().PlaneBytes(i, 0))
				}
			}
			require.NoError(t, l.SelectSteps(1, 2, 3, 7, 8, 15, 19))
			require.Equal(t, 7, l.Samples())
			var got []int64
			for b, err := range l.Batches(t.Context()) {
				require.NoError(t, err)
				for i, w := range b.Samples {
					require.Equal(t, whole[w], b.Target().PlaneBytes(i, 0))
				}
				got = append(got, b.Samples...)
			}
			slices.Sort(got)
			require.Equal(t, []int64{1, 2, 3, 7, 8, 15, 19}, got)
		})
	}
}
