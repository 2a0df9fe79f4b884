package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// mixedSource makes a store with variables of all kinds: 10 steps of an hour from 2000-01-01, of which the root's attributes say
// that the first 8 are real, and levels that descend.
func mixedSource(t *testing.T, format int, attrs map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mixed.zarr")
	require.NoError(t, os.Mkdir(dir, 0o777))
	st, err := store.OpenDir(dir)
	require.NoError(t, err)
	defer st.Close()
	w, err := write.Create(st, format, attrs)
	require.NoError(t, err)
	sizes := map[string]int{"valid": 10, "plev": 3, "member": 2, "latitude": 4, "longitude": 5}
	put := func(name string, d zarrio.DType, attrs map[string]string, chunk []int, values func(i int) float64, dims ...string) {
		shape, n := []int{}, 1
		for _, dim := range dims {
			shape = append(shape, sizes[dim])
			n *= sizes[dim]
		}
		if chunk == nil {
			chunk = shape
		}
		data := elementsOf[float32](n, values)
		if d.Kind == meta.Int {
			data = elementsOf[int64](n, values)
		}
		spec := write.ArraySpec{Shape: shape, Chunks: chunk, DType: d, Dims: dims, Attrs: attrs, Compressor: write.Compressor{Name: "zstd"}}
		if format == 3 && len(dims) == 1 && chunk[0] < shape[0] {
			spec.Shards = []int{2 * chunk[0]} // of which parts are read
		}
		a, err := w.Array(name, spec)
		if err == nil {
			err = a.Write(t.Context(), make([]int, len(shape)), shape, data)
		}
		if err == nil {
			err = a.Finish(t.Context())
		}
		require.NoError(t, err)
	}
	integer := zarrio.DType{Kind: meta.Int, Size: 8}
	at := func(values ...float64) func(int) float64 { return func(i int) float64 { return values[i] } }
	count := func(i int) float64 { return float64(i) }
	put("valid", integer, map[string]string{"units": "hours since 2000-01-01"}, []int{4}, count, "valid")
	put("plev", zarrio.Float32, map[string]string{"units": "hPa"}, nil, at(1000, 500, 250.5), "plev")
	put("latitude", zarrio.Float32, nil, nil, at(-3, -1, 1, 3), "latitude")
	put("u", zarrio.Float32, map[string]string{"units": "m/s"}, []int{3, 2, 4, 2}, count, "longitude", "plev", "valid", "latitude")
	put("pair", zarrio.Float32, nil, nil, count, "valid", "member", "plev", "latitude", "longitude")
	put("surface", zarrio.Float32, nil, []int{10, 4, 5}, count, "valid", "latitude", "longitude")
	put("mask", zarrio.Float32, nil, []int{2, 5}, count, "latitude", "longitude")
	put("constant", zarrio.Float32, nil, nil, at(9.80665))
	require.NoError(t, w.Finish(t.Context()))
	return dir
}

// elementsOf makes n elements of type T.
func elementsOf[T float32 | int64](n int, values func(i int) float64) []byte {
	list := make([]T, n)
	for i := range list {
		list[i] = T(values(i))
	}
	return tensor.AsBytes(list)
}

// Which dimension is time and which the level follows from the store, whatever their order and names.
func TestMixedVariables(t *testing.T) {
	dir := mixedSource(t, 3, map[string]string{"valid_time_start": "2000-01-01", "valid_time_stop": "2000-01-01T05:00", "valid_time_stop_era5t": "2000-01-01T07:00"})
	out := filepath.Join(t.TempDir(), "out.zarr")
	fetch := func(args ...string) error {
		return run(t.Context(), append([]string{"-store", dir, "-out", out}, args...), new(bytes.Buffer), new(bytes.Buffer))
	}
	require.NoError(t, fetch("-vars", "u,surface,mask", "-level", "250.5", "-start", "2000-01-01T03", "-steps", "5"))
	for name, sel := range map[string]zarrio.Selection{
		"u":        {zarrio.All(), zarrio.At(2), zarrio.Span(3, 8)},
		"surface":  {zarrio.Span(3, 8)},
		"mask":     nil,
		"valid":    {zarrio.Span(3, 8)},
		"latitude": nil,
	} {
		if !bytes.Equal(read(t, out, name, nil), read(t, dir, name, sel)) {
			t.Errorf("%s differs", name)
		}
	}
	g, err := zarrio.Open(t.Context(), out, zarrio.Options{})
	require.NoError(t, err)
	defer g.Close()
	u, err := g.Array(t.Context(), "u")
	require.NoError(t, err)
	if !slices.Equal(u.Dims(), []string{"longitude", "valid", "latitude"}) || !slices.Equal(u.Metadata().Chunks, []int{5, 1, 4}) || u.Attrs().Text("units") != "m/s" {
		t.Errorf("u: %+v", u.Metadata())
	}
	if g.Attrs().Text("valid_time_stop") == "" {
		t.Error("the root's attributes are lost")
	}
	if _, err := g.Array(context.Background(), "plev"); err == nil {
		t.Error("the level is there")
	}

	require.NoError(t, os.RemoveAll(out))
	for _, tt := range []struct{ args, want string }{
		{"-vars pair", `variable "pair" has the dimensions valid, member, plev, latitude, longitude: say which one the level is of, as -level DIMENSION=500`},
		{"-vars pair -level member=1", `dimension "member" has no coordinate to find level 1 by`},
		{"-vars u -steps 9", "9 steps from 2000-01-01T00:00:00Z reach beyond the end: the store has 2000-01-01T00:00:00Z to 2000-01-01T07:00:00Z"},
		{"-vars u -level 850", `"plev" has no level 850; there are 1000, 500, 250.5`},
	} {
		if err := fetch(strings.Fields(tt.args)...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.args, err, tt.want)
		}
	}
	require.NoError(t, fetch("-vars", "pair", "-level", "plev=1000", "-end", "2000-01-01"))
	if !bytes.Equal(read(t, out, "pair", nil), read(t, dir, "pair", zarrio.Selection{zarrio.Span(0, 8), zarrio.All(), zarrio.At(0)})) {
		t.Error("pair differs")
	}
}

// A variable without dimensions is one element, which is under a key of its own in each format.
func TestScalar(t *testing.T) {
	for _, format := range []int{2, 3} {
		dir, out := mixedSource(t, format, nil), filepath.Join(t.TempDir(), "out.zarr")
		var stderr bytes.Buffer
		if err := run(t.Context(), []string{"-store", dir, "-out", out, "-vars", "constant"}, new(bytes.Buffer), &stderr); err != nil {
			t.Errorf("format %d: %v", format, err)
			continue
		}
		if !bytes.Equal(read(t, out, "constant", nil), read(t, dir, "constant", nil)) {
			t.Errorf("format %d: another constant", format)
		}
		if want := "of 13 bytes, as a scalar\n"; !strings.Contains(stderr.String(), want) {
			t.Errorf("format %d: stderr %q, want %q in it", format, stderr.String(), want)
		}
	}
}

// Each step has a time: one that is the fill value is missing, as the CF conventions have it.
func TestMissingTime(t *testing.T) {
	dir := mixedSource(t, 2, nil)
	require.NoError(t, os.Remove(filepath.Join(dir, ".zmetadata")))
	name := filepath.Join(dir, "valid", ".zarray")
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, regexp.MustCompile(`("fill_value": *)null`).ReplaceAll(text, []byte("${1}3")), 0o666))
	err = run(t.Context(), []string{"-store", dir, "-vars", "u", "-out", filepath.Join(t.TempDir(), "out.zarr")}, new(bytes.Buffer), new(bytes.Buffer))
	if want := `"valid" has no time at index 3: want one for each step`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// A STAC document leads to the store.
func TestSTAC(t *testing.T) {
	dir := mixedSource(t, 3, nil)
	asset := func(href string) map[string]any {
		return map[string]any{"href": href, "type": "application/vnd+zarr", "roles": []string{"data"}}
	}
	item := map[string]any{"type": "Feature", "stac_version": "1.0.0", "id": "era5", "properties": map[string]any{}, "links": []any{},
		"assets": map[string]any{"a": asset("mixed.zarr"), "b": asset("other.zarr")}}
	text, err := json.Marshal(item)
	require.NoError(t, err)
	name := filepath.Join(filepath.Dir(dir), "item.json")
	require.NoError(t, os.WriteFile(name, text, 0o666))
	out := filepath.Join(t.TempDir(), "out.zarr")
	args := []string{"-vars", "u", "-steps", "2", "-out", out, "-store"}
	err = run(t.Context(), append(args, name), new(bytes.Buffer), new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), "mixed.zarr") || !strings.Contains(err.Error(), "other.zarr") {
		t.Errorf("two assets: %v, want an error that lists them", err)
	}
	require.NoError(t, run(t.Context(), append(args, name+"#asset=a"), new(bytes.Buffer), new(bytes.Buffer)))
	if !bytes.Equal(read(t, out, "u", nil), read(t, dir, "u", zarrio.Selection{zarrio.All(), zarrio.At(1), zarrio.Span(0, 2)})) {
		t.Error("u differs")
	}
}
