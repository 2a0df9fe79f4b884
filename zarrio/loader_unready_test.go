package zarrio

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An epoch that can't begin yields one error, and no batch.
func TestLoaderCannotBegin(t *testing.T) {
	s := newLdStore()
	s.put(t, &ldArray{name: "t", dims: []string{"time", "y", "x"}, shape: []int{8, 4, 6}, chunks: []int{1, 4, 6}})
	l := ldLoader(t, s.open(t, Options{}), CPUOptions{}, LoaderOptions{Channels: []string{"t"}, Batch: 2})
	errs := func() (all []string) {
		for b, err := range l.Batches(t.Context()) {
			require.Nil(t, b)
			all = append(all, err.Error())
		}
		return all
	}
	for _, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, []string{"zarrio: loader: an epoch is under way already"}, errs())
	}
	l.Close()
	require.Equal(t, []string{"zarrio: loader: used after Close"}, errs())
}
