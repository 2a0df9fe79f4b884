package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio"
	"zarrbench/zarrio/codec"
)

// makeStore writes a store of two arrays, of four steps on a grid of 2 x 3, uncompressed and compressed, and a group.
func makeStore(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, ".zgroup", `{"zarr_format": 2}`)
	write(t, dir, ".zattrs", `{"title": "a <test>"}`)
	write(t, dir, "deep/.zgroup", `{"zarr_format": 2}`)
	const zarray = `{"zarr_format": 2, "shape": [4, 2, 3], "chunks": [1, 2, 3], "dtype": "<f4", "fill_value": "NaN", "order": "C", "filters": null, "compressor": %s}`
	write(t, dir, "raw/.zarray", fmt.Sprintf(zarray, "null"))
	write(t, dir, "raw/.zattrs", `{"_ARRAY_DIMENSIONS": ["time", "latitude", "longitude"], "units": "K"}`)
	write(t, dir, "deep/lz4/.zarray", fmt.Sprintf(zarray, `{"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}`))
	for step := range 4 {
		var chunk []byte
		for i := range 6 {
			chunk = binary.LittleEndian.AppendUint32(chunk, math.Float32bits(float32(step*6+i)))
		}
		write(t, dir, fmt.Sprintf("raw/%d.0.0", step), string(chunk))
		frame, err := codec.EncodeBlosc(nil, chunk, 4, "lz4", nil)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, fmt.Sprintf("deep/lz4/%d.0.0", step), string(frame))
	}
	return dir
}

func write(t *testing.T, dir, key, value string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(value), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestTree(t *testing.T) {
	dir := makeStore(t)
	var out, stderr bytes.Buffer
	if err := run(t.Context(), []string{"-check", dir}, &out, &stderr); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"/  group\n  attributes:  title = \"a <test>\"\n\n/deep  group\n\n/deep/lz4  array  float32  [4, 2, 3]\n",
		"\n/raw  array  float32  [time=4, latitude=2, longitude=3]\n",
		"  chunks:      [1, 2, 3] of 24 B; 4 of 4 stored\n",
		"  format:      Zarr v2, little-endian, dimensions in order [0, 1, 2], fill value \"NaN\"\n",
		"  size:        96 B, stored in 96 B: ratio 1.00\n",
		"  cpu:         read straight into place\n",
		"  gds:         read straight into GPU memory\n",
		"  cpu:     decoded straight into place\n",
		"  gds:     not by cuFile: chunks are encoded (blosc)\n           better: chunks of [1, 2, 3] in C order",
		"  check:       all chunks are good\n",
		"  attributes:  _ARRAY_DIMENSIONS = [\"time\", \"latitude\", \"longitude\"]\n               units = \"K\"\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	out.Reset()
	if err := run(t.Context(), []string{filepath.Join(dir, "raw")}, &out, &stderr); err != nil || !strings.HasPrefix(out.String(), "/  array  float32") {
		t.Errorf("an array by itself: %v:\n%s", err, &out)
	}
}

func TestJSON(t *testing.T) {
	dir := makeStore(t)
	if err := os.Remove(filepath.Join(dir, "raw", "3.0.0")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "broken/.zarray", `{"zarr_format": 2, "shape": [-1]}`)
	var out bytes.Buffer
	err := run(t.Context(), []string{"-json", "-check", dir}, &out, &out)
	if err == nil || err.Error() != "1 of 5 nodes can't be described" {
		t.Errorf("error %v", err)
	}
	var nodes []map[string]any
	if err := json.Unmarshal(out.Bytes(), &nodes); err != nil {
		t.Fatalf("%v:\n%s", err, &out)
	}
	var paths []string
	for _, n := range nodes {
		paths = append(paths, fmt.Sprintf("%s %s", n["node_type"], n["path"]))
	}
	if want := []string{"group ", "array broken", "group deep", "array deep/lz4", "array raw"}; !slices.Equal(paths, want) {
		t.Errorf("%q, want %q", paths, want)
	}
	if e, _ := nodes[1]["error"].(string); !strings.Contains(e, "broken/.zarray") || nodes[1]["shape"] != nil {
		t.Errorf("a broken array: %v", nodes[1])
	}
	raw := nodes[4]
	if raw["chunks_stored"] != 3.0 || raw["chunks_total"] != 4.0 || raw["stored_bytes"] != 72.0 || raw["bytes"] != 72.0 || raw["ratio"] != 1.0 || raw["fill_value"] != "NaN" {
		t.Errorf("raw: %v", raw)
	}
	if want := []any{map[string]any{"chunk": []any{3.0, 0.0, 0.0}, "key": "raw/3.0.0", "missing": true}}; fmt.Sprint(raw["faults"]) != fmt.Sprint(want) {
		t.Errorf("faults %v, want %v", raw["faults"], want)
	}
}

func TestCheck(t *testing.T) {
	dir := makeStore(t)
	write(t, dir, "raw/0.0.0", "short")
	write(t, dir, "raw/1.0.0", strings.Repeat("long", 100))
	write(t, dir, "deep/lz4/1.0.0", "")
	write(t, dir, "deep/lz4/2.0.0", "no frame of Blosc at all")
	if err := errors.Join(os.Remove(filepath.Join(dir, "raw/3.0.0")), os.Remove(filepath.Join(dir, "deep/lz4/0.0.0")), os.Mkdir(filepath.Join(dir, "deep/lz4/0.0.0"), 0o777)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := run(t.Context(), []string{"-check", dir}, &out, &out)
	if err == nil || err.Error() != "6 chunks are bad or missing" {
		t.Errorf("error %v", err)
	}
	var found []string
	for line := range strings.Lines(out.String()) {
		if f := strings.Fields(line); len(f) > 1 && (f[0] == "bad" || f[0] == "missing") {
			found = append(found, f[0]+" "+f[1])
		}
	}
	if want := []string{"bad deep/lz4/0.0.0:", "bad deep/lz4/1.0.0:", "bad deep/lz4/2.0.0:", "bad raw/0.0.0:", "bad raw/1.0.0:", "missing raw/3.0.0"}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q:\n%s", found, want, &out)
	}
}

func TestArrayPath(t *testing.T) {
	dir := filepath.Join(makeStore(t), "raw")
	var want strings.Builder
	for i := range 24 {
		fmt.Fprintf(&want, "%d.0\n", i)
	}
	for _, args := range [][]string{{"--array_path=" + dir}, {"--array_path", dir}, {"-array_path", dir}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, &out, &out); err != nil || out.String() != want.String() {
			t.Errorf("%q: %v:\n%s", args[0], err, &out)
		}
	}
	scalar := t.TempDir()
	write(t, scalar, ".zarray", `{"zarr_format": 2, "shape": [], "chunks": [], "dtype": "|b1", "fill_value": true, "order": "C", "filters": null, "compressor": null}`)
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--array_path=" + scalar}, &out, &out); err != nil || out.String() != "true\n" {
		t.Errorf("a scalar: %v:\n%s", err, &out)
	}
	write(t, scalar, ".zarray", `{"zarr_format": 2, "shape": [2], "chunks": [1], "dtype": "|S3", "fill_value": null, "order": "C", "filters": null, "compressor": null}`)
	if err := run(t.Context(), []string{"--array_path=" + scalar}, &out, &out); !errors.Is(err, zarrio.ErrNotSupported) {
		t.Errorf("strings: %v", err)
	}
	if err := run(t.Context(), []string{"--array_path=" + filepath.Dir(dir)}, &out, &out); err == nil {
		t.Error("a group: no error")
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"a", "b"}, {"-nonsense"}, {"--array_path=a", "b"}, {"--array_path=a", "-json"}} {
		var out, stderr bytes.Buffer
		if err := run(t.Context(), args, &out, &stderr); !errors.Is(err, errUsage) || out.Len() > 0 || !strings.HasPrefix(stderr.String(), "usage: ") {
			t.Errorf("%q: error %v, output %q, %q", args, err, &out, &stderr)
		}
	}
	var out, stderr bytes.Buffer
	if err := run(t.Context(), []string{"-help"}, &out, &stderr); err != nil || !strings.HasPrefix(out.String(), "usage: ") {
		t.Errorf("-help: %v, %q", err, &out)
	}
	if err := run(t.Context(), []string{filepath.Join(t.TempDir(), "nowhere")}, &out, &stderr); err == nil || errors.Is(err, errUsage) {
		t.Errorf("a path that is not there: %v", err)
	}
}

// TestAppendElement has the spellings of zarrs, which serde_json 1.0.154 gives to float64s.
func TestAppendElement(t *testing.T) {
	double := func(f float64) []byte { return binary.NativeEndian.AppendUint64(nil, math.Float64bits(f)) }
	single := func(f float32) []byte { return binary.NativeEndian.AppendUint32(nil, math.Float32bits(f)) }
	word := func(u uint64, size int) []byte {
		switch size {
		case 2:
			return binary.NativeEndian.AppendUint16(nil, uint16(u))
		case 4:
			return binary.NativeEndian.AppendUint32(nil, uint32(u))
		}
		return binary.NativeEndian.AppendUint64(nil, u)
	}
	for _, tt := range []struct {
		kind zarrio.Kind
		e    []byte
		want string
	}{
		{zarrio.Bool, []byte{0}, "false"},
		{zarrio.Bool, []byte{2}, "true"},
		{zarrio.Int, []byte{0x80}, "-128"},
		{zarrio.Int, word(0xffff, 2), "-1"},
		{zarrio.Int, word(1<<63, 8), "-9223372036854775808"},
		{zarrio.Uint, word(math.MaxUint64, 8), "18446744073709551615"},
		{zarrio.Uint, word(65535, 2), "65535"},
		{zarrio.Float, double(0), "0.0"},
		{zarrio.Float, double(math.Copysign(0, -1)), "-0.0"},
		{zarrio.Float, double(0.1), "0.1"},
		{zarrio.Float, single(0.1), "0.10000000149011612"},
		{zarrio.Float, word(0x7bff, 2), "65504.0"},
		{zarrio.Float, double(1e-5), "0.00001"},
		{zarrio.Float, double(1.5e-5), "0.000015"},
		{zarrio.Float, double(9e-6), "9e-6"},
		{zarrio.Float, double(1.2345e-7), "1.2345e-7"},
		{zarrio.Float, double(1e15), "1000000000000000.0"},
		{zarrio.Float, double(1e16), "1e+16"},
		{zarrio.Float, double(-123456789012345680), "-1.2345678901234568e+17"},
		{zarrio.Float, double(5e-324), "5e-324"},
		{zarrio.Float, double(math.Inf(1)), `"Infinity"`},
		{zarrio.Float, single(float32(math.Inf(-1))), `"-Infinity"`},
		{zarrio.Float, word(0x7ff8000000000000, 8), `"NaN"`},
		{zarrio.Float, word(0x7fc00000, 4), `"NaN"`},
		{zarrio.Float, word(0x7e00, 2), `"NaN"`},
		{zarrio.Float, word(0xfff8000000000001, 8), `"0xfff8000000000001"`},
		{zarrio.Float, word(0x7fc00001, 4), `"0x7fc00001"`},
		{zarrio.Float, word(0x7c01, 2), `"0x7c01"`},
		{zarrio.Complex, append(single(1), single(-2.5)...), "[1.0,-2.5]"},
		{zarrio.Complex, append(word(0x7ff8000000000000, 8), double(0)...), `["NaN",0.0]`},
		{zarrio.Datetime, word(5, 8), "5"},
		{zarrio.Timedelta, word(1<<63, 8), `"NaT"`},
		{zarrio.Raw, []byte{1, 255, 0}, "[1,255,0]"},
	} {
		if got := appendElement(nil, tt.e, zarrio.DType{Kind: tt.kind, Size: len(tt.e)}); string(got) != tt.want {
			t.Errorf("%x: %s, want %s", tt.e, got, tt.want)
		}
	}
}

func TestAdvise(t *testing.T) {
	spec := func(name, config string) zarrio.CodecSpec {
		return zarrio.CodecSpec{Name: name, Config: json.RawMessage(config)}
	}
	shard := func(codecs string) []zarrio.CodecSpec {
		return []zarrio.CodecSpec{spec("sharding_indexed", `{"chunk_shape": [1, 2, 3], "codecs": `+codecs+`}`)}
	}
	const bytes = `{"name": "bytes", "configuration": {"endian": "little"}}`
	f4 := zarrio.Float32
	for _, tt := range []struct {
		name     string
		m        zarrio.Metadata
		unread   error
		notLocal bool
		direct   string // engines, in order
		why      string // gds
	}{
		{"plain", zarrio.Metadata{Chunks: []int{1, 2, 3}, DType: f4}, nil, false, "cpu host gds", "read straight into GPU memory"},
		{"plain, several planes", zarrio.Metadata{Chunks: []int{2, 2, 3}, DType: f4}, nil, false, "cpu host gds", "plane by plane"},
		{"remote", zarrio.Metadata{Chunks: []int{1, 2, 3}, DType: f4}, nil, true, "cpu host", "chunks are no plain local files"},
		{"encoded", zarrio.Metadata{Chunks: []int{1, 2, 3}, DType: f4, Codecs: []zarrio.CodecSpec{spec("zstd", "{}")}}, nil, false, "cpu host", "chunks are encoded (zstd)"},
		{"encoded, several planes", zarrio.Metadata{Chunks: []int{2, 2, 3}, DType: f4, Codecs: []zarrio.CodecSpec{spec("zstd", "{}")}}, nil, false, "", "chunks are encoded (zstd)"},
		{"tiles", zarrio.Metadata{Chunks: []int{1, 2, 2}, DType: f4, Dims: []string{"", "", "x"}}, nil, false, "", "along x, chunks have 2 elements and the array 3"},
		{"longer than the array", zarrio.Metadata{Chunks: []int{1, 9, 3}, DType: f4}, nil, false, "", "along dimension 1, chunks have 9 elements and the array 2"},
		{"big-endian", zarrio.Metadata{Chunks: []int{1, 2, 3}, DType: f4, BigEndian: true}, nil, false, "", "byte order"},
		{"big-endian bytes", zarrio.Metadata{Chunks: []int{1, 2, 3}, DType: zarrio.DType{Kind: zarrio.Int, Size: 1}, BigEndian: true}, nil, false, "cpu host gds", "read"},
		{"order F", zarrio.Metadata{Chunks: []int{1, 2, 3}, DType: f4, Order: []int{2, 1, 0}}, nil, false, "", "not in C order"},
		{"shard", zarrio.Metadata{Chunks: []int{4, 2, 3}, DType: f4, Codecs: shard("[" + bytes + "]")}, nil, false, "cpu host gds", "read straight into GPU memory"},
		{"shard with checksums", zarrio.Metadata{Chunks: []int{4, 2, 3}, DType: f4, Codecs: shard("[" + bytes + `, {"name": "crc32c"}]`)}, nil, false, "cpu host", "checksum"},
		{"v3, big-endian", zarrio.Metadata{Chunks: []int{1, 2, 3}, DType: f4, Codecs: []zarrio.CodecSpec{spec("bytes", `{"endian": "big"}`)}}, nil, false, "", "byte order"},
		{"v3, transposed", zarrio.Metadata{Chunks: []int{1, 2, 3}, DType: f4, Codecs: []zarrio.CodecSpec{spec("bytes", `{"endian": "little"}`), spec("transpose", "{}")}}, nil, false, "", "transposed"},
		{"strings", zarrio.Metadata{Chunks: []int{1, 2, 3}, DType: zarrio.DType{Kind: zarrio.Bytes, Size: 3}}, nil, false, "", "no numbers"},
		{"unknown codec", zarrio.Metadata{Chunks: []int{1, 2, 3}, DType: f4}, errors.New("codec x"), false, "", "not at all: codec x"},
	} {
		tt.m.Shape = []int{4, 2, 3}
		if tt.m.Order == nil {
			tt.m.Order = []int{0, 1, 2}
		}
		all := advise(&tt.m, tt.unread, !tt.notLocal)
		var direct []string
		for _, e := range engines {
			if all[e].Direct {
				direct = append(direct, e)
			} else if all[e].Store == "" && tt.name != "strings" {
				t.Errorf("%s: no advice for %s", tt.name, e)
			}
		}
		if strings.Join(direct, " ") != tt.direct || !strings.Contains(all["gds"].How, tt.why) {
			t.Errorf("%s: straight into place for %q, want %q; gds: %q, want %q", tt.name, direct, tt.direct, all["gds"].How, tt.why)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9951: "10 kB", 999499: "999 kB", 999500: "1.0 MB", 4152960: "4.2 MB", math.MaxInt64: "9.2 EB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
