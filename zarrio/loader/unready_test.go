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

// An epoch that can't begin yields one error, and no batch.
func TestLoaderCannotBegin(t *testing.T) {
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{8, 4, 6}, Chunks: []int{1, 4, 6}})
	l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, loader.Options{Channels: []string{"t"}, Batch: 2})
	errs := func() (all []string) {
		for b, err := range l.Batches(t.Context()) {
			require.Nil(t, b)
			all = append(all, err.Error())
		}
		return all
	}
	for _, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, []string{"zarrio: loader: an epoch is already in progress"}, errs())
	}
	l.Close()
	require.Equal(t, []string{"zarrio: loader: used after Close"}, errs())
}
