package zarrio

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/tensor"
)

func TestCPU(t *testing.T) {
	e := engine.NewCPU(engine.CPUOptions{Workers: 3})
	if e.Workers() != 3 || !strings.HasPrefix(fmt.Sprint(e), "cpu (3 workers, ") {
		t.Errorf("%v", e)
	}
	m, err := e.Alloc(10000, tensor.Dense)
	if err != nil {
		t.Fatal(err)
	}
	if m.Len() != 10000 || len(m.Bytes()) != 10000 || m.Device().Type != tensor.DeviceCPU || e.Sync(m) != nil {
		t.Errorf("%d bytes on %v", m.Len(), m.Device())
	}
	if _, err := e.Alloc(-1, tensor.Dense); err == nil {
		t.Error("memory of -1 bytes")
	}
	if e.Available() <= 0 {
		t.Errorf("%d bytes are available", e.Available())
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := m.Free(); err != nil { // memory outlives the engine
		t.Error(err)
	}
}

// TestPlanGroup: pieces are neighbours by read, in the order in which they were added.
func TestPlanGroup(t *testing.T) {
	var p plan.Plan
	for round := range 3 { // memory is used again
		p.Reset(4)
		p.Reads = make([]plan.ChunkRead, 5)
		for i := range 40 * (round + 1) {
			p.Pieces = append(p.Pieces, plan.Piece{Read: i * 7 % 5, Sample: i % 4, Dst: i})
		}
		want := slices.Clone(p.Pieces)
		slices.SortStableFunc(want, func(a, b plan.Piece) int { return a.Read - b.Read })
		p.GroupByRead()
		if !slices.Equal(p.Pieces, want) {
			t.Fatalf("pieces %v, want %v", p.Pieces, want)
		}
		for i, r := range p.Reads {
			if r.Count != 8*(round+1) || r.First != i*r.Count {
				t.Errorf("read %d has pieces %d to %d", i, r.First, r.First+r.Count-1)
			}
		}
	}
}

// TestLoaderInPlace: a chunk that is a plane, or a run of an uncompressed one, is read straight into the batch, once, though
// several samples need it.
func TestLoaderInPlace(t *testing.T) {
	for _, blosc := range []bool{false, true} {
		s := arraytest.NewStore()
		s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{12, 4, 6}, Chunks: []int{1, 4, 6}, Dtype: ">f4", Blosc: blosc})
		s.Put(t, &arraytest.Array{Name: "z", Dims: []string{"level", "time", "y", "x"}, Shape: []int{3, 12, 4, 6}, Chunks: []int{3, 1, 4, 6}})
		e := engine.NewCPU(engine.CPUOptions{Workers: 1, KeepBytes: -1})
		l, err := NewLoader(t.Context(), openLd(t, s, Options{}), e, LoaderOptions{Channels: []string{"t", "z@level#1"}, Windows: []Window{{"time", 3, 2}}, Batch: 4})
		if err != nil {
			t.Fatal(err)
		}
		ldEpoch(t, l)
		if n, _ := e.Pool().Workers()[0].Holds(); n > 0 {
			t.Errorf("blosc %t: %d bytes were decoded beside the batch", blosc, n)
		}
		// 6, 6 and 4 steps a batch; of a chunk of z, a third.
		if got, want := l.Stats(), int64(16*4*6*4*2); got.DecodedBytes != want || got.Chunks != 32 {
			t.Errorf("blosc %t: %+v, want %d bytes of 32 chunks", blosc, got, want)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		e.Close()
	}
}

// TestLoaderRuns has uncompressed chunks of several steps, long enough to be read one by one into the batch.
func TestLoaderRuns(t *testing.T) {
	s := arraytest.NewStore()
	fast := func(e []byte, at []int) { e[0], e[1] = byte(at[0]), byte(at[1]) }
	shape := []int{15, 150, 256}
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: shape, Chunks: []int{5, 150, 256}, Dtype: "<u2", Elem: fast})
	e := engine.NewCPU(engine.CPUOptions{Workers: 2, KeepBytes: -1})
	defer e.Close()
	l, err := NewLoader(t.Context(), openLd(t, s, Options{}), e, LoaderOptions{Channels: []string{"t"}, Windows: []Window{{"time", 3, 1}}, Batch: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.Counts()
	for b, err := range l.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Len {
			for step, x := range b.Tensors {
				p := tensor.Plane[uint16](x, i, 0)
				for _, at := range []int{0, 256, len(p) - 1} {
					if want := uint16(2*i+step) | uint16(at/256)<<8; p[at] != want {
						t.Fatalf("sample %d, step %d, element %d: %#x, want %#x", i, step, at, p[at], want)
					}
				}
			}
		}
	}
	if got, want := l.Stats(), int64(15*150*256*2); got.Chunks != 3 || got.ReadBytes != want {
		t.Errorf("%+v, want %d bytes read, in place", got, want)
	}
	for i, w := range e.Pool().Workers() {
		if n, _ := w.Holds(); n > 0 {
			t.Errorf("worker %d decoded %d bytes beside the batch", i, n)
		}
	}
	// A file that vanishes between two runs is an error, not the fill value.
	var reads atomic.Int32
	s.Hook = func(key string) error {
		if key == "t/1.0.0" && reads.Add(1) == 3 {
			return fs.ErrNotExist
		}
		return nil
	}
	for _, err := range l.Batches(t.Context()) {
		if err == nil || !strings.Contains(err.Error(), `array "t": chunk "t/1.0.0": read: the file vanished while it was read`) {
			t.Error(err)
		}
	}
}

// TestLoaderInPlaceTransform changes samples in OnSample: others that need the same chunk are not copied from them.
func TestLoaderInPlaceTransform(t *testing.T) {
	s := arraytest.Steps(t, 12, 1, false)
	s.Put(t, &arraytest.Array{Name: "land", Dims: []string{"y", "x"}, Shape: []int{4, 6}, Blosc: true})
	opt := LoaderOptions{Channels: []string{"t", "land"}, Windows: []Window{{"time", 3, 2}}, Batch: 4}
	want := ldEpoch(t, ldLoader(t, openLd(t, s, Options{}), engine.CPUOptions{}, opt))
	for _, batch := range want {
		for i := range batch {
			batch[i] ^= 0xff
		}
	}
	opt.OnSample = func(b *Batch, i int) error {
		for _, x := range b.Tensors {
			for c := range 2 {
				for j, v := range x.PlaneBytes(i, c) {
					x.PlaneBytes(i, c)[j] = v ^ 0xff
				}
			}
		}
		return nil
	}
	for _, keep := range []int64{-1, 0} {
		if got := ldEpoch(t, ldLoader(t, openLd(t, s, Options{}), engine.CPUOptions{Workers: 3, KeepBytes: keep}, opt)); !ldEqual(got, want) {
			t.Errorf("keep %d: samples were copied from samples that had been changed", keep)
		}
	}
}

// TestLoaderBlocks: of a compressed chunk with many levels, those that are asked for are decoded.
func TestLoaderBlocks(t *testing.T) {
	s := arraytest.NewStore()
	shape := []int{4, 16, 64, 128}
	s.Put(t, &arraytest.Array{Name: "z", Dims: []string{"time", "level", "y", "x"}, Shape: shape, Chunks: []int{1, 16, 64, 128}, Blosc: true})
	l := ldLoader(t, openLd(t, s, Options{}), engine.CPUOptions{}, LoaderOptions{Channels: []string{"z@level#3", "z@level#4"}, Batch: 1})
	for b, err := range l.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		e := make([]byte, 4)
		for c := range 2 {
			elem := arraytest.Elem("z")
			elem(e, []int{b.Windows[0].Start[0], 3 + c, 63, 127})
			if got := b.Input().PlaneBytes(0, c); !bytes.Equal(got[len(got)-4:], e) {
				t.Errorf("%v, channel %d: last element %x, want %x", b, c, got[len(got)-4:], e)
			}
		}
	}
	if got, want := l.Stats().DecodedBytes, int64(4*2*64*128*4); got != want {
		t.Errorf("decoded %d bytes, want %d", got, want)
	}
}

// BenchmarkPlan plans batches of many small chunks.
func BenchmarkPlan(b *testing.B) {
	s := arraytest.NewStore()
	s.Put(b, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{400, 256, 256}, Chunks: []int{100, 16, 16}, Only: true})
	l := ldLoader(b, openLd(b, s, Options{}), engine.CPUOptions{Workers: 1}, LoaderOptions{Channels: []string{"t"}, Batch: 32})
	at := make([][3]int, 32)
	for i := range at {
		at[i][0] = i
	}
	b.ReportAllocs()
	for b.Loop() {
		l.plans[0].plan(l.channels, &l.cuts, at, &l.places)
	}
	b.ReportMetric(float64(len(l.plans[0].Pieces)), "pieces")
}
