package write

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

// A form is an array as it can be written, with its elements in the machine's byte order.
type form struct {
	path string
	spec ArraySpec
	data []byte
}

// forms returns arrays of every type, layout and compressor that a format can be written with.
func forms(format int) []form {
	var all []form
	add := func(name string, spec ArraySpec) *form {
		all = append(all, form{name, spec, pattern(spec.Shape, spec.DType)})
		return &all[len(all)-1]
	}
	shape, chunks := []int{5, 7, 6}, []int{2, 3, 6} // ragged along two dimensions
	types := []meta.DType{{Kind: meta.Bool, Size: 1}, {Kind: meta.Datetime, Size: 8, Unit: "s"}, {Kind: meta.Datetime, Size: 8, Unit: "25s"},
		{Kind: meta.Timedelta, Size: 8, Unit: "ns"}, {Kind: meta.Datetime, Size: 8, Unit: "generic"}}
	for _, size := range []int{1, 2, 4, 8} {
		types = append(types, meta.DType{Kind: meta.Int, Size: size}, meta.DType{Kind: meta.Uint, Size: size})
		if size > 1 {
			types = append(types, meta.DType{Kind: meta.Float, Size: size}, meta.DType{Kind: meta.Complex, Size: 2 * size})
		}
	}
	types = slices.DeleteFunc(types, func(d meta.DType) bool { return d.Kind == meta.Complex && d.Size == 4 })
	compressors := []Compressor{{}, {Name: "blosc-lz4"}, {Name: "blosc-zstd"}, {Name: "zstd"}, {Name: "zstd", Level: -5}, {Name: "gzip"}, {Name: "gzip", Level: 9}}
	for i, d := range types {
		name := strings.NewReplacer("[", "_", "]", "").Replace(d.String())
		for _, big := range []bool{false, true} {
			c := compressors[i%len(compressors)]
			add(fmt.Sprintf("types/%s-%t", name, big), ArraySpec{Shape: shape, Chunks: chunks, DType: d, BigEndian: big, Compressor: c})
		}
	}
	for i, c := range compressors {
		spec := ArraySpec{Shape: shape, Chunks: chunks, DType: meta.Float32, Compressor: c, Dims: []string{"time", "lat", "lon"}}
		add(fmt.Sprintf("codecs/%d", i), spec)
		if format == 3 {
			spec.Shards = []int{4, 9, 6} // beyond the array along both ragged dimensions
			add(fmt.Sprintf("codecs/%d-sharded", i), spec)
			spec.BigEndian = true
			add(fmt.Sprintf("codecs/%d-sharded-big", i), spec)
		}
	}
	for i, c := range compressors[:2] {
		spec := ArraySpec{Shape: shape, Chunks: chunks, DType: meta.Float32, FOrder: true, Compressor: c}
		add(fmt.Sprintf("orders/%d-f", i), spec)
		if format == 3 {
			spec.Shards, spec.BigEndian = []int{4, 9, 6}, true
			add(fmt.Sprintf("orders/%d-f-sharded-big", i), spec)
		}
	}
	for i, fill := range [][]byte{tensor.AsBytes([]float32{float32(math.NaN())}), tensor.AsBytes([]float32{float32(math.Inf(-1))}), tensor.AsBytes([]float32{-9.96921e36})} {
		spec := ArraySpec{Shape: shape, Chunks: chunks, DType: meta.Float32, Fill: fill, OmitFill: true, Compressor: Compressor{Name: "zstd"}}
		f := add(fmt.Sprintf("fills/%d", i), spec)
		ndcopy.Repeat(f.data[:2*7*6*4], fill) // the first two rows of chunks
		if format == 3 {
			spec.Shards = []int{4, 3, 6}
			again := add(fmt.Sprintf("fills/%d-sharded", i), spec)
			ndcopy.Repeat(again.data[:4*7*6*4], fill)
			ndcopy.Repeat(again.data[4*7*6*4:][:3*6*4], fill)
		}
	}
	f8, c16 := meta.DType{Kind: meta.Float, Size: 8}, meta.DType{Kind: meta.Complex, Size: 16}
	add("fills/nan", ArraySpec{Shape: []int{3}, Chunks: []int{2}, DType: f8, Fill: tensor.AsBytes([]float64{math.NaN()})})
	add("fills/complex", ArraySpec{Shape: []int{3}, Chunks: []int{2}, DType: c16, Fill: tensor.AsBytes([]complex128{complex(math.Inf(1), -0.25)})})
	add("fills/bool", ArraySpec{Shape: []int{3}, Chunks: []int{2}, DType: meta.DType{Kind: meta.Bool, Size: 1}, Fill: []byte{1}})
	add("shapes/scalar", ArraySpec{DType: meta.Float32, Compressor: Compressor{Name: "blosc-lz4"}})
	add("shapes/scalar-f", ArraySpec{DType: meta.Float32, FOrder: true})
	add("shapes/empty", ArraySpec{Shape: []int{0, 3}, Chunks: []int{1, 2}, DType: meta.Float32})
	add("shapes/short", ArraySpec{Shape: []int{3}, Chunks: []int{8}, DType: meta.Float32, Compressor: Compressor{Name: "gzip"}})
	add("shapes/dots", ArraySpec{Shape: shape, Chunks: chunks, DType: meta.Float32, Separator: '.'})
	add("shapes/slashes", ArraySpec{Shape: shape, Chunks: chunks, DType: meta.Float32, Separator: '/'})
	add("größe der Böen", ArraySpec{Shape: []int{4}, Chunks: []int{3}, DType: meta.Float32, Attrs: map[string]any{"units": "m s**-1 <10 m>"}})
	return all
}

// pattern makes elements whose bytes are all different, as far as bytes can be, and none of them a NaN.
func pattern(shape []int, d meta.DType) []byte {
	n, _ := meta.Product(shape, math.MaxInt)
	data := make([]byte, n*d.Size)
	for i := range n {
		e := data[i*d.Size:][:d.Size]
		switch d.Kind {
		case meta.Bool:
			e[0] = byte(i % 3 & 1)
		case meta.Float:
			meta.PutFloat(e, fmt.Sprint(float64(i)*0.37-20), d)
		case meta.Complex:
			meta.PutFloat(e[:d.Size/2], fmt.Sprint(float64(i)*0.37-20), d.Component())
			meta.PutFloat(e[d.Size/2:], fmt.Sprint(7-float64(i)), d.Component())
		default:
			meta.PutBits(e, uint64(i)*0x9e3779b97f4a7c15>>8)
		}
	}
	return data
}

// writeForms writes arrays and their groups, each array chunk by chunk from its end, or whole.
func writeForms(ctx context.Context, dst store.Putter, format int, all []form) error {
	w, err := Create(dst, format, map[string]any{"title": "every form"})
	if err != nil {
		return err
	}
	for i, f := range all {
		if group, _, ok := strings.Cut(f.path, "/"); ok && (i == 0 || !strings.HasPrefix(all[i-1].path, group+"/")) {
			if err := w.Group(group, nil); err != nil {
				return err
			}
		}
		a, err := w.Array(f.path, f.spec)
		if err != nil {
			return err
		}
		write := a.Write
		if i%2 == 0 {
			write = a.writeRows
		}
		if err := write(ctx, make([]int, len(f.spec.Shape)), f.spec.Shape, f.data); err != nil {
			return err
		}
		if err := a.Finish(ctx); err != nil {
			return err
		}
	}
	return w.Finish(ctx)
}

// writeRows writes a whole array by boxes of one chunk along the first dimension, the last one first.
func (a *ArrayWriter) writeRows(ctx context.Context, origin, shape []int, data []byte) error {
	if len(shape) == 0 || shape[0] == 0 {
		return a.Write(ctx, origin, shape, data)
	}
	row := len(data) / shape[0]
	for i := a.counts[0] - 1; i >= 0; i-- {
		lo, hi := i*a.unit[0], min((i+1)*a.unit[0], shape[0])
		box := append([]int{hi - lo}, shape[1:]...)
		if err := a.Write(ctx, append([]int{lo}, origin[1:]...), box, data[lo*row:hi*row]); err != nil {
			return err
		}
	}
	return nil
}
