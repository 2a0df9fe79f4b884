package cf

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

func words(v ...uint64) []uint64 { return v }

func ints(v ...int64) []uint64 {
	u := make([]uint64, len(v))
	for i, x := range v {
		u[i] = uint64(x)
	}
	return u
}

// unpacked are arrays and what xarray 2026.9.0 made of them with NumPy 2.4.6: those with a fill were Zarr v2 arrays with that
// fill value, the rest v3 arrays. Floats are given by their bits.
var unpacked = []struct {
	name    string
	stored  Type
	attrs   string
	fill    string
	src     []uint64
	decoded Type
	want    []uint64
}{
	{"plain int16", Type{KindInt, 2}, `{}`, ``, ints(-3, 0, 7), Type{KindInt, 2}, ints(-3, 0, 7)},
	{"plain float16", Type{KindFloat, 2}, `{}`, ``, words(0xbe00, 0x0, 0x7bff), Type{KindFloat, 2}, words(0xbe00, 0x0, 0x7bff)},
	{"plain float32", Type{KindFloat, 4}, `{}`, ``, words(0xbfc00000, 0x3dcccccd, 0x7f61b1e6), Type{KindFloat, 4}, words(0xbfc00000, 0x3dcccccd, 0x7f61b1e6)},
	{"ERA5 packing", Type{KindInt, 2}, `{"scale_factor": 0.0012, "add_offset": 273.15, "_FillValue": -32767, "missing_value": -32767}`, ``, ints(-32767, -32766, 0, 1, 32767), Type{KindFloat, 8}, words(0x7ff8000000000000, 0x406d3a95e9e1b089, 0x4071126666666666, 0x4071126b50b0f27b, 0x40738786c226809d)},
	{"factor alone", Type{KindInt, 2}, `{"scale_factor": 0.1}`, ``, ints(-3, 1, 3, 7), Type{KindFloat, 8}, words(0xbfd3333333333334, 0x3fb999999999999a, 0x3fd3333333333334, 0x3fe6666666666667)},
	{"factor, filled", Type{KindInt, 2}, `{"scale_factor": 0.1, "_FillValue": -1}`, ``, ints(-3, -1, 3, 7), Type{KindFloat, 8}, words(0xbfd3333333333334, 0x7ff8000000000000, 0x3fd3333333333334, 0x3fe6666666666667)},
	{"offset alone", Type{KindUint, 1}, `{"add_offset": 0.1}`, ``, ints(0, 1, 255), Type{KindFloat, 8}, words(0x3fb999999999999a, 0x3ff199999999999a, 0x406fe33333333333)},
	{"whole offset", Type{KindUint, 1}, `{"add_offset": 10}`, ``, ints(0, 1, 255), Type{KindFloat, 8}, words(0x4024000000000000, 0x4026000000000000, 0x4070900000000000)},
	{"whole offset, fractional factor", Type{KindInt, 4}, `{"add_offset": 10, "scale_factor": 0.3}`, ``, ints(-5, 1, 2147483647), Type{KindFloat, 8}, words(0x4021000000000000, 0x402499999999999a, 0x41c33333380ccccd)},
	{"float32 data, factor and offset", Type{KindFloat, 4}, `{"add_offset": 0.1, "scale_factor": 0.3}`, ``, words(0xc0a00000, 0x3dcccccd, 0x40e00000), Type{KindFloat, 8}, words(0xbff6666666666666, 0x3fc0a3d70b333333, 0x400199999999999a)},
	{"float16 data, factor", Type{KindFloat, 2}, `{"scale_factor": 0.3}`, ``, words(0xc500, 0x2e66, 0x4700), Type{KindFloat, 8}, words(0xbff8000000000000, 0x3f9eb66666666666, 0x4000cccccccccccd)},
	{"float32 data, NaN fill, packed", Type{KindFloat, 4}, `{"add_offset": 0.1, "scale_factor": 0.3}`, `"NaN"`, words(0xc0a00000, 0x3dcccccd, 0x40e00000, 0x7fc00000), Type{KindFloat, 4}, words(0xbfb33333, 0x3e051eb8, 0x400ccccd, 0x7fc00000)},
	{"float64 data, NaN fill, packed", Type{KindFloat, 8}, `{"add_offset": 0.1, "scale_factor": 0.3}`, `"NaN"`, words(0xc014000000000000, 0x3fb999999999999a, 0x401c000000000000, 0x7ff8000000000000), Type{KindFloat, 8}, words(0xbff6666666666666, 0x3fc0a3d70a3d70a4, 0x400199999999999a, 0x7ff8000000000000)},
	{"int8 fill", Type{KindInt, 1}, `{"_FillValue": -1}`, ``, ints(-2, -1, 0), Type{KindFloat, 4}, words(0xc0000000, 0x7fc00000, 0x0)},
	{"uint16 fill", Type{KindUint, 2}, `{"missing_value": 65535}`, ``, ints(0, 65534, 65535), Type{KindFloat, 4}, words(0x0, 0x477ffe00, 0x7fc00000)},
	{"int32 fill", Type{KindInt, 4}, `{"missing_value": -999}`, ``, ints(-999, 16777217), Type{KindFloat, 8}, words(0x7ff8000000000000, 0x4170000010000000)},
	{"uint32 fill", Type{KindUint, 4}, `{"missing_value": 4294967295}`, ``, ints(1, 4294967295), Type{KindFloat, 8}, words(0x3ff0000000000000, 0x7ff8000000000000)},
	{"int64 fill", Type{KindInt, 8}, `{"missing_value": -9}`, ``, ints(-9, 9007199254740993), Type{KindFloat, 8}, words(0x7ff8000000000000, 0x4340000000000000)},
	{"uint64 fill", Type{KindUint, 8}, `{"missing_value": 18446744073709551615}`, ``, words(9007199254740993, 18446744073709551615), Type{KindFloat, 8}, words(0x4340000000000000, 0x7ff8000000000000)},
	{"float32 fill 1e20", Type{KindFloat, 4}, `{"missing_value": 1e+20}`, ``, words(0x60ad78ec, 0x3f800000), Type{KindFloat, 4}, words(0x60ad78ec, 0x3f800000)},
	{"float32 fill 1e20 as float32", Type{KindFloat, 4}, `{"missing_value": 1.0000000200408773e+20}`, ``, words(0x60ad78ec, 0x3f800000), Type{KindFloat, 4}, words(0x7fc00000, 0x3f800000)},
	{"float32 fill in base64", Type{KindFloat, 4}, `{"_FillValue": "AAAAgB2vFUQ="}`, ``, words(0x60ad78ec, 0x3f800000), Type{KindFloat, 4}, words(0x7fc00000, 0x3f800000)},
	{"float64 NaN in base64", Type{KindFloat, 8}, `{"_FillValue": "AAAAAAAA+H8="}`, ``, words(0x7ff8000000000000, 0x3ff0000000000000), Type{KindFloat, 8}, words(0x7ff8000000000000, 0x3ff0000000000000)},
	{"float16 fill", Type{KindFloat, 2}, `{"missing_value": -5.5}`, ``, words(0xc580, 0x2e66), Type{KindFloat, 2}, words(0x7e00, 0x2e66)},
	{"several fills", Type{KindInt, 2}, `{"missing_value": [-1, -2], "_FillValue": -3}`, ``, ints(-3, -2, -1, 0), Type{KindFloat, 4}, words(0x7fc00000, 0x7fc00000, 0x7fc00000, 0x0)},
	{"list of one", Type{KindInt, 2}, `{"scale_factor": [0.1], "add_offset": [0.7], "missing_value": [-1]}`, ``, ints(-1, 3), Type{KindFloat, 8}, words(0x7ff8000000000000, 0x3ff0000000000000)},
	{"fill of another kind", Type{KindInt, 2}, `{"missing_value": -1.0}`, ``, ints(-1, 3), Type{KindFloat, 4}, words(0x7fc00000, 0x40400000)},
	{"NaN fill of integers", Type{KindInt, 2}, `{"missing_value": "NaN", "scale_factor": 0.1}`, ``, ints(-1, 3), Type{KindFloat, 8}, words(0xbfb999999999999a, 0x3fd3333333333334)},
	{"NaN fill of integers alone", Type{KindInt, 2}, `{"missing_value": "NaN"}`, ``, ints(-1, 3), Type{KindInt, 2}, ints(-1, 3)},
	{"unsigned", Type{KindInt, 1}, `{"_Unsigned": "true"}`, ``, ints(-128, -1, 0, 127), Type{KindUint, 1}, ints(128, 255, 0, 127)},
	{"unsigned, filled", Type{KindInt, 1}, `{"_Unsigned": "true", "_FillValue": -1, "scale_factor": 0.5}`, ``, ints(-128, -1, 0, 127), Type{KindFloat, 8}, words(0x4050000000000000, 0x7ff8000000000000, 0x0, 0x404fc00000000000)},
	{"unsigned, missing", Type{KindInt, 2}, `{"_Unsigned": "true", "missing_value": 65535}`, ``, ints(-1, 5), Type{KindFloat, 4}, words(0x7fc00000, 0x40a00000)},
	{"signed", Type{KindUint, 1}, `{"_Unsigned": "false", "_FillValue": 5}`, ``, ints(128, 255, 5, 127), Type{KindFloat, 4}, words(0xc3000000, 0xbf800000, 0x7fc00000, 0x42fe0000)},
	{"unsigned false of signed", Type{KindInt, 1}, `{"_Unsigned": "false"}`, ``, ints(-128, -1), Type{KindInt, 1}, ints(-128, -1)},
	{"v2 own fill", Type{KindInt, 2}, `{}`, `-1`, ints(-1, 0), Type{KindFloat, 4}, words(0x7fc00000, 0x0)},
	{"v2 own fill 0", Type{KindInt, 4}, `{"scale_factor": 0.1}`, `0`, ints(0, 3), Type{KindFloat, 8}, words(0x7ff8000000000000, 0x3fd3333333333334)},
	{"v2 own fill before attribute", Type{KindFloat, 4}, `{"_FillValue": 7.0}`, `5`, words(0x40a00000, 0x40e00000), Type{KindFloat, 4}, words(0x7fc00000, 0x40e00000)},
	{"v2 own fill, unsigned", Type{KindUint, 1}, `{"_Unsigned": "false"}`, `255`, ints(255, 254), Type{KindFloat, 4}, words(0x7fc00000, 0xc0000000)},
	{"v2 no fill", Type{KindInt, 2}, `{"_FillValue": -7}`, ``, ints(-7, 0), Type{KindFloat, 4}, words(0x7fc00000, 0x0)},
	{"valid range", Type{KindInt, 2}, `{"valid_range": [0, 10]}`, ``, ints(-1, 11), Type{KindInt, 2}, ints(-1, 11)},
	{"v3 own fill", Type{KindInt, 2}, `{}`, ``, ints(-1, 0), Type{KindInt, 2}, ints(-1, 0)},
}

func TestUnpack(t *testing.T) {
	for _, tt := range unpacked {
		t.Run(tt.name, func(t *testing.T) {
			p := parsePacking(t, tt.stored, tt.attrs, tt.fill)
			if p.Decoded() != tt.decoded {
				t.Fatalf("decoded to %v, want %v", p.Decoded(), tt.decoded)
			}
			var got []uint64
			switch tt.decoded {
			case Type{KindFloat, 4}:
				for _, f := range unpackAll[float32](p, tt.src) {
					got = append(got, uint64(math.Float32bits(f)))
				}
			case Type{KindFloat, 2}: // which no Go type has: the same numbers are compared as float32
				for _, f := range unpackAll[float32](p, tt.src) {
					got = append(got, uint64(math.Float32bits(f)))
				}
				for i, f := range halves(tt.want) {
					tt.want[i] = uint64(math.Float32bits(f))
				}
			case Type{KindFloat, 8}:
				for _, f := range unpackAll[float64](p, tt.src) {
					got = append(got, math.Float64bits(f))
				}
			default:
				for _, f := range unpackAll[float64](p, tt.src) {
					got = append(got, uint64(int64(f)))
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("\n got %#x\nwant %#x", got, tt.want)
			}
		})
	}
}

func parsePacking(t *testing.T, stored Type, attrs, fill string) *Packing {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(attrs), &m); err != nil {
		t.Fatal(err)
	}
	var own json.RawMessage
	if fill != "" {
		own = json.RawMessage(fill)
	}
	p, err := ParsePacking(m, stored, own)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// unpackAll unpacks elements that are given by their bits: apart and, where they fit, in place, which must be the same.
func unpackAll[D Float](p *Packing, src []uint64) []D {
	switch p.Stored() {
	case Type{KindInt, 1}:
		return unpackAs[D](p, src, func(u uint64) int8 { return int8(u) })
	case Type{KindInt, 2}:
		return unpackAs[D](p, src, func(u uint64) int16 { return int16(u) })
	case Type{KindInt, 4}:
		return unpackAs[D](p, src, func(u uint64) int32 { return int32(u) })
	case Type{KindInt, 8}:
		return unpackAs[D](p, src, func(u uint64) int64 { return int64(u) })
	case Type{KindUint, 1}:
		return unpackAs[D](p, src, func(u uint64) uint8 { return uint8(u) })
	case Type{KindUint, 2}:
		return unpackAs[D](p, src, func(u uint64) uint16 { return uint16(u) })
	case Type{KindUint, 4}:
		return unpackAs[D](p, src, func(u uint64) uint32 { return uint32(u) })
	case Type{KindUint, 8}:
		return unpackAs[D](p, src, func(u uint64) uint64 { return u })
	case Type{KindFloat, 2}:
		f := halves(src)
		dst := make([]D, len(f))
		Unpack(p, dst, f)
		return dst
	case Type{KindFloat, 4}:
		return unpackAs[D](p, src, func(u uint64) float32 { return math.Float32frombits(uint32(u)) })
	}
	return unpackAs[D](p, src, math.Float64frombits)
}

func unpackAs[D Float, S Number](p *Packing, bits []uint64, from func(uint64) S) []D {
	src, dst := make([]S, len(bits)), make([]D, len(bits))
	for i, u := range bits {
		src[i] = from(u)
	}
	Unpack(p, dst, src)
	if size, room := unsafe.Sizeof(src[0]), unsafe.Sizeof(dst[0])*uintptr(len(dst)); size <= unsafe.Sizeof(dst[0]) {
		in := make([]D, len(dst))
		tail := unsafe.Add(unsafe.Pointer(&in[0]), room-size*uintptr(len(src)))
		copy(unsafe.Slice((*S)(tail), len(src)), src)
		Unpack(p, in, unsafe.Slice((*S)(tail), len(src)))
		for i := range in {
			if in[i] != dst[i] && (in[i] == in[i] || dst[i] == dst[i]) {
				dst[i] = -12345 // which no case wants
			}
		}
	}
	return dst
}

func halves(bits []uint64) []float32 {
	h := make([]uint16, len(bits))
	for i, u := range bits {
		h[i] = uint16(u)
	}
	f := make([]float32, len(h))
	FromHalf(f, h)
	return f
}

// Attributes that are written in other ways than xarray reads.
func TestPackingForms(t *testing.T) {
	const nan = 0x7ff8000000000000
	for _, tt := range []struct {
		name, attrs string
		stored      Type
		src         []uint64
		want        []float64 // NaN for masked
	}{
		{"numbers within quotes", `{"scale_factor": "0.5", "add_offset": " 1 ", "_FillValue": "-1"}`, Type{KindInt, 2}, ints(-1, 3), []float64{math.NaN(), 2.5}},
		{"NaN within quotes", `{"_FillValue": "NaN", "missing_value": "-1"}`, Type{KindFloat, 8}, words(nan, 0xbff0000000000000, 0), []float64{math.NaN(), math.NaN(), 0}},
		{"infinity", `{"missing_value": "-Infinity"}`, Type{KindFloat, 8}, words(0xfff0000000000000, 0), []float64{math.NaN(), 0}},
		{"null", `{"scale_factor": null, "_FillValue": null}`, Type{KindInt, 2}, ints(7), []float64{7}},
		{"whole factor", `{"scale_factor": 2, "missing_value": -1}`, Type{KindInt, 2}, ints(-1, 3), []float64{math.NaN(), 6}},
		{"whole factor of floats", `{"scale_factor": 2}`, Type{KindFloat, 4}, words(0x3fc00000), []float64{3}},
		{"half precision, NaN fill", `{"scale_factor": 0.5, "_FillValue": "NaN"}`, Type{KindFloat, 2}, words(0x4700), []float64{3.5}},
		{"no list", `{"missing_value": []}`, Type{KindFloat, 8}, words(0), []float64{0}},
		{"unsigned fill of an unsigned attribute", `{"_Unsigned": "true", "_FillValue": 255}`, Type{KindInt, 1}, ints(-1, 1), []float64{math.NaN(), 1}},
		{"unsigned that is no string", `{"_Unsigned": true}`, Type{KindInt, 1}, ints(-1), []float64{-1}},
		{"unsigned of floats", `{"_Unsigned": "true"}`, Type{KindFloat, 8}, words(0xbff0000000000000), []float64{-1}},
		{"unsigned fill of 64 bits", `{"_Unsigned": "true", "_FillValue": -1}`, Type{KindInt, 8}, ints(-1, 1), []float64{math.NaN(), 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := unpackAll[float64](parsePacking(t, tt.stored, tt.attrs, ""), tt.src)
			if !slices.EqualFunc(got, tt.want, func(a, b float64) bool { return a == b || a != a && b != b }) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPackingErrors(t *testing.T) {
	for _, tt := range []struct{ attrs, want string }{
		{`{"scale_factor": "m"}`, `cf: scale_factor: "m" is no number`},
		{`{"scale_factor": [1, 2]}`, `cf: scale_factor has 2 numbers, want one`},
		{`{"add_offset": []}`, `cf: add_offset has 0 numbers, want one`},
		{`{"add_offset": {}}`, `cf: add_offset: {} is no number`},
		{`{"_FillValue": true}`, `cf: _FillValue: true is no number`},
		{`{"_FillValue": "0x1p3"}`, `cf: _FillValue: "0x1p3" is no number`},
		{`{"missing_value": [[1]]}`, `cf: missing_value: [1] is no number`},
		{`{"missing_value": "` + strings.Repeat("x", 300) + `"}`, `xxx... is no number`},
	} {
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(tt.attrs), &m); err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePacking(m, Type{KindInt, 2}, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %s", tt.attrs, err, tt.want)
		}
	}
}

func TestMask(t *testing.T) {
	p := parsePacking(t, Type{KindInt, 8}, `{"missing_value": [9007199254740993, -1]}`, "")
	v := []int64{9007199254740992, 9007199254740993, -1, 0}
	p.Mask(v, math.MinInt64)
	if want := []int64{9007199254740992, math.MinInt64, math.MinInt64, 0}; !slices.Equal(v, want) {
		t.Errorf("%v, want %v", v, want)
	}
}

func TestFromHalf(t *testing.T) {
	for _, tt := range []struct {
		half uint16
		want uint32
	}{
		{0, 0}, {0x8000, 0x80000000}, {1, 0x33800000}, {0x8001, 0xb3800000}, {0x3ff, 0x387fc000}, {0x400, 0x38800000}, {0x3c00, 0x3f800000},
		{0x7bff, 0x477fe000}, {0x7c00, 0x7f800000}, {0xfc00, 0xff800000}, {0x7e00, 0x7fc00000}, {0xfe01, 0xffc02000},
	} {
		if got := halves(words(uint64(tt.half)))[0]; math.Float32bits(got) != tt.want {
			t.Errorf("%#x: %#x, want %#x", tt.half, math.Float32bits(got), tt.want)
		}
	}
}

func FuzzParsePacking(f *testing.F) {
	for _, tt := range unpacked {
		f.Add([]byte(tt.attrs), byte(tt.stored.Kind), tt.stored.Size)
	}
	f.Fuzz(func(t *testing.T, attrs []byte, kind byte, size int) {
		var m map[string]json.RawMessage
		if json.Unmarshal(attrs, &m) != nil || !slices.Contains([]int{1, 2, 4, 8}, size) {
			return
		}
		p, err := ParsePacking(m, Type{Kind(kind), size}, nil)
		if err != nil {
			return
		}
		src, dst := []float64{0, 1, -1, math.NaN()}, make([]float64, 4)
		if Unpack(p, dst, src); dst[3] == dst[3] {
			t.Errorf("%s: NaN became %v", attrs, dst[3])
		}
	})
}
