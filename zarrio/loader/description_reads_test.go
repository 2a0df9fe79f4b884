package loader_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// TestDescriptionReads: chunks that no tensor needs are not read, and others once a batch, however many tensors, steps and samples
// need them. Static tensors are read once.
func TestDescriptionReads(t *testing.T) {
	s := arraytest.NewStore()
	const steps = 60
	grid := []string{"latitude", "longitude"}
	s.Put(t, &arraytest.Array{Name: "z", Dims: append([]string{"time"}, grid...), Shape: []int{steps, 4, 6}, Chunks: []int{1, 4, 6}})
	s.Put(t, &arraytest.Array{Name: "u", Dims: append([]string{"time"}, grid...), Shape: []int{steps, 4, 6}, Chunks: []int{1, 4, 6}, Blosc: true})
	s.Put(t, &arraytest.Array{Name: "mask", Dims: grid, Shape: []int{4, 6}})
	s.Put(t, &arraytest.Array{Name: "time", Dims: []string{"time"}, Shape: []int{steps}, Dtype: "<i8", Elem: arraytest.Ints(func(i int) int64 { return int64(6 * i) }),
		Attrs: map[string]any{"units": "hours since 1970-01-01"}})
	d := loader.Description{Along: []loader.Axis{{Dim: "time", Stride: 7}}, Tensors: []loader.TensorSpec{
		{Name: "x", Channels: []string{"z", "u"}, Steps: []loader.Step{hours(-6), hours(0), hours(240)}},
		{Name: "y", Channels: []string{"z"}, Steps: []loader.Step{hours(0), {N: 40}}},
		{Name: "land", Channels: []string{"mask"}, Static: true},
	}}
	l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, loader.Options{Sample: d, Batch: 2, Prefetch: -1})
	s.Counts()
	seen := 0
	for epoch := range 2 {
		for b, err := range l.Batches(t.Context()) {
			require.NoError(t, err)
			want := map[string]int{}
			for _, w := range b.Windows {
				at := w.Start[0]
				for _, i := range []int{at - 1, at, at + 40} {
					want[fmt.Sprintf("z/%d.0.0", i)], want[fmt.Sprintf("u/%d.0.0", i)] = 1, 1
				}
			}
			if seen == 0 {
				want["mask/0.0"] = 1
			}
			got := map[string]int{}
			for key, n := range s.Counts() {
				if !strings.HasPrefix(key, "time/") {
					got[key] = n
				}
			}
			require.Equal(t, want, got, "epoch %d, %v", epoch, b)
			seen++
		}
	}
	require.Equal(t, 2*l.Len(), seen)
}
