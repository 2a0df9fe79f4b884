package zarrio

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/race"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store/storetest"
	"zarrbench/zarrio/tensor"
)

// TestReadCounts checks that nothing is read that isn't needed, and nothing twice.
func TestReadCounts(t *testing.T) {
	files := map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"shape": "[1000, 4]", "chunks": "[1, 4]"})}
	for i := range 1000 {
		files[fmt.Sprintf("x/%d.0", i)] = strings.Repeat("x", 16)
	}
	st := storetest.NewFaults(zarrtest.DirStore(t, files))
	a := openArray(t, st, Options{Strict: true})
	before := st.Total()
	stats, err := a.ReadInto(t.Context(), Selection{Steps(999, -1, -333), Span(1, 3)}, make([]byte, 4*2*4))
	require.NoError(t, err)
	if n := st.Total() - before; n != 4 || st.Reads("x/333.0") != 1 {
		t.Errorf("%d reads, want 4", n)
	}
	if want := (meta.Stats{Chunks: 4, ReadBytes: 32, DecodedBytes: 32, PlacedBytes: 32}); stats != want {
		t.Errorf("%+v, want %+v", stats, want)
	}
}

// TestReadFarApart checks that of a large chunk only those parts are read that a selection takes, with both orders and signs.
func TestReadFarApart(t *testing.T) {
	const n = 50_000
	raw := make([]uint16, 5*n)
	for i := range raw {
		raw[i] = uint16(i * 7 >> 3)
	}
	dtype := map[bool]string{false: `"<u2"`, true: `">u2"`}[ndcopy.BigEndian]
	encoded, err := codec.EncodeBlosc(nil, tensor.AsBytes(raw), 2, "lz4", nil)
	require.NoError(t, err)
	for _, tt := range []struct {
		order, shape string
		sel          Selection
	}{
		{"C", "[5, 50000]", Selection{All(), Span(100, 103)}},
		{"C", "[5, 50000]", Selection{Steps(4, -1, -1), Span(100, 103)}},
		{"C", "[5, 50000]", Selection{All(), Steps(102, 99, -1)}},
		{"F", "[50000, 5]", Selection{Span(100, 103), All()}},
		{"F", "[50000, 5]", Selection{Steps(102, 99, -1), Steps(4, -1, -1)}},
		{"F", "[50000, 1, 5]", Selection{Steps(102, 99, -1), All(), Steps(4, -1, -1)}},
	} {
		fields := map[string]string{"shape": tt.shape, "chunks": tt.shape, "dtype": dtype, "order": `"` + tt.order + `"`}
		files := map[string]string{".zgroup": zarrtest.ZGroup, "x/0.0": string(tensor.AsBytes(raw)), "x/0.0.0": string(tensor.AsBytes(raw)), "x/.zarray": zarrtest.ZArray(fields)}
		a := openArray(t, zarrtest.DirStore(t, files), Options{Strict: true})
		fields["compressor"] = bloscLZ4
		files = map[string]string{".zgroup": zarrtest.ZGroup, "x/0.0": string(encoded), "x/0.0.0": string(encoded), "x/.zarray": zarrtest.ZArray(fields)}
		compressed, err := Read[uint16](t.Context(), openArray(t, zarrtest.DirStore(t, files), Options{Strict: true}), tt.sel)
		require.NoError(t, err)
		got := make([]uint16, 15)
		stats, err := a.ReadInto(t.Context(), tt.sel, tensor.AsBytes(got))
		require.NoError(t, err)
		want, err := Read[uint16](t.Context(), a, nil)
		require.NoError(t, err)
		m := arraytest.Model{Shape: a.Shape(), Size: 2, Elements: tensor.AsBytes(want)}
		var axes []pickAxis
		picks, _ := tt.sel.resolve(&a.c.Grid)
		for _, pick := range picks {
			var p pickAxis
			for i := range pick.N {
				p.indices = append(p.indices, pick.Run.Start+i*pick.Run.Step)
			}
			axes = append(axes, p)
		}
		if !bytes.Equal(tensor.AsBytes(got), pickOf(&m, axes)) {
			t.Errorf("%s %s: %v", tt.order, tt.shape, got)
		}
		if !slices.Equal(compressed, got) {
			t.Errorf("%s %s: compressed %v, want %v", tt.order, tt.shape, compressed, got)
		}
		if stats.Chunks != 1 || stats.ReadBytes != 30 || stats.DecodedBytes != 30 {
			t.Errorf("%s %s: %+v, want the 30 bytes alone", tt.order, tt.shape, stats)
		}
	}
}

// TestReadIntoAllocs checks that a chunk more costs no allocation more.
func TestReadIntoAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	const chunks, extent = 256, 64
	for _, compressor := range []string{"null", bloscLZ4} {
		files := map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"shape": "[256, 8, 8]", "chunks": "[1, 8, 8]", "compressor": compressor})}
		raw := strings.Repeat("0123", extent)
		for i := range chunks {
			files[fmt.Sprintf("x/%d.0.0", i)] = raw
			if compressor == bloscLZ4 {
				files[fmt.Sprintf("x/%d.0.0", i)] = frame(t, raw)
			}
		}
		a := openArray(t, zarrtest.DirStore(t, files), Options{Strict: true})
		buf := make([]byte, 1024)
		if n := testing.AllocsPerRun(20, func() { a.c.Source.Store.ReadRange(t.Context(), "x/0.0.0", buf, 0) }); n > 0 {
			t.Skipf("the store itself makes %v allocations a read on this system", n)
		}
		for name, rest := range map[string]Selection{
			"whole":   {All(), All()},
			"rows":    {Span(1, 7), Span(2, 5)},
			"strided": {Steps(7, -1, -2), Steps(0, 8, 3)},
		} {
			t.Run(name, func(t *testing.T) {
				dst := make([]byte, chunks*extent*4)
				count := func(n int) float64 {
					sel := append(Selection{Span(0, n)}, rest...)
					shape, err := sel.Shape(a.Shape())
					require.NoError(t, err)
					return testing.AllocsPerRun(20, func() {
						if _, err := a.ReadInto(t.Context(), sel, dst[:4*arraytest.Volume(shape)]); err != nil {
							t.Fatal(err)
						}
					})
				}
				if few, many := count(chunks/4), count(chunks); many > few+8 {
					t.Errorf("compressor %.15s: %v allocations for %d chunks, %v for %d", compressor, few, chunks/4, many, chunks)
				}
			})
		}
	}
}
