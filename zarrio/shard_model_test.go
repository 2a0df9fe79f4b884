package zarrio

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/store/storetest"
)

// record opens the array over a Recorder, which has noted nothing yet.
func recordShards(t testing.TB, s arraytest.Shards, opt Options) (*Array, *storetest.Recorder) {
	t.Helper()
	r := storetest.NewRecorder(s.Mem(t))
	a := openArray(t, r, opt)
	r.Clear()
	return a, r
}

// check reads the elements of the given numbers, by the selection that selects them.
func checkShards(t testing.TB, s arraytest.Shards, a *Array, sel Selection, numbers []int) {
	t.Helper()
	got, err := Read[int32](t.Context(), a, sel)
	require.NoError(t, err)
	var want []int32
	for _, i := range numbers {
		if s.Missing != nil && s.Missing(i/s.Inner[len(s.Inner)-1]) {
			want = append(want, -1)
		} else {
			want = append(want, int32(i+s.Add))
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("read %v, want %v", got, want)
	}
}
