// Package engine fills batches by the plans of a loader. A [CPU] fills host memory; the engines of
// package gpu fill GPU memory.
package engine

import (
	"context"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// An Engine fills batches: it reads what a plan lists into memory of its own kind. Plans come from
// a loader, so engines can only be implemented in this module.
//
// An engine may serve several loaders, and Fill may be called by several goroutines at once. Close
// must not be called when a Fill is in progress.
type Engine interface {
	// Alloc returns memory of n bytes for a batch. Its pages are present and aligned, and it is
	// kept until it is freed. layout is that of the batch: files can be read straight into planes
	// that begin on pages.
	Alloc(n int64, layout tensor.Layout) (tensor.Memory, error)
	// Available returns how many bytes Alloc can give without running this machine out of memory.
	Available() int64
	// Fill reads all that the plan lists into m. It returns when every piece is in place. An engine
	// with asynchronous copies may return when they are queued: Sync waits for these. After an
	// error the content of m is unspecified.
	Fill(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error)
	// ReadStored does only the reading of Fill: the same stored bytes, into the same memory or the
	// same staging memory. A chunk that the next batch needs too is read once, in that batch. The
	// content of m is unspecified afterwards.
	ReadStored(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error)
	// Sync waits until m may be read. It returns the error of a copy that Fill had left in
	// progress, if any.
	Sync(m tensor.Memory) error
	// Close frees what the engine holds, except memory from Alloc.
	Close() error
}

// A Preparer is an engine that wants to know what a loader will have it fill.
type Preparer interface {
	// Prepare is called when a loader is made. p is the first plan of an epoch, and selected is how
	// many decoded bytes an epoch needs of the store. An engine that chooses what it caches does so
	// now. Prepare returns the memory that Fill takes besides the batches.
	Prepare(p *plan.Plan, selected int64) meta.Footprint
}

// A Reducer is an engine that can compute on batches in its own memory.
type Reducer interface {
	// SquaredErrors sets sums to the sum of the squared differences of each pair of planes of a and
	// b, by sample and channel. a and b are float32 tensors of the same shape. The result equals
	// that of package loss's SquaredError, to the bit.
	SquaredErrors(a, b tensor.Tensor, sums []float64) error
	// Checksums sets sums to the CRC-32 (IEEE) of each plane, by sample and channel.
	Checksums(t tensor.Tensor, sums []uint32) error
}

// A Chunked is an array as engines see it: a [zarrio.Array].
type Chunked interface{ Chunks() *chunk.Array }
