package loader

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/arraytest"
)

// TestStepsAreNotMissing: times of a step dimension may equal the array's fill value, and a level too.
func TestStepsAreNotMissing(t *testing.T) {
	s := arraytest.Steps(t, 3, 1, false)
	s.Put(t, &arraytest.Array{Name: "time", Dtype: "<i8", Fill: "0", Dims: []string{"time"}, Shape: []int{3}, Elem: arraytest.Ints(func(i int) int64 { return int64(i) }),
		Attrs: map[string]any{"units": "seconds since 1970-01-01"}})
	s.Put(t, &arraytest.Array{Name: "level", Dtype: "<i2", Fill: "0", Dims: []string{"level"}, Shape: []int{3}, Elem: arraytest.Ints(func(i int) int64 { return int64(i) }),
		Attrs: map[string]any{"scale_factor": 0.5}})
	g, err := zarrio.OpenStore(t.Context(), s, zarrio.Options{})
	require.NoError(t, err)
	arrays := map[string]*zarrio.Array{}
	for _, name := range []string{"time", "level"} {
		var err error
		if arrays[name], err = g.Array(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if times, err := stepTimesOf(t.Context(), arrays["time"], 3, false); err != nil || !slices.Equal(times.axis, timeAxis{{by: 1e9}}) {
		t.Errorf("times %v, %v", times, err)
	}
	if levels, err := zarrio.ReadCoordinates(t.Context(), arrays["level"]); err != nil || !slices.Equal(levels, []float64{0, 0.5, 1}) {
		t.Errorf("levels %v, %v", levels, err)
	}
}
