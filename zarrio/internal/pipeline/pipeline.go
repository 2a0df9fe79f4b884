// Package pipeline compiles the codecs of an array into what finds and decodes its chunks: levels of
// shards, the order of dimensions and of bytes, and a chain of decoders.
package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// A Pipeline leads from stored bytes to elements. It is compiled once for an array.
type Pipeline struct {
	Chunk     []int // extents of a chunk, or of an inner chunk of a shard
	Order     []int // order[i] is the dimension that is i-th in the decoded bytes, slowest first
	BigEndian bool  // the decoded elements' byte order
	Chain     *codec.Chain
	Levels    []Level // from the outermost; none where chunks aren't sharded
	Text      bool    // the chain ends in elements of varying length
}

// Compile returns the pipeline of the array that m describes. It sets the fields of opt that tell what
// the codecs decode. Its error tells why chunks can't be decoded.
func Compile(m *meta.Metadata, opt codec.Options) (Pipeline, error) {
	p := Pipeline{Chunk: m.Chunks, Order: m.Order, BigEndian: m.BigEndian}
	opt.Format, opt.Type = m.Format, codecType(m.DType, m.BigEndian)
	c := compiler{array: m, opt: opt, shape: m.Chunks, perm: m.Order, size: m.DType.Size}
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
func (c *compiler) compile(p *Pipeline, codecs []meta.CodecSpec) error {
	flat := c.array.Format == 2 // the array has become bytes: v2 doesn't tell the two apart
	for i, spec := range slices.Backward(codecs) {
		var err error
		switch name := strings.TrimPrefix(spec.Name, "numcodecs."); {
		case name == "vlen-utf8" || name == "vlen-bytes" || name == "vlen-array":
			kind := c.array.DType.Kind
			if kind != meta.Object && (kind != meta.Bytes || name != "vlen-bytes") && (kind != meta.Unicode || name != "vlen-utf8") || name == "vlen-array" {
				return &codec.UnsupportedError{Name: spec.Name}
			}
			p.Text, flat = true, true
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
	if c.array.DType.Kind == meta.Object && !p.Text {
		return &meta.UnsupportedError{What: "data type object with codecs", Found: fmt.Sprint(codecNames(codecs)), Supported: "vlen-utf8, vlen-bytes"}
	}
	slices.Reverse(c.steps)
	if p.BigEndian != ndcopy.BigEndian && !p.Text {
		p.BigEndian = c.swapLast(p.BigEndian)
	}
	var err error
	p.Chain, err = codec.NewChain(c.steps...)
	return err
}

// swapLast has the last step of decoding make elements of the machine's byte order, if it can. It returns whether the
// elements are then big-endian; big says so of those that the step has made so far.
func (c *compiler) swapLast(big bool) bool {
	size, last := c.array.DType.SwapSize(), len(c.steps)-1
	if size <= 1 || last < 0 {
		return big
	}
	s, ok := c.steps[last].(codec.Swapper)
	if !ok {
		return big
	}
	d, ok := s.Swapped(size)
	if !ok {
		return big
	}
	c.steps[last] = d
	return ndcopy.BigEndian
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
