package zarrio

import (
	"context"
	"errors"

	"zarrbench/zarrio/meta"
)

// check reads and decodes a chunk. One that is missing is an error.
func (r *reader) check(ctx context.Context, a *chunkArray, p *chunkPart, text bool) error {
	var ok bool
	var err error
	if text {
		var texts [][]byte
		texts, err = r.loadObjects(ctx, a, p)
		ok = texts != nil
	} else {
		var dec []byte
		if dec, err = r.decodeBuffer(ctx, a, p.chunk, p.elements()*a.meta.DType.Size); err == nil {
			ok, err = r.load(ctx, a, p.chunk, dec, nil, nil)
		}
	}
	if err != nil && !errors.Is(err, meta.ErrMissingChunk) || ok {
		return err
	}
	err = errMissing
	if len(a.pipe.Levels) > 0 {
		if part, e := r.locate(ctx, a, p.chunk); e == nil && part.noShard {
			err = indexError{errMissing}
		}
	}
	return a.fail(p.chunk, "read", err)
}

// errMissing is ErrMissingChunk where nobody refuses missing chunks.
var errMissing = missingError{}

type missingError struct{}

func (missingError) Error() string { return "missing" }

func (missingError) Is(target error) bool { return target == meta.ErrMissingChunk }
