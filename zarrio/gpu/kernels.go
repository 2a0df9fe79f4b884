//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/ptx"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// A reduction holds the stream and the memory for results of kernels. They are reused from call to
// call.
type reduction struct {
	mu     sync.Mutex
	stream cuda.Stream
	dev    cuda.Ptr
	size   int64  // bytes at dev
	host   []byte // pinned
}

// grow makes the stream if there is none, and grows the memory to onGPU bytes on the GPU and onHost
// bytes on the host if it is smaller. It doesn't keep the contents.
func (r *reduction) grow(g *GPU, onGPU, onHost int64) error {
	if r.stream == 0 {
		var err error
		if r.stream, err = g.newStream(); err != nil {
			return err
		}
	}
	if r.size < onGPU {
		if err := r.free(g.dev); err != nil {
			return err
		}
		p, err := g.dev.Alloc(onGPU)
		if err != nil {
			return err
		}
		r.dev, r.size = p, onGPU
	}
	if int64(len(r.host)) < onHost {
		b, err := g.newBlock(onHost)
		if err != nil {
			return err
		}
		if r.host != nil {
			g.freeBlock(r.host)
		}
		r.host = b
	}
	return nil
}

func (r *reduction) free(dev *cuda.Device) error {
	if r.size == 0 {
		return nil
	}
	p := r.dev
	r.dev, r.size = 0, 0
	return dev.Free(p)
}

// close waits for queued work, and frees the stream and the memory.
func (r *reduction) close(g *GPU) error {
	err := errors.Join(g.freeStream(r.stream), r.free(g.dev))
	if r.host != nil {
		g.freeBlock(r.host)
	}
	r.stream, r.host = 0, nil
	return err
}

// withContext runs f on the calling goroutine's thread, with the GPU's context. Use it instead of
// dev.Do if f may wait long: dev.Do runs f on the device's own thread, which others need meanwhile.
func (g *GPU) withContext(f func() error) error { return g.dev.With(f) }

// launch queues a kernel on stream s. It does nothing if grid is 0.
func (g *GPU) launch(name string, grid, block uint32, s cuda.Stream, args ...uint64) error {
	if grid == 0 {
		return nil
	}
	f, err := g.function(name)
	if err != nil {
		return err
	}
	return g.dev.Launch(f, grid, block, s, args...)
}

// planes returns the memory of the batch that t is in, and t's planes there: their count, the bytes
// of each, and the stride in bytes between two. It fails if t is no tensor of a batch on the
// engine's GPU.
func (e *core) planes(t tensor.Tensor) (mem *memory, count, bytes, stride uint64, err error) {
	if mem, err = e.own(t.Memory); err != nil {
		return nil, 0, 0, 0, err
	}
	n := len(t.Shape)
	dense := n >= 3 && t.Strides[n-2] == t.Shape[n-1] && t.Strides[n-1] == 1
	for d := 0; dense && d < n-3; d++ {
		dense = t.Strides[d] == t.Shape[d+1]*t.Strides[d+1]
	}
	if !dense {
		return nil, 0, 0, 0, fmt.Errorf(
			"zarrio: %s engine: strides %v of shape %v are not those of a batch's tensor",
			e.name, t.Strides, t.Shape)
	}
	size, rows, cols := t.DType.Size, t.Shape[n-2], t.Shape[n-1]
	planes := int64(t.Planes())
	plane, by := int64(rows*cols*size), int64(t.Strides[n-3]*size)
	if planes < 0 || plane < 0 || by < 0 || t.Offset < 0 ||
		planes > 0 && t.Offset+(planes-1)*by+plane > mem.n {
		return nil, 0, 0, 0, fmt.Errorf(
			"zarrio: %s engine: a tensor of shape %v at byte %d of a batch of %d bytes",
			e.name, t.Shape, t.Offset, mem.n)
	}
	return mem, uint64(planes), uint64(plane), uint64(by), nil
}

// SquaredErrors implements Reducer. It computes on the GPU, after the batches are ready, and waits
// for the result.
func (e *core) SquaredErrors(a, b tensor.Tensor, sums []float64) error {
	if !slices.Equal(a.Shape, b.Shape) || a.DType != meta.Float32 || b.DType != meta.Float32 ||
		len(a.Shape) < 3 {
		return fmt.Errorf(
			"zarrio: squared errors of %s %v and %s %v: want two float32 tensors of one shape",
			a.DType, a.Shape, b.DType, b.Shape)
	}
	if want := a.Planes(); len(sums) != want {
		return fmt.Errorf("zarrio: squared errors of %d planes into %d sums", want, len(sums))
	}
	memA, planes, bytes, strideA, err := e.planes(a)
	if err != nil {
		return err
	}
	memB, _, _, strideB, err := e.planes(b)
	if err != nil {
		return err
	}
	r := &e.gpu.sums
	r.mu.Lock()
	defer r.mu.Unlock()
	segments := ptx.Segments(bytes / 4)
	dev := e.gpu.dev
	err = e.gpu.withContext(func() error {
		if err := r.grow(e.gpu, int64(8*planes*(segments+1)), int64(8*planes)); err != nil {
			return err
		}
		err := errors.Join(dev.Wait(r.stream, memA.ready), dev.Wait(r.stream, memB.ready))
		if err != nil {
			return err
		}
		out := uint64(r.dev)
		parts := out + 8*planes
		grid, block, args := ptx.SegmentSquares(uint64(a.Addr()), uint64(b.Addr()),
			strideA, strideB, bytes/4, planes, parts)
		if err := e.gpu.launch(ptx.NameSegmentSquares, grid, block, r.stream, args[:]...); err != nil {
			return err
		}
		grid, block, sumArgs := ptx.PlaneSums(parts, segments, planes, out)
		if err := e.gpu.launch(ptx.NamePlaneSums, grid, block, r.stream, sumArgs[:]...); err != nil {
			return err
		}
		return e.collect(r, 8*planes)
	})
	if err != nil {
		return fmt.Errorf("zarrio: %s engine: squared errors: %w", e.name, err)
	}
	for i := range sums {
		sums[i] = math.Float64frombits(binary.NativeEndian.Uint64(r.host[8*i:]))
	}
	return nil
}

// collect copies a result of n bytes from r.dev to r.host, and waits for it.
func (e *core) collect(r *reduction, n uint64) error {
	if n > 0 {
		if err := e.gpu.dev.CopyDtoHAsync(r.host[:n], r.dev, r.stream); err != nil {
			return err
		}
	}
	return e.gpu.dev.Synchronize(r.stream)
}

// crcPiece is the number of bytes that one GPU thread computes a CRC of. It is small enough for one
// batch to keep all of a GPU busy.
const crcPiece = 16 << 10

// Checksums implements Reducer. It computes on the GPU, after the batch is ready, and waits for the
// result.
func (e *core) Checksums(t tensor.Tensor, sums []uint32) error {
	if len(t.Shape) < 3 || len(sums) != t.Planes() {
		return fmt.Errorf("zarrio: checksums of the planes of a tensor of shape %v into %d sums",
			t.Shape, len(sums))
	}
	mem, planes, bytes, stride, err := e.planes(t)
	if err != nil {
		return err
	}
	r := &e.gpu.sums
	r.mu.Lock()
	defer r.mu.Unlock()
	pieces := ptx.Pieces(bytes, crcPiece)
	dev := e.gpu.dev
	err = e.gpu.withContext(func() error {
		tables, err := e.gpu.crcTables()
		if err != nil {
			return err
		}
		if err := r.grow(e.gpu, int64(4*planes*pieces), int64(4*planes*pieces)); err != nil {
			return err
		}
		if err := dev.Wait(r.stream, mem.ready); err != nil {
			return err
		}
		grid, block, args := ptx.PlaneCRCs(uint64(t.Addr()), stride, bytes, crcPiece,
			planes, uint64(tables), uint64(r.dev))
		if err := e.gpu.launch(ptx.NamePlaneCRCs, grid, block, r.stream, args[:]...); err != nil {
			return err
		}
		return e.collect(r, 4*planes*pieces)
	})
	if err != nil {
		return fmt.Errorf("zarrio: %s engine: checksums: %w", e.name, err)
	}
	join := ptx.NewJoiner(int64(bytes), crcPiece)
	part := make([]uint32, pieces)
	for i := range sums {
		for k := range part {
			part[k] = binary.NativeEndian.Uint32(r.host[4*(i*len(part)+k):])
		}
		sums[i] = join.Join(part)
	}
	return nil
}

// CopyDense implements Engine.
func (e *core) CopyDense(dst uintptr, t tensor.Tensor, s tensor.Stream) error {
	mem, planes, bytes, stride, err := e.planes(t)
	if err != nil || planes*bytes == 0 {
		return err
	}
	err = e.gpu.withContext(func() error {
		if err := e.gpu.dev.Check(cuda.Ptr(dst), int64(planes*bytes)); err != nil {
			return err
		}
		if err := e.gpu.dev.Wait(cuda.Stream(s), mem.ready); err != nil {
			return err
		}
		grid, block, args := ptx.CopyRows(uint64(dst), bytes, uint64(t.Addr()), stride, bytes, planes)
		return e.gpu.launch(ptx.NameCopyRows, grid, block, cuda.Stream(s), args[:]...)
	})
	if err != nil {
		return fmt.Errorf("zarrio: %s engine: copy of a batch: %w", e.name, err)
	}
	return nil
}
