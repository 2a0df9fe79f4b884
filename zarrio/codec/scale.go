package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// fixedScaleOffset is numcodecs' FixedScaleOffset: elements are e/scale + offset, computed as NumPy 2 does: in the type of
// the encoded elements where that is a float, else in float64. (NumPy 1 took a wider float where an integer scale doesn't
// fit 16 bits, or a scale is too large for the type; what it decoded then differs in the last bits.)
type fixedScaleOffset struct {
	elements
	scale, offset float64
}

func newFixedScaleOffset(config json.RawMessage, opt Options) (Decoder, error) {
	to, from, err := parseTypes(config, opt)
	if err != nil {
		return nil, err
	}
	var c struct{ Scale, Offset *float64 }
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	if c.Scale == nil || c.Offset == nil {
		return nil, errors.New("configuration: no scale or no offset")
	}
	if from.Kind > KindComplex || from.Kind == KindComplex && to.Kind == KindBool {
		return nil, fmt.Errorf("configuration: fixedscaleoffset of %s stored as %s: %w", to, from, errors.ErrUnsupported)
	}
	return &fixedScaleOffset{elements{"fixedscaleoffset", from, to}, *c.Scale, *c.Offset}, nil
}

func (d *fixedScaleOffset) Decode(dst, src []byte, _ *Scratch) error {
	if err := d.check(dst, src); err != nil {
		return err
	}
	var ints intBlock
	var re, im floatBlock
	size := 8
	if !d.from.whole() {
		size = d.from.part().Size
	}
	for len(src) > 0 {
		n := min(len(src)/d.from.Size, blockLen)
		loadAsFloats(re[:n], &ints, src, d.from, 0, size)
		if d.from.Kind == KindComplex {
			loadAsFloats(im[:n], &ints, src, d.from, 1, size)
			if size == 4 {
				scaleComplex(re[:n], im[:n], float32(d.scale), float32(d.offset))
			} else {
				scaleComplex(re[:n], im[:n], d.scale, d.offset)
			}
		} else {
			scaleFloats(re[:n], d.scale, d.offset, size)
		}
		storeAs(dst, re[:n], &ints, d.to, 0)
		if d.to.Kind == KindComplex {
			storeAs(dst, im[:n], &ints, d.to, 1)
		}
		dst, src = dst[n*d.to.Size:], src[n*d.from.Size:]
	}
	return nil
}

// scaleFloats replaces each of v by v/scale + offset, computed in floats of size bytes.
func scaleFloats(v []float64, scale, offset float64, size int) {
	switch size {
	case 8:
		for i, x := range v {
			v[i] = x/scale + offset
		}
	case 4:
		s, o := float32(scale), float32(offset)
		for i, x := range v {
			v[i] = float64(float32(x)/s + o)
		}
	default: // Rounding a float64 to a float16 gives what float16 arithmetic would: it has more than twice the digits.
		s, o := roundFloat(scale, 2), roundFloat(offset, 2)
		for i, x := range v {
			v[i] = roundFloat(roundFloat(x/s, 2)+o, 2)
		}
	}
}

// scaleComplex divides each of the numbers re + i·im by scale and adds offset. NumPy divides complex numbers by Smith's
// method, whatever the divisor, and that rounds otherwise than dividing both components does. The conversions keep
// products and sums from being fused.
func scaleComplex[T float32 | float64](re, im []float64, scale, offset T) {
	im = im[:len(re)]
	if scale == 0 {
		for i := range re {
			re[i] = float64(T(re[i])/T(0) + offset)
			im[i] = float64(T(im[i])/T(0) + 0)
		}
		return
	}
	ratio := 0 / scale
	inverse := 1 / (scale + T(0*ratio))
	for i := range re {
		a, b := T(re[i]), T(im[i])
		re[i] = float64(T((a+T(b*ratio))*inverse) + offset)
		im[i] = float64(T((b-T(a*ratio))*inverse) + 0)
	}
}

// scaleOffset is Zarr v3's extension scale_offset: elements are e/scale + offset, in the arithmetic of their own type.
// Integers must be multiples of the scale, and no result may be out of range. Floats that overflow become infinite.
type scaleOffset struct {
	elements
	scale, offset scalar
}

func newScaleOffset(config json.RawMessage, opt Options) (Decoder, error) {
	c := struct{ Scale, Offset json.RawMessage }{json.RawMessage("1"), json.RawMessage("0")}
	if err := parseStrict(config, &c); err != nil {
		return nil, err
	}
	t, err := numberType("scale_offset", opt)
	if err != nil {
		return nil, err
	}
	d := &scaleOffset{elements: elements{"scale_offset", t, t}}
	if d.scale, err = parseScalar(c.Scale, t); err != nil {
		return nil, fmt.Errorf("configuration: scale: %w", err)
	}
	if d.offset, err = parseScalar(c.Offset, t); err != nil {
		return nil, fmt.Errorf("configuration: offset: %w", err)
	}
	if d.scale == (scalar{}) {
		return nil, errors.New("configuration: scale is 0")
	}
	return d, nil
}

// numberType returns the type of the decoded elements. The named codec takes integers and floats only.
func numberType(name string, opt Options) (Type, error) {
	t := opt.Type
	if !t.number() {
		return t, fmt.Errorf("%s to elements of type %s, expected integers or floats: %w", name, t, errors.ErrUnsupported)
	}
	return t, nil
}

func (d *scaleOffset) Decode(dst, src []byte, _ *Scratch) error {
	if err := d.check(dst, src); err != nil {
		return err
	}
	var ints intBlock
	var floats floatBlock
	for at := 0; at < len(src); {
		n := min((len(src)-at)/d.to.Size, blockLen)
		if d.to.Kind == KindFloat {
			loadFloats(floats[:n], src[at:], d.to, d.to.Size)
			scaleFloats(floats[:n], d.scale.float, d.offset.float, d.to.Size)
			storeFloats(dst[at:], floats[:n], d.to, d.to.Size)
		} else {
			loadInts(ints[:n], src[at:], d.to)
			i := scaleInts(ints[:n], d.scale.int, d.offset.int, d.to)
			if i < n {
				return d.intError(ints[i], at/d.to.Size+i)
			}
			storeInts(dst[at:], ints[:n], d.to)
		}
		at += n * d.to.Size
	}
	return nil
}

func (d *scaleOffset) intError(v int64, i int) error {
	if d.to.Kind == KindUint {
		return fmt.Errorf("element %d: %d/%d + %d is no %s", i, uint64(v), uint64(d.scale.int), uint64(d.offset.int), d.to)
	}
	return fmt.Errorf("element %d: %d/%d + %d is no %s", i, v, d.scale.int, d.offset.int, d.to)
}

// scaleInts replaces each of v, integers of type t, by v/scale + offset. It stops at the first for which that is none, and
// returns how many it replaced.
func scaleInts(v []int64, scale, offset int64, t Type) int {
	lo, hi := t.limits()
	if t.Kind == KindUint {
		s, o := uint64(scale), uint64(offset)
		for i, x := range v {
			q := uint64(x) / s
			if q*s != uint64(x) || q+o < q || q+o > hi {
				return i
			}
			v[i] = int64(q + o)
		}
		return len(v)
	}
	for i, x := range v {
		if scale == -1 && x == math.MinInt64 {
			return i
		}
		q := x / scale
		r := q + offset
		if q*scale != x || (r < q) != (offset < 0) || r < lo || r > int64(hi) {
			return i
		}
		v[i] = r
	}
	return len(v)
}
