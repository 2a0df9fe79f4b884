package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"zarrbench/zarrio"
)

// A chunkCost is what one chunk of the source costs.
type chunkCost struct{ requests, moved, stored int64 }

// firstKey is the key of the first chunk, or shard, that is taken something of.
func (p *plan) firstKey(v *variable) string {
	m := v.array.Metadata()
	key := v.array.Path() + "/" + m.Keys.Prefix
	for d := range m.Shape {
		c := 0
		if d == v.time {
			c = p.sel.lo / m.Chunks[d]
		}
		if d > 0 || m.Keys.Prefix != "" {
			key += string(m.Keys.Separator)
		}
		key += strconv.Itoa(c)
	}
	return key
}

// chunkCost looks at the head of the first chunk of a variable.
func (p *plan) chunkCost(ctx context.Context, v *variable, storage zarrio.Storage) (chunkCost, error) {
	key := p.firstKey(v)
	var head [16]byte
	n, stored, err := p.source.store.ReadRange(ctx, key, head[:], 0)
	if errors.Is(err, fs.ErrNotExist) {
		return chunkCost{}, p.missing(key)
	}
	if err != nil {
		return chunkCost{}, err
	}
	_, _ = n, binary.LittleEndian
	return chunkCost{1, stored, stored}, nil
}

// missing is the error of a chunk that the source lacks.
func (p *plan) missing(key string) error {
	return fmt.Errorf("%v lacks the chunk %s: archives have lost chunks before; -allow-missing takes the fill value for such", p.source.store, key)
}
