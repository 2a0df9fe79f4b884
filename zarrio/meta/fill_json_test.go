package meta

import (
	"encoding/binary"
	"math"
	"testing"
)

// TestFloatJSON has the spellings of other writers: the shortest digits of the float64, an exponent from 1e+16 on and below
// 0.00001, and a point in numbers without an exponent.
func TestFloatJSON(t *testing.T) {
	double := DType{Kind: Float, Size: 8}
	half := DType{Kind: Float, Size: 2}
	bits := math.Float64bits
	for _, tt := range []struct {
		d    DType
		bits uint64
		want string
	}{
		{double, bits(0), "0.0"},
		{double, bits(math.Copysign(0, -1)), "-0.0"},
		{double, bits(1), "1.0"},
		{double, bits(-101325), "-101325.0"},
		{double, bits(1234567.5), "1234567.5"},
		{double, bits(0.1), "0.1"},
		{double, bits(1e-5), "0.00001"},
		{double, bits(1.5e-5), "0.000015"},
		{double, bits(9e-6), "9e-6"},
		{double, bits(1.2345e-7), "1.2345e-7"},
		{double, bits(1e15), "1000000000000000.0"},
		{double, bits(9999999999999998), "9999999999999998.0"},
		{double, bits(1e16), "1e+16"},
		{double, bits(-123456789012345680), "-1.2345678901234568e+17"},
		{double, bits(5e-324), "5e-324"},
		{double, bits(math.MaxFloat64), "1.7976931348623157e+308"},
		{double, bits(math.Inf(1)), `"Infinity"`},
		{double, 0x7ff8000000000000, `"NaN"`},
		{double, 0xfff8000000000001, `"0xfff8000000000001"`},
		{Float32, uint64(math.Float32bits(0.1)), "0.10000000149011612"},
		{Float32, uint64(math.Float32bits(3.4e38)), "3.3999999521443642e+38"},
		{Float32, uint64(math.Float32bits(float32(math.Inf(-1)))), `"-Infinity"`},
		{half, 0x7bff, "65504.0"},
		{half, 0x0001, "5.960464477539063e-8"},
		{half, 0x7c01, `"0x7c01"`},
		{DType{Kind: Float, Size: 2, Variant: "bfloat16"}, 0x3dcd, "0.10009765625"},
	} {
		e := make([]byte, tt.d.Size)
		PutBits(e, tt.bits)
		doc := AppendJSON(nil, e, tt.d, 3)
		if string(doc) != tt.want {
			t.Errorf("%s %#x: %s, want %s", tt.d, tt.bits, doc, tt.want)
		}
		again, err := parseV3Fill(doc, v3Type{DType: tt.d})
		if err != nil || string(again) != string(e) {
			t.Errorf("%s %#x: %s is read as %x, %v", tt.d, tt.bits, doc, again, err)
		}
	}
}

func TestFillJSON(t *testing.T) {
	m := Metadata{Format: 2, DType: Float32}
	if got := m.FillJSON(); got != nil {
		t.Errorf("of none: %s", got)
	}
	m.Fill = binary.NativeEndian.AppendUint32(nil, math.Float32bits(-999))
	if got := string(m.FillJSON()); got != "-999.0" {
		t.Errorf("got %s", got)
	}
}
