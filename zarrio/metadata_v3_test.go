package zarrio

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
)

func TestMetadataV3(t *testing.T) {
	shard := `[{"name":"sharding_indexed","configuration":{"chunk_shape":[5,3],"codecs":["bytes"],"index_codecs":["bytes","crc32c"]}}]`
	tests := []struct {
		name   string
		fields map[string]string
		check  func(m *meta.Metadata) bool
	}{
		{"plain", nil, func(m *meta.Metadata) bool {
			return m.Format == 3 && slices.Equal(m.Shape, []int{4}) && slices.Equal(m.Chunks, []int{2}) && m.Extents == nil && m.DType == meta.Float32 && !m.BigEndian &&
				m.Keys == meta.KeyEncoding{Prefix: "c", Separator: '/'} && slices.Equal(m.Order, []int{0}) && string(m.Fill) == "\x00\x00\x00\x00" && slices.Equal(m.Dims, []string{""}) && m.Attrs != nil && len(m.Attrs) == 0 &&
				len(m.Codecs) == 1 && m.Codecs[0].Name == "bytes" && string(m.Codecs[0].Config) == `{"endian":"little"}`
		}},
		{"order of decoding", map[string]string{"codecs": `[{"name":"transpose","configuration":{"order":[0]}},"bytes",{"name":"zstd","configuration":null},{"name":"crc32c","must_understand":false}]`}, func(m *meta.Metadata) bool {
			return len(m.Codecs) == 4 && m.Codecs[0].Name == "crc32c" && m.Codecs[0].Optional && m.Codecs[0].Config == nil && m.Codecs[1].Name == "zstd" && m.Codecs[1].Config == nil &&
				!m.Codecs[1].Optional && m.Codecs[2].Name == "bytes" && m.Codecs[3].Name == "transpose" && string(m.Codecs[3].Config) == `{"order":[0]}`
		}},
		{"unknown codec", map[string]string{"codecs": `["lz99"]`}, func(m *meta.Metadata) bool { return m.Codecs[0].Name == "lz99" }},
		{"default keys", map[string]string{"chunk_key_encoding": `"default"`}, func(m *meta.Metadata) bool { return m.Keys == meta.KeyEncoding{Prefix: "c", Separator: '/'} }},
		{"default keys, object", map[string]string{"chunk_key_encoding": `{"name":"default"}`}, func(m *meta.Metadata) bool { return m.Keys == meta.KeyEncoding{Prefix: "c", Separator: '/'} }},
		{"default keys with dots", map[string]string{"chunk_key_encoding": `{"name":"default","configuration":{"separator":"."}}`}, func(m *meta.Metadata) bool { return m.Keys == meta.KeyEncoding{Prefix: "c", Separator: '.'} }},
		{"v2 keys", map[string]string{"chunk_key_encoding": `"v2"`}, func(m *meta.Metadata) bool { return m.Keys == meta.KeyEncoding{Prefix: "", Separator: '.'} }},
		{"v2 keys with slashes", map[string]string{"chunk_key_encoding": `{"name":"v2","configuration":{"separator":"/"}}`}, func(m *meta.Metadata) bool { return m.Keys == meta.KeyEncoding{Prefix: "", Separator: '/'} }},
		{"names", map[string]string{"shape": "[4,5,6]", "chunk_grid": zarrtest.Regular("[1,2,3]"), "dimension_names": `["time",null,""]`}, func(m *meta.Metadata) bool { return slices.Equal(m.Dims, []string{"time", "", ""}) }},
		{"null names", map[string]string{"dimension_names": `null`}, func(m *meta.Metadata) bool { return slices.Equal(m.Dims, []string{""}) }},
		{"attributes", map[string]string{"attributes": `{"units":"K","_FillValue":NaN}`}, func(m *meta.Metadata) bool {
			return m.Attrs.Text("units") == "K" && m.Attrs.Text("_FillValue") == "NaN"
		}},
		{"no transformers", map[string]string{"storage_transformers": `[]`}, func(m *meta.Metadata) bool { return true }},
		{"a transformer to ignore", map[string]string{"storage_transformers": `[{"name":"x","must_understand":false}]`}, func(m *meta.Metadata) bool { return true }},
		{"a field to ignore", map[string]string{"future": `{"must_understand":false,"x":[1]}`}, func(m *meta.Metadata) bool { return true }},
		{"scalar", map[string]string{"shape": "[]", "chunk_grid": zarrtest.Regular("[]")}, func(m *meta.Metadata) bool { return m.Shape != nil && len(m.Shape) == 0 && len(m.Chunks) == 0 }},
		{"nothing in it", map[string]string{"shape": "[0]"}, func(m *meta.Metadata) bool { return m.Shape[0] == 0 && m.Chunks[0] == 2 }},
		{"chunks of nothing", map[string]string{"shape": "[0,7]", "chunk_grid": zarrtest.Regular("[0,6]")}, func(m *meta.Metadata) bool { return slices.Equal(m.Chunks, []int{1, 6}) }},
		{"shards of nothing", map[string]string{"shape": "[0,7]", "chunk_grid": zarrtest.Regular("[0,6]"), "codecs": shard}, func(m *meta.Metadata) bool { return slices.Equal(m.Chunks, []int{5, 6}) }},
		{"bare NaN", map[string]string{"fill_value": "NaN"}, func(m *meta.Metadata) bool { return meta.GetBits(m.Fill) == 0x7fc00000 }},
		{"hex NaN", map[string]string{"fill_value": `"0x7fc00001"`}, func(m *meta.Metadata) bool { return meta.GetBits(m.Fill) == 0x7fc00001 }},
		{"strings", map[string]string{"data_type": `"string"`, "fill_value": `""`}, func(m *meta.Metadata) bool { return m.DType.String() == "string" && m.Fill != nil && len(m.Fill) == 0 }},
		{"unknown type", map[string]string{"data_type": `{"name":"float33","configuration":{"bits":33}}`, "fill_value": `{"any":"thing"}`}, func(m *meta.Metadata) bool {
			return m.DType.String() == "float33" && m.Fill == nil && errors.Is(m.Readable(), errors.ErrUnsupported) && strings.Contains(m.Readable().Error(), `data type "float33" is not supported; supported: bool, int8 to int64`)
		}},
		{"unknown type without fill", map[string]string{"data_type": `"float33"`, "fill_value": `null`}, func(m *meta.Metadata) bool { return m.DType.Kind == meta.Unknown }},

		{"one number", map[string]string{"chunk_grid": zarrtest.Rectilinear("[3]")}, func(m *meta.Metadata) bool { return m.Extents == nil && slices.Equal(m.Chunks, []int{3}) }},
		{"all alike", map[string]string{"chunk_grid": zarrtest.Rectilinear("[[[1,3],1]]")}, func(m *meta.Metadata) bool { return m.Extents == nil && slices.Equal(m.Chunks, []int{1}) }},
		{"rectilinear", map[string]string{"shape": "[6,6,6,6,6]", "chunk_grid": zarrtest.Rectilinear("[4,[1,2,3],[[4,2]],[[1,3],3],[4,4,4]]")}, func(m *meta.Metadata) bool {
			return slices.Equal(m.Chunks, []int{4, 3, 4, 3, 4}) && fmt.Sprint(m.Extents) == "[[4 4] [1 2 3] [4 4] [1 1 1 3] [4 4]]"
		}},
		{"rectilinear, beyond", map[string]string{"shape": "[6]", "chunk_grid": zarrtest.Rectilinear("[[1,[2,9223372036854775807],9223372036854775807]]")}, func(m *meta.Metadata) bool {
			return slices.Equal(m.Chunks, []int{2}) && fmt.Sprint(m.Extents) == "[[1 2 2 2]]"
		}},
		{"rectilinear, of nothing", map[string]string{"shape": "[0,3]", "chunk_grid": zarrtest.Rectilinear("[[7,8],[1,2]]")}, func(m *meta.Metadata) bool {
			return slices.Equal(m.Chunks, []int{7, 2}) && len(m.Extents) == 2 && len(m.Extents[0]) == 0 && slices.Equal(m.Extents[1], []int{1, 2})
		}},
		{"rectilinear, whole floats", map[string]string{"chunk_grid": zarrtest.Rectilinear("[[1.0,[3.0,1]]]")}, func(m *meta.Metadata) bool { return fmt.Sprint(m.Extents) == "[[1 3]]" }},
		{"rectilinear scalar", map[string]string{"shape": "[]", "chunk_grid": zarrtest.Rectilinear("[]")}, func(m *meta.Metadata) bool { return m.Extents == nil && len(m.Chunks) == 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := openArray(t, zarrtest.DirStore(t, map[string]string{"zarr.json": zarrtest.ZGroup3, "x/zarr.json": zarrtest.ZArray3(tt.fields)}), Options{})
			if !tt.check(a.Metadata()) {
				t.Errorf("%s\n= %+v", zarrtest.ZArray3(tt.fields), *a.Metadata())
			}
			if err := a.Metadata().Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMetadataV3Refused(t *testing.T) {
	one := func(field, value string) string { return zarrtest.ZArray3(map[string]string{field: value}) }
	key := func(config string) string {
		return one("chunk_key_encoding", `{"name":"default","configuration":`+config+`}`)
	}
	tests := []struct {
		name, doc string
		want      []string
		kind      error
	}{
		{"empty", "", []string{"the document is empty"}, nil},
		{"not JSON", "shape = [4]", []string{"not JSON"}, nil},
		{"a list", "[]", []string{"want a JSON object, found []"}, nil},
		{"no format", one("zarr_format", ""), []string{"zarr_format (none) is not supported; supported: 3 in a zarr.json document"}, errors.ErrUnsupported},
		{"format 2", one("zarr_format", "2"), []string{"zarr_format 2 is not supported; supported: 3 in a zarr.json document"}, errors.ErrUnsupported},
		{"no type", one("node_type", ""), []string{`node_type "(none)": want "array"`}, nil},
		{"other type", one("node_type", `"table"`), []string{`node_type "table": want "array"`}, nil},
		{"no shape", one("shape", ""), []string{"no shape"}, nil},
		{"shape of words", one("shape", `["4"]`), []string{`shape: extent "4": not a whole number`}, nil},
		{"2^63-1", one("shape", "[9223372036854775807]"), []string{"shape [9223372036854775807] has more than"}, nil},
		{"33 dimensions", zarrtest.ZArray3(map[string]string{"shape": "[1" + strings.Repeat(",1", 32) + "]", "chunk_grid": zarrtest.Regular("[1" + strings.Repeat(",1", 32) + "]")}), []string{"number of dimensions 33 is not supported"}, errors.ErrUnsupported},
		{"no data_type", one("data_type", ""), []string{"no data_type"}, nil},
		{"data_type", one("data_type", `{"name":"raw_bytes"}`), []string{"data_type raw_bytes: length_bytes (none)"}, nil},
		{"v2's field", one("dtype", `"<f4"`), []string{`field "dtype" (of Zarr v2, whose document is .zarray) is not supported; supported: zarr_format, node_type`}, errors.ErrUnsupported},
		{"unknown field", one("future", `{"x":1}`), []string{`field "future" is not supported; supported: zarr_format`, `and objects with "must_understand": false`}, errors.ErrUnsupported},
		{"unknown field, true", one("future", `{"must_understand":true}`), []string{`field "future" is not supported`}, errors.ErrUnsupported},
		{"unknown field, no object", one("future", `false`), []string{`field "future" is not supported`}, errors.ErrUnsupported},
		{"no codecs", one("codecs", ""), []string{"codecs: want a list, found (none)"}, nil},
		{"codecs null", one("codecs", "null"), []string{"codecs: want a list, found null"}, nil},
		{"codecs empty", one("codecs", "[]"), []string{"codecs: the list is empty"}, nil},
		{"codecs an object", one("codecs", `{"name":"bytes"}`), []string{`codecs: want a list, found {"name":"bytes"}`}, nil},
		{"codec a number", one("codecs", `[5]`), []string{`codec: want a name, or an object with one, found 5`}, nil},
		{"codec of v2", one("codecs", `[{"id":"zlib"}]`), []string{`codec: want a name, or an object with one, found {"id":"zlib"}`}, nil},
		{"codec with more", one("codecs", `[{"name":"bytes","endian":"little"}]`), []string{`codec bytes: field "endian" is not supported`}, errors.ErrUnsupported},
		{"codec configuration", one("codecs", `[{"name":"bytes","configuration":"little"}]`), []string{`codec bytes: configuration: want a JSON object, found "little"`}, nil},
		{"no grid", one("chunk_grid", ""), []string{"no chunk_grid"}, nil},
		{"unknown grid", one("chunk_grid", `{"name":"hexagonal"}`), []string{`chunk_grid "hexagonal" is not supported; supported: regular and rectilinear`}, errors.ErrUnsupported},
		{"grid without configuration", one("chunk_grid", `"regular"`), []string{"chunk_grid regular: no chunk_shape"}, nil},
		{"grid of words", one("chunk_grid", zarrtest.Regular(`"2"`)), []string{`chunk_grid regular: chunk_shape: want a list of whole numbers, found "2"`}, nil},
		{"grid with more", one("chunk_grid", `{"name":"regular","configuration":{"chunk_shape":[2],"offset":[1]}}`), []string{`field "offset" is not supported; supported: chunk_shape`}, errors.ErrUnsupported},
		{"chunk 0", one("chunk_grid", zarrtest.Regular("[0]")), []string{"chunks [0]: extent 0 of dimension 0 is less than 1"}, nil},
		{"chunk negative", one("chunk_grid", zarrtest.Regular("[-2]")), []string{"extent -2: negative"}, nil},
		{"rank", one("chunk_grid", zarrtest.Regular("[2,2]")), []string{"chunks [2 2] have 2 dimensions, the shape [4] has 1"}, nil},
		{"other kind", one("chunk_grid", `{"name":"rectilinear","configuration":{"kind":"file","chunk_shapes":[2]}}`), []string{`chunk_grid rectilinear: kind "file" is not supported; supported: "inline"`}, errors.ErrUnsupported},
		{"no kind", one("chunk_grid", `{"name":"rectilinear","configuration":{"chunk_shapes":[2]}}`), []string{`kind (none) is not supported`}, errors.ErrUnsupported},
		{"rectilinear rank", one("chunk_grid", zarrtest.Rectilinear("[2,2]")), []string{"chunk_grid rectilinear: 2 chunk_shapes for 1 dimensions"}, nil},
		{"rectilinear number", one("chunk_grid", zarrtest.Rectilinear("2")), []string{"chunk_shapes: want a list, found 2"}, nil},
		{"rectilinear too short", one("chunk_grid", zarrtest.Rectilinear("[[1,2]]")), []string{"chunk_shapes of dimension 0: the chunks cover 3 of 4 elements"}, nil},
		{"rectilinear none", one("chunk_grid", zarrtest.Rectilinear("[[]]")), []string{"the chunks cover 0 of 4 elements"}, nil},
		{"rectilinear none of none", zarrtest.ZArray3(map[string]string{"shape": "[0]", "chunk_grid": zarrtest.Rectilinear("[[]]")}), []string{"the chunks cover 0 of 0 elements"}, nil},
		{"rectilinear 0", one("chunk_grid", zarrtest.Rectilinear("[[0,4]]")), []string{"extent 0: less than 1"}, nil},
		{"rectilinear 0 alone", one("chunk_grid", zarrtest.Rectilinear("[0]")), []string{"extent 0: less than 1"}, nil},
		{"rectilinear null", one("chunk_grid", zarrtest.Rectilinear("[null]")), []string{"extent null: not a whole number"}, nil},
		{"rectilinear null inside", one("chunk_grid", zarrtest.Rectilinear("[[null]]")), []string{"extent null: not a whole number"}, nil},
		{"rectilinear triple", one("chunk_grid", zarrtest.Rectilinear("[[[1,2,3]]]")), []string{"want an extent or a pair of extent and count, found [1,2,3]"}, nil},
		{"rectilinear count", one("chunk_grid", zarrtest.Rectilinear("[[[4,0]]]")), []string{"count: extent 0: less than 1"}, nil},
		{"rectilinear nested", one("chunk_grid", zarrtest.Rectilinear("[[[[4],1]]]")), []string{"extent [4]: not a whole number"}, nil},
		{"rectilinear huge", zarrtest.ZArray3(map[string]string{"shape": "[1000000000000,2]", "data_type": `"int8"`, "fill_value": "0", "chunk_grid": zarrtest.Rectilinear("[[[1,999999999999],2],2]")}),
			[]string{"number of chunks along dimensions over 4194304 is not supported"}, errors.ErrUnsupported},
		{"rectilinear huge product", zarrtest.ZArray3(map[string]string{"shape": "[4,4]", "chunk_grid": zarrtest.Rectilinear("[[4294967296],[1,2147483648]]")}), []string{"chunks: shape [4294967296 2147483648] has more than"}, nil},
		{"no keys", one("chunk_key_encoding", ""), []string{"no chunk_key_encoding"}, nil},
		{"unknown keys", one("chunk_key_encoding", `"zarrs.default_suffix"`), []string{`chunk_key_encoding "zarrs.default_suffix" is not supported; supported: default and v2`}, errors.ErrUnsupported},
		{"separator", key(`{"separator":"-"}`), []string{`separator of chunk_key_encoding "-" is not supported; supported: "." and "/"`}, errors.ErrUnsupported},
		{"separator a number", key(`{"separator":1}`), []string{`chunk_key_encoding default: separator: want a string, found 1`}, nil},
		{"keys with more", key(`{"suffix":".x"}`), []string{`chunk_key_encoding default: field "suffix" is not supported; supported: separator`}, errors.ErrUnsupported},
		{"no fill", one("fill_value", ""), []string{"no fill_value"}, nil},
		{"null fill", one("fill_value", "null"), []string{"fill_value null: not a number"}, nil},
		{"too few names", one("dimension_names", `[]`), []string{"dimension_names []: 0 names for 1 dimensions"}, nil},
		{"names that are none", one("dimension_names", `[1]`), []string{"dimension_names: want a list of strings and nulls, found [1]"}, nil},
		{"attributes a list", one("attributes", `[1]`), []string{"attributes: want a JSON object, found [1]"}, nil},
		{"transformer", one("storage_transformers", `["gzip"]`), []string{`storage transformer "gzip" is not supported; supported: none`}, errors.ErrUnsupported},
		{"transformers an object", one("storage_transformers", `{}`), []string{`storage_transformers: want a list, found {}`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := zarrtest.DirStore(t, map[string]string{"zarr.json": zarrtest.ZGroup3, "sub/zarr.json": zarrtest.ZGroup3, "sub/x/zarr.json": tt.doc})
			g, err := OpenStore(t.Context(), st, Options{})
			require.NoError(t, err)
			_, err = g.Array(t.Context(), "sub/x")
			zarrtest.WantError(t, err, append(tt.want, "zarrio: "+st.String()+": sub/x/zarr.json: ")...)
			if e, ok := errors.AsType[*meta.MetadataError](err); !ok || e.Key != "sub/x/zarr.json" || e.Store != st.String() {
				t.Errorf("%T: %v, want a MetadataError", err, err)
			}
			if tt.kind != nil && !errors.Is(err, tt.kind) {
				t.Errorf("%v is not %v", err, tt.kind)
			}
		})
	}
}

func TestValidateExtents(t *testing.T) {
	base := func() *meta.Metadata {
		return &meta.Metadata{Shape: []int{6}, Chunks: []int{3}, Extents: [][]int{{1, 2, 3}}, DType: meta.Float32}
	}
	if err := base().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(m *meta.Metadata){
		"extents of chunks for 2 dimensions":        func(m *meta.Metadata) { m.Extents = append(m.Extents, nil) },
		"dimension 0 has a chunk of 3, want 1 to 2": func(m *meta.Metadata) { m.Chunks[0] = 2 },
		"dimension 0 has a chunk of 0, want 1 to 3": func(m *meta.Metadata) { m.Extents[0][1] = 0 },
		"has chunks behind its end":                 func(m *meta.Metadata) { m.Shape[0] = 3 },
		"the chunks cover 6 of 7 elements":          func(m *meta.Metadata) { m.Shape[0] = 7 },
	} {
		m := base()
		change(m)
		zarrtest.WantError(t, m.Validate(), want)
	}
}

func FuzzV3Metadata(f *testing.F) {
	f.Add([]byte(zarrtest.ZArray3(nil)))
	f.Add([]byte(zarrtest.ZArray3(map[string]string{"shape": "[6,6]", "chunk_grid": zarrtest.Rectilinear("[4,[[1,3],3]]"), "dimension_names": `["a",null]`})))
	f.Add([]byte(zarrtest.ZArray3(map[string]string{"shape": "[0]", "chunk_grid": zarrtest.Regular("[0]"), "data_type": `{"name":"struct","configuration":{"fields":[{"name":"a","data_type":"int16"},{"name":"b","data_type":{"name":"null_terminated_bytes","configuration":{"length_bytes":4}}},{"name":"c","data_type":{"name":"struct","configuration":{"fields":[["d","complex64"]]}}}]}}`, "fill_value": `{"a":-2,"b":"YQ==","c":{"d":[1,0]}}`})))
	f.Add([]byte(zarrtest.ZArray3(map[string]string{"data_type": `{"name":"numpy.datetime64","configuration":{"unit":"s","scale_factor":1}}`, "fill_value": `"NaT"`, "chunk_key_encoding": `"v2"`, "codecs": `["bytes",{"name":"gzip","configuration":{"level":1}}]`})))
	f.Add([]byte(zarrtest.ZArray3(map[string]string{"data_type": `"complex_float8_e5m2"`, "fill_value": `["0x7f",-Infinity]`, "future": `{"must_understand":false}`})))
	f.Fuzz(func(t *testing.T, doc []byte) {
		m, err := meta.ParseV3Array(meta.PlainJSON(doc))
		if err != nil {
			if len(err.Error()) > 8000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		if len(m.Dims) != len(m.Shape) || len(m.Order) != len(m.Shape) || m.Keys.Separator == 0 || m.Attrs == nil || len(m.Codecs) == 0 {
			t.Fatalf("%+v", m)
		}
		if m.DType.Kind != meta.Object && m.DType.Kind != meta.Unknown && len(m.Fill) != m.DType.Size {
			t.Fatalf("fill of %d bytes for %s", len(m.Fill), m.DType)
		}
		if m.DType.Kind != meta.Unknown && !json.Valid(meta.AppendJSON(nil, m.Fill, m.DType, 3)) {
			t.Fatalf("fill %x of %s", m.Fill, m.DType)
		}
		newHierarchy(nothing{}, Options{}).newArray("x", m)
	})
}
