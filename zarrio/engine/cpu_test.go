package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/chunkcache"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

func TestCPU(t *testing.T) {
	e := engine.NewCPU(engine.CPUOptions{Workers: 3})
	if e.Workers() != 3 || !strings.HasPrefix(fmt.Sprint(e), "cpu (3 workers, ") {
		t.Errorf("%v", e)
	}
	m, err := e.Alloc(10000, tensor.Dense)
	require.NoError(t, err)
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

// TestLoaderInPlace: a chunk that is a plane, or a run of an uncompressed one, is read straight into the batch, once, though
// several samples need it.
func TestLoaderInPlace(t *testing.T) {
	for _, blosc := range []bool{false, true} {
		s := arraytest.NewStore()
		s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{12, 4, 6}, Chunks: []int{1, 4, 6}, Dtype: ">f4", Blosc: blosc})
		s.Put(t, &arraytest.Array{Name: "z", Dims: []string{"level", "time", "y", "x"}, Shape: []int{3, 12, 4, 6}, Chunks: []int{3, 1, 4, 6}})
		e := engine.NewCPU(engine.CPUOptions{Workers: 1, KeepBytes: -1})
		l, err := loader.New(t.Context(), loadertest.Open(t, s, zarrio.Options{}), e, loader.Options{Channels: []string{"t", "z@level#1"}, Windows: []loader.Window{{Dim: "time", Size: 3, Overlap: 2}}, Batch: 4})
		require.NoError(t, err)
		loadertest.Epoch(t, l)
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
	l, err := loader.New(t.Context(), loadertest.Open(t, s, zarrio.Options{}), e, loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 3, Overlap: 1}}, Batch: 7})
	require.NoError(t, err)
	defer l.Close()
	s.Counts()
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
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
	opt := loader.Options{Channels: []string{"t", "land"}, Windows: []loader.Window{{Dim: "time", Size: 3, Overlap: 2}}, Batch: 4}
	want := loadertest.Epoch(t, loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, opt))
	for _, batch := range want {
		for i := range batch {
			batch[i] ^= 0xff
		}
	}
	opt.OnSample = func(b *loader.Batch, i int) error {
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
		if got := loadertest.Epoch(t, loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{Workers: 3, KeepBytes: keep}, opt)); !loadertest.Equal(got, want) {
			t.Errorf("keep %d: samples were copied from samples that had been changed", keep)
		}
	}
}

// TestLoaderBlocks: of a compressed chunk with many levels, those that are asked for are decoded.
func TestLoaderBlocks(t *testing.T) {
	s := arraytest.NewStore()
	shape := []int{4, 16, 64, 128}
	s.Put(t, &arraytest.Array{Name: "z", Dims: []string{"time", "level", "y", "x"}, Shape: shape, Chunks: []int{1, 16, 64, 128}, Blosc: true})
	l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, loader.Options{Channels: []string{"z@level#3", "z@level#4"}, Batch: 1})
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
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

// TestLoaderKeepsLittle has too little room for the chunks that batches share: data are right, chunks are read again, and
// what is kept stays within the limit.
func TestLoaderKeepsLittle(t *testing.T) {
	const chunk = 8 * 4 * 6 * 4
	opt := loader.Options{Channels: []string{"t", "u"}, Windows: []loader.Window{{Dim: "time", Size: 9, Overlap: 8}}, Batch: 2}
	build := func() *arraytest.Store {
		s := arraytest.Steps(t, 40, 8, true)
		s.Put(t, &arraytest.Array{Name: "u", Dims: []string{"time", "y", "x"}, Shape: []int{40, 4, 6}, Chunks: []int{8, 4, 6}})
		return s
	}
	want := loadertest.Epoch(t, loadertest.New(t, loadertest.Open(t, build(), zarrio.Options{}), engine.CPUOptions{}, opt))
	for _, limit := range []int64{-1, 1, chunkcache.Cost(chunk) - 1, chunkcache.Cost(chunk), 2*chunkcache.Cost(chunk) + 5, 100 * chunkcache.Cost(chunk)} {
		s := build()
		e := engine.NewCPU(engine.CPUOptions{Workers: 3, KeepBytes: limit})
		var checks atomic.Int64
		opt.OnSample = func(*loader.Batch, int) error {
			checks.Add(1)
			_, err := e.Pool().Kept()
			return err
		}
		l, err := loader.New(t.Context(), loadertest.Open(t, s, zarrio.Options{}), e, opt)
		require.NoError(t, err)
		s.Counts()
		if got := loadertest.Epoch(t, l); !loadertest.Equal(got, want) {
			t.Errorf("limit %d: batches differ", limit)
		}
		require.Positive(t, checks.Load(), "samples")
		total := 0
		for _, n := range s.Counts() {
			total += n
		}
		if full := limit >= 100*chunkcache.Cost(chunk); (total == 10) != full {
			t.Errorf("limit %d: %d reads of 10 chunks", limit, total)
		}
		if err := errors.Join(l.Close(), e.Close()); err != nil {
			t.Error(err)
		}
	}
}
