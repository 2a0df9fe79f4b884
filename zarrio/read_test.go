package zarrio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store/storetest"
)

func TestSelectionErrors(t *testing.T) {
	shape := []int{10, 0}
	tests := []struct {
		sel  Selection
		want string
	}{
		{Selection{All(), All(), All()}, "selection has 3 dimensions, the array has 2"},
		{Selection{At(10)}, "selection: dimension 0: index 10 is outside an extent of 10"},
		{Selection{At(-11)}, "selection: dimension 0: index -11 is outside an extent of 10"},
		{Selection{At(math.MaxInt)}, "index 9223372036854775807 is outside"},
		{Selection{At(math.MinInt)}, "index -9223372036854775808 is outside"},
		{Selection{All(), At(0)}, "selection: dimension 1: index 0 is outside an extent of 0"},
		{Selection{Span(5, 11)}, "selection: dimension 0: indices from 5 to 11 by 1 are outside an extent of 10"},
		{Selection{Span(-1, 3)}, "indices from -1 to 3 by 1 are outside an extent of 10"},
		{Selection{Span(math.MinInt, math.MaxInt)}, "are outside an extent of 10"},
		{Selection{Steps(0, 10, 0)}, "selection: dimension 0: step 0"},
		{Selection{Steps(9, -3, -1)}, "indices from 9 to -3 by -1 are outside an extent of 10"},
		{Selection{Steps(math.MaxInt, math.MinInt, math.MinInt)}, "are outside an extent of 10"},
		{Selection{Steps(0, 20, 5)}, "indices from 0 to 20 by 5 are outside an extent of 10"},
	}
	a := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"shape": "[10, 0]", "chunks": "[3, 1]"})}), Options{})
	for _, tt := range tests {
		got, err := tt.sel.Shape(shape)
		if err == nil {
			t.Errorf("%+v: shape %v, want an error", tt.sel, got)
		}
		zarrtest.WantError(t, err, tt.want)
		_, err = a.ReadInto(t.Context(), tt.sel, nil)
		zarrtest.WantError(t, err, `array "x": `, tt.want)
		_, err = Read[float32](t.Context(), a, tt.sel)
		zarrtest.WantError(t, err, `array "x": `, tt.want)
	}
}

func TestSelectionShape(t *testing.T) {
	tests := []struct {
		sel  Selection
		want []int
	}{
		{nil, []int{10, 4}},
		{Selection{At(-1)}, []int{1, 4}},
		{Selection{Span(3, 3), Span(4, 2)}, []int{0, 0}},
		{Selection{Steps(9, -1, -1), Steps(0, 4, 3)}, []int{10, 2}},
		{Selection{Steps(0, 18, 9), Steps(0, 1, math.MaxInt)}, []int{2, 1}},
		{Selection{Steps(3, -5, -8), Steps(0, math.MaxInt, math.MaxInt)}, []int{1, 1}},
		{Selection{Span(100, 100)}, []int{0, 4}},
	}
	for _, tt := range tests {
		got, err := tt.sel.Shape([]int{10, 4})
		if !slices.Equal(got, tt.want) || err != nil {
			t.Errorf("%+v: %v, %v, want %v", tt.sel, got, err, tt.want)
		}
	}
}

// TestDestination checks lengths that don't fit, and arrays without elements.
func TestDestination(t *testing.T) {
	a := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"shape": "[4,3]", "chunks": "[2,2]"})}), Options{})
	for _, n := range []int{0, 47, 49} {
		_, err := a.ReadInto(t.Context(), nil, make([]byte, n))
		zarrtest.WantError(t, err, a.c.Source.Name, fmt.Sprintf(`array "x": destination has %d bytes, the selection 48`, n))
	}
	if stats, err := a.ReadInto(t.Context(), Selection{Span(2, 2)}, nil); err != nil || stats != (meta.Stats{}) {
		t.Errorf("an empty selection: %+v, %v", stats, err)
	}
	none := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"shape": "[0,3]", "chunks": "[2,2]"})}), Options{Strict: true})
	if got, err := Read[float32](t.Context(), none, nil); len(got) != 0 || err != nil {
		t.Errorf("an array without elements: %v, %v", got, err)
	}
	_, err := none.ReadInto(t.Context(), nil, make([]byte, 4))
	zarrtest.WantError(t, err, "destination has 4 bytes, the selection 0")
}

func TestScalar(t *testing.T) {
	files := map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"shape": "[]", "chunks": "[]", "dtype": `">i2"`, "fill_value": "7"})}
	st := zarrtest.DirStore(t, files)
	if got, err := Read[int16](t.Context(), openArray(t, st, Options{}), nil); err != nil || !slices.Equal(got, []int16{7}) {
		t.Errorf("missing: %v, %v", got, err)
	}
	_, err := Read[int16](t.Context(), openArray(t, st, Options{Strict: true}), nil)
	zarrtest.WantError(t, err, `array "x": chunk "x/0": read: the chunk is missing`)
	zarrtest.Put(t, st, "x/0", []byte{1, 2})
	if got, err := Read[int16](t.Context(), openArray(t, st, Options{}), nil); err != nil || !slices.Equal(got, []int16{258}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestRead(t *testing.T) {
	values := []float32{1, 2, 3, float32(math.Inf(1))}
	raw := make([]byte, 16)
	for i, v := range values {
		binary.NativeEndian.PutUint32(raw[4*i:], math.Float32bits(v))
	}
	st := zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(nil), "x/0": string(raw[:8]), "x/1": string(raw[8:])})
	a := openArray(t, st, Options{Strict: true})
	if got, err := Read[float32](t.Context(), a, nil); err != nil || !slices.Equal(got, values) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := Read[float32](t.Context(), a, Selection{Steps(3, -1, -2)}); err != nil || !slices.Equal(got, []float32{values[3], 2}) {
		t.Errorf("%v, %v", got, err)
	}
	_, err := Read[int32](t.Context(), a, nil)
	zarrtest.WantError(t, err, `array "x": elements of type float32 can't be read as int32`)
	_, err = Read[float64](t.Context(), a, nil)
	zarrtest.WantError(t, err, `elements of type float32 can't be read as float64`)

	bools := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"dtype": `"|b1"`, "fill_value": "true"}), "x/0": "\x00\x02"}), Options{})
	if got, err := Read[bool](t.Context(), bools, nil); err != nil || !slices.Equal(got, []bool{false, true, true, true}) {
		t.Errorf("bool: %v, %v", got, err)
	}
	if got, err := Read[uint8](t.Context(), bools, nil); err != nil || !slices.Equal(got, []uint8{0, 2, 1, 1}) {
		t.Errorf("bool as uint8: %v, %v", got, err)
	}
	times := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"dtype": `"<M8[s]"`, "fill_value": `"NaT"`})}), Options{})
	if got, err := Read[int64](t.Context(), times, Selection{At(0)}); err != nil || !slices.Equal(got, []int64{math.MinInt64}) {
		t.Errorf("datetime: %v, %v", got, err)
	}
	pairs := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"dtype": `">c8"`, "fill_value": "[1, -2]"})}), Options{})
	if got, err := Read[complex64](t.Context(), pairs, Selection{At(0)}); err != nil || !slices.Equal(got, []complex64{1 - 2i}) {
		t.Errorf("complex: %v, %v", got, err)
	}
	halves := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"dtype": `"<f2"`})}), Options{})
	_, err = Read[uint16](t.Context(), halves, nil)
	zarrtest.WantError(t, err, `elements of type float16 can't be read as uint16`)
}

// stored makes a store whose array x is 4 float32 in chunks of 2, compressed in some way. An empty first chunk is missing.
func stored(t *testing.T, compressor string, chunks ...string) *storetest.Faults {
	files := map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"compressor": compressor})}
	for i, c := range chunks {
		if i > 0 || c != "" {
			files[fmt.Sprint("x/", i)] = c
		}
	}
	return storetest.NewFaults(zarrtest.DirStore(t, files))
}

const bloscLZ4 = `{"id":"blosc","cname":"lz4","clevel":5,"shuffle":1,"blocksize":0}`

func frame(t *testing.T, raw string) string {
	t.Helper()
	f, err := codec.EncodeBlosc(nil, []byte(raw), 4, "lz4", nil)
	require.NoError(t, err)
	return string(f)
}

func TestChunkErrors(t *testing.T) {
	good := frame(t, "01234567")
	lie := func(at int, b byte) string {
		f := []byte(good)
		f[at] = b
		return string(f)
	}
	broken := errors.New("broken cable")
	tests := []struct {
		name, compressor string
		chunk            string
		fault            storetest.Fault
		step             string
		want             string
	}{
		{"raw cut short", "null", "0123456", storetest.Fault{}, "read", "7 bytes where an uncompressed chunk of [2] float32 has 8"},
		{"raw too long", "null", "012345678", storetest.Fault{}, "read", "9 bytes where an uncompressed chunk of [2] float32 has 8"},
		{"raw empty", "null", "", storetest.Fault{}, "read", "0 bytes where an uncompressed chunk of [2] float32 has 8"},
		{"raw shrinks", "null", "01234567", storetest.Fault{Short: 3}, "read", "the file shrank while it was read"},
		{"raw broken", "null", "01234567", storetest.Fault{Err: broken}, "read", "broken cable"},
		{"blosc empty", bloscLZ4, "", storetest.Fault{}, "read", "the file is empty"},
		{"blosc cut in the header", bloscLZ4, good[:9], storetest.Fault{}, "blosc", "9 bytes are too few for the 16-byte header"},
		{"blosc cut short", bloscLZ4, good[:len(good)-1], storetest.Fault{}, "blosc", "frame has 24 bytes by its header"},
		{"blosc of another size", bloscLZ4, frame(t, "012345678901"), storetest.Fault{}, "blosc", "frame decodes to 12 bytes, expected 8"},
		{"blosc lies about its size", bloscLZ4, lie(4, 200), storetest.Fault{}, "blosc", "frame decodes to 200 bytes, expected 8"},
		{"blosc lies about its blocks", bloscLZ4, lie(8, 9), storetest.Fault{}, "blosc", "frame has blocks of 9 bytes, expected 1 to 8"},
		{"blosc lies about its length", bloscLZ4, lie(15, 1), storetest.Fault{}, "blosc", "by its header"},
		{"blosc 2", bloscLZ4, lie(0, 5), storetest.Fault{}, "blosc", "frame of version 5"},
		{"blosc shrinks", bloscLZ4, good, storetest.Fault{Short: 3}, "read", "read 21 of 24 bytes: the file changed while it was read"},
		{"blosc broken", bloscLZ4, good, storetest.Fault{Err: broken}, "read", "broken cable"},
		{"far too long", bloscLZ4, good + strings.Repeat("x", 100_000), storetest.Fault{}, "read", "100024 bytes, more than any codec makes of the chunk's 8"},
		{"zlib of noise", `{"id":"zlib"}`, "01234567", storetest.Fault{}, "zlib", `"x/1": zlib: invalid header`},
		{"lz4 of another size", `{"id":"lz4"}`, "\x09\x00\x00\x00xxx", storetest.Fault{}, "lz4", "9 bytes, expected 8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := stored(t, tt.compressor, "", tt.chunk)
			a := openArray(t, st, Options{})
			st.Set("x/1", tt.fault)
			for _, sel := range []Selection{nil, {Span(2, 3)}, {Span(1, 3)}, {Steps(3, -1, -3)}} {
				shape, err := sel.Shape(a.Shape())
				require.NoError(t, err)
				_, err = a.ReadInto(t.Context(), sel, make([]byte, 4*shape[0]))
				zarrtest.WantError(t, err, "zarrio: "+st.String()+`: array "x": chunk "x/1": `+tt.step+": ", tt.want)
				e, ok := errors.AsType[*meta.ChunkError](err)
				if !ok || e.Array != "x" || e.Key != "x/1" || e.Step != tt.step || e.Store != st.String() {
					t.Errorf("%#v", err)
				}
				if tt.fault.Err != nil && !errors.Is(err, broken) {
					t.Errorf("%v is not that of the store", err)
				}
				if got, want := errors.Is(err, errors.ErrUnsupported), tt.name == "blosc 2"; got != want {
					t.Errorf("%v is ErrUnsupported: %v, want %v", err, got, want)
				}
			}
		})
	}
}

// TestChunkKeys checks the key in errors, for both separators.
func TestChunkKeys(t *testing.T) {
	for separator, key := range map[string]string{".": "x/1.0.2", "/": "x/1/0/2"} {
		st := zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"shape": "[2,2,3]", "chunks": "[1,2,1]", "dimension_separator": `"` + separator + `"`})})
		a := openArray(t, st, Options{Strict: true})
		_, err := Read[float32](t.Context(), a, Selection{At(-1), At(1), At(2)})
		zarrtest.WantError(t, err, `array "x": chunk "`+key+`": read: the chunk is missing, and missing chunks are refused (strict)`)
		if !errors.Is(err, meta.ErrMissingChunk) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: want ErrMissingChunk alone", err)
		}
	}
}

func TestChunkFiles(t *testing.T) {
	st := zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(nil), "x/0": "01234567", "x/1/file": ""})
	a := openArray(t, st, Options{})
	_, err := a.ReadInto(t.Context(), nil, make([]byte, 16))
	zarrtest.WantError(t, err, `array "x": chunk "x/1": read: `, "is a directory")

	if os.Geteuid() == 0 {
		t.Skip("root may read any file: the error of one without permission can't be had")
	}
	require.NoError(t, os.Chmod(filepath.Join(st.Path(), "x", "0"), 0))
	_, err = a.ReadInto(t.Context(), Selection{At(0)}, make([]byte, 4))
	zarrtest.WantError(t, err, `array "x": chunk "x/0": read: `, "permission denied")
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not fs.ErrPermission", err)
	}
}

// TestChunkVanishes reads a chunk that is there at first: it is missing, and in strict mode an error.
func TestChunkVanishes(t *testing.T) {
	st := stored(t, "null", "01234567", "89abcdef")
	a := openArray(t, st, Options{})
	dst := make([]byte, 8)
	for _, want := range []string{"01234567", "\x00\x00\x00\x00\x00\x00\x00\x00"} {
		if _, err := a.ReadInto(t.Context(), Selection{Span(0, 2)}, dst); err != nil || string(dst) != want {
			t.Errorf("%q, %v, want %q", dst, err, want)
		}
		st.Set("x/0", storetest.Fault{Err: fs.ErrNotExist})
	}
	_, err := openArray(t, st, Options{Strict: true}).ReadInto(t.Context(), nil, make([]byte, 16))
	zarrtest.WantError(t, err, `chunk "x/0": read: the chunk is missing`)
}

func TestCancel(t *testing.T) {
	st := stored(t, "null", "01234567", "89abcdef")
	a := openArray(t, st, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	st.Set("x/1", storetest.Fault{Hook: func(context.Context, string) error { cancel(); return nil }})
	if _, err := a.ReadInto(ctx, Selection{At(3)}, make([]byte, 4)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled under way: %v", err)
	}
	if _, err := a.ReadInto(ctx, nil, make([]byte, 16)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

// TestConcurrent reads one array from many goroutines; the race detector watches.
func TestConcurrent(t *testing.T) {
	raw := strings.Repeat("0123456789abcdef", 64)
	files := map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"shape": "[16, 256]", "chunks": "[1, 256]", "compressor": bloscLZ4})}
	for i := range 16 {
		files[fmt.Sprintf("x/%d.0", i)] = frame(t, raw)
	}
	a := openArray(t, zarrtest.DirStore(t, files), Options{Strict: true})
	t.Run("all", func(t *testing.T) {
		for range 8 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				dst := make([]byte, 16*1024)
				if _, err := a.ReadInto(t.Context(), nil, dst); err != nil || string(dst) != strings.Repeat(raw, 16) {
					t.Errorf("ReadInto: %v", err)
				}
			})
		}
	})
}

// TestLargeChunk checks that the memory for large chunks is taken by what the store has, not by what the document says.
func TestLargeChunk(t *testing.T) {
	doc := func(compressor string) string {
		return zarrtest.ZArray(map[string]string{"shape": "[100000000]", "chunks": "[50000000]", "dtype": `"|u1"`, "compressor": compressor, "fill_value": "3"})
	}
	large := bytes.Repeat([]byte{7}, 50_000_000)
	f, err := codec.EncodeBlosc(nil, large, 1, "lz4", nil)
	require.NoError(t, err)
	st := zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": doc(bloscLZ4), "x/0": string(f)})
	a := openArray(t, st, Options{})
	got, err := Read[uint8](t.Context(), a, Selection{Span(49_999_998, 50_000_001)})
	if err != nil || !slices.Equal(got, []uint8{7, 7, 3}) {
		t.Errorf("%v, %v", got, err)
	}
	// 200 MB by the document, 5 bytes in the store.
	for compressor, want := range map[string]string{"null": "5 bytes where an uncompressed chunk of [200000000] uint8 has 200000000", bloscLZ4: "5 bytes are too few"} {
		doc := zarrtest.ZArray(map[string]string{"shape": "[200000000]", "chunks": "[200000000]", "dtype": `"|u1"`, "compressor": compressor})
		a := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": doc, "x/0": "xxxxx"}), Options{})
		_, err := Read[uint8](t.Context(), a, Selection{Steps(5, 50, 10)})
		zarrtest.WantError(t, err, `chunk "x/0"`, want)
	}
}
