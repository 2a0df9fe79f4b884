package loadertest

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// DamagedChunks are the chunks of each array of Damaged that can't be read, as [loader.BadChunk] has
// them.
var DamagedChunks = [][]int{{1, 0, 2}, {4, 0, 0}}

// DamagedNames are the arrays of Damaged that have elements of float32.
var DamagedNames = []string{"raw", "blosc", "shard"}

// Damaged returns two stores of the same arrays: those of DamagedNames, and "packed", which has packed
// int16. In the first, two chunks of each array are damaged. In the second, they have NaN, or the
// number for missing elements.
func Damaged(tb testing.TB) (bad, want *arraytest.Store) {
	tb.Helper()
	dims, shape, chunks := []string{"time", "y", "x"}, []int{12, 8, 300}, []int{2, 8, 100}
	storeOf := func(nan bool) *arraytest.Store {
		s := arraytest.NewStore()
		value := func(at []int) float64 { return math.Sin(float64(at[0]*9000+at[1]*300+at[2])) * 100 }
		elem := func(e []byte, at []int) {
			lost := nan && slices.ContainsFunc(DamagedChunks, func(c []int) bool {
				return c[0] == at[0]/chunks[0] && c[1] == at[1]/chunks[1] && c[2] == at[2]/chunks[2]
			})
			switch {
			case len(e) == 2 && lost:
				binary.NativeEndian.PutUint16(e, 0x8001)
			case len(e) == 2:
				binary.NativeEndian.PutUint16(e, uint16(int16(100*value(at))))
			case lost:
				binary.NativeEndian.PutUint32(e, 0x7fc00000)
			default:
				binary.NativeEndian.PutUint32(e, math.Float32bits(float32(value(at))))
			}
		}
		s.Put(tb, &arraytest.Array{Name: "raw", Dims: dims, Shape: shape, Chunks: chunks, Elem: elem})
		s.Put(tb, &arraytest.Array{Name: "blosc", Dims: dims, Shape: shape, Chunks: chunks, Elem: elem, Blosc: true})
		s.Put(tb, &arraytest.Array{Name: "shard", Dims: dims, Shape: shape, Chunks: []int{4, 8, 300}, Elem: elem, FullShards: true, Form: &arraytest.Form{
			Inner: chunks, IndexChecksum: true, InnerForm: &arraytest.Form{ByteCodecs: []string{"crc32c"}}}})
		s.Put(tb, &arraytest.Array{Name: "packed", Dims: dims, Shape: shape, Chunks: chunks, Elem: elem, Blosc: true, Dtype: "<i2", Fill: "-32767",
			Attrs: map[string]any{"scale_factor": 0.01, "add_offset": 273.15}})
		return s
	}
	bad, want = storeOf(false), storeOf(true)
	cut := func(key string, by int) { bad.Values[key] = bad.Values[key][:len(bad.Values[key])-by] }
	cut("raw/1.0.2", 4)
	bad.Values["raw/4.0.0"] = append(bad.Values["raw/4.0.0"], 0)
	for _, name := range []string{"blosc", "packed"} {
		cut(name+"/1.0.2", 20)
		bad.Values[name+"/4.0.0"][0] = 77 // no version of the format
	}
	flip := func(key string, entry int) {
		shard := bad.Values[key]
		index := shard[len(shard)-arraytest.IndexSize(6):]
		shard[binary.LittleEndian.Uint64(index[16*entry:])+5] ^= 1
	}
	flip("shard/c/0/0/0", 5)
	flip("shard/c/2/0/0", 0)
	return bad, want
}

// Halfway returns a store with the array "t", whose one chunk has 4 steps. The first read of the chunk
// goes well, and each further one fails as that of a bad sector does.
func Halfway(tb testing.TB) *arraytest.Store {
	tb.Helper()
	s := arraytest.NewStore()
	s.Put(tb, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{4, 128, 256}, Chunks: []int{4, 128, 256}})
	var reads atomic.Int64
	s.Hook = func(key string) error {
		if reads.Add(1) == 1 {
			return nil
		}
		return &store.KeyError{Store: "mem", Op: "read", Key: key, Err: syscall.EIO}
	}
	return s
}

// HalfwayOptions are of samples that need two steps of the array of Halfway, far apart. They are
// converted to float64 if convert is true.
func HalfwayOptions(convert bool) loader.Options {
	spec := loader.TensorSpec{Name: "x", Channels: []string{"t"}, Steps: []loader.Step{{}, {N: 2}}}
	if convert {
		spec.Type = meta.DType{Kind: meta.Float, Size: 8}
	}
	return loader.Options{Batch: 1, Bad: loader.BadNaN, Prefetch: -1,
		Sample: loader.Description{Along: []loader.Axis{{Dim: "time"}}, Tensors: []loader.TensorSpec{spec}}}
}

// WantNaN checks that all elements of b's only tensor are NaN of its type, which is float32 or float64.
func WantNaN(tb testing.TB, b *loader.Batch) {
	tb.Helper()
	nan := binary.NativeEndian.AppendUint32(nil, 0x7fc00000)
	if b.Tensors[0].DType.Size == 8 {
		nan = binary.NativeEndian.AppendUint64(nil, 0x7ff8000000000000)
	}
	if got := Bytes(tb, b); !bytes.Equal(got, bytes.Repeat(nan, len(got)/len(nan))) {
		tb.Errorf("%v: not all elements are NaN", b)
	}
}
