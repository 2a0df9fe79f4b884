// Package tensor describes the memory of batches: blocks of memory on the host or on a GPU, and
// n-dimensional views of them.
package tensor

import (
	"fmt"
	"math"
	"unsafe"

	"zarrbench/zarrio/meta"
)

// A DeviceType is a kind of memory, by DLPack's numbers.
type DeviceType int32

// The devices that a tensor can be on.
const (
	DeviceCPU      DeviceType = 1 // kDLCPU
	DeviceCUDA     DeviceType = 2 // kDLCUDA
	DeviceCUDAHost DeviceType = 3 // kDLCUDAHost: pinned host memory
)

// A Device has memory.
type Device struct {
	Type DeviceType
	ID   int32
}

// A Memory is a block of memory that an engine allocates and keeps from batch to batch.
type Memory interface {
	Len() int64
	Device() Device
	// Bytes returns the memory, or nil if the CPU can't reach it. It is valid until Free.
	Bytes() []byte
	// Free gives the memory back. Nothing may use it afterwards.
	Free() error
}

// DeviceMemory is memory that the CPU can't reach, such as a GPU's. Work that reads and writes it is
// queued on streams.
type DeviceMemory interface {
	Memory
	// Addr returns the address of the first byte on the device.
	Addr() uintptr
	// CopyOut copies the bytes at off into dst. It waits for what is under way in the memory.
	CopyOut(dst []byte, off int64) error
	// Repeat queues the writing of an element, or of zeros if fill is nil, over a number of elements
	// of size bytes at off. It waits for released streams, and the next Fill for it.
	Repeat(off int64, elements, size int, fill []byte) error
	// Release makes the next Fill wait for all that is queued on the streams by now.
	Release(streams []Stream)
	// Ready returns the event after which the memory holds what the last Fill wrote.
	Ready() Event
}

// A Stream is a CUDA stream (CUstream) of the device that a batch is on; 0 is the default stream.
type Stream uintptr

// An Event is a CUDA event (CUevent) of the device that a batch is on.
type Event uintptr

// A Tensor is an n-dimensional view of a Memory. Its last two dimensions are the grid's: a plane. In
// batches, the dimensions before them are sample, step and channel; a tensor may lack some. It owns
// nothing, and is valid as long as its batch.
type Tensor struct {
	Name    string
	Dims    []string // names of the dimensions
	Shape   []int
	Strides []int // in elements; a padded layout leaves gaps between planes, never within one
	DType   meta.DType
	Device  Device
	Offset  int64 // of the first element in Memory, in bytes
	Memory  Memory
}

// Elements returns the number of elements, gaps not counted.
func (t Tensor) Elements() int {
	n := 1
	for _, s := range t.Shape {
		n *= s
	}
	return n
}

// Addr returns the address of the first element on the tensor's device, for a consumer such as DLPack's or a kernel.
func (t Tensor) Addr() uintptr {
	if m, ok := t.Memory.(DeviceMemory); ok {
		return m.Addr() + uintptr(t.Offset)
	}
	return uintptr(t.Base())
}

// Base returns the address of the first element in host memory, or nil if the CPU can't reach it.
func (t Tensor) Base() unsafe.Pointer {
	b := t.Memory.Bytes()
	if b == nil || t.Elements() == 0 {
		return nil
	}
	return unsafe.Pointer(&b[t.Offset])
}

// Planes returns the number of planes: the product of all extents but the last two.
func (t Tensor) Planes() int {
	n := 1
	for _, s := range t.Shape[:max(len(t.Shape)-2, 0)] {
		n *= s
	}
	return n
}

// PlaneOffset returns where plane i, in C order, begins in Memory, in bytes. Planes are evenly spaced.
func (t Tensor) PlaneOffset(i int) int64 {
	by := 0
	if n := len(t.Shape); n > 2 {
		by = t.Strides[n-3]
	}
	return t.Offset + int64(i)*int64(by)*int64(t.DType.Size)
}

// planeSize returns the number of bytes of a plane.
func (t Tensor) planeSize() int {
	n := len(t.Shape)
	return t.Shape[n-2] * t.Shape[n-1] * t.DType.Size
}

// number returns the number, in C order, of the plane with the given indices, or false if there is none.
func (t Tensor) number(at []int) (int, bool) {
	if len(at) != len(t.Shape)-2 {
		return 0, false
	}
	i := 0
	for d, x := range at {
		if uint(x) >= uint(t.Shape[d]) {
			return 0, false
		}
		i = i*t.Shape[d] + x
	}
	return i, true
}

// PlaneBytes is [Plane] for any data type: the bytes of a plane.
func (t Tensor) PlaneBytes(at ...int) []byte {
	i, ok := t.number(at)
	if !ok {
		panic(fmt.Sprintf("zarrio: plane %d of a tensor of shape %d", at, t.Shape))
	}
	return t.NthPlane(i)
}

// NthPlane returns the bytes of plane i, in C order, of a tensor in host memory. It panics if there is no
// such plane, or if the tensor is not in host memory.
func (t Tensor) NthPlane(i int) []byte {
	if uint(i) >= uint(t.Planes()) || len(t.Shape) < 2 {
		panic(fmt.Sprintf("zarrio: plane number %d of a tensor of shape %d", i, t.Shape))
	}
	mem := t.Memory.Bytes()
	if mem == nil && t.Elements() > 0 {
		panic("zarrio: plane of a tensor that is not in host memory, or used after Close")
	}
	off, n := int(t.PlaneOffset(i)), t.planeSize()
	return mem[off : off+n : off+n]
}

// Plane returns a plane of a tensor in host memory, without gaps, in C order. at has an index for each
// dimension but the last two. Like indexing a slice, it panics if the indices are outside the shape, if T
// doesn't fit the data type or if the tensor is not in host memory.
func Plane[T Element](t Tensor, at ...int) []T {
	if err := Fits[T](t.DType); err != nil {
		panic("zarrio: Plane: " + err.Error())
	}
	return FromBytes[T](t.PlaneBytes(at...))
}

// CopyTo copies the elements, without gaps and in C order, into dst, which has exactly their size in
// bytes. It waits for work that is under way on a device.
func (t Tensor) CopyTo(dst []byte) error {
	if want := t.Elements() * t.DType.Size; len(dst) != want {
		return fmt.Errorf("zarrio: destination has %d bytes, the tensor %d", len(dst), want)
	}
	m, onDevice := t.Memory.(DeviceMemory)
	if !onDevice && t.Memory.Bytes() == nil && len(dst) > 0 {
		return &meta.UnsupportedError{What: "copying from device", Found: fmt.Sprint(t.Device.Type), Supported: "memory that is not closed, on the host or of a GPUEngine"}
	}
	for i := range t.Planes() {
		if !onDevice {
			dst = dst[copy(dst, t.NthPlane(i)):]
			continue
		}
		n := t.planeSize()
		if err := m.CopyOut(dst[:n], t.PlaneOffset(i)); err != nil {
			return err
		}
		dst = dst[n:]
	}
	return nil
}

// A Layout tells how the planes of a batch lie in memory.
type Layout int

// The layouts.
const (
	// Dense leaves no gaps: what every consumer takes.
	Dense Layout = iota
	// Padded starts each plane on a page, so that direct I/O can write it in place.
	Padded
)

// PlaneStride returns the distance between two planes of n elements of size bytes, in elements.
func (l Layout) PlaneStride(n, size int) int {
	if l == Dense || n == 0 {
		return n
	}
	step := PageSize / size
	if n > math.MaxInt-step {
		return n
	}
	return (n + step - 1) / step * step
}

// PageSize is the alignment, in bytes, of padded planes, tensors and batches.
const PageSize = 4096
