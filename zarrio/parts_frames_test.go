package zarrio

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/store"
)

// framePlaces lists where a frame is read from.
var framePlaces = []struct {
	name string
	open func(testing.TB, map[string][]byte) store.Store
}{
	{"directory", func(tb testing.TB, files map[string][]byte) store.Store { return arraytest.DirOf(tb, files) }},
	{"zip", func(tb testing.TB, files map[string][]byte) store.Store { return arraytest.ZipOf(tb, files) }},
}

// TestPartsFrames reads selections of chunks that are frames of many layouts.
func TestPartsFrames(t *testing.T) {
	for _, f := range arraytest.Frames(t) {
		t.Run(f.Name, func(t *testing.T) { require.NotZero(t, testFrame(t, f), "none is read in parts") })
		if f.Size > 1 {
			f.BigEndian = true
			t.Run(f.Name+"-big", func(t *testing.T) { testFrame(t, f) })
		}
	}
}

// TestPartsSharedFrames is TestPartsFrames for frames that other software has made.
func TestPartsSharedFrames(t *testing.T) {
	inParts := 0
	for i, f := range arraytest.SharedFrames(t) {
		if len(f.Decoded) == 0 || testing.Short() && i%7 != 0 {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			n := testFrame(t, f)
			inParts += n
			if len(f.Encoded) > 100_000 {
				require.NotZero(t, n, "none is read in parts")
			}
		})
	}
	require.NotZero(t, inParts)
}

// testFrame reads selections of the array that a frame is, and of a shard that has it twice. It
// returns how many were read in parts.
func testFrame(t *testing.T, f arraytest.Frame) (inParts int) {
	rng := rand.New(rand.NewPCG(uint64(len(f.Encoded)), 11))
	want := f.Native()
	single := frameModel(f, want)
	sharded := frameModel(f, append(append(append([]byte{}, want...), make([]byte, len(want))...), want...))
	for _, place := range framePlaces {
		plain, shard := place.open(t, f.Files()), place.open(t, f.ShardFiles())
		opt := Options{CoalesceGap: -1}
		a, b := openArray(t, plain, opt), openArray(t, shard, opt)
		for range 6 {
			readFrame(t, a, single, rng)
			readFrame(t, b, sharded, rng)
		}
		for range 3 {
			at, lo := rng.IntN(f.Shape[0]), rng.IntN(f.Shape[1])
			hi := min(f.Shape[1], lo+1+rng.IntN(max(f.Shape[1]/8, 1)))
			row := f.Shape[2] * f.Size
			span := codec.Span{Lo: (at*f.Shape[1] + lo) * row, Hi: (at*f.Shape[1] + hi) * row}
			first, parts := f.ReadBytes(t, span, false)
			again, _ := f.ReadBytes(t, span, true)
			if parts {
				inParts++
			}
			a, b := openArray(t, plain, opt), openArray(t, shard, opt)
			const index = 3*16 + 4
			for i, x := range []struct {
				a     *Array
				at    int
				bytes int64
			}{{a, at, first}, {a, at, again}, {b, at, index + first}, {b, at, again}, {b, at + 2*f.Shape[0], first}} {
				got := make([]byte, span.Hi-span.Lo)
				stats, err := x.a.ReadInto(t.Context(), Selection{At(x.at), Span(lo, hi)}, got)
				require.NoError(t, err)
				require.Equal(t, want[span.Lo:span.Hi], got)
				if !f.BigEndian {
					require.Equal(t, x.bytes, stats.ReadBytes, "%s, read %d of %v", place.name, i, span)
				}
			}
		}
	}
	return inParts
}

// frameModel returns a model of an array of a frame's elements, which are in the machine's byte
// order.
func frameModel(f arraytest.Frame, elements []byte) *arraytest.Model {
	m := &arraytest.Model{Shape: append([]int{}, f.Shape[:]...), Size: f.Size, SwapSize: f.Size, Elements: append([]byte{}, elements...)}
	m.Shape[0] = len(elements) / f.Size / f.Shape[1] / f.Shape[2]
	if ndcopy.BigEndian { // the elements of a model are little-endian
		ndcopy.SwapBytes(m.Elements, f.Size)
	}
	return m
}

// readFrame reads a random selection, and compares it with the model.
func readFrame(t *testing.T, a *Array, m *arraytest.Model, rng *rand.Rand) {
	t.Helper()
	var axes []pickAxis
	for n := 1 << 20; n > 60_000; {
		axes, n = axes[:0], 1
		for _, extent := range m.Shape {
			axes = append(axes, newAxis(rng, extent))
			n *= len(axes[len(axes)-1].indices)
		}
	}
	var sel Selection
	text := ""
	for _, x := range axes {
		sel, text = append(sel, x.axis), text+" "+x.text
	}
	want := wantOf(m, axes)
	got := make([]byte, len(want))
	_, err := a.ReadInto(t.Context(), sel, got)
	require.NoError(t, err, text)
	if string(got) != string(want) {
		t.Fatalf("shape %v, selection%s: other elements than the whole chunk has", m.Shape, text)
	}
}
