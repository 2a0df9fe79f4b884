package zarrio

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestFillJSON reads fill values back that were written.
func TestFillJSON(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, f := range forms(2) {
		d := f.spec.DType
		for i := range 2000 {
			e := make([]byte, d.Size)
			for j := range e {
				e[j] = byte(rng.Uint32() >> (i % 8 * 4)) // small numbers too
			}
			if d.Kind == Bool {
				e[0] &= 1
			}
			text := fillJSON(e, d)
			got, err := parseV2Fill(text, d)
			if strings.Contains(string(text), "NaN") {
				e = bytes.Clone(got) // one NaN for all
			}
			if err != nil || !json.Valid(text) || !bytes.Equal(got, e) {
				t.Fatalf("%v: %x is written as %s and read as %x, %v", d, e, text, got, err)
			}
		}
	}
	for f, want := range map[float64]string{0: "0.0", 3: "3.0", -0.5: "-0.5", 1e-5: "1e-05", 1e15: "1000000000000000.0", 1e16: "1e+16", math.Inf(-1): `"-Infinity"`, math.NaN(): `"NaN"`} {
		if got := string(fillJSON(AsBytes([]float64{f}), DType{Kind: Float, Size: 8})); got != want {
			t.Errorf("fillJSON(%v) = %s, want %s", f, got, want)
		}
	}
}
