package zarrio

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

func TestMetadataV2(t *testing.T) {
	docs := func(fields map[string]string, attrs string) map[string]string {
		files := map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(fields)}
		if attrs != "" {
			files["x/.zattrs"] = attrs
		}
		return files
	}
	tests := []struct {
		name   string
		fields map[string]string
		attrs  string
		check  func(m *meta.Metadata) bool
	}{
		{"plain", nil, "", func(m *meta.Metadata) bool {
			return m.Format == 2 && slices.Equal(m.Shape, []int{4}) && slices.Equal(m.Chunks, []int{2}) && m.DType == meta.Float32 && m.BigEndian == ndcopy.BigEndian &&
				m.Keys == meta.KeyEncoding{Separator: '.'} && len(m.Codecs) == 0 && slices.Equal(m.Fill, []byte{0, 0, 0, 0}) && slices.Equal(m.Dims, []string{""}) && len(m.Attrs) == 0
		}},
		{"least", map[string]string{"fill_value": "", "order": "", "filters": "", "compressor": ""}, "", func(m *meta.Metadata) bool {
			return m.Fill == nil && len(m.Codecs) == 0 && m.Keys.Separator == '.'
		}},
		{"nulls", map[string]string{"fill_value": "null", "order": "null", "dimension_separator": "null"}, "", func(m *meta.Metadata) bool {
			return m.Fill == nil && m.Keys.Separator == '.'
		}},
		{"slash", map[string]string{"dimension_separator": `"/"`}, "", func(m *meta.Metadata) bool { return m.Keys.Separator == '/' }},
		{"order F", map[string]string{"order": `"F"`, "shape": "[4,5,6]", "chunks": "[1,2,3]"}, "", func(m *meta.Metadata) bool { return slices.Equal(m.Order, []int{2, 1, 0}) }},
		{"no filters", map[string]string{"filters": "[]", "compressor": `{"id":"zlib","level":1}`}, "", func(m *meta.Metadata) bool {
			return len(m.Codecs) == 1 && m.Codecs[0].Name == "zlib"
		}},
		{"filters", map[string]string{"filters": `[{"id":"a"},{"id":"b","n":2}]`, "compressor": `{"id":"c"}`}, "", func(m *meta.Metadata) bool {
			return len(m.Codecs) == 3 && m.Codecs[0].Name == "c" && m.Codecs[1].Name == "b" && m.Codecs[2].Name == "a" && string(m.Codecs[1].Config) == `{"id":"b","n":2}`
		}},
		{"scalar", map[string]string{"shape": "[]", "chunks": "[]"}, "", func(m *meta.Metadata) bool { return len(m.Shape) == 0 && m.Shape != nil }},
		{"whole floats", map[string]string{"shape": "[4.0]", "chunks": "[2e0]"}, "", func(m *meta.Metadata) bool { return m.Shape[0] == 4 && m.Chunks[0] == 2 }},
		{"nothing in it", map[string]string{"shape": "[0]"}, "", func(m *meta.Metadata) bool { return m.Shape[0] == 0 }},
		{"bare NaN", map[string]string{"fill_value": "NaN"}, "", func(m *meta.Metadata) bool {
			return string(m.Fill) == string(tensor.AsBytes([]float32{float32(math.NaN())}))
		}},
		{"bare -Infinity", map[string]string{"fill_value": "-Infinity"}, "", func(m *meta.Metadata) bool {
			return string(m.Fill) == string(tensor.AsBytes([]float32{float32(math.Inf(-1))}))
		}},
		{"attributes", nil, `{"units": "K", "_FillValue": NaN, "n": [1, 2], "_ARRAY_DIMENSIONS": ["time"]}`, func(m *meta.Metadata) bool {
			return m.Attrs.Text("units") == "K" && m.Attrs.Text("n") == "" && m.Attrs.Text("none") == "" && m.Attrs.Text("_FillValue") == "NaN" && m.Dims[0] == "time"
		}},
		{"too many names", nil, `{"_ARRAY_DIMENSIONS": ["time", "level"]}`, func(m *meta.Metadata) bool { return slices.Equal(m.Dims, []string{""}) }},
		{"names that are none", nil, `{"_ARRAY_DIMENSIONS": [1]}`, func(m *meta.Metadata) bool { return slices.Equal(m.Dims, []string{""}) }},
		{"null attributes", nil, `null`, func(m *meta.Metadata) bool { return m.Attrs != nil && len(m.Attrs) == 0 }},
		{"strings", map[string]string{"dtype": `"|O"`, "fill_value": `""`, "filters": `[{"id":"vlen-utf8"}]`}, "", func(m *meta.Metadata) bool {
			return m.DType == meta.DType{Kind: meta.Object, Variant: "string"} && m.Fill != nil && len(m.Fill) == 0
		}},
		{"a string", map[string]string{"dtype": `"|O"`, "fill_value": `"aé"`, "filters": `[{"id":"vlen-utf8"}]`}, "", func(m *meta.Metadata) bool { return string(m.Fill) == "aé" }},
		{"strings without fill", map[string]string{"dtype": `"|O"`, "fill_value": `0`, "filters": `[{"id":"vlen-utf8"}]`}, "", func(m *meta.Metadata) bool { return m.Fill == nil }},
		{"byte strings", map[string]string{"dtype": `"|O"`, "fill_value": `"AQI="`, "filters": `[{"id":"vlen-bytes"}]`}, "", func(m *meta.Metadata) bool {
			return m.DType.String() == "bytes" && string(m.Fill) == "\x01\x02"
		}},
		{"chunks of nothing", map[string]string{"shape": "[0,4]", "chunks": "[0,2]"}, "", func(m *meta.Metadata) bool { return slices.Equal(m.Chunks, []int{1, 2}) }},
		{"names with other letters", map[string]string{"SHAPE": "[9]", "Order": `"F"`}, "", func(m *meta.Metadata) bool { return m.Shape[0] == 4 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := openArray(t, zarrtest.DirStore(t, docs(tt.fields, tt.attrs)), Options{})
			if !tt.check(a.Metadata()) {
				t.Errorf("%s %s\n= %+v", docs(tt.fields, "")["x/.zarray"], tt.attrs, *a.Metadata())
			}
			if err := a.Metadata().Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMetadataV2Refused(t *testing.T) {
	one := func(field, value string) string { return zarrtest.ZArray(map[string]string{field: value}) }
	tests := []struct {
		name, doc string
		want      []string
		kind      error
	}{
		{"empty", "", []string{"the document is empty"}, nil},
		{"not JSON", "shape = [4]", []string{"not JSON", "invalid character 's'"}, nil},
		{"cut short", zarrtest.ZArray(nil)[:60], []string{"not JSON", "unexpected end"}, nil},
		{"a list", "[]", []string{"want a JSON object, found []"}, nil},
		{"null", "null", []string{"want a JSON object, found null"}, nil},
		{"no format", one("zarr_format", ""), []string{"zarr_format (none) is not supported; supported: 2"}, errors.ErrUnsupported},
		{"format 3", one("zarr_format", "3"), []string{"zarr_format 3 is not supported; supported: 2 in a .zarray document"}, errors.ErrUnsupported},
		{"no shape", one("shape", ""), []string{"no shape"}, nil},
		{"null shape", one("shape", "null"), []string{"no shape"}, nil},
		{"no chunks", one("chunks", ""), []string{"no chunks"}, nil},
		{"no dtype", one("dtype", ""), []string{"no dtype"}, nil},
		{"dtype", one("dtype", `"<f3"`), []string{`data type "<f3" is not supported; supported: |b1`}, errors.ErrUnsupported},
		{"dtype null", one("dtype", `null`), []string{`data type null is not supported`}, errors.ErrUnsupported},
		{"shape a number", one("shape", "4"), []string{"shape: want a list of whole numbers, found 4"}, nil},
		{"shape of words", one("shape", `["4"]`), []string{`shape: extent "4": not a whole number`}, nil},
		{"shape of null", one("shape", `[null]`), []string{`shape: extent null: not a whole number`}, nil},
		{"shape 1.5", one("shape", "[1.5]"), []string{"shape: extent 1.5: not a whole number"}, nil},
		{"negative", one("shape", "[-4]"), []string{"shape: extent -4: negative"}, nil},
		{"chunk negative", one("chunks", "[-2]"), []string{"chunks: extent -2: negative"}, nil},
		{"chunk 0", one("chunks", "[0]"), []string{"chunks [0]: extent 0 of dimension 0 is less than 1"}, nil},
		{"2^63", one("shape", "[9223372036854775808]"), []string{"shape: extent 9223372036854775808: too large"}, nil},
		{"1e400", one("shape", "[1e400]"), []string{"shape: extent 1e400: too large"}, nil},
		{"2^63-1", one("shape", "[9223372036854775807]"), []string{"shape [9223372036854775807] has more than"}, nil},
		{"product", zarrtest.ZArray(map[string]string{"shape": "[4294967296,2147483648]", "chunks": "[1,1]"}), []string{"shape [4294967296 2147483648] has more than 2305843009213693951 elements"}, nil},
		{"chunk product", zarrtest.ZArray(map[string]string{"shape": "[4,4]", "chunks": "[4294967296,2147483648]"}), []string{"chunks: shape [4294967296 2147483648] has more than"}, nil},
		{"end", zarrtest.ZArray(map[string]string{"shape": "[9223372036854775807]", "chunks": "[9223372036854775807]", "dtype": `"|u1"`}), []string{"extent 9223372036854775807 of dimension 0 is too large for chunks"}, nil},
		{"rank", one("chunks", "[2,2]"), []string{"chunks [2 2] have 2 dimensions, the shape [4] has 1"}, nil},
		{"33 dimensions", zarrtest.ZArray(map[string]string{"shape": "[1" + strings.Repeat(",1", 32) + "]", "chunks": "[1" + strings.Repeat(",1", 32) + "]"}), []string{"number of dimensions 33 is not supported; supported: 0 to 32"}, errors.ErrUnsupported},
		{"order", one("order", `"K"`), []string{`order "K" is not supported; supported: "C" and "F"`}, errors.ErrUnsupported},
		{"order a number", one("order", `1`), []string{`order: want a string, found 1`}, nil},
		{"separator", one("dimension_separator", `"-"`), []string{`dimension_separator "-" is not supported; supported: "." and "/"`}, errors.ErrUnsupported},
		{"separator empty", one("dimension_separator", `""`), []string{`dimension_separator "" is not supported`}, errors.ErrUnsupported},
		{"fill", one("fill_value", `"red"`), []string{`fill_value "red": not a float`}, nil},
		{"compressor a word", one("compressor", `"blosc"`), []string{`want an object with an "id", found "blosc"`}, nil},
		{"compressor without id", one("compressor", `{"cname":"lz4"}`), []string{`want an object with an "id", found {"cname":"lz4"}`}, nil},
		{"compressor with a number", one("compressor", `{"id":5}`), []string{`want an object with an "id", found {"id":5}`}, nil},
		{"filters an object", one("filters", `{"id":"delta"}`), []string{`filters: want a list, found {"id":"delta"}`}, nil},
		{"filters null inside", one("filters", `[null]`), []string{`want an object with an "id", found null`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "sub/.zgroup": zarrtest.ZGroup, "sub/x/.zarray": tt.doc})
			g, err := OpenStore(t.Context(), st, Options{})
			require.NoError(t, err)
			_, err = g.Array(t.Context(), "sub/x")
			zarrtest.WantError(t, err, append(tt.want, "zarrio: "+st.String()+": sub/x/.zarray: ")...)
			if e, ok := errors.AsType[*meta.MetadataError](err); !ok || e.Key != "sub/x/.zarray" || e.Store != st.String() {
				t.Errorf("%T: %v, want a MetadataError", err, err)
			}
			if tt.kind != nil && !errors.Is(err, tt.kind) {
				t.Errorf("%v is not %v", err, tt.kind)
			}
		})
	}
}

func TestAttributesRefused(t *testing.T) {
	for attrs, want := range map[string]string{`[1]`: "want a JSON object, found [1]", `{`: "not JSON"} {
		st := zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(nil), "x/.zattrs": attrs, "g/.zgroup": zarrtest.ZGroup, "g/.zattrs": attrs})
		g, err := OpenStore(t.Context(), st, Options{})
		require.NoError(t, err)
		_, err = g.Array(t.Context(), "x")
		zarrtest.WantError(t, err, st.String(), "x/.zarray", ".zattrs: ", want)
		_, err = g.Group(t.Context(), "g")
		zarrtest.WantError(t, err, st.String(), "g/.zattrs: ", want)
	}
}

// TestNotReadable checks arrays whose metadata can be had though their elements can't.
func TestNotReadable(t *testing.T) {
	tests := []struct {
		name   string
		fields map[string]string
		want   []string
	}{
		{"codec", map[string]string{"compressor": `{"id":"lz99"}`}, []string{`codec "lz99" is not supported; supported: adler32, astype`}},
		{"filter", map[string]string{"filters": `[{"id":"categorize"}]`, "compressor": `{"id":"zlib"}`}, []string{`codec "categorize" is not supported`}},
		{"object", map[string]string{"dtype": `"|O"`, "fill_value": "null", "filters": `[{"id":"vlen-utf8"}]`}, []string{"reading data type string is not supported; supported: types whose elements have one length"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(tt.fields)}), Options{})
			_, err := a.ReadInto(t.Context(), nil, make([]byte, 16))
			zarrtest.WantError(t, err, append(tt.want, "zarrio: "+a.c.Source.Name+`: array "x": `)...)
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%v is not ErrUnsupported", err)
			}
			if _, err := Read[float32](t.Context(), a, nil); err == nil {
				t.Error("Read: no error")
			}
		})
	}
	a := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"compressor": `{"id":"blosc","cname":"lz99"}`})}), Options{})
	_, err := a.ReadInto(t.Context(), nil, make([]byte, 16))
	zarrtest.WantError(t, err, `array "x": `, `"lz99"`)
}

func TestHugeChunk(t *testing.T) {
	a := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"chunks": "[1000000000000000]"})}), Options{})
	_, err := a.ReadInto(t.Context(), nil, make([]byte, 16))
	zarrtest.WantError(t, err, `array "x": a chunk has 4000000000000000 bytes: too many for the memory`)

	a = openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(map[string]string{"shape": "[1000000000000000]"})}), Options{})
	_, err = Read[float32](t.Context(), a, nil)
	zarrtest.WantError(t, err, `array "x": selection of shape [1000000000000000]: 4000000000000000 bytes are more than the memory`)
}

// TestSampleHierarchy opens the arrays that consolidated metadata from the wild describe.
func TestSampleHierarchy(t *testing.T) {
	dir, err := Open(t.Context(), zarrtest.Shared(t, "data"), Options{Consolidated: Never})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a directory without a group: %v, %v", dir, err)
	}
	st := zarrtest.DirStore(t, map[string]string{".zmetadata": zarrtest.ReadText(t, zarrtest.Shared(t, "data/wb2_64x32_sample.zmetadata.json"))})
	g, err := OpenStore(t.Context(), st, Options{})
	require.NoError(t, err)
	members, err := g.Members(t.Context())
	if err != nil || len(members) != 66 {
		t.Fatalf("%d members, %v, want 66", len(members), err)
	}
	for _, m := range members {
		a, err := g.Array(t.Context(), m.Name)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := a.c.CheckChunk(); err != nil {
			t.Error(err)
		}
		if len(a.Dims()) != len(a.Shape()) || slices.Contains(a.Dims(), "") {
			t.Errorf("%s: shape %v, dimensions %q", m.Name, a.Shape(), a.Dims())
		}
	}
	a, err := g.Array(t.Context(), "geopotential")
	require.NoError(t, err)
	m := a.Metadata()
	if m.DType != meta.Float32 || len(m.Codecs) != 1 || m.Codecs[0].Name != "blosc" || m.Attrs.Text("units") != "m**2 s**-2" || !slices.Equal(m.Dims, []string{"time", "level", "longitude", "latitude"}) {
		t.Errorf("geopotential: %+v", m)
	}
}

func FuzzMetadataV2(f *testing.F) {
	f.Add([]byte(zarrtest.ZArray(nil)), []byte(`{"_ARRAY_DIMENSIONS":["a"]}`))
	f.Add([]byte(zarrtest.ZArray(map[string]string{"shape": "[0,5]", "chunks": "[9223372036854775807,1]", "dtype": `[["a",[["b","<i4",[2]]]]]`})), []byte(`null`))
	f.Add([]byte(zarrtest.ZArray(map[string]string{"order": `"F"`, "filters": `[{"id":"shuffle"}]`, "compressor": `{"id":"blosc"}`, "fill_value": `NaN`})), []byte(``))
	f.Add([]byte(zarrtest.ZArray(map[string]string{"dtype": `">M8[25s]"`, "fill_value": `"NaT"`, "dimension_separator": `"/"`})), []byte(`{}`))
	f.Fuzz(func(t *testing.T, doc, attrs []byte) {
		m, err := meta.ParseV2Array(meta.PlainJSON(doc), meta.PlainJSON(attrs))
		if err != nil {
			if len(err.Error()) > 2000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		if len(m.Dims) != len(m.Shape) || len(m.Order) != len(m.Shape) || m.Keys.Separator == 0 || m.Attrs == nil {
			t.Fatalf("%+v", m)
		}
		if m.Fill != nil && len(m.Fill) != m.DType.Size && m.DType.Kind != meta.Object {
			t.Fatalf("fill of %d bytes for %s", len(m.Fill), m.DType)
		}
		a := newHierarchy(nothing{}, Options{}).newArray("x", m)
		if a.c.CheckChunk() != nil || a.c.ChunkBytes() > 1<<20 {
			return
		}
		// The array's first and last element, which no store has.
		for _, at := range []Axis{At(0), At(-1)} {
			var sel Selection
			for range m.Shape {
				sel = append(sel, at)
			}
			dst := make([]byte, m.DType.Size)
			if _, err := a.ReadInto(t.Context(), sel, dst); err == nil && m.Fill != nil && !slices.Equal(dst, m.Fill) {
				t.Fatalf("%x, want %x", dst, m.Fill)
			} else if err != nil && !slices.Contains(m.Shape, 0) {
				t.Fatal(err)
			}
		}
	})
}

// nothing is a store without values.
type nothing struct{}

func (nothing) ReadRange(context.Context, string, []byte, int64) (int, int64, error) {
	return 0, 0, fs.ErrNotExist
}

func FuzzConsolidated(f *testing.F) {
	entry, _ := json.Marshal(map[string]any{"zarr_consolidated_format": 1, "metadata": map[string]json.RawMessage{".zgroup": json.RawMessage(zarrtest.ZGroup),
		"x/.zarray": json.RawMessage(zarrtest.ZArray(nil)), "a/b/.zgroup": nil, "../x/.zarray": nil}})
	f.Add(entry)
	f.Fuzz(func(t *testing.T, doc []byte) {
		docs, err := meta.ParseV2Consolidated(meta.PlainJSON(doc))
		if err != nil {
			return
		}
		g := &Group{h: newHierarchy(nothing{}, Options{}), docs: docs}
		members, err := g.Members(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range members {
			if _, err := g.child(m.Name); err != nil {
				t.Errorf("member %q: %v", m.Name, err)
			}
		}
	})
}
