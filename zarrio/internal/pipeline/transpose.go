package pipeline

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// transpose is the codec "transpose" of the Zarr v3 specification: dimension i of what it makes is dimension order[i] of
// what it is given. "C" and "F" are the spellings of an earlier draft.
func (c *compiler) transpose(p *Pipeline, config json.RawMessage) error {
	d, err := configuration("transpose", config)
	if err != nil {
		return err
	}
	var order meta.Extents
	switch string(d["order"]) {
	case `"C"`:
		order = meta.COrder(len(c.shape))
	case `"F"`:
		order = meta.COrder(len(c.shape))
		slices.Reverse(order)
	default:
		if err := d.Get("order", &order, "a list of dimensions"); err != nil {
			return fmt.Errorf("codec \"transpose\": %w", err)
		}
	}
	sorted := slices.Sorted(slices.Values(order))
	if !slices.Equal(sorted, meta.COrder(len(c.shape))) {
		return fmt.Errorf("codec \"transpose\": order %v is no permutation of %d dimensions", []int(order), len(c.shape))
	}
	shape := make([]int, len(order))
	for i, o := range order {
		shape[i] = c.shape[o]
	}
	if c.fixed && c.array.Extents != nil {
		return &meta.UnsupportedError{What: "chunk grid of codec \"transpose\" after others", Found: "rectilinear", Supported: "regular"}
	}
	if c.fixed {
		c.steps = append(c.steps, newTransposeStep(c.shape, order, c.size))
	} else {
		perm := make([]int, len(order))
		for i, o := range order {
			perm[i] = c.perm[o]
		}
		c.perm, p.Order = perm, perm
	}
	c.shape = shape
	return nil
}

// reshape is the extension codec "reshape": the same elements in the same order, as another shape.
func (c *compiler) reshape(config json.RawMessage) error {
	d, err := configuration("reshape", config)
	if err != nil {
		return err
	}
	var items []json.RawMessage
	if err := d.Get("shape", &items, "a list"); err != nil {
		return fmt.Errorf("codec \"reshape\": %w", err)
	}
	if len(items) > meta.MaxRank {
		return fmt.Errorf("codec \"reshape\": %d dimensions; at most %d are supported", len(items), meta.MaxRank)
	}
	total, _ := meta.Product(c.shape, math.MaxInt)
	shape, open, known := make([]int, len(items)), -1, 1
	fits := func(n int) bool { // in what the extents before leave over
		if n > total/known {
			return false
		}
		known *= n
		return true
	}
	ok := true
	for i, item := range items {
		var dims meta.Extents
		n := 0
		switch {
		case json.Unmarshal(item, &dims) == nil && dims != nil: // the product of these dimensions
			n = 1
			for _, dim := range dims {
				ok = ok && dim < len(c.shape) && c.shape[dim] <= total/n
				if ok {
					n *= c.shape[dim]
				}
			}
			ok = ok && fits(n)
		case json.Unmarshal(item, &n) != nil || n < -1 || n == 0 || n == -1 && open >= 0:
			return fmt.Errorf("codec \"reshape\": shape: want extents, lists of dimensions, or one -1, found %s", meta.Quote(item))
		case n == -1:
			open = i
		default:
			ok = ok && fits(n)
		}
		shape[i] = n
	}
	if ok && open >= 0 {
		shape[open] = total / known
		ok = fits(shape[open])
	}
	if !ok || known != total {
		return fmt.Errorf("codec \"reshape\": shape %s does not have the %d elements of %v", meta.Quote(d["shape"]), total, c.shape)
	}
	c.shape, c.fixed = shape, true
	return nil
}

// A transposeStep changes the order of elements in the middle of a chain.
type transposeStep struct {
	axes []ndcopy.Axis
	size int
	n    int // elements
}

func newTransposeStep(shape, order []int, size int) transposeStep {
	t := transposeStep{size: size, n: 1, axes: make([]ndcopy.Axis, len(shape))}
	from, to := 1, 1
	for d := range slices.Backward(shape) {
		t.axes[d].N, t.axes[d].Dst = shape[d], to
		to *= shape[d]
		t.axes[order[d]].Src = from
		from *= shape[order[d]]
	}
	t.n = to
	return t
}

func (transposeStep) Name() string { return "transpose" }

func (transposeStep) EncodedLen(n int) (int, error) { return n, nil }

func (t transposeStep) Decode(dst, src []byte, _ *codec.Scratch) error {
	if len(src) != len(dst) || len(dst) != t.n*t.size {
		return fmt.Errorf("%d bytes to %d, expected %d", len(src), len(dst), t.n*t.size)
	}
	outer, inner := ndcopy.Nest(slices.Clone(t.axes))
	ndcopy.Each(outer, 0, 0, func(from, to int) { ndcopy.Copy(dst, to*t.size, src, from, t.size, 0, &inner) })
	return nil
}
