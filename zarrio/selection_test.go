package zarrio

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/store/storetest"
)

// selectionFiles are those of an array of 6 x 8 uint16, each its own number, in chunks of 2 x 3, compressed.
func selectionFiles(codec string) map[string]string {
	files := map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": fmt.Sprintf(`{"zarr_format": 3, "node_type": "array", "shape": [6, 8], "data_type": "uint16",
		"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}}, "chunk_key_encoding": {"name": "default"}, "fill_value": 0,
		"codecs": [%s, {"name": %q, "configuration": {"level": 1}}]}`, arraytest.LittleBytes, codec)}
	for cy := range 3 {
		for cx := range 3 {
			var raw []byte
			for y := 2 * cy; y < 2*cy+2; y++ {
				for x := 3 * cx; x < 3*cx+3; x++ {
					raw = binary.LittleEndian.AppendUint16(raw, uint16(8*y+x))
				}
			}
			files[fmt.Sprintf("x/c/%d/%d", cy, cx)] = string(arraytest.EncodeBytes(codec, raw, 2))
		}
	}
	return files
}

func TestSelectionLists(t *testing.T) {
	r := storetest.NewRecorder(arraytest.MemStore(t, selectionFiles("gzip")))
	a := openArray(t, r, Options{})
	mask := func(n int, set ...int) []bool {
		m := make([]bool, n)
		for _, i := range set {
			m[i] = true
		}
		return m
	}
	for _, tt := range []struct {
		name   string
		sel    Selection
		shape  []int
		want   []uint16
		chunks int // that are read, each once
	}{
		{"list", Selection{Indices([]int{5, 0, 2}), At(7)}, []int{3, 1}, []uint16{47, 7, 23}, 3},
		{"list of the last axis", Selection{At(1), Indices([]int{7, 0, 3, 1})}, []int{1, 4}, []uint16{15, 8, 11, 9}, 3},
		{"back and forth", Selection{Indices([]int{0, 5, 1, 4, 0, 5}), At(0)}, []int{6, 1}, []uint16{0, 40, 8, 32, 0, 40}, 2},
		{"negative", Selection{Indices([]int{-1, -6, 0}), At(-1)}, []int{3, 1}, []uint16{47, 7, 7}, 2},
		{"duplicates", Selection{Indices([]int{3, 3, 3}), Indices([]int{2, 2})}, []int{3, 2}, []uint16{26, 26, 26, 26, 26, 26}, 1},
		{"empty", Selection{Indices([]int{}), All()}, []int{0, 8}, nil, 0},
		{"nil", Selection{All(), Indices(nil)}, []int{6, 0}, nil, 0},
		{"orthogonal", Selection{Indices([]int{4, 1}), Indices([]int{6, 0})}, []int{2, 2}, []uint16{38, 32, 14, 8}, 4},
		{"list and steps", Selection{Indices([]int{2, 0}), Steps(7, -1, -3)}, []int{2, 3}, []uint16{23, 20, 17, 7, 4, 1}, 6},
		{"mask", Selection{Mask(mask(6, 1, 4)), Mask(mask(8, 0, 7))}, []int{2, 2}, []uint16{8, 15, 32, 39}, 4},
		{"mask of nothing", Selection{Mask(mask(6))}, []int{0, 8}, nil, 0},
		{"mask of all", Selection{Mask(mask(6, 0, 1, 2, 3, 4, 5)), At(0)}, []int{6, 1}, []uint16{0, 8, 16, 24, 32, 40}, 3},
		{"mask and list", Selection{Mask(mask(6, 5)), Indices([]int{-8, 7})}, []int{1, 2}, []uint16{40, 47}, 2},
		{"descending", Selection{At(0), Indices([]int{7, 6, 5, 4, 3, 2, 1, 0})}, []int{1, 8}, []uint16{7, 6, 5, 4, 3, 2, 1, 0}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.Clear()
			got, err := Read[uint16](t.Context(), a, tt.sel)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%v, %v, want %v", got, err, tt.want)
			}
			if shape, err := tt.sel.Shape(a.Shape()); err != nil || !slices.Equal(shape, tt.shape) {
				t.Errorf("shape %v, %v, want %v", shape, err, tt.shape)
			}
			if _, n := r.Total(); n != tt.chunks {
				t.Errorf("%d reads, want %d", n, tt.chunks)
			}
		})
	}
	for _, tt := range []struct {
		sel  Selection
		want string
	}{
		{Selection{Indices([]int{0, 6})}, "selection: dimension 0: index 6, number 1 of the list, is outside an extent of 6"},
		{Selection{All(), Indices([]int{-9})}, "selection: dimension 1: index -9, number 0 of the list, is outside an extent of 8"},
		{Selection{Indices([]int{-1 << 63})}, "is outside an extent of 6"},
		{Selection{Indices([]int{1<<63 - 1})}, "is outside an extent of 6"},
		{Selection{Mask(make([]bool, 5))}, "selection: dimension 0: the mask has 5 values for an extent of 6"},
		{Selection{All(), Mask(make([]bool, 9))}, "selection: dimension 1: the mask has 9 values for an extent of 8"},
		{Selection{Mask(nil)}, "the mask has 0 values for an extent of 6"},
	} {
		_, err := Read[uint16](t.Context(), a, tt.sel)
		zarrtest.WantError(t, err, `array "x": `, tt.want)
		_, err = tt.sel.Shape(a.Shape())
		zarrtest.WantError(t, err, tt.want)
	}
	if _, err := a.ReadInto(t.Context(), Selection{Indices([]int{1, 1}), At(0)}, make([]byte, 2)); err == nil {
		t.Error("a destination of one element for two: no error")
	}
}

// TestSelectionOnce reads all in a shuffled order, along both axes: each chunk is read once.
func TestSelectionOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	r := storetest.NewRecorder(arraytest.MemStore(t, selectionFiles("gzip")))
	a := openArray(t, r, Options{})
	for range 20 {
		r.Clear()
		y, x := rng.Perm(6), rng.Perm(8)
		y, x = append(y, y...), append(x, x[:rng.IntN(8)]...)
		got, err := Read[uint16](t.Context(), a, Selection{Indices(y), Indices(x)})
		require.NoError(t, err)
		for k, v := range got {
			if want := uint16(8*y[k/len(x)] + x[k%len(x)]); v != want {
				t.Fatalf("lists %v and %v: element %d is %d, want %d", y, x, k, v, want)
			}
		}
		for cy := range 3 {
			for cx := range 3 {
				if key := fmt.Sprintf("x/c/%d/%d", cy, cx); len(r.Reads(key)) != 1 {
					t.Fatalf("lists %v and %v: %s was read %d times", y, x, key, len(r.Reads(key)))
				}
			}
		}
	}
}

// TestSelectionRectilinear compares runs and lists over chunks of uneven extents with each other.
func TestSelectionRectilinear(t *testing.T) {
	g := grid.New([]int{40}, []int{16}, [][]int{{1, 7, 16, 2, 2, 9, 8}})
	indicesOf := func(p *grid.Pick) []int {
		out := make([]int, p.N)
		var one [1]grid.Segment
		for i := range p.Chunks(&g, 0) {
			c := p.Chunk(&g, 0, i)
			if p.Touched(&g, 0, c) != i {
				t.Errorf("chunk %d is number %d, want %d", c, p.Touched(&g, 0, c), i)
			}
			lo, n := g.Span(0, c)
			for _, s := range p.Within(&g, 0, i, &one) {
				for k := range s.N {
					if at := s.At + k*s.Step; at < lo || at >= lo+n {
						t.Errorf("index %d is not in chunk %d", at, c)
					}
					out[s.Pos+k*s.By] = s.At + k*s.Step
				}
			}
		}
		return out
	}
	rng := rand.New(rand.NewPCG(2, 9))
	for range 2000 {
		x := newAxis(rng, 40)
		picks, err := Selection{x.axis}.resolve(&g)
		require.NoError(t, err)
		if got := indicesOf(&picks[0]); !slices.Equal(got, x.indices) {
			t.Fatalf("%s: indices %v, want %v", x.text, got, x.indices)
		}
	}
}

// TestSelectionHuge selects few elements of huge arrays, which takes no memory for all the others.
func TestSelectionHuge(t *testing.T) {
	const n = 1 << 40
	rectilinear := fmt.Sprintf(`{"zarr_format": 3, "node_type": "array", "shape": [%d], "data_type": "string", "chunk_grid": {"name": "rectilinear",
		"configuration": {"kind": "inline", "chunk_shapes": [[%d, %d]]}}, "chunk_key_encoding": {"name": "default"}, "fill_value": "", "codecs": ["vlen-utf8"]}`, n, n-5, 5)
	for _, doc := range []string{
		arraytest.V3Array(`"uint8"`, n, 1<<10, arraytest.LittleBytes),
		arraytest.V3Array(`"uint8"`, n, 1<<10, arraytest.LittleBytes+`, {"name": "gzip", "configuration": {"level": 1}}`),
		arraytest.V3Array(`"uint8"`, n, 1<<20, arraytest.ShardWith("chunk_shape", "[1024]")),
		arraytest.V3Array(`"uint8"`, n, n, arraytest.ShardWith("chunk_shape", "[1024]")),
	} {
		a := openArray(t, arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": doc}), Options{})
		for _, sel := range []Selection{
			{At(-1)}, {Indices([]int{n - 1, 0, 5, n / 2})}, {Steps(0, n, n/4)}, {Steps(n-1, -1, -n/4)}, {Span(n-10, n)},
		} {
			before := allocated()
			got, err := Read[uint8](t.Context(), a, sel)
			if shape, _ := sel.Shape(a.Shape()); err != nil || len(got) != shape[0] {
				t.Errorf("%.60s, %+v: %d elements, %v", doc, sel, len(got), err)
			}
			if b := allocated() - before; b > 32<<20 {
				t.Errorf("%s, %+v: %d bytes were allocated", doc, sel, b)
			}
		}
		if _, err := Read[uint8](t.Context(), a, Selection{Mask(make([]bool, 100))}); err == nil {
			t.Error("a mask of 100: no error")
		}
	}
	// A run over uneven chunks is not listed either.
	a := openArray(t, arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": rectilinear}), Options{})
	before := allocated()
	picks, err := Selection(nil).resolve(&a.c.Grid)
	if err != nil || picks[0].N != n || picks[0].Chunks(&a.c.Grid, 0) != 2 {
		t.Errorf("%+v, %v", picks, err)
	}
	if b := allocated() - before; b > 1<<20 {
		t.Errorf("%d bytes were allocated", b)
	}
}

// TestSelectionSpans takes lists of many indices along both axes, whose spans overlap.
func TestSelectionSpans(t *testing.T) {
	const n = 600
	values := make([]byte, 2*n*n)
	for i := range n * n {
		binary.LittleEndian.PutUint16(values[2*i:], uint16(i))
	}
	doc := fmt.Sprintf(`{"zarr_format": 3, "node_type": "array", "shape": [%d, %d], "data_type": "uint16", "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [%d, %d]}},
		"chunk_key_encoding": {"name": "default"}, "fill_value": 0, "codecs": [%s]}`, n, n, n, n, arraytest.LittleBytes)
	a := openArray(t, arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": doc, "x/c/0/0": string(values)}), Options{})
	rng := rand.New(rand.NewPCG(4, 9))
	y, x := rng.Perm(n), rng.Perm(n)[:300]
	y = append(y, y...)
	got, err := Read[uint16](t.Context(), a, Selection{Indices(y), Indices(x)})
	require.NoError(t, err)
	for k, v := range got {
		if want := uint16(n*y[k/len(x)] + x[k%len(x)]); v != want {
			t.Fatalf("element %d is %d, want %d", k, v, want)
		}
	}
}
