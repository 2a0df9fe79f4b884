//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"context"
	"fmt"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

// A Engine is an engine whose batches end in a GPU's memory. Fill returns when all is read and the last copies are queued;
// a batch's Ready event, or its Sync, tells when they are done. Close waits for what is under way.
type Engine interface {
	engine.Engine
	engine.Reducer
	// Probe is that of the CPU engine, which reads for this one.
	Probe(ctx context.Context, st store.Store, path string) error
	// Workers returns the number of workers.
	Workers() int
	// Calibrate finds out whether the next epoch is read faster by cuFileRead or by cuFile's batches, for SubmitAuto, reading
	// parts of it several times by each, and returns what was chosen and why. Other engines have nothing to choose.
	Calibrate(ctx context.Context, next Epoch) (string, error)
	// Transfers returns the engine's counts so far.
	Transfers() Transfers
	// PathOf returns the path that an array's chunks will take, and why if that is PathHost.
	PathOf(a engine.Chunked) (Path, string)
	// CopyDense queues, on a stream, the copy of a tensor's planes to an address on the same GPU, which has room for its
	// elements: without the gaps of a padded layout.
	CopyDense(dst uintptr, t tensor.Tensor, s tensor.Stream) error
	// String describes the engine, and the settings that it uses, for the head of a benchmark's output.
	fmt.Stringer
}

// An Epoch is what Calibrate reads: a loader, whose next epoch it is.
type Epoch interface {
	// Len returns the number of batches of an epoch.
	Len() int
	// ReadAhead calls f for each of the first n batches, with what reads its stored bytes, as often as f calls it.
	ReadAhead(ctx context.Context, n int, f func(i int, read func() error) error) error
}

var errNoGPU = &meta.UnsupportedError{What: "a GPU engine", Found: "without a GPU", Supported: "GPUs of OpenGPU"}

// HostOptions say how the engine of NewHost works. The zero value is right for most uses.
type HostOptions struct {
	// Workers, KeepBytes, IO and Depth are those of CPUOptions.
	Workers   int
	KeepBytes int64
	IO        engine.IO
	Depth     int
	// RingBytes bounds the pinned memory that chunks are read or decoded into on their way; 0 stands for 4 MiB for each
	// worker and 64 MiB more.
	RingBytes int64
	// Pageable takes ordinary memory instead, and waits for each copy: what programs do that know nothing of pinned memory.
	Pageable bool
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
