package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"zarrbench/zarrio"
	"zarrbench/zarrio/codec"
)

// A chunkCost is what one chunk of the source costs.
type chunkCost struct{ requests, moved, stored int64 }

// firstKey is the key of the first chunk, or shard, that something is taken of.
func (p *plan) firstKey(v *variable) string {
	m := v.array.Metadata()
	var parts []string
	if m.Keys.Prefix != "" {
		parts = append(parts, m.Keys.Prefix)
	}
	for d := range m.Shape {
		parts = append(parts, strconv.Itoa(p.first(v, d)/m.Chunks[d]))
	}
	return v.array.Path() + "/" + strings.Join(parts, string(m.Keys.Separator))
}

// first is the first index that is taken along a dimension of the source.
func (p *plan) first(v *variable, d int) int {
	switch d {
	case v.time:
		return p.sel.lo
	case v.level:
		return v.index
	}
	return 0
}

// chunkCost looks at the head of the first chunk of a variable, and judges by it what each chunk costs.
func (p *plan) chunkCost(ctx context.Context, v *variable, storage zarrio.Storage) (chunkCost, error) {
	key := p.firstKey(v)
	decoded := v.array.DType().Size
	for _, n := range storage.Chunk {
		decoded *= n
	}
	var parts codec.PartDecoder
	if len(storage.Codecs) == 1 && storage.Codecs[0] == "blosc" {
		d, err := codec.New("blosc", nil, codec.Options{})
		if err != nil {
			return chunkCost{}, err
		}
		parts, _ = d.(codec.PartDecoder)
	}
	head := make([]byte, 1)
	if parts != nil {
		head = make([]byte, parts.HeadLen(decoded))
	}
	n, stored, err := p.source.store.under.ReadRange(ctx, key, head, 0)
	if errors.Is(err, fs.ErrNotExist) && p.AllowMissing {
		return chunkCost{}, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return chunkCost{}, p.missing(key)
	}
	if err != nil {
		return chunkCost{}, err
	}
	if storage.Shard != nil { // what is in its index is left for the fetch
		for d, n := range storage.Shard {
			stored /= int64(n / storage.Chunk[d])
		}
	}
	cost := chunkCost{1, stored, stored}
	gap, limit := p.source.store.Coalesce()
	if p.whole || storage.Shard != nil || !storage.COrder || gap >= limit {
		return cost, nil
	}
	spans := p.spans(v, storage.Chunk)
	var list []codec.Span
	switch {
	case parts != nil:
		pieces, need, err := parts.Parts(nil, head[:n], int(stored), decoded, spans, new(codec.Scratch))
		if err != nil || need > n {
			return cost, nil // the fetch says what is wrong, if anything is
		}
		for _, q := range pieces {
			if q.Encoded.Hi > n {
				list = append(list, codec.Span{Lo: max(q.Encoded.Lo, n), Hi: q.Encoded.Hi})
			}
		}
	case len(storage.Codecs) == 0:
		list = spans
	default:
		return cost, nil
	}
	if parts == nil {
		return cheaper(cost, list, gap, limit), nil
	}
	some := cheaper(cost, list, gap, limit) // after the head
	some.requests++
	some.moved += int64(n)
	return some, nil
}

// spans returns the bytes of the first chunk that are taken, in C order.
func (p *plan) spans(v *variable, chunk []int) []codec.Span {
	spans := []codec.Span{{Lo: 0, Hi: v.array.DType().Size}}
	run := v.array.DType().Size // bytes that an index of the dimension is
	for d, n := range slices.Backward(chunk) {
		lo, hi := 0, n
		switch d {
		case v.level:
			lo = v.index % n
			hi = lo + 1
		case v.time:
			lo = p.sel.lo % n
			hi = min(n, lo+p.sel.hi-p.sel.lo)
		}
		var list []codec.Span
		for i := lo; i < hi; i++ {
			for _, s := range spans {
				s = codec.Span{Lo: s.Lo + i*run, Hi: s.Hi + i*run}
				if k := len(list) - 1; k >= 0 && list[k].Hi == s.Lo {
					list[k].Hi = s.Hi
				} else {
					list = append(list, s)
				}
			}
		}
		spans, run = list, run*n
	}
	return spans
}

// cheaper returns what reading the pieces of a chunk costs, those together that lie near each other, or else the whole.
func cheaper(whole chunkCost, pieces []codec.Span, gap, limit int64) chunkCost {
	slices.SortFunc(pieces, func(a, b codec.Span) int { return a.Lo - b.Lo })
	var joined []codec.Span
	for _, s := range pieces {
		k := len(joined) - 1
		if k >= 0 && int64(s.Lo-joined[k].Hi) <= gap && int64(s.Hi-joined[k].Lo) <= limit {
			joined[k].Hi = max(joined[k].Hi, s.Hi)
		} else {
			joined = append(joined, s)
		}
	}
	cost := chunkCost{stored: whole.stored}
	for _, s := range joined {
		cost.requests++
		cost.moved += int64(s.Hi - s.Lo)
	}
	if cost.moved+gap*cost.requests >= whole.moved+gap {
		return whole
	}
	return cost
}

// missing is the error of a chunk that the source lacks.
func (p *plan) missing(key string) error {
	return fmt.Errorf("%v lacks the chunk %s: archives have lost chunks before; -allow-missing takes the fill value for such", p.source.store, key)
}
