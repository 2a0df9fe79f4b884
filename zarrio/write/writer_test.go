package write

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// TestWriteOrder holds the order of what is put: chunks, the array's document, groups from the leaves up, consolidated last.
func TestWriteOrder(t *testing.T) {
	tests := map[int][]string{
		2: {"a/b/x/0", "a/b/x/1", "a/b/x/.zattrs", "a/b/x/.zarray", "a/b/.zgroup", "a/.zattrs", "a/.zgroup", ".zgroup", ".zmetadata"},
		3: {"a/b/x/c/0", "a/b/x/c/1", "a/b/x/zarr.json", "a/b/zarr.json", "a/zarr.json", "zarr.json"},
	}
	for format, want := range tests {
		var r recorder
		w, err := Create(&r, format, nil)
		require.NoError(t, err)
		x := writeX(t, w)
		require.NoError(t, x.Write(t.Context(), []int{0}, []int{3}, make([]byte, 12)))
		require.NoError(t, x.Finish(t.Context()))
		require.NoError(t, w.Finish(t.Context()))
		if !slices.Equal(r.keys, want) {
			t.Errorf("format %d: put\n got %q\nwant %q", format, r.keys, want)
		}
	}
}

// writeX begins the array "a/b/x" of three float32 in chunks of two.
func writeX(t *testing.T, w *Writer) *ArrayWriter {
	t.Helper()
	require.NoError(t, errors.Join(w.Group("a", map[string]any{"one": 1}), w.Group("a/b", nil)))
	x, err := w.Array("a/b/x", ArraySpec{Shape: []int{3}, Chunks: []int{2}, DType: meta.Float32, Dims: []string{"t"}})
	require.NoError(t, err)
	return x
}

// TestWriteInterrupted checks that no document appears before all that it describes.
func TestWriteInterrupted(t *testing.T) {
	full := errors.New("no space left")
	for _, format := range []int{2, 3} {
		for _, bad := range []string{"a/b/x/c/1", "a/b/x/1", "a/b/x/zarr.json", "a/b/x/.zattrs", "a/b/x/.zarray", "a/b/.zgroup", "a/zarr.json", "zarr.json", ".zmetadata"} {
			broken := true
			r := recorder{fail: func(key string) error {
				if broken && key == bad {
					return full
				}
				return nil
			}}
			w, err := Create(&r, format, nil)
			require.NoError(t, err)
			x := writeX(t, w)
			run := func() error {
				if err := x.Write(t.Context(), []int{0}, []int{3}, make([]byte, 12)); err != nil && !errors.Is(err, errFinished) {
					if e := x.Finish(t.Context()); e == nil || !strings.Contains(e.Error(), "was not written") {
						t.Errorf("format %d, %s: Finish of the array after %v: %v", format, bad, err, e)
					}
					return err
				}
				if err := x.Finish(t.Context()); err != nil && !errors.Is(err, errFinished) {
					if e := w.Finish(t.Context()); e == nil || !strings.Contains(e.Error(), "has not finished") {
						t.Errorf("format %d, %s: Finish after %v: %v", format, bad, err, e)
					}
					return err
				}
				return w.Finish(t.Context())
			}
			if err := run(); err == nil { // the key of the other format
				if strings.Contains(bad, ".z") == (format == 2) && !strings.Contains(bad, "x/") {
					t.Errorf("format %d, %s: no error", format, bad)
				}
				continue
			} else if !errors.Is(err, full) {
				t.Errorf("format %d, %s: %v, want %v", format, bad, err, full)
			}
			order := map[int][]string{2: {"a/b/x/.zattrs", "a/b/x/.zarray", "a/b/.zgroup", "a/.zattrs", "a/.zgroup", ".zgroup", ".zmetadata"},
				3: {"a/b/x/zarr.json", "a/b/zarr.json", "a/zarr.json", "zarr.json"}}[format]
			for i := max(slices.Index(order, bad), 0); i < len(order); i++ {
				if _, ok := r.values[order[i]]; ok {
					t.Errorf("format %d: %s is there though %s is not", format, order[i], bad)
				}
			}
			broken = false
			if err := run(); err != nil {
				t.Errorf("format %d, %s: again: %v", format, bad, err)
			}
		}
	}
}

func TestWriteCancelled(t *testing.T) {
	w, err := Create(new(recorder), 2, nil)
	require.NoError(t, err)
	x := writeX(t, w)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Write(ctx, []int{0}, []int{3}, make([]byte, 12)); !errors.Is(err, context.Canceled) {
		t.Errorf("Write() = %v, want %v", err, context.Canceled)
	}
	zarrtest.WantError(t, x.Finish(t.Context()), `zarrio: recorder: node "a/b/x": chunk "a/b/x/0" was not written`)
}

// TestWriteTogether writes one array from many goroutines.
func TestWriteTogether(t *testing.T) {
	for _, shards := range [][]int{nil, {6, 8}} {
		spec := ArraySpec{Shape: []int{50, 9}, Chunks: []int{2, 4}, Shards: shards, DType: meta.Float32, BigEndian: true, Compressor: Compressor{Name: "zstd"}}
		f := form{"x", spec, pattern(spec.Shape, spec.DType)}
		var r recorder
		w, err := Create(&r, 3, nil)
		require.NoError(t, err)
		x, err := w.Array("x", spec)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for lo := 0; lo < 50; lo += 6 {
			wg.Go(func() {
				n := min(6, 50-lo)
				if err := x.Write(t.Context(), []int{lo, 0}, []int{n, 9}, f.data[lo*9*4:][:n*9*4]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.NoError(t, errors.Join(x.Finish(t.Context()), w.Finish(t.Context())))
		if got := r.elements(t, 3, &f); !bytes.Equal(got, f.data) {
			t.Errorf("shards %v: other elements than were written", shards)
		}
	}
}

// TestWriteOmit counts what is left out.
func TestWriteOmit(t *testing.T) {
	nan := tensor.AsBytes([]float32{float32(math.NaN())})
	tests := []struct {
		name   string
		format int
		spec   ArraySpec
		data   []float32
		want   string // the chunks' keys
	}{
		{"all", 3, ArraySpec{}, []float32{0, 0, 0, 0, 1, 0, 0}, "x/c/0 x/c/1 x/c/2 x/c/3"},
		{"zeros", 3, ArraySpec{OmitFill: true}, []float32{0, 0, 0, 0, 1, 0, 0}, "x/c/2"},
		{"negative zeros", 3, ArraySpec{OmitFill: true}, []float32{0, float32(math.Copysign(0, -1)), 0, 0, 0, 0, 0}, "x/c/0"},
		{"no fill value", 2, ArraySpec{OmitFill: true}, make([]float32, 7), "x/0 x/1 x/2 x/3"},
		{"nan", 2, ArraySpec{OmitFill: true, Fill: nan}, []float32{0, 0, float32(math.NaN()), float32(math.NaN()), 1, 2, float32(math.NaN())}, "x/0 x/2"},
		{"shards", 3, ArraySpec{OmitFill: true, Shards: []int{4}}, []float32{0, 0, 0, 0, 0, 0, 1}, "x/c/1"},
		{"shards, all", 3, ArraySpec{Shards: []int{4}}, make([]float32, 7), "x/c/0 x/c/1"},
	}
	for _, tt := range tests {
		tt.spec.Shape, tt.spec.Chunks, tt.spec.DType = []int{7}, []int{2}, meta.Float32
		var r recorder
		f := form{"x", tt.spec, tensor.AsBytes(tt.data)}
		require.NoError(t, writeForms(t.Context(), &r, tt.format, []form{f}))
		chunks := slices.DeleteFunc(slices.Sorted(maps.Keys(r.values)), func(key string) bool { return strings.Contains(key, ".") })
		if got := strings.Join(chunks, " "); got != tt.want {
			t.Errorf("%s: chunks %q, want %q", tt.name, got, tt.want)
		}
		tt.spec.OmitFill = true // what is not there is the fill value
		if got := r.elements(t, tt.format, &f); !bytes.Equal(got, f.data) {
			t.Errorf("%s: other elements than were written", tt.name)
		}
	}
}

func TestWriteSkip(t *testing.T) {
	var r recorder
	w, err := Create(&r, 3, nil)
	require.NoError(t, err)
	x := writeX(t, w)
	require.NoError(t, x.Skip([]int{0}, []int{2}))
	zarrtest.WantError(t, x.Finish(t.Context()), `chunk "a/b/x/c/1" was not written`)
	zarrtest.WantError(t, x.Skip([]int{1}, []int{2}), "not made of whole chunks")
	require.NoError(t, errors.Join(x.Skip([]int{2}, []int{0}), x.Skip([]int{2}, []int{1}), x.Finish(t.Context()), w.Finish(t.Context())))
	if want := []string{"a/b/x/zarr.json", "a/b/zarr.json", "a/zarr.json", "zarr.json"}; !slices.Equal(r.keys, want) {
		t.Errorf("put %q, want %q", r.keys, want)
	}
}

func TestWriteNodes(t *testing.T) {
	_, err := Create(new(recorder), 1, nil)
	zarrtest.WantError(t, err, "writing Zarr format 1 is not supported; supported: 2, 3")
	_, err = Create(new(recorder), 2, []int{1})
	zarrtest.WantError(t, err, "attributes: want a JSON object, found [1]")
	_, err = Create(new(recorder), 2, map[string]any{"x": math.NaN()})
	zarrtest.WantError(t, err, "attributes: json: unsupported value: NaN")
	w, err := Create(new(recorder), 3, nil)
	require.NoError(t, err)
	x := writeX(t, w)
	for path, want := range map[string]string{
		"":          "not a valid key",
		"a//b":      "not a valid key",
		"a/../c":    "not a valid key",
		"none/x":    `"none" is not a group of this writer`,
		"a/b/x/y":   `"a/b/x" is not a group of this writer`,
		"a/b":       "there is a node of this path already",
		"a/b/x":     "there is a node of this path already",
		".zarray":   "is reserved",
		"a/__b":     "is reserved",
		"zarr.json": "is reserved",
	} {
		zarrtest.WantError(t, w.Group(path, nil), fmt.Sprintf("zarrio: recorder: node %q: ", path), want)
		_, err := w.Array(path, ArraySpec{DType: meta.Float32})
		zarrtest.WantError(t, err, want)
	}
	require.NoError(t, errors.Join(x.Skip([]int{0}, []int{3}), x.Finish(t.Context()), w.Finish(t.Context())))
	for _, err := range []error{x.Finish(t.Context()), w.Finish(t.Context()), w.Group("c", nil), x.Skip([]int{0}, []int{3}), x.Write(t.Context(), []int{0}, []int{3}, make([]byte, 12))} {
		zarrtest.WantError(t, err, "has finished")
	}
}

func TestWriteBadSpecs(t *testing.T) {
	good := ArraySpec{Shape: []int{4, 6}, Chunks: []int{2, 3}, DType: meta.Float32}
	tests := []struct {
		want   string
		format int
		change func(*ArraySpec)
	}{
		{"chunks [2] have 1 dimensions", 2, func(s *ArraySpec) { s.Chunks = []int{2} }},
		{"is less than 1", 2, func(s *ArraySpec) { s.Chunks = []int{2, 0} }},
		{"negative extent -1", 2, func(s *ArraySpec) { s.Shape = []int{4, -1} }},
		{"has more than", 2, func(s *ArraySpec) { s.Shape = []int{1 << 40, 1 << 40} }},
		{"chunks: shape [2097152 1048576] has more than 1073741824 elements", 2, func(s *ArraySpec) { s.Shape, s.Chunks = []int{1 << 21, 1 << 20}, []int{1, 1} }},
		{"there are none in format 2", 2, func(s *ArraySpec) { s.Shards = []int{4, 6} }},
		{"no multiples of the chunks [2 3]", 3, func(s *ArraySpec) { s.Shards = []int{4, 5} }},
		{"chunks [4] have 1 dimensions", 3, func(s *ArraySpec) { s.Shards = []int{4} }},
		{"is less than 1", 3, func(s *ArraySpec) { s.Shards = []int{4, -3} }},
		{"data type float24 of 3 bytes is not supported", 2, func(s *ArraySpec) { s.DType.Size = 3 }},
		{"data type invalid of 0 bytes is not supported", 2, func(s *ArraySpec) { s.DType = meta.DType{} }},
		{"data type raw32 of 4 bytes is not supported", 3, func(s *ArraySpec) { s.DType.Kind = meta.Raw }},
		{"data type datetime64[y] of 8 bytes is not supported", 3, func(s *ArraySpec) { s.DType = meta.DType{Kind: meta.Datetime, Size: 8, Unit: "y"} }},
		{"fill value of 8 bytes, want the 4 of float32", 3, func(s *ArraySpec) { s.Fill = make([]byte, 8) }},
		{"names of 1 dimensions, want 2", 3, func(s *ArraySpec) { s.Dims = []string{"x"} }},
		{"separator '-'", 3, func(s *ArraySpec) { s.Separator = '-' }},
		{`compressor "lz4" is not supported; supported: "", "blosc-lz4"`, 3, func(s *ArraySpec) { s.Compressor.Name = "lz4" }},
		{`compressor "blosc-lz4": level 9, want 5 to 5`, 3, func(s *ArraySpec) { s.Compressor = Compressor{"blosc-lz4", 9} }},
		{`compressor "": level 1, want 0 to 0`, 3, func(s *ArraySpec) { s.Compressor.Level = 1 }},
		{"attributes: want a JSON object", 3, func(s *ArraySpec) { s.Attrs = "x" }},
	}
	for _, tt := range tests {
		w, err := Create(new(recorder), tt.format, nil)
		require.NoError(t, err)
		s := good
		tt.change(&s)
		_, err = w.Array("x", s)
		zarrtest.WantError(t, err, `zarrio: recorder: node "x": `, tt.want)
	}
}

func TestWriteBadBoxes(t *testing.T) {
	w, err := Create(new(recorder), 3, nil)
	require.NoError(t, err)
	x, err := w.Array("x", ArraySpec{Shape: []int{5, 6}, Chunks: []int{1, 3}, Shards: []int{2, 3}, DType: meta.Float32})
	require.NoError(t, err)
	tests := []struct {
		want          string
		origin, shape []int
		bytes         int
	}{
		{"want 2 dimensions", []int{0}, []int{5, 6}, 120},
		{"want 2 dimensions", []int{0, 0}, []int{5}, 120},
		{"not within the array's [5 6]", []int{-2, 0}, []int{4, 6}, 96},
		{"not within the array's [5 6]", []int{4, 0}, []int{2, 6}, 48},
		{"not within the array's [5 6]", []int{0, 0}, []int{-1, 6}, 0},
		{"not within the array's [5 6]", []int{math.MaxInt, 0}, []int{2, 6}, 48},
		{"not within the array's [5 6]", []int{2, 0}, []int{math.MaxInt, 6}, 48},
		{"not made of whole chunks of [2 3]", []int{1, 0}, []int{4, 6}, 96},
		{"not made of whole chunks of [2 3]", []int{0, 0}, []int{3, 6}, 72},
		{"not made of whole chunks of [2 3]", []int{0, 0}, []int{2, 2}, 16},
		{"119 bytes of data, the box has 120", []int{0, 0}, []int{5, 6}, 119},
	}
	for _, tt := range tests {
		zarrtest.WantError(t, x.Write(t.Context(), tt.origin, tt.shape, make([]byte, tt.bytes)), `zarrio: recorder: node "x": `, tt.want)
	}
	if err := x.Write(t.Context(), []int{4, 3}, []int{0, 3}, nil); err != nil {
		t.Errorf("an empty box: %v", err)
	}
}

// TestWriteKeepsData checks that the caller's memory stays as it is, though the byte order changes.
func TestWriteKeepsData(t *testing.T) {
	spec := ArraySpec{Shape: []int{4, 4}, Chunks: []int{2, 4}, DType: meta.DType{Kind: meta.Int, Size: 4}, BigEndian: !ndcopy.BigEndian}
	f := form{"x", spec, pattern(spec.Shape, spec.DType)}
	before := bytes.Clone(f.data)
	require.NoError(t, writeForms(t.Context(), new(recorder), 2, []form{f}))
	if !bytes.Equal(f.data, before) {
		t.Error("the data have changed")
	}
}

// TestWriteDir checks that an array that never finished is not there, and leaves the hierarchy unreadable.
func TestWriteDir(t *testing.T) {
	for _, format := range []int{2, 3} {
		st := zarrtest.DirStore(t, nil)
		w, err := Create(st, format, nil)
		require.NoError(t, err)
		x := writeX(t, w)
		require.NoError(t, x.Write(t.Context(), []int{0}, []int{2}, make([]byte, 8)))
		if _, err := zarrio.OpenStore(t.Context(), st, zarrio.Options{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("format %d: OpenStore() = %v, want %v", format, err, fs.ErrNotExist)
		}
	}
}
