package zarrio

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/store"
)

// open writes the model into memory.
func openModel(t testing.TB, m *arraytest.Model) (*Array, store.Store) {
	t.Helper()
	st := m.Store(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": m.Document()})
	return openArray(t, st, Options{}), st
}

// want returns the elements of a selection in the machine's byte order.
func wantOf(m *arraytest.Model, axes []pickAxis) []byte {
	out := pickOf(m, axes)
	if ndcopy.BigEndian {
		ndcopy.SwapBytes(out, m.SwapSize)
	}
	return out
}

// pick picks the elements of a selection one by one.
func pickOf(m *arraytest.Model, axes []pickAxis) []byte {
	var out []byte
	var walk func(k, from int)
	walk = func(k, from int) {
		if k == len(m.Shape) {
			out = append(out, m.Elements[from*m.Size:][:m.Size]...)
			return
		}
		for i := range m.Shape[k] {
			if k >= len(axes) {
				walk(k+1, from*m.Shape[k]+i)
			}
		}
		if k < len(axes) {
			for _, i := range axes[k].indices {
				walk(k+1, from*m.Shape[k]+i)
			}
		}
	}
	walk(0, 0)
	return out
}

// check reads a selection into the middle of a larger buffer, at any alignment, and compares.
func checkModel(t *testing.T, m *arraytest.Model, a *Array, rng *rand.Rand, axes []pickAxis) {
	t.Helper()
	sel, text := Selection{}, ""
	for _, x := range axes {
		sel, text = append(sel, x.axis), text+x.text+" "
	}
	want := wantOf(m, axes)
	const guard = 64
	skip := guard + rng.IntN(8)
	buf := bytes.Repeat([]byte{0xc5}, skip+len(want)+guard)
	stats, err := a.ReadInto(t.Context(), sel, buf[skip:skip+len(want)])
	if err != nil {
		t.Fatalf("%v, selection %s: %v", m, text, err)
	}
	if !bytes.Equal(buf[skip:skip+len(want)], want) {
		t.Fatalf("%v, selection %s:\n got %x\nwant %x", m, text, buf[skip:skip+len(want)], want)
	}
	if bytes.Count(buf[:skip], []byte{0xc5}) != skip || bytes.Count(buf[skip+len(want):], []byte{0xc5}) != guard {
		t.Fatalf("%v, selection %s: written outside the destination", m, text)
	}
	chunks, missing := touchedBy(m, &a.c.Grid, axes)
	if len(want) == 0 {
		chunks, missing = 0, 0
	}
	read := stats.ReadBytes > 0
	if m.Form != nil { // inner chunks may be missing too, which takes an index to find out
		missing, read = stats.Missing, chunks > stats.Missing
	}
	if stats.Chunks != chunks || stats.Missing != missing || stats.PlacedBytes != int64(len(want)) || stats.Reused != 0 || read != (chunks > missing) {
		t.Fatalf("%v, selection %s: %+v, want %d chunks, %d missing, %d bytes", m, text, stats, chunks, missing, len(want))
	}
	shape, err := sel.Shape(m.Shape)
	if err != nil || arraytest.Volume(shape)*m.Size != len(want) {
		t.Fatalf("%v, selection %s: shape %v, %v", m, text, shape, err)
	}
}

// touched counts the chunks that hold something of a selection.
func touchedBy(m *arraytest.Model, grid *grid.Grid, axes []pickAxis) (chunks, missing int64) {
	coords := make([]int, len(m.Shape))
next:
	for c := range grid.Total {
		grid.Coords(coords, c)
		for k := range coords {
			if k < len(axes) && !slices.ContainsFunc(axes[k].indices, func(i int) bool { return grid.Find(k, i) == coords[k] }) {
				continue next
			}
		}
		chunks++
		if m.Missing[c] {
			missing++
		}
	}
	return chunks, missing
}

func TestReadInto(t *testing.T) {
	n := 12
	if testing.Short() {
		n = 2
	}
	for i, dtype := range arraytest.ModelTypes {
		t.Run(dtype, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, uint64(i)))
			for k := range n {
				m := arraytest.NewModel(rng, dtype, arraytest.ModelCompressors[k%len(arraytest.ModelCompressors)])
				a, st := openModel(t, m)
				checkModel(t, m, a, rng, nil)
				for range 12 {
					axes := make([]pickAxis, rng.IntN(len(m.Shape)+1))
					for k := range axes {
						axes[k] = newAxis(rng, m.Shape[k])
					}
					checkModel(t, m, a, rng, axes)
				}
				if len(m.Values) == 0 {
					continue
				}
				strict := openArray(t, st, Options{Strict: true})
				_, err := strict.ReadInto(t.Context(), nil, make([]byte, len(m.Elements)))
				if want := int(grid.New(m.Shape, m.Chunks, nil).Total) > len(m.Values); (err != nil) != want {
					t.Errorf("%v: strict: %v, want an error: %v", m, err, want)
				}
			}
		})
	}
}

// FuzzSelection compares a selection of one dimension, with any bounds, with the indices counted one by one.
func FuzzSelection(f *testing.F) {
	f.Add(10, 3, 9, -1, -1, false)
	f.Add(10, 3, -1, 0, 0, true)
	f.Add(100, 7, -1<<63, 1<<63-1, 1, false)
	f.Add(100, 7, 99, -1<<63, -1<<63, false)
	f.Add(0, 1, 0, 0, 1, false)
	f.Add(5, 2, 1<<63-1, 0, 0, true)
	f.Fuzz(func(t *testing.T, n, chunk, lo, hi, step int, point bool) {
		n, chunk = n&0x3ff, 1+chunk&0x3f
		axis := Steps(lo, hi, step)
		if point {
			axis, step, hi = At(lo), 1, lo+1
			if lo < 0 {
				lo, hi = lo+n, lo+n+1
			}
		}
		var want []int // no more than n indices are inside; after them comes one that is outside
		outside := step == 0 || point && (lo < 0 || lo >= n)
		for i := lo; !outside && (step > 0 && i < hi || step < 0 && i > hi); {
			if outside = i < 0 || i >= n; outside {
				break
			}
			want = append(want, i)
			if step > 0 && i > 1<<63-1-step || step < 0 && i < -1<<63-step {
				break
			}
			i += step
		}
		g := grid.New([]int{n}, []int{chunk}, nil)
		picks, err := Selection{axis}.resolve(&g)
		if (err != nil) != outside {
			t.Fatalf("resolve(%+v) of %d: %v, want an error: %v", axis, n, err, outside)
		}
		if err != nil {
			return
		}
		r := picks[0].Run
		if r.Count != len(want) || r.Count > 0 && (r.Start != want[0] || r.Last() != want[len(want)-1]) {
			t.Fatalf("resolve(%+v) of %d: %+v, want %v", axis, n, r, want)
		}
		if r.Count == 0 {
			return
		}
		found, total := map[int]bool{}, 0
		for i := range r.Chunks(chunk) {
			c := r.Chunk(i, chunk)
			first, count := r.Within(c*chunk, (c+1)*chunk)
			if k := r.Touched(c, chunk); k != i {
				t.Fatalf("%+v in chunks of %d: chunk %d is number %d, want %d", r, chunk, c, k, i)
			}
			if count < 1 || found[c] {
				t.Fatalf("%+v in chunks of %d: chunk %d again, or with %d indices", r, chunk, c, count)
			}
			found[c], total = true, total+count
			for k, i := range want {
				if in := k >= first && k < first+count; in != (i/chunk == c) {
					t.Fatalf("%+v within chunk %d of %d: %d from %d on", r, c, chunk, count, first)
				}
			}
		}
		if total != r.Count {
			t.Fatalf("%+v in chunks of %d: %d indices, want %d", r, chunk, total, r.Count)
		}
	})
}

// FuzzReadInto compares reading with the elements picked one by one.
func FuzzReadInto(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := arraytest.NewModel(rng, arraytest.Choose(rng, arraytest.ModelTypes...), arraytest.Choose(rng, arraytest.ModelCompressors...))
		a, _ := openModel(t, m)
		for range 4 {
			axes := make([]pickAxis, len(m.Shape))
			for k := range axes {
				axes[k] = newAxis(rng, m.Shape[k])
			}
			checkModel(t, m, a, rng, axes)
		}
	})
}
