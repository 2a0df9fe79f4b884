package zarrio

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// A known answer is what Python's readers gave of a store's array.
type known struct {
	Shape     []int
	Min, Max  float64
	Mean      float64
	NaN       int
	SHA256    string // of float32 elements in C order; of the elements as they are, for coordinates
	First     []float64
	DType     string
	Last      []float64
	isCoord   bool
	arrayName string
}

// knownStores lists the stores that known_answers.json describes, by name without ".zarr".
func knownStores(t *testing.T) map[string][]known {
	var doc map[string]struct {
		Dims         map[string]int
		Vars, Coords map[string]known
	}
	require.NoError(t, json.Unmarshal([]byte(zarrtest.ReadText(t, zarrtest.Shared(t, "data/known_answers.json"))), &doc))
	stores := map[string][]known{}
	for name, s := range doc {
		for array, k := range s.Vars {
			k.arrayName = array
			stores[name] = append(stores[name], k)
		}
		for array, k := range s.Coords {
			k.arrayName, k.isCoord = array, true
			stores[name] = append(stores[name], k)
		}
	}
	return stores
}

func TestKnownAnswers(t *testing.T) {
	stores := knownStores(t)
	if len(stores) < 12 {
		t.Errorf("%d stores", len(stores))
	}
	for name, arrays := range stores {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []Consolidated{Verify, Never} {
				g, err := Open(t.Context(), zarrtest.Shared(t, filepath.Join("data", name+".zarr")), Options{Consolidated: mode, Strict: true})
				require.NoError(t, err)
				defer g.Close()
				for _, k := range arrays {
					a, err := g.Array(t.Context(), k.arrayName)
					require.NoError(t, err)
					if k.isCoord {
						k.checkCoord(t, a)
					} else {
						k.checkField(t, a)
					}
				}
			}
		})
	}
}

func (k *known) checkField(t *testing.T, a *Array) {
	got, err := Read[float32](t.Context(), a, nil)
	require.NoError(t, err)
	lo, hi, sum, nan := math.Inf(1), math.Inf(-1), 0.0, 0
	for _, v := range got {
		if v != v {
			nan++
			continue
		}
		lo, hi, sum = min(lo, float64(v)), max(hi, float64(v)), sum+float64(v)
	}
	mean := sum / float64(len(got)-nan)
	if !slices.Equal(a.Shape(), k.Shape) || lo != k.Min || hi != k.Max || nan != k.NaN || math.Abs(mean-k.Mean) > 1e-9*max(1, math.Abs(k.Mean)) {
		t.Errorf("%s: shape %v, %v to %v, mean %v, %d NaN; want %v, %v to %v, mean %v, %d NaN", k.arrayName, a.Shape(), lo, hi, mean, nan, k.Shape, k.Min, k.Max, k.Mean, k.NaN)
	}
	for i, v := range k.First {
		if float64(got[i]) != v {
			t.Errorf("%s: element %d is %v, want %v", k.arrayName, i, got[i], v)
		}
	}
	k.checkSum(t, tensor.AsBytes(got))
}

func (k *known) checkSum(t *testing.T, b []byte) {
	t.Helper()
	if ndcopy.BigEndian {
		t.Skip("the sums are those of little-endian elements")
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != k.SHA256 {
		t.Errorf("%s: SHA-256 %x, want %s", k.arrayName, sum, k.SHA256)
	}
}

func (k *known) checkCoord(t *testing.T, a *Array) {
	if a.DType().String() != k.DType {
		t.Errorf("%s: type %s, want %s", k.arrayName, a.DType(), k.DType)
	}
	var got []float64
	switch k.DType {
	case "float32":
		got = readCoord[float32](t, k, a)
	case "float64":
		got = readCoord[float64](t, k, a)
	case "int64":
		got = readCoord[int64](t, k, a)
	case "int32":
		got = readCoord[int32](t, k, a)
	default:
		t.Fatalf("%s: type %s", k.arrayName, k.DType)
	}
	if n := min(len(k.First), len(got)); !slices.Equal(got[:n], k.First[:n]) || !slices.Equal(got[len(got)-len(k.Last):], k.Last) {
		t.Errorf("%s: %v, want %v to %v", k.arrayName, got, k.First, k.Last)
	}
}

func readCoord[T float32 | float64 | int32 | int64](t *testing.T, k *known, a *Array) (out []float64) {
	got, err := Read[T](t.Context(), a, nil)
	require.NoError(t, err)
	k.checkSum(t, tensor.AsBytes(got))
	for _, v := range got {
		out = append(out, float64(v))
	}
	return out
}

// TestWeatherBench2 reads objects of a published store, byte for byte as they are there.
func TestWeatherBench2(t *testing.T) {
	dir := filepath.Join("..", "fixtures", "mini", "wb2_exact")               // package fixtures, which writes by this one, checks it
	st := zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup}) // they come without the group's document
	for _, name := range []string{"latitude/.zarray", "latitude/0", "longitude/.zarray", "longitude/0", "level/.zarray", "level/0", "geopotential/.zarray", "2m_temperature/.zarray", "land_sea_mask/.zarray"} {
		zarrtest.Put(t, st, name, []byte(zarrtest.ReadText(t, filepath.Join(dir, filepath.FromSlash(name)))))
	}
	g, err := OpenStore(t.Context(), st, Options{Strict: true})
	require.NoError(t, err)
	open := func(name string) *Array {
		a, err := g.Array(t.Context(), name)
		require.NoError(t, err)
		return a
	}
	for _, k := range []known{
		{arrayName: "latitude", DType: "float64", SHA256: "bec9788713fd66b7c2abeabf2a4d50d801c7d0c0686ab71526b5a92e8ab23327", First: []float64{-90, -88.49999999999996}, Last: []float64{90}},
		{arrayName: "longitude", DType: "float64", SHA256: "89e633846a49f1132bac7a5a40fa0ac6215187549ec8669f0a4c44b49c395407", First: []float64{0, 1.5}, Last: []float64{358.5}},
	} {
		k.checkCoord(t, open(k.arrayName))
	}
	levels, err := Read[int64](t.Context(), open("level"), nil)
	if want := []int64{50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000}; err != nil || !slices.Equal(levels, want) {
		t.Errorf("level: %v, %v, want %v", levels, err, want)
	}
	for name, shape := range map[string][]int{"geopotential": {93544, 13, 240, 121}, "2m_temperature": {93544, 240, 121}, "land_sea_mask": {240, 121}} {
		if a := open(name); !slices.Equal(a.Shape(), shape) || a.DType() != meta.Float32 || a.Metadata().Codecs[0].Name != "blosc" {
			t.Errorf("%s: %+v", name, a.Metadata())
		}
	}
	_, err = Read[float32](t.Context(), open("geopotential"), Selection{At(-1), At(7)})
	zarrtest.WantError(t, err, `array "geopotential": chunk "geopotential/11692.0.0.0": read: the chunk is missing`)
}
