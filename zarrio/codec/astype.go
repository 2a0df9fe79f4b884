package codec

import (
	"encoding/json"
	"errors"
	"fmt"
)

// castCodec is numcodecs' AsType and Quantize: elements that were stored in another type, usually a smaller one.
type castCodec struct{ elements }

func newAsType(config json.RawMessage, opt Options) (Decoder, error) {
	var c struct {
		Encode string `json:"encode_dtype"`
		Decode string `json:"decode_dtype"`
	}
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	to, err := configType("decode_dtype", c.Decode, opt)
	if err != nil {
		return nil, err
	}
	from, err := configType("encode_dtype", c.Encode, opt)
	if err != nil {
		return nil, err
	}
	return newCast("astype", to, from)
}

func newQuantize(config json.RawMessage, opt Options) (Decoder, error) {
	to, from, err := parseTypes(config, opt)
	if err != nil {
		return nil, err
	}
	if to.Kind != KindFloat || from.Kind != KindFloat {
		return nil, fmt.Errorf("configuration: quantize of %s stored as %s, expected floats: %w", to, from, errors.ErrUnsupported)
	}
	return newCast("quantize", to, from)
}

func newCast(name string, to, from Type) (Decoder, error) {
	if to == from {
		return &identity{name, to.Size}, nil
	}
	if !convertible(to, from) {
		return nil, fmt.Errorf("configuration: %s stored as %s: times of another unit: %w", to, from, errors.ErrUnsupported)
	}
	return &castCodec{elements{name, from, to}}, nil
}

func (c *castCodec) Decode(dst, src []byte, _ *Scratch) error {
	if err := c.check(dst, src); err != nil {
		return err
	}
	convert(dst, src, c.to, c.from)
	return nil
}

// parseTypes reads the fields dtype and astype that several filters of numcodecs have: the decoded and the encoded type.
// The former is opt's where the configuration has none, the latter the former.
func parseTypes(config json.RawMessage, opt Options) (to, from Type, err error) {
	var c struct {
		DType  string
		AsType string
	}
	if err := parseConfig(config, &c); err != nil {
		return to, from, err
	}
	if to, err = configType("dtype", c.DType, opt); err != nil {
		return to, from, err
	}
	if c.AsType == "" {
		return to, to, nil
	}
	from, err = configType("astype", c.AsType, opt)
	return to, from, err
}

// newBitround returns the filter of numcodecs and of the extension of Zarr v3: what it rounded stays rounded.
func newBitround(config json.RawMessage, opt Options) (Decoder, error) {
	var c struct{ KeepBits int }
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	return &identity{"bitround", max(opt.Type.Size, 1)}, nil
}
