package chunk

import (
	"context"
	"errors"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/meta"
)

// Check reads and decodes a chunk. A missing chunk is an error.
func (r *Reader) Check(ctx context.Context, a *Array, p *Part, text bool) error {
	var ok bool
	var err error
	if text {
		var texts [][]byte
		texts, err = r.loadStrings(ctx, a, p)
		ok = texts != nil
	} else {
		var runs Runs
		n := p.elements() * a.Meta.DType.Size
		if runs, err = r.Room(ctx, a, p.chunk, n, []codec.Span{{Lo: 0, Hi: n}}); err == nil {
			ok, err = r.Load(ctx, a, p.chunk, runs[0].Mem, nil)
		}
	}
	if err != nil && !errors.Is(err, meta.ErrMissingChunk) || ok {
		return err
	}
	err = errMissing
	if len(a.Pipe.Levels) > 0 {
		if part, e := r.Locate(ctx, a, p.chunk); e == nil && part.shardMissing {
			err = indexError{errMissing}
		}
	}
	return a.Fail(p.chunk, "read", err)
}

// errMissing is ErrMissingChunk for a store that was opened to allow missing chunks.
var errMissing = missingError{}

type missingError struct{}

func (missingError) Error() string { return "missing" }

func (missingError) Is(target error) bool { return target == meta.ErrMissingChunk }
