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

// An Engine fills batches in a GPU's memory. Fill returns when all chunks are read and the last
// copies are queued; the copies are done when the batch's Ready event is, or when Sync returns.
// Close waits for work in flight.
type Engine interface {
	engine.Engine
	engine.Reducer
	// Probe is the CPU engine's Probe.
	Probe(ctx context.Context, st store.Store, path string) error
	// Workers returns the number of workers.
	Workers() int
	// Calibrate chooses between cuFileRead and cuFile's batches if the engine was made with
	// SubmitAuto. It reads parts of the next epoch several times in both ways, chooses the faster
	// one, and returns a text that tells the choice and why. Other engines have nothing to choose.
	Calibrate(ctx context.Context, next Epoch) (string, error)
	// Transfers returns the engine's counts so far.
	Transfers() Transfers
	// PathOf returns the path that an array's chunks will take, and the reason for it. converts
	// reports whether their elements are converted while they are placed.
	PathOf(a engine.Chunked, converts bool) (Path, string)
	// CopyDense queues a copy of t's planes to dst on stream s, without the gaps of a padded
	// layout. dst is an address on the same GPU, with room for t's elements.
	CopyDense(dst uintptr, t tensor.Tensor, s tensor.Stream) error
	// String describes the engine and its settings, for the head of a benchmark's output.
	fmt.Stringer
}

// An Epoch is the next epoch of a loader, for Calibrate to read.
type Epoch interface {
	// Len returns the number of batches of an epoch.
	Len() int
	// ReadAhead calls f for each of the first n batches. f may call read any number of times: each
	// call reads the stored bytes of batch i.
	ReadAhead(ctx context.Context, n int, f func(i int, read func() error) error) error
}

var errNoGPU = &meta.UnsupportedError{
	What: "a GPU engine", Found: "without a GPU", Supported: "GPUs from gpu.Open",
}

// HostOptions configures the engine of [NewHost]. The zero value is right for most uses.
type HostOptions struct {
	// Workers, KeepBytes, IO and Depth are those of engine.CPUOptions.
	Workers   int
	KeepBytes int64
	IO        engine.IO
	Depth     int
	// RingBytes bounds the pinned memory that chunks are read or decoded into before they are
	// copied. If it is 0, the ring has 4 MiB for each worker and 64 MiB more.
	RingBytes int64
	// Pageable uses ordinary memory instead of pinned memory, and waits for each copy. It measures
	// programs that don't pin their memory.
	Pageable bool
}

// GDSOptions configures the engine of [NewGDS]. A zero field takes the value of kvikIO's
// environment variable, if there is one for it and it is set, or else the default.
type GDSOptions struct {
	// Workers is the number of reading threads. If it is 0, it is KVIKIO_NTHREADS, or 8.
	Workers int
	// KeepBytes is that of engine.CPUOptions.
	KeepBytes int64
	// RingBytes bounds the staging memory on the GPU, which is registered with cuFile. The engine
	// takes less if the GPU, or its BAR, has no room for that much. If it is 0, it is 160 MiB.
	RingBytes int64
	// Handles is the number of files that are kept open. If it is 0, it is 16,384 or a quarter of
	// the files that the process may open, whichever is less.
	Handles int
	// Submit is how reads are submitted to cuFile. If it is "", it is SubmitAuto.
	Submit Submit
	// Compat is kvikIO's compatibility mode. If it is "", it is KVIKIO_COMPAT_MODE, or CompatAuto.
	Compat Compat
}

// Submit is a way to submit reads to cuFile.
type Submit string

// The ways to submit reads.
const (
	SubmitSync  Submit = "sync"  // cuFileRead: one read at a time for each worker
	SubmitBatch Submit = "batch" // cuFileBatchIOSubmit: several reads at a time for each worker
	SubmitAuto  Submit = "auto"  // SubmitSync, until Calibrate chooses the faster one
)

// Compat is kvikIO's compatibility mode.
type Compat string

// The compatibility modes.
const (
	CompatOn   Compat = "on"   // read without cuFile
	CompatOff  Compat = "off"  // fail if cuFile can't be used
	CompatAuto Compat = "auto" // decide once for the machine, and then for each file
)
