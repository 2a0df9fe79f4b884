package pipeline

import (
	"encoding/json"
	"fmt"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// bytes is the codec "bytes" of the Zarr v3 specification.
func (c *compiler) bytes(p *Pipeline, config json.RawMessage) error {
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
		p.BigEndian = true
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
