package zarrio

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// A pipeline leads from the stored bytes of a part of an array to its elements: what the metadata's codecs say, compiled
// once an array.
type pipeline struct {
	chunk     []int // extents of what is decoded by itself: a chunk, or an inner chunk of a shard
	order     []int // order[i] is the dimension that is i-th in the decoded bytes, slowest first
	bigEndian bool  // the decoded elements' byte order
	chain     *codec.Chain
	levels    []shardLevel // from the outermost; none where chunks aren't sharded
	text      bool         // the chain ends in elements of varying length: see ReadStrings
}

// compile makes an array's pipeline of its metadata. Its error is why chunks can't be decoded.
func compile(m *meta.Metadata, opt Options) (pipeline, error) {
	p := pipeline{chunk: m.Chunks, order: m.Order, bigEndian: m.BigEndian}
	c := compiler{array: m, opt: codec.Options{Format: m.Format, Type: codecType(m.DType, m.BigEndian), SkipChecksums: opt.SkipChecksums},
		shape: m.Chunks, perm: m.Order, size: m.DType.Size}
	return p, c.compile(&p, m.Codecs)
}

// codecKinds are the kinds of elements that codecs know.
var codecKinds = [...]codec.Kind{meta.Bool: codec.KindBool, meta.Int: codec.KindInt, meta.Uint: codec.KindUint, meta.Float: codec.KindFloat,
	meta.Complex: codec.KindComplex, meta.Datetime: codec.KindDatetime, meta.Timedelta: codec.KindTimedelta}

// codecType returns d as codecs have it, or the zero Type if they don't know such elements.
func codecType(d meta.DType, bigEndian bool) codec.Type {
	if !d.Numeric() || d.Variant != "" {
		return codec.Type{}
	}
	t := codec.Type{Kind: codecKinds[d.Kind], Size: d.Size, BigEndian: bigEndian && d.SwapSize() > 1, Unit: d.Unit}
	if t.Unit == "generic" {
		t.Unit = ""
	}
	return t
}

// dtypeOf returns the data type of a codec's elements.
func dtypeOf(t codec.Type) meta.DType {
	d := meta.DType{Kind: meta.Kind(slices.Index(codecKinds[:], t.Kind)), Size: t.Size, Unit: t.Unit}
	if t.Unit == "" && (d.Kind == meta.Datetime || d.Kind == meta.Timedelta) {
		d.Unit = "generic"
	}
	return d
}

// A compiler walks codecs in the order in which they encode. Changes in the order of elements are not carried out where
// they can be named: the copy to the caller's memory does them.
type compiler struct {
	array *meta.Metadata
	opt   codec.Options
	shape []int // of the part, as it is stored by the codecs so far
	perm  []int // the array's dimension that is i-th in it
	size  int   // bytes of an element, as the codecs so far have it
	steps []codec.Decoder
	fixed bool // the order of elements is needed by a step, and can't be left to the copy
	typed bool // an element's type is no longer the array's
}

// compile adds the codecs, which are listed in the order of decoding, and ends the pipeline with them.
func (c *compiler) compile(p *pipeline, codecs []meta.CodecSpec) error {
	flat := c.array.Format == 2 // the array has become bytes: v2 doesn't tell the two apart
	for i, spec := range slices.Backward(codecs) {
		var err error
		switch name := strings.TrimPrefix(spec.Name, "numcodecs."); {
		case name == "vlen-utf8" || name == "vlen-bytes" || name == "vlen-array":
			kind := c.array.DType.Kind
			if kind != meta.Object && (kind != meta.Bytes || name != "vlen-bytes") && (kind != meta.Unicode || name != "vlen-utf8") || name == "vlen-array" {
				return &codec.UnsupportedError{Name: spec.Name}
			}
			p.text, flat = true, true
		case c.array.Format == 2:
			err = c.step(spec)
		case name == "transpose":
			err = c.transpose(p, spec.Config)
		case name == "reshape":
			err = c.reshape(spec.Config)
		case name == "bytes":
			err = c.bytes(p, spec.Config)
			flat = true
		case name == "sharding_indexed":
			flat = true
			if !c.fixed && i == 0 {
				return c.shard(p, spec.Config)
			}
			err = c.shardStep(spec.Config)
		default:
			if err = c.step(spec); err == nil && name == "packbits" {
				flat = true
			}
		}
		if err != nil {
			return err
		}
	}
	if !flat {
		return errors.New("codecs: none makes bytes of the array, such as \"bytes\"")
	}
	if c.array.DType.Kind == meta.Object && !p.text {
		return &meta.UnsupportedError{What: "data type object with codecs", Found: fmt.Sprint(codecNames(codecs)), Supported: "vlen-utf8, vlen-bytes"}
	}
	slices.Reverse(c.steps)
	var err error
	p.chain, err = codec.NewChain(c.steps...)
	return err
}

func codecNames(codecs []meta.CodecSpec) []string {
	var names []string
	for _, c := range slices.Backward(codecs) {
		names = append(names, c.Name)
	}
	return names
}

// step adds a codec of package codec.
func (c *compiler) step(spec meta.CodecSpec) error {
	d, err := codec.New(spec.Name, spec.Config, c.opt)
	_, unknown := errors.AsType[*codec.UnsupportedError](err)
	switch {
	case unknown && spec.Optional:
		return fmt.Errorf("%w; it is marked as one that needn't be understood, but what it did to the bytes would stay undone", err)
	case unknown:
		return err
	case err != nil:
		return fmt.Errorf("codec %q: %w", spec.Name, err)
	}
	c.steps, c.fixed = append(c.steps, d), true
	if r, ok := d.(codec.Retyper); ok {
		c.opt.Type, c.typed = r.EncodedType(), true
		c.size = c.opt.Type.Size
	}
	return nil
}

// configuration reads the object that configures a codec.
func configuration(name string, config json.RawMessage) (meta.Document, error) {
	if meta.IsNull(config) {
		return meta.Document{}, nil
	}
	d, err := meta.ParseDocument(config)
	if err != nil {
		return nil, fmt.Errorf("codec %q: configuration: %w", name, err)
	}
	return d, nil
}

// transpose is the codec "transpose" of the Zarr v3 specification: dimension i of what it makes is dimension order[i] of
// what it is given. "C" and "F" are the spellings of an earlier draft.
func (c *compiler) transpose(p *pipeline, config json.RawMessage) error {
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
		c.perm, p.order = perm, perm
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

// bytes is the codec "bytes" of the Zarr v3 specification.
func (c *compiler) bytes(p *pipeline, config json.RawMessage) error {
	d, err := configuration("bytes", config)
	if err != nil {
		return err
	}
	endian := "little"
	if err := d.Get("endian", &endian, "a string"); err != nil {
		return fmt.Errorf("codec \"bytes\": %w", err)
	}
	if endian != "little" && endian != "big" {
		return &meta.UnsupportedError{What: "endian of codec \"bytes\"", Found: meta.Quote(d["endian"]), Supported: `"little" and "big"`}
	}
	swap := c.array.DType.SwapSize()
	if c.typed {
		swap = dtypeOf(c.opt.Type).SwapSize()
	}
	if swap > 1 && meta.IsNull(d["endian"]) {
		return fmt.Errorf("codec \"bytes\": no endian for elements of %d bytes", swap)
	}
	switch {
	case c.array.DType.Kind == meta.Struct && endian == "big":
		c.steps = append(c.steps, recordStep{c.array.DType.Size, c.array.Record})
	case swap <= 1 || endian == "little":
	case len(c.steps) == 0:
		p.bigEndian = true
	default:
		c.steps = append(c.steps, swapStep{swap})
	}
	c.fixed = true
	return nil
}

// A swapStep changes the byte order of elements in the middle of a chain.
type swapStep struct{ size int }

func (swapStep) Name() string { return "bytes" }

func (swapStep) EncodedLen(n int) (int, error) { return n, nil }

func (s swapStep) Decode(dst, src []byte, _ *codec.Scratch) error {
	if len(src) != len(dst) {
		return fmt.Errorf("%d bytes, expected %d", len(src), len(dst))
	}
	copy(dst, src)
	ndcopy.SwapBytes(dst, s.size)
	return nil
}

// A recordStep changes the byte order of each field of records.
type recordStep struct {
	size int
	runs []meta.SwapRun
}

func (recordStep) Name() string { return "bytes" }

func (recordStep) EncodedLen(n int) (int, error) { return n, nil }

func (s recordStep) Decode(dst, src []byte, _ *codec.Scratch) error {
	if len(src) != len(dst) || s.size == 0 || len(dst)%s.size != 0 {
		return fmt.Errorf("%d bytes, expected %d", len(src), len(dst))
	}
	copy(dst, src)
	for ; len(dst) > 0; dst = dst[s.size:] {
		at := 0
		for _, r := range s.runs {
			ndcopy.SwapBytes(dst[at:at+r.Size*r.N], r.Size)
			at += r.Size * r.N
		}
	}
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
	ndcopy.Each(outer, 0, 0, func(from, to int) { ndcopy.Copy(dst, to*t.size, src, from, t.size, &inner) })
	return nil
}
