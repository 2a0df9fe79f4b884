// Package affine turns the elements of arrays into those of tensors: packed integers into floats,
// floats into normalised or narrower ones.
//
// A conversion has five steps, each left out if its [Spec] doesn't ask for it:
//
//  1. Missing elements become NaN.
//  2. Elements are unpacked in float64 (or float32: see Single). The product with the scale is
//     rounded, then the sum with the offset.
//  3. The result is rounded to float32.
//  4. It is normalised in float32: the difference from the mean is rounded, then the quotient by
//     the standard deviation.
//  5. It is rounded to the tensor's type. Rounding is to the nearest number, of two to the even
//     one. What is too large becomes infinite.
//
// Tensors of float64 are not rounded to float32, and normalised in float64.
//
// Steps 1 to 3 give the bits that zarrio.ReadCF gives. The definition is portable Go; vector code
// gives the same bits, also for NaN. On amd64 and arm64, a NaN keeps its sign and the top of its
// payload, and is quiet if any step calculates with it; a missing element is the positive quiet NaN
// without a payload. The sign is the machine's of a NaN that an infinite element times a scale of 0
// makes. On other machines the bits of all NaNs may differ.
package affine

import (
	"fmt"
	"math"
	"slices"

	"zarrbench/zarrio/meta"
)

// A Spec describes a conversion.
type Spec struct {
	// From is bool, an integer, float16, float32, float64 or bfloat16, and To one of the floats. Both may be the same
	// type of any other kind if nothing else is set.
	From, To meta.DType

	// Missing has the numbers that stand for missing elements. Elements are compared with them as float64. NaN is ignored.
	Missing []float64

	// Scale and Offset are the factor and the addend that unpack elements, or nil if there is none.
	Scale, Offset *float64
	// Single unpacks in float32 rather than in float64. ReadCF does so with packed float16 and float32 whose only fill
	// value is NaN.
	Single bool

	Normalize *Normalize // or nil
}

// Normalize makes (x-Mean)/Std of x.
type Normalize struct{ Mean, Std float32 }

// BFloat16 is the type of float32's upper half.
var BFloat16 = meta.DType{Kind: meta.Float, Size: 2, Variant: "bfloat16"}

const (
	fromTypes = "bool, int8 to int64, uint8 to uint64, float16, float32, float64, bfloat16"
	toTypes   = "float16, float32, float64, bfloat16"
)

// A Conversion turns elements of one type into those of another. It is never written to after New,
// so that many goroutines may use it at once.
type Conversion struct {
	from, to meta.DType
	identity bool

	// wide says that elements are float64 until they are unpacked; else they are float32.
	wide          bool
	missing       []float64
	scaled        bool
	shifted       bool
	normalized    bool
	scale, offset float64
	mean, std     float32

	kernel kernel
	params params
}

// New returns the conversion that s describes. It refuses types that it can't convert with a
// [meta.UnsupportedError], and numbers that can't be calculated with by name. s may be changed
// afterwards.
func New(s Spec) (*Conversion, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	c := &Conversion{from: s.From, to: s.To}
	masks := slices.DeleteFunc(slices.Clone(s.Missing), func(m float64) bool { return m != m })
	c.missing = slices.DeleteFunc(slices.Clone(masks), func(m float64) bool { return !holds(s.From, m) })
	slices.Sort(c.missing)
	c.missing = slices.Compact(c.missing)
	if s.Scale != nil {
		c.scaled, c.scale = true, *s.Scale
	}
	if s.Offset != nil {
		c.shifted, c.offset = true, *s.Offset
	}
	if s.Normalize != nil {
		c.normalized, c.mean, c.std = true, s.Normalize.Mean, s.Normalize.Std
	}
	unpacked := c.scaled || c.shifted
	c.identity = s.From == s.To && len(c.missing) == 0 && !unpacked && !c.normalized
	switch {
	case s.From == meta.DType{Kind: meta.Float, Size: 8}:
		c.wide = true
	case unpacked:
		c.wide = !s.Single
	case s.To.Size == 8:
		c.wide = s.From.Kind != meta.Float
	case s.From.Kind == meta.Int || s.From.Kind == meta.Uint:
		c.wide = s.From.Size >= 4 && len(masks) > 0 // a float32 isn't exact enough to be compared
	}
	if !c.identity {
		c.choose()
	}
	return c, nil
}

// Identity reports whether the conversion leaves the elements' bytes as they are.
func (c *Conversion) Identity() bool { return c.identity }

// check reports what of s can't be.
func (s *Spec) check() error {
	plain := len(s.Missing) == 0 && s.Scale == nil && s.Offset == nil && s.Normalize == nil
	if s.From == s.To && s.From.Size > 0 && plain && !s.Single {
		return nil
	}
	if !number(s.From) {
		return &meta.UnsupportedError{What: "conversion of data type", Found: s.From.String(), Supported: fromTypes}
	}
	if s.To.Kind != meta.Float || !number(s.To) {
		return &meta.UnsupportedError{What: "conversion to data type", Found: s.To.String(), Supported: toTypes}
	}
	for _, v := range []struct {
		name  string
		value *float64
	}{{"scale_factor", s.Scale}, {"add_offset", s.Offset}} {
		if v.value != nil && !finite(*v.value) {
			return fmt.Errorf("%s is %v: want a finite number", v.name, *v.value)
		}
	}
	if s.Single && (s.From.Kind != meta.Float || s.From.Size > 4) {
		return &meta.UnsupportedError{What: "unpacking in float32 of data type", Found: s.From.String(), Supported: "float16, float32, bfloat16"}
	}
	if s.Single && (s.Scale != nil && !finite(float64(float32(*s.Scale))) || s.Offset != nil && !finite(float64(float32(*s.Offset)))) {
		return fmt.Errorf("scale_factor or add_offset is too large for float32, in which %s is unpacked", s.From)
	}
	if n := s.Normalize; n != nil {
		if !finite(float64(n.Mean)) {
			return fmt.Errorf("the mean to normalise by is %v: want a finite number", n.Mean)
		}
		if !finite(float64(n.Std)) || n.Std <= 0 {
			return fmt.Errorf("the standard deviation to normalise by is %v: want a finite number above 0", n.Std)
		}
	}
	return nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// number reports whether a conversion can begin with type d.
func number(d meta.DType) bool {
	if d == BFloat16 {
		return true
	}
	if d.Variant != "" {
		return false
	}
	switch d.Kind {
	case meta.Bool:
		return d.Size == 1
	case meta.Int, meta.Uint:
		return d.Size == 1 || d.Size == 2 || d.Size == 4 || d.Size == 8
	case meta.Float:
		return d.Size == 2 || d.Size == 4 || d.Size == 8
	}
	return false
}
