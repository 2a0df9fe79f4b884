package zarrio

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/store"
)

// TestFloatJSON has the spellings of other writers: the shortest digits of the float64, an exponent from 1e+16 on and below
// 0.00001, and a point where there is no exponent.
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
		putBits(e, tt.bits)
		doc := appendFillJSON(nil, e, tt.d, 3)
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
	m.Fill = AsBytes([]float32{-999})
	if got := string(m.FillJSON()); got != "-999.0" {
		t.Errorf("got %s", got)
	}
}

// TestParts checks that parts follow each other in C order, cover the array, and keep to their limit.
func TestParts(t *testing.T) {
	for _, tt := range []struct {
		shape, chunks []int
		limit, count  int
	}{
		{nil, nil, 100, 1},
		{[]int{0, 3}, []int{1, 1}, 100, 0},
		{[]int{3, 0}, []int{1, 1}, 100, 0},
		{[]int{10}, []int{3}, 100, 1},             // far less than what is worth a part
		{[]int{10}, []int{100}, 4, 3},             // a chunk is too large
		{[]int{4, 5}, []int{2, 5}, 100, 1},        // several rows of chunks in a part
		{[]int{4, 5}, []int{4, 5}, 10, 2},         // a row of chunks is too large, two rows aren't
		{[]int{4, 5}, []int{4, 5}, 4, 8},          // so is a row
		{[]int{2, 3, 4}, []int{2, 3, 4}, 1, 24},   // each element
		{[]int{2, 3, 4}, []int{2, 3, 4}, 12, 2},   // all but the first dimension
		{[]int{7, 3, 4}, []int{3, 3, 4}, 36, 1},   // whole chunks
		{[]int{2, 300, 4}, []int{2, 7, 4}, 50, 2}, // whole chunks of the second dimension
	} {
		var covered []string
		count := 0
		for sel := range parts(tt.shape, tt.chunks, 1, tt.limit) {
			g := newGrid(tt.shape, tt.chunks, nil)
			picks, err := sel.resolve(&g)
			if err != nil {
				t.Fatal(err)
			}
			count++
			covered = append(covered, indices(picks)...)
		}
		var want []string
		if g := newGrid(tt.shape, tt.chunks, nil); !slices.Contains(tt.shape, 0) {
			picks, err := Selection(nil).resolve(&g)
			if err != nil {
				t.Fatal(err)
			}
			want = indices(picks)
		}
		if count != tt.count || !slices.Equal(covered, want) {
			t.Errorf("%v in chunks of %v, %d bytes at most: %d parts of %d elements, want %d of %d", tt.shape, tt.chunks, tt.limit, count, len(covered), tt.count, len(want))
		}
	}
}

// indices lists what picks without a list select, in C order.
func indices(picks []pick) []string {
	all := []string{""}
	for _, p := range picks {
		var longer []string
		for _, before := range all {
			for i := range p.n {
				longer = append(longer, fmt.Sprintf("%s,%d", before, p.run.start+i*p.run.step))
			}
		}
		all = longer
	}
	return all
}

// TestElementsJSON reads elements of several types: text that is none is an error, and so is what can't be read even where
// there is nothing to read.
func TestElementsJSON(t *testing.T) {
	const array = `{"zarr_format": 2, "shape": [%d], "chunks": [2], "dtype": "%s", "fill_value": %s, "order": "C", "filters": %s, "compressor": null}`
	for _, tt := range []struct {
		length             int
		dtype, fill, codec string
		chunk              string
		want, err          string
	}{
		{2, "<f4", "0", "null", "\x00\x00\x80\x3f\x01\x00\xc0\x7f", `1.0 "0x7fc00001"`, ""},
		{3, "|V2", "null", "null", "\x01\x02\x03\xff", `"AQI=" "A/8=" "AAA="`, ""},
		{2, "<U1", `""`, "null", "a\x00\x00\x00\xe9\x00\x00\x00", `"a" "é"`, ""},
		{2, "<U1", `""`, "null", "a\x00\x00\x00\x00\xd8\x00\x00", `"a"`, "element 1, in C order, is not Unicode text"},
		{2, "|S2", `""`, "null", "a\x00\xff\xff", `"YQ==" "//8="`, ""},
		{2, "|O", `""`, `[{"id": "vlen-utf8"}]`, "\x02\x00\x00\x00\x01\x00\x00\x00a\x00\x00\x00\x00", `"a" ""`, ""},
		{2, "|O", `""`, `[{"id": "vlen-utf8"}]`, "\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\xff", `""`, "element 1"},
		{2, "|O", `""`, `[{"id": "vlen-bytes"}]`, "\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\xff", `"" "/w=="`, ""},
		{2, "<f4", "0", "null", "short", "", "5 bytes where"},
		{0, "<f4", "0", "null", "", "", ""},
		{0, "<f4", "0", `[{"id": "nonsense"}]`, "", "", "nonsense"},
		{2, "|S0", "null", "null", "", `"" ""`, ""},
	} {
		st := store.NewMem()
		put := func(key, value string) {
			if err := st.Put(t.Context(), key, []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
		put(".zarray", fmt.Sprintf(array, tt.length, tt.dtype, tt.fill, tt.codec))
		put("0", tt.chunk)
		g, err := OpenStore(t.Context(), st, Options{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := g.Array(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for e, err := range a.ElementsJSON(t.Context()) {
			if err != nil {
				if tt.err == "" || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%s: error %v, want %q", tt.dtype, err, tt.err)
				}
				tt.err = ""
				break
			}
			got = append(got, string(e))
		}
		if s := strings.Join(got, " "); s != tt.want || tt.err != "" {
			t.Errorf("%s: %s, want %s and error %q", tt.dtype, s, tt.want, tt.err)
		}
	}
}
