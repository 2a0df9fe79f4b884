package zarrio

import (
	"context"
	"fmt"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

// paddedAllocator is an engine that can read files straight into memory whose planes start on pages.
type paddedAllocator interface {
	allocPadded(n int64) (tensor.Memory, error)
}

// A GPU is an NVIDIA GPU with what engines need of it. Several GPUs work in one process, as do several engines on one GPU.
//
// GPUs are there in programs built with the tag gds for Linux on amd64 or arm64. CUDA's driver (libcuda) and cuFile are loaded
// when they are first asked for: neither they nor cgo are needed to build.
type GPU struct{ gpu gpuDevice }

// OpenGPU opens the GPU of that number, as CUDA counts them. Where this build or machine has none, the error is
// errors.ErrUnsupported and says what is missing. The GPU is closed after the engines that use it.
func OpenGPU(ordinal int) (*GPU, error) {
	g, err := openGPU(ordinal)
	if err != nil {
		return nil, err
	}
	return &GPU{g}, nil
}

// Close gives back what is held on the GPU. It fails while engines use it.
func (g *GPU) Close() error { return g.gpu.close() }

// Device says which device batches on this GPU are on.
func (g *GPU) Device() tensor.Device { return g.gpu.device() }

// String names the GPU, the version of CUDA that its driver has, and cuFile's once it is open: "NVIDIA RTX A2000, CUDA 12.9,
// cuFile 1.14".
func (g *GPU) String() string { return g.gpu.String() }

// Emulated says that the driver is one for tests, which has no GPU: how long anything takes means nothing.
func (g *GPU) Emulated() bool { return g.gpu.emulated() }

// HostOptions say how the engine of NewHost works. The zero value is right for most uses.
type HostOptions struct {
	// Workers, KeepBytes, IO and Depth are those of CPUOptions.
	Workers   int
	KeepBytes int64
	IO        IO
	Depth     int
	// RingBytes bounds the pinned memory that chunks are read or decoded into on their way; 0 stands for 4 MiB for each
	// worker and 64 MiB more.
	RingBytes int64
	// Pageable takes ordinary memory instead, and waits for each copy: what programs do that know nothing of pinned memory.
	Pageable bool
}

// NewHost returns the engine that reads and decodes as the CPU engine does, into pinned memory, and copies from there to the
// GPU while the next chunk is read.
func NewHost(g *GPU, opt HostOptions) (*GPUEngine, error) {
	if g == nil {
		return nil, errNoGPU
	}
	e, err := newHost(g.gpu, opt)
	if err != nil {
		return nil, err
	}
	return &GPUEngine{e}, nil
}

// GDSOptions say how the engine of NewGDS works. Where a field is zero, kvikIO's variable for it is looked at, and else the
// default taken.
type GDSOptions struct {
	// Workers is the number of threads that read; 0 stands for KVIKIO_NTHREADS, or 8.
	Workers int
	// KeepBytes is that of CPUOptions.
	KeepBytes int64
	// RingBytes bounds the GPU's memory that files are read into on their way, registered with cuFile: less is taken where the
	// GPU's BAR has no room for it. 0 stands for 160 MiB.
	RingBytes int64
	// Handles is the number of files that are kept open; 0 stands for 16,384, or for a quarter of what the process may open if
	// that is less.
	Handles int
	// Submit says how reads are given to cuFile: SubmitSync, SubmitBatch, or SubmitAuto, which is sync until Calibrate has
	// found out what is faster. "" stands for SubmitAuto.
	Submit Submit
	// Compat is kvikIO's compatibility mode: CompatOn reads without cuFile, CompatOff fails where cuFile can't be used,
	// CompatAuto decides once for the machine and then for each file. "" stands for KVIKIO_COMPAT_MODE, or CompatAuto.
	Compat Compat
}

// Submit is how reads are given to cuFile.
type Submit string

// The ways to submit reads.
const (
	SubmitSync  Submit = "sync"  // cuFileRead, one a worker
	SubmitBatch Submit = "batch" // cuFileBatchIOSubmit, several a worker
	SubmitAuto  Submit = "auto"
)

// Compat is kvikIO's compatibility mode.
type Compat string

// The compatibility modes.
const (
	CompatOn   Compat = "on"
	CompatOff  Compat = "off"
	CompatAuto Compat = "auto"
)

// NewGDS returns the engine that reads files into the GPU's memory by cuFile, as GPUDirect Storage where the machine has it:
// uncompressed chunks of local directories, and uncompressed inner chunks of shards. All others go the way of NewHost's.
//
// Where cuFile can't be used, CompatAuto reads files by POSIX calls into pinned memory, as kvikIO does. Path tells what
// really happened.
func NewGDS(g *GPU, opt GDSOptions) (*GPUEngine, error) {
	if g == nil {
		return nil, errNoGPU
	}
	e, err := newGDS(g.gpu, opt)
	if err != nil {
		return nil, err
	}
	return &GPUEngine{e}, nil
}

// A GPUEngine is an engine whose batches end in a GPU's memory. Fill returns when all is read and the last copies are queued;
// a batch's Ready event, or its Sync, tells when they are done.
type GPUEngine struct{ engine gpuEngine }

// Alloc implements Engine: the memory is one allocation on the GPU.
func (e *GPUEngine) Alloc(n int64) (tensor.Memory, error) { return e.engine.alloc(n, false) }

func (e *GPUEngine) allocPadded(n int64) (tensor.Memory, error) { return e.engine.alloc(n, true) }

// Available returns how much memory Alloc can still give: what is free on the GPU.
func (e *GPUEngine) Available() int64 { return e.engine.available() }

// Fill implements Engine.
func (e *GPUEngine) Fill(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error) {
	return e.engine.fill(ctx, p, m)
}

func (e *GPUEngine) readStored(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error) {
	return e.engine.readStored(ctx, p, m)
}

// Sync implements Engine.
func (e *GPUEngine) Sync(m tensor.Memory) error { return e.engine.sync(m) }

// Close implements Engine. It waits for what is under way.
func (e *GPUEngine) Close() error { return e.engine.close() }

// Probe is that of the CPU engine, which reads for this one.
func (e *GPUEngine) Probe(ctx context.Context, st store.Store, path string) error {
	return e.engine.probe(ctx, st, path)
}

// Workers returns the number of workers.
func (e *GPUEngine) Workers() int { return e.engine.workers() }

// String describes the engine, and the settings that it uses, for the head of a benchmark's output.
func (e *GPUEngine) String() string { return e.engine.String() }

// Calibrate finds out whether the loader's next epoch is read faster by cuFileRead or by cuFile's batches, for SubmitAuto,
// reading parts of it several times by each, and returns what was chosen and why. Other engines have nothing to choose.
func (e *GPUEngine) Calibrate(ctx context.Context, l *Loader) (string, error) {
	return e.engine.calibrate(ctx, l)
}

// Transfers returns the engine's counts so far.
func (e *GPUEngine) Transfers() Transfers { return e.engine.transfers() }

// Path returns the path of all that was read so far.
func (e *GPUEngine) Path() Path { return e.engine.transfers().Path() }

// PathOf says which way an array's chunks will go, and why if that is PathHost.
func (e *GPUEngine) PathOf(a Chunked) (Path, string) { return e.engine.pathOf(a.Chunks()) }

// A Reducer is an engine that computes on batches where they are.
type Reducer interface {
	// SquaredErrors sets sums to the sum of the squared differences of each pair of planes of a and b, by sample and channel:
	// float32 tensors of one shape. It is package loss's SquaredError, to the bit.
	SquaredErrors(a, b tensor.Tensor, sums []float64) error
	// Checksums sets sums to the CRC-32 (IEEE) of each plane, by sample and channel.
	Checksums(t tensor.Tensor, sums []uint32) error
}

// SquaredErrors implements Reducer, on the GPU. It waits for the batch and for the result.
func (e *GPUEngine) SquaredErrors(a, b tensor.Tensor, sums []float64) error {
	if !sameShape(a, b) || a.DType != meta.Float32 || b.DType != meta.Float32 || len(a.Shape) != 4 {
		return fmt.Errorf("zarrio: squared errors of %s %v and %s %v: want two float32 tensors of one shape", a.DType, a.Shape, b.DType, b.Shape)
	}
	if want := a.Shape[0] * a.Shape[1]; len(sums) != want {
		return fmt.Errorf("zarrio: squared errors of %d planes into %d sums", want, len(sums))
	}
	return e.engine.squaredErrors(a, b, sums)
}

// Checksums implements Reducer, on the GPU. It waits for the batch and for the result.
func (e *GPUEngine) Checksums(t tensor.Tensor, sums []uint32) error {
	if len(t.Shape) != 4 || len(sums) != t.Shape[0]*t.Shape[1] {
		return fmt.Errorf("zarrio: checksums of the planes of a tensor of shape %v into %d sums", t.Shape, len(sums))
	}
	return e.engine.checksums(t, sums)
}

// CopyDense queues, on a stream, the copy of a tensor's planes to an address on the same GPU, which has room for its elements:
// without the gaps of a padded layout.
func (e *GPUEngine) CopyDense(dst uintptr, t tensor.Tensor, s tensor.Stream) error {
	if len(t.Shape) != 4 {
		return fmt.Errorf("zarrio: copy of a tensor of shape %v: want one of a batch", t.Shape)
	}
	return e.engine.copyDense(dst, t, s)
}

func sameShape(a, b tensor.Tensor) bool {
	if len(a.Shape) != len(b.Shape) {
		return false
	}
	for i := range a.Shape {
		if a.Shape[i] != b.Shape[i] {
			return false
		}
	}
	return true
}

// RawOptions say how a RawReader reads.
type RawOptions struct {
	Workers    int  // 0 stands for 8
	Size       int  // bytes a read, a multiple of 4,096; 0 stands for 4 MiB
	Registered bool // the memory is registered with cuFile
}

// A RawReader reads files by cuFile into the same memory of the GPU again and again: the most that this machine gives any
// reader of these files that makes one call a read.
type RawReader struct{ r rawReader }

// NewRawReader opens files and registers them with cuFile, as many as may be open at a time.
func (g *GPU) NewRawReader(paths []string, opt RawOptions) (*RawReader, error) {
	r, err := g.gpu.rawReader(paths, opt)
	if err != nil {
		return nil, err
	}
	return &RawReader{r}, nil
}

// Read reads all the files, whole, and returns how many bytes that were.
func (r *RawReader) Read(ctx context.Context) (int64, error) { return r.r.read(ctx) }

// Close closes the files, and gives the memory back.
func (r *RawReader) Close() error { return r.r.close() }

// The seam between what programs see, in every build, and what is built with the tag gds alone.
type gpuDevice interface {
	close() error
	device() tensor.Device
	emulated() bool
	rawReader(paths []string, opt RawOptions) (rawReader, error)
	fmt.Stringer
}

type rawReader interface {
	read(ctx context.Context) (int64, error)
	close() error
}

type gpuEngine interface {
	alloc(n int64, padded bool) (tensor.Memory, error)
	available() int64
	fill(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error)
	readStored(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error)
	sync(m tensor.Memory) error
	close() error
	workers() int
	probe(ctx context.Context, st store.Store, path string) error
	calibrate(ctx context.Context, l *Loader) (string, error)
	transfers() Transfers
	pathOf(a *chunk.Array) (Path, string)
	squaredErrors(a, b tensor.Tensor, sums []float64) error
	checksums(t tensor.Tensor, sums []uint32) error
	copyDense(dst uintptr, t tensor.Tensor, s tensor.Stream) error
	fmt.Stringer
}

var errNoGPU = &meta.UnsupportedError{What: "a GPU engine", Found: "without a GPU", Supported: "GPUs of OpenGPU"}

var (
	_ Engine  = (*GPUEngine)(nil)
	_ Reducer = (*GPUEngine)(nil)
)
