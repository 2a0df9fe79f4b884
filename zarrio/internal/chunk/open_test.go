package chunk

import (
	"context"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// open opens the array "x" of a store, of Zarr v3 or v2.
func open(t testing.TB, st store.Store, opt Options) *Array {
	t.Helper()
	read := func(key string) []byte {
		doc, err := store.ReadAll(t.Context(), st, key, 1<<20)
		require.NoError(t, err)
		return doc
	}
	var m *meta.Metadata
	if _, _, err := st.ReadRange(t.Context(), "x/zarr.json", nil, 0); err == nil {
		m, err = meta.ParseV3Array(read("x/zarr.json"))
		require.NoError(t, err)
	} else {
		m, err = meta.ParseV2Array(read("x/.zarray"), nil)
		require.NoError(t, err)
	}
	return New(NewSource(st, opt), "x", m)
}

// record opens an array of shards over a Recorder, which has noted nothing yet.
func record(t testing.TB, s arraytest.Shards, opt Options) (*Array, *storetest.Recorder) {
	t.Helper()
	r := storetest.NewRecorder(s.Mem(t))
	a := open(t, r, opt)
	r.Clear()
	return a, r
}

// whole picks all indices. Along dimension d it picks index alone, unless d < 0.
func whole(a *Array, d, index int) []grid.Pick {
	var picks []grid.Pick
	for k, n := range a.Grid.Shape {
		run := grid.Run{Step: 1, Count: n}
		if k == d {
			run = grid.Run{Start: index, Step: 1, Count: 1}
		}
		picks = append(picks, a.Grid.Pick(k, nil, run))
	}
	return picks
}

// check reads elements of an array of shards, of the given numbers.
func check(t testing.TB, s arraytest.Shards, a *Array, list []int) {
	t.Helper()
	picks := []grid.Pick{a.Grid.Pick(0, list, grid.Run{})}
	dst := make([]byte, 4*len(list))
	_, err := a.ForEach(t.Context(), picks, func(ctx context.Context, r *Reader, p *Part) error {
		return r.ReadChunk(ctx, a, p, []int{1}, dst)
	})
	require.NoError(t, err)
	var got, want []int32
	for i, number := range list {
		got = append(got, int32(binary.NativeEndian.Uint32(dst[4*i:])))
		if s.Missing != nil && s.Missing(number/s.Inner[len(s.Inner)-1]) {
			want = append(want, -1)
		} else {
			want = append(want, int32(number+s.Add))
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("read %v, want %v", got, want)
	}
}
