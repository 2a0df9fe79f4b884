package zarrio

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/zarrtest"
)

// TestBCSD reads every store of one data set, in the zip file that it lies in: whatever its format, it has the same arrays,
// values, times and missing values.
func TestBCSD(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(zarrtest.Shared(t, "conformance/bcsd"), "*.zip"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%q, %v, want a store of each format", files, err)
	}
	type content struct {
		shape  []int
		stored []byte
		values []float64 // by their bits, so that NaN is NaN
	}
	var first map[string]content
	var times []int64
	formats := map[int]bool{}
	for _, name := range files {
		g, err := Open(t.Context(), name, Options{FillMask: MaskAlways, Strict: true})
		require.NoError(t, err)
		defer g.Close()
		members, err := g.Members(t.Context())
		if err != nil || len(members) != 5 {
			t.Fatalf("%s: members %v, %v", name, members, err)
		}
		formats[g.Format()] = true
		all := map[string]content{}
		for _, m := range members {
			a, err := g.Array(t.Context(), m.Name)
			require.NoError(t, err)
			c := content{shape: a.Shape(), stored: make([]byte, arraytest.Volume(a.Shape())*a.DType().Size)}
			if _, err := a.ReadInto(t.Context(), nil, c.stored); err != nil {
				t.Fatal(err)
			}
			if m.Name == "time" {
				got, err := ReadTimes(t.Context(), a, nil)
				if err != nil || times != nil && !slices.Equal(got, times) {
					t.Errorf("%s: times %v, %v, want %v", name, got, err, times)
				}
				times = got
			} else if c.values, err = ReadCF[float64](t.Context(), a, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Check(t.Context(), func(err error) { t.Errorf("%s: %v", name, err) }); err != nil {
				t.Error(err)
			}
			all[m.Name] = c
		}
		if first == nil {
			first = all
			continue
		}
		for name, c := range all {
			want := first[name]
			if !slices.Equal(c.shape, want.shape) || !bytes.Equal(c.stored, want.stored) || !sameFloats(c.values, want.values) {
				t.Errorf("array %s: not the same in all stores", name)
			}
		}
	}
	if !formats[2] || !formats[3] {
		t.Errorf("formats %v, want 2 and 3", formats)
	}
}
