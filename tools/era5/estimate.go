package main

import (
	"cmp"
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
	if len(m.Shape) == 0 {
		return v.array.Path() + "/" + cmp.Or(m.Keys.Prefix, "0")
	}
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

// A sample is the head of one chunk of a variable, by which all are judged.
type sample struct {
	v       *variable
	storage zarrio.Storage
	head    []byte
	stored  int64 // bytes of the whole
	decoded int
	parts   codec.PartDecoder // nil where only the whole can be decoded
	partial bool              // parts can be read
	gap     int64             // that are rather read than skipped
	limit   int64             // of one read
}

// sample reads the head of the first chunk that something is taken of. It returns nil where that is missing and may be.
func (p *plan) sample(ctx context.Context, v *variable) (*sample, error) {
	storage, err := v.array.Storage()
	if err != nil {
		return nil, err
	}
	s := &sample{v: v, storage: storage, decoded: v.array.DType().Size}
	for _, n := range storage.Chunk {
		s.decoded *= n
	}
	if len(storage.Codecs) == 1 && storage.Codecs[0] == "blosc" {
		d, err := codec.New("blosc", nil, codec.Options{})
		if err != nil {
			return nil, err
		}
		s.parts, _ = d.(codec.PartDecoder)
	}
	s.head = make([]byte, 1)
	if s.parts != nil {
		s.head = make([]byte, s.parts.HeadLen(s.decoded))
	}
	key := p.firstKey(v)
	n, stored, err := p.source.store.under.ReadRange(ctx, key, s.head, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.AllowMissing:
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, p.missing(key)
	case err != nil:
		return nil, err
	}
	s.head, s.stored = s.head[:n], stored
	for d, n := range storage.Shard { // what is in its index is left for the fetch
		s.stored /= int64(n / storage.Chunk[d])
	}
	s.gap, s.limit = p.source.store.coalesce()
	s.partial = !p.source.store.wholeObjects() && storage.Shard == nil && storage.COrder && s.gap < s.limit && (s.parts != nil || len(storage.Codecs) == 0)
	return s, nil
}

// cost is that of a chunk of which the steps from lo to hi are taken, counted from its first.
func (s *sample) cost(lo, hi int) chunkCost {
	whole := chunkCost{1, s.stored, s.stored}
	if !s.partial {
		return whole
	}
	spans := s.spans(lo, hi)
	if s.parts == nil {
		return cheaper(whole, spans, s.gap, s.limit)
	}
	pieces, need, err := s.parts.Parts(nil, s.head, int(s.stored), s.decoded, spans, new(codec.Scratch))
	n := len(s.head)
	if err != nil || need > n {
		return whole // the fetch says what is wrong, if anything is
	}
	var list []codec.Span // after the head
	for _, q := range pieces {
		if q.Encoded.Hi > n {
			list = append(list, codec.Span{Lo: max(q.Encoded.Lo, n), Hi: q.Encoded.Hi})
		}
	}
	cost := cheaper(whole, list, s.gap, s.limit)
	cost.requests++
	cost.moved += int64(n)
	return cost
}

// spans returns the bytes that are taken of a chunk, in C order.
func (s *sample) spans(lo, hi int) []codec.Span {
	size := s.v.array.DType().Size
	spans := []codec.Span{{Lo: 0, Hi: size}}
	run := size // bytes that an index of the dimension is
	for d, n := range slices.Backward(s.storage.Chunk) {
		first, last := 0, n
		switch d {
		case s.v.level:
			first = s.v.index % n
			last = first + 1
		case s.v.time:
			first, last = lo, hi
		}
		var list []codec.Span
		for i := first; i < last; i++ {
			for _, x := range spans {
				x = codec.Span{Lo: x.Lo + i*run, Hi: x.Hi + i*run}
				if k := len(list) - 1; k >= 0 && list[k].Hi == x.Lo {
					list[k].Hi = x.Hi
				} else {
					list = append(list, x)
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
