package loader_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

func TestTensor(t *testing.T) {
	s := arraytest.Steps(t, 9, 1, false)
	s.Put(t, &arraytest.Array{Name: "u", Dims: []string{"time", "y", "x"}, Shape: []int{9, 4, 6}})
	for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
		l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, loader.Options{Channels: []string{"t", "u"}, Batch: 3, Layout: layout})
		align, plane := uintptr(64), 24
		if layout == tensor.Padded {
			align, plane = 4096, 1024
		}
		for b, err := range l.Batches(t.Context()) {
			require.NoError(t, err)
			for step, x := range b.Tensors {
				if want := []int{b.Len, 2, 4, 6}; !slices.Equal(x.Shape, want) || x.Elements() != b.Len*48 {
					t.Errorf("shape %v, %d elements", x.Shape, x.Elements())
				}
				if want := []int{2 * plane, plane, 6, 1}; !slices.Equal(x.Strides, want) {
					t.Errorf("layout %d: strides %v, want %v", layout, x.Strides, want)
				}
				if uintptr(x.Base())%64 != 0 || x.Offset%4096 != 0 || uintptr(x.Base()) != uintptr(b.Tensors[0].Base())+uintptr(x.Offset) {
					t.Errorf("step %d: base %p, offset %d", step, x.Base(), x.Offset)
				}
				if x.DType != meta.Float32 || x.Device != (tensor.Device{Type: tensor.DeviceCPU, ID: 0}) {
					t.Errorf("%v on %v", x.DType, x.Device)
				}
				dst := make([]byte, x.Elements()*4)
				require.NoError(t, x.CopyTo(dst))
				for i := range b.Len {
					for c := range 2 {
						p := tensor.Plane[float32](x, i, c)
						if layout == tensor.Padded && uintptr(unsafe.Pointer(&p[0]))%align != 0 {
							t.Errorf("plane %d, %d at %p", i, c, &p[0])
						}
						if len(p) != 24 || cap(p) != 24 || !slices.Equal(tensor.AsBytes(p), dst[(i*2+c)*96:][:96]) {
							t.Errorf("plane %d, %d is not what CopyTo copies", i, c)
						}
						// By strides, as DLPack's consumers find an element.
						at := i*x.Strides[0] + c*x.Strides[1] + 3*x.Strides[2] + 5*x.Strides[3]
						if e := *(*float32)(unsafe.Add(x.Base(), 4*at)); e != p[3*6+5] && e == e {
							t.Errorf("element by strides %v, by plane %v", e, p[23])
						}
					}
				}
			}
			x := b.Input()
			for what, f := range map[string]func(){
				fmt.Sprintf("zarrio: plane [%d 0] of a tensor of shape [%d 2 4 6]", b.Len, b.Len): func() { tensor.Plane[float32](x, b.Len, 0) },
				fmt.Sprintf("zarrio: plane [-1 0] of a tensor of shape [%d 2 4 6]", b.Len):        func() { tensor.Plane[float32](x, -1, 0) },
				fmt.Sprintf("zarrio: plane [0 2] of a tensor of shape [%d 2 4 6]", b.Len):         func() { tensor.Plane[float32](x, 0, 2) },
				"zarrio: Plane: elements of type float32 can't be read as float64":                func() { tensor.Plane[float64](x, 0, 0) },
				"zarrio: Plane: elements of type float32 can't be read as int32":                  func() { tensor.Plane[int32](x, 0, 0) },
			} {
				if got := panics(f); got != what {
					t.Errorf("panic %v, want %s", got, what)
				}
			}
			if err := x.CopyTo(make([]byte, 5)); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("destination has 5 bytes, the tensor %d", b.Len*192)) {
				t.Error(err)
			}
		}
	}
}

func TestPlaneStride(t *testing.T) {
	for _, tt := range []struct {
		layout        tensor.Layout
		n, size, want int
	}{
		{tensor.Dense, 100, 4, 100},
		{tensor.Padded, 721 * 1440, 4, 4153344 / 4},
		{tensor.Padded, 1024, 4, 1024},
		{tensor.Padded, 1, 8, 512},
		{tensor.Padded, 257, 16, 512},
		{tensor.Padded, 0, 4, 0},
	} {
		if got := tt.layout.PlaneStride(tt.n, tt.size); got != tt.want {
			t.Errorf("%+v: got %d", tt, got)
		}
	}
}

// farMemory is memory that the CPU can't reach.
type farMemory struct{ tensor.Memory }

func (farMemory) Device() tensor.Device { return tensor.Device{Type: tensor.DeviceCUDA} }
func (farMemory) Bytes() []byte         { return nil }

type farEngine struct{ *engine.CPU }

func (e farEngine) Alloc(n int64, layout tensor.Layout) (tensor.Memory, error) {
	m, err := e.CPU.Alloc(n, layout)
	return farMemory{Memory: m}, err
}

func TestTensorFar(t *testing.T) {
	e := engine.NewCPU(engine.CPUOptions{})
	defer e.Close()
	m, err := farEngine{CPU: e}.Alloc(4096, tensor.Dense)
	require.NoError(t, err)
	defer m.Free()
	x := tensor.Tensor{Shape: []int{1, 1, 2, 2}, Strides: []int{4, 4, 2, 1}, DType: meta.Float32, Device: m.Device(), Memory: m}
	if x.Base() != nil {
		t.Error("a host address of device memory")
	}
	if err := x.CopyTo(make([]byte, 16)); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if got := panics(func() { tensor.Plane[float32](x, 0, 0) }); got != "zarrio: plane of a tensor that is not in host memory, or used after Close" {
		t.Error(got)
	}
	_, err = loader.New(t.Context(), loadertest.Open(t, arraytest.Steps(t, 9, 1, false), zarrio.Options{}), farEngine{CPU: e}, loader.Options{Channels: []string{"t"}, Partial: true})
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("partial windows on a device: %v", err)
	}
}
