package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// castValue is Zarr v3's extension cast_value: elements keep their value in another type. Values that the target type can't
// represent are rounded, clamped, mapped, or rejected, depending on the configuration.
type castValue struct {
	elements
	round    rounding
	excess   excess
	keys     []scalar // encoded values that are mapped,
	values   []scalar // and what they decode to
	lossless bool     // every encoded value is one of the decoded type, too
}

// rounding is a way to round a number to one that the type has.
type rounding int

const (
	nearestEven rounding = iota
	towardsZero
	towardsPositive
	towardsNegative
	nearestAway
)

var roundings = []string{"nearest-even", "towards-zero", "towards-positive", "towards-negative", "nearest-away"}

// excess is what happens to a number that is out of the type's range.
type excess int

const (
	refuse excess = iota
	clamp
	wrap
)

var excesses = []string{"", "clamp", "wrap"}

func newCastValue(config json.RawMessage, opt Options) (Decoder, error) {
	c := struct {
		DataType   string  `json:"data_type"`
		Rounding   string  `json:"rounding"`
		OutOfRange *string `json:"out_of_range"`
		ScalarMap  struct {
			Encode, Decode [][2]json.RawMessage
		} `json:"scalar_map"`
	}{Rounding: roundings[nearestEven]}
	if err := parseStrict(config, &c); err != nil {
		return nil, err
	}
	to, err := numberType("cast_value", opt)
	if err != nil {
		return nil, err
	}
	// The elements are in the order of bytes that the codec before this one left them in, which is that of the decoded ones.
	from, err := parseType(c.DataType, to.BigEndian)
	if err != nil || !from.number() {
		return nil, fmt.Errorf("configuration: data_type is %q, expected that of integers or floats: %w", c.DataType, errors.ErrUnsupported)
	}
	d := &castValue{elements: elements{"cast_value", from, to}, lossless: lossless(to, from)}
	round := slices.Index(roundings, c.Rounding)
	if round < 0 {
		return nil, fmt.Errorf("configuration: rounding is %q, expected one of %q", c.Rounding, roundings)
	}
	d.round = rounding(round)
	if c.OutOfRange != nil {
		d.excess = excess(slices.Index(excesses, *c.OutOfRange))
		if d.excess <= refuse {
			return nil, fmt.Errorf("configuration: out_of_range is %q, expected one of %q", *c.OutOfRange, excesses[clamp:])
		}
	}
	if d.excess == wrap && from.Kind == KindFloat {
		return nil, fmt.Errorf("configuration: out_of_range is %q, but data_type %q is no integer", excesses[wrap], c.DataType)
	}
	for i, pair := range c.ScalarMap.Decode {
		key, err := parseScalar(pair[0], from)
		if err == nil && d.index(key) < 0 { // of several entries for a value the first counts
			var value scalar
			value, err = parseScalar(pair[1], to)
			d.keys, d.values = append(d.keys, key), append(d.values, value)
		}
		if err != nil {
			return nil, fmt.Errorf("configuration: scalar_map: entry %d of decode: %w", i, err)
		}
	}
	return d, nil
}

// lossless reports whether type to has all values of type from.
func lossless(to, from Type) bool {
	switch {
	case to.Kind == KindFloat && from.Kind == KindFloat:
		return to.Size >= from.Size
	case to.Kind == KindFloat:
		_, hi := from.limits()
		return bits.Len64(hi) <= floatDigits(to.Size)
	case from.Kind == KindFloat:
		return false
	}
	lo, hi := from.limits()
	toLo, toHi := to.limits()
	return lo >= toLo && hi <= toHi
}

// floatDigits returns the number of binary digits of a float of size bytes.
func floatDigits(size int) int {
	switch size {
	case 2:
		return 11
	case 4:
		return 24
	}
	return 53
}

// index returns the place of a value in the map, or -1.
func (d *castValue) index(v scalar) int {
	for i, key := range d.keys {
		if key == v || key.float != key.float && v.float != v.float {
			return i
		}
	}
	return -1
}

func (d *castValue) Decode(dst, src []byte, _ *Scratch) error {
	if err := d.check(dst, src); err != nil {
		return err
	}
	if d.lossless && len(d.keys) == 0 {
		convert(dst, src, d.to, d.from)
		return nil
	}
	var b castBlock
	for at := 0; len(src) > 0; {
		b.n = min(len(src)/d.from.Size, blockLen)
		if d.from.Kind == KindFloat {
			loadFloats(b.floats[:b.n], src, d.from, d.from.Size)
		} else {
			loadInts(b.ints[:b.n], src, d.from)
		}
		b.find(d)
		if bad := b.cast(d); bad != nil {
			return fmt.Errorf("element %d: %s", at+bad.index, bad.text)
		}
		b.replace(d)
		if d.to.Kind == KindFloat {
			storeFloats(dst, b.floats[:b.n], d.to, d.to.Size)
		} else {
			storeInts(dst, b.ints[:b.n], d.to)
		}
		dst, src, at = dst[b.n*d.to.Size:], src[b.n*d.from.Size:], at+b.n
	}
	return nil
}

// A castBlock is a block of elements on their way. It uses the ints or the floats, as the type has it.
type castBlock struct {
	n      int
	ints   intBlock
	floats floatBlock
	mapped [blockLen]int32 // place in the map of each element, from 1, or 0
}

// A badElement says which element of a block has no value in the decoded type.
type badElement struct {
	index int
	text  string
}

// find looks the elements up in the map.
func (b *castBlock) find(d *castValue) {
	if len(d.keys) == 0 {
		return
	}
	for i := range b.n {
		if d.from.Kind == KindFloat {
			b.mapped[i] = int32(d.index(scalar{float: b.floats[i]})) + 1
		} else {
			b.mapped[i] = int32(d.index(scalar{int: b.ints[i]})) + 1
		}
	}
}

// replace puts the map's values where find has found its keys.
func (b *castBlock) replace(d *castValue) {
	if len(d.keys) == 0 {
		return
	}
	for i, m := range b.mapped[:b.n] {
		if m > 0 {
			b.ints[i], b.floats[i] = d.values[m-1].int, d.values[m-1].float
		}
	}
}

// cast converts the elements. It passes over those that can't be, if they are mapped.
func (b *castBlock) cast(d *castValue) *badElement {
	switch {
	case d.to.Kind == KindFloat && d.from.Kind == KindFloat:
		return b.floatsToFloats(d)
	case d.to.Kind == KindFloat:
		return b.intsToFloats(d)
	case d.from.Kind == KindFloat:
		return b.floatsToInts(d)
	}
	return b.intsToInts(d)
}

func (b *castBlock) intsToInts(d *castValue) *badElement {
	lo, hi := d.to.limits()
	unsigned := d.from.Kind == KindUint
	for i, v := range b.ints[:b.n] {
		switch negative := v < 0 && !unsigned; {
		case negative && v >= lo, !negative && uint64(v) <= hi:
		case d.excess == wrap: // storeInts does it.
		case d.excess == clamp && negative:
			b.ints[i] = lo
		case d.excess == clamp:
			b.ints[i] = int64(hi)
		case b.mapped[i] == 0 && unsigned:
			return &badElement{i, fmt.Sprintf("%d is out of the range of %s", uint64(v), d.to)}
		case b.mapped[i] == 0:
			return &badElement{i, fmt.Sprintf("%d is out of the range of %s", v, d.to)}
		}
	}
	return nil
}

func (b *castBlock) intsToFloats(d *castValue) *badElement {
	unsigned := d.from.Kind == KindUint
	for i, v := range b.ints[:b.n] {
		negative := v < 0 && !unsigned
		u := uint64(v)
		if negative {
			u = -u
		}
		f := roundWhole(u, negative, d.to.Size, d.round)
		if math.Abs(f) > floatMax(d.to.Size) {
			if d.excess != clamp && b.mapped[i] == 0 {
				return &badElement{i, fmt.Sprintf("%v is out of the range of %s", f, d.to)}
			}
			f = math.Copysign(math.Inf(1), f)
		}
		b.floats[i] = f
	}
	return nil
}

func (b *castBlock) floatsToInts(d *castValue) *badElement {
	lo, hi := d.to.limits()
	least, most := float64(lo), math.Ldexp(1, bits.Len64(hi)) // most is the first that is too great
	for i, v := range b.floats[:b.n] {
		r := roundToWhole(v, d.round)
		switch {
		case r >= least && r < 1<<63 && r < most:
			b.ints[i] = int64(r)
		case r >= 1<<63 && r < most:
			b.ints[i] = int64(uint64(r))
		case b.mapped[i] > 0:
		case v-v != 0 || d.excess == refuse: // infinite, or no number
			return &badElement{i, fmt.Sprintf("%v is out of the range of %s", v, d.to)}
		case d.excess == wrap:
			b.ints[i] = wrapFloat(r)
		case r < 0:
			b.ints[i] = lo
		default:
			b.ints[i] = int64(hi)
		}
	}
	return nil
}

// wrapFloat returns a whole number modulo 2^64.
func wrapFloat(f float64) int64 {
	u := uint64(math.Mod(math.Abs(f), 1<<64))
	if f < 0 {
		u = -u
	}
	return int64(u)
}

func (b *castBlock) floatsToFloats(d *castValue) *badElement {
	size, most := d.to.Size, floatMax(d.to.Size)
	for i, v := range b.floats[:b.n] {
		f := roundFloat(v, size)
		if f == v || v != v || d.round == nearestEven && math.Abs(f) <= most {
			b.floats[i] = f
			continue
		}
		f = roundFraction(v, size, d.round)
		if math.Abs(f) > most {
			if d.excess != clamp && b.mapped[i] == 0 {
				return &badElement{i, fmt.Sprintf("%v is out of the range of %s", v, d.to)}
			}
			f = math.Copysign(math.Inf(1), v)
		}
		b.floats[i] = f
	}
	return nil
}

// floatMax returns the greatest finite float of size bytes.
func floatMax(size int) float64 {
	switch size {
	case 2:
		return 65504
	case 4:
		return math.MaxFloat32
	}
	return math.MaxFloat64
}

// roundToWhole rounds f to a whole number.
func roundToWhole(f float64, r rounding) float64 {
	switch r {
	case towardsZero:
		return math.Trunc(f)
	case towardsPositive:
		return math.Ceil(f)
	case towardsNegative:
		return math.Floor(f)
	case nearestAway:
		return math.Round(f)
	}
	return math.RoundToEven(f)
}

// roundFraction rounds f, which is finite, to as many digits as floats of size bytes have. There is no end to their range.
func roundFraction(f float64, size int, r rounding) float64 {
	digits, least := 24, -149
	if size == 2 {
		digits, least = 11, -24
	}
	_, exp := math.Frexp(f)
	unit := max(exp-digits, least) // 2^unit is what neighbors of f differ by
	return math.Ldexp(roundToWhole(math.Ldexp(f, -unit), r), unit)
}

// roundWhole rounds the whole number u, or -u, to as many digits as floats of size bytes have.
func roundWhole(u uint64, negative bool, size int, r rounding) float64 {
	shift := max(bits.Len64(u)-floatDigits(size), 0)
	kept, lost := u>>shift, u&(1<<shift-1)
	half := uint64(1) << shift >> 1
	up := false
	switch r {
	case nearestEven:
		up = lost > half || lost == half && kept&1 == 1
	case nearestAway:
		up = lost >= half
	case towardsPositive:
		up = !negative
	case towardsNegative:
		up = negative
	}
	if up && lost > 0 {
		kept++
	}
	f := math.Ldexp(float64(kept), shift)
	if negative {
		return -f
	}
	return f
}
