package zarrio

import (
	"context"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// An Engine fills batches: it reads what a Plan lists into memory of its own kind.
//
// An engine may serve several loaders: each calls Fill from a goroutine of its own. Close is called when no Fill is under
// way. An engine that knows how much memory Alloc can still give has a method Available() int64 too, so that a loader can
// refuse batches that won't fit before it takes memory for the first.
type Engine interface {
	// Alloc returns memory for batches of n bytes, touched, aligned to a page and kept until it is freed.
	Alloc(n int64) (tensor.Memory, error)
	// Fill reads all that the plan lists into m. It returns when every piece is in place or, on an engine whose copies go on
	// by themselves, under way: Sync waits for these. After an error the content of m is unspecified.
	Fill(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error)
	// Sync returns when m may be read, or with the error of a copy that Fill had left under way.
	Sync(m tensor.Memory) error
	// Close frees what the engine holds, except memory from Alloc.
	Close() error
}

// Chunked is what an array is to engines: a [zarrio.Array].
type Chunked interface{ Chunks() *chunk.Array }
