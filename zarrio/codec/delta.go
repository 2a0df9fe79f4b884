package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// deltaCodec is numcodecs' Delta: each element is the difference to the one before it. It is undone as numpy.cumsum does
// with an output array: elements are added up in the type to which NumPy promotes both, and each sum is converted.
type deltaCodec struct {
	elements
	sum Type
}

func newDelta(config json.RawMessage, opt Options) (Decoder, error) {
	to, from, err := parseTypes(config, opt)
	if err != nil {
		return nil, err
	}
	sum, ok := sumType(to, from)
	if !ok || sum.Kind == KindComplex && to.Kind == KindBool {
		return nil, fmt.Errorf("configuration: delta of %s stored as %s: %w", to, from, errors.ErrUnsupported)
	}
	return &deltaCodec{elements{"delta", from, to}, sum}, nil
}

// sumType returns the type in which NumPy adds elements of types a and b. Its byte order and, for integers, its size don't
// matter: they wrap around where they are stored. Dates cannot be added, nor can durations and fractions.
func sumType(a, b Type) (Type, bool) {
	if a.Kind > b.Kind {
		a, b = b, a
	}
	switch {
	case b.Kind == KindDatetime:
		return Type{}, false
	case b.Kind == KindTimedelta:
		return b, a.Kind <= KindUint || a.Kind == KindTimedelta && a.Unit == b.Unit
	case b.Kind == KindComplex:
		size := 2 * max(floatSize(a), floatSize(b), 4)
		return Type{Kind: KindComplex, Size: size}, true
	case b.Kind == KindFloat:
		return Type{Kind: KindFloat, Size: max(floatSize(a), floatSize(b))}, true
	case a.Kind == KindInt && b.Kind == KindUint && b.Size == 8: // No integer has both ranges.
		return Type{Kind: KindFloat, Size: 8}, true
	}
	return b, true
}

// floatSize returns the size of the float to which NumPy promotes a number of type t.
func floatSize(t Type) int {
	switch {
	case !t.whole():
		return t.part().Size
	case t.Size >= 4:
		return 8
	default:
		return 2 * t.Size
	}
}

func (d *deltaCodec) Decode(dst, src []byte, _ *Scratch) error {
	if err := d.check(dst, src); err != nil {
		return err
	}
	switch {
	case d.sum.whole():
		d.addInts(dst, src)
	default:
		for k := range components(d.to) {
			d.addFloats(dst, src, k)
		}
	}
	return nil
}

func (d *deltaCodec) addInts(dst, src []byte) {
	var block intBlock
	var sum int64
	kept := int64(-1)
	if d.to.Kind == KindBool && d.sum.Size < 8 { // A sum that wraps around to 0 is false.
		kept = 1<<(8*d.sum.Size) - 1
	}
	for len(src) > 0 {
		v := block[:min(len(src)/d.from.Size, blockLen)]
		loadInts(v, src, d.from)
		switch d.sum.Kind {
		case KindBool: // NumPy's sum of bools is their disjunction.
			for i, x := range v {
				sum |= x
				v[i] = sum
			}
		case KindTimedelta:
			for i, x := range v {
				if sum == math.MinInt64 || x == math.MinInt64 { // NaT
					sum = math.MinInt64
				} else {
					sum += x
				}
				v[i] = sum
			}
		default:
			for i, x := range v {
				sum += x
				v[i] = sum & kept
			}
		}
		storeInts(dst, v, d.to)
		dst, src = dst[len(v)*d.to.Size:], src[len(v)*d.from.Size:]
	}
}

// addFloats adds up component k, of two. Sums start from -0, to which any number can be added without a change.
func (d *deltaCodec) addFloats(dst, src []byte, k int) {
	var ints intBlock
	var block floatBlock
	sum := math.Copysign(0, -1)
	size := d.sum.part().Size
	for len(src) > 0 {
		v := block[:min(len(src)/d.from.Size, blockLen)]
		loadAsFloats(v, &ints, src, d.from, k, size)
		switch size {
		case 8:
			for i, x := range v {
				sum += x
				v[i] = sum
			}
		case 4:
			sum32 := float32(sum)
			for i, x := range v {
				sum32 += float32(x)
				v[i] = float64(sum32)
			}
			sum = float64(sum32)
		default:
			for i, x := range v {
				sum = roundFloat(sum+x, 2)
				v[i] = sum
			}
		}
		storeAs(dst, v, &ints, d.to, k)
		dst, src = dst[len(v)*d.to.Size:], src[len(v)*d.from.Size:]
	}
}
