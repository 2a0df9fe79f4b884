// Package engine fills batches by the plans of a loader. A [CPU] fills host memory; package gpu has engines that fill that of a GPU.
package engine

import (
	"context"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// An Engine fills batches: it reads what a plan lists into memory of its own kind. The plans are those of a loader: engines are
// made by this module alone.
//
// An engine may serve several loaders: each calls Fill from a goroutine of its own. Close is called when no Fill is under way.
type Engine interface {
	// Alloc returns memory for batches of n bytes, touched, aligned to a page and kept until it is freed. layout is that of the
	// batch: files can be read straight into planes that begin on pages.
	Alloc(n int64, layout tensor.Layout) (tensor.Memory, error)
	// Available returns how many bytes Alloc can still give without harm to this machine.
	Available() int64
	// Fill reads all that the plan lists into m. It returns when every piece is in place or, on an engine whose copies go on
	// by themselves, under way: Sync waits for these. After an error the content of m is unspecified.
	Fill(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error)
	// ReadStored does the reading part of Fill alone: the same bytes, into the same memory or that which they pass through.
	// What the next batch has too is read once, there. The content of m is unspecified then.
	ReadStored(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error)
	// Sync returns when m may be read, or with the error of a copy that Fill had left under way.
	Sync(m tensor.Memory) error
	// Close frees what the engine holds, except memory from Alloc.
	Close() error
}

// A Reducer is an engine that computes on batches where they are.
type Reducer interface {
	// SquaredErrors sets sums to the sum of the squared differences of each pair of planes of a and b, by sample and channel:
	// float32 tensors of one shape. It is package loss's SquaredError, to the bit.
	SquaredErrors(a, b tensor.Tensor, sums []float64) error
	// Checksums sets sums to the CRC-32 (IEEE) of each plane, by sample and channel.
	Checksums(t tensor.Tensor, sums []uint32) error
}

// Chunked is what an array is to engines: a [zarrio.Array].
type Chunked interface{ Chunks() *chunk.Array }
