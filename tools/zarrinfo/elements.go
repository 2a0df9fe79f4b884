package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"zarrbench/zarrio"
	"zarrbench/zarrio/cf"
)

// printElements prints the array in a directory: each element as a fill value in a Zarr v3 document would be, one a line, in C
// order. It is what the command lines of Zarr implementations share for conformance tests; the spelling is that of zarrs.
func printElements(ctx context.Context, out *bufio.Writer, dir string) (err error) {
	g, err := zarrio.Open(ctx, dir, zarrio.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	a, err := g.Array(ctx, "")
	if err != nil {
		return err
	}
	// A row of chunks at a time.
	m, rows := a.Metadata(), 1
	sel := zarrio.Selection(nil)
	if len(m.Shape) > 0 {
		rows, sel = m.Shape[0], make(zarrio.Selection, 1)
	}
	var buf, line []byte
	for row := 0; row < rows; {
		elements, next := volume(m.Shape), rows
		if sel != nil {
			next = min(row+m.Chunks[0], rows)
			sel[0] = zarrio.Span(row, next)
			elements = elements / rows * (next - row)
		}
		if need := elements * m.DType.Size; len(buf) < need {
			buf = make([]byte, need)
		}
		if _, err := a.ReadInto(ctx, sel, buf[:elements*m.DType.Size]); err != nil {
			return err
		}
		for i := range elements {
			line = append(appendElement(line[:0], buf[i*m.DType.Size:][:m.DType.Size], m.DType), '\n')
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		row = next
	}
	return nil
}

// appendElement appends an element, which is in the machine's byte order, as the JSON of a fill value.
func appendElement(dst, e []byte, d zarrio.DType) []byte {
	switch d.Kind {
	case zarrio.Bool:
		return strconv.AppendBool(dst, e[0] != 0)
	case zarrio.Int:
		shift := 64 - 8*len(e)
		return strconv.AppendInt(dst, int64(bits(e)<<shift)>>shift, 10)
	case zarrio.Uint:
		return strconv.AppendUint(dst, bits(e), 10)
	case zarrio.Datetime, zarrio.Timedelta:
		if t := int64(bits(e)); t != math.MinInt64 {
			return strconv.AppendInt(dst, t, 10)
		}
		return append(dst, `"NaT"`...)
	case zarrio.Float:
		return appendFloat(dst, e)
	case zarrio.Complex:
		dst = append(appendFloat(append(dst, '['), e[:len(e)/2]), ',')
		return append(appendFloat(dst, e[len(e)/2:]), ']')
	}
	dst = append(dst, '[') // raw bits, as bytes
	for i, b := range e {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(b), 10)
	}
	return append(dst, ']')
}

// bits returns the bits of a number of up to eight bytes.
func bits(e []byte) uint64 {
	switch len(e) {
	case 1:
		return uint64(e[0])
	case 2:
		return uint64(binary.NativeEndian.Uint16(e))
	case 4:
		return uint64(binary.NativeEndian.Uint32(e))
	}
	return binary.NativeEndian.Uint64(e)
}

// appendFloat appends a float as a float64 that no reader takes for an integer. A NaN other than the usual one is given by its
// bits.
func appendFloat(dst, e []byte) []byte {
	u := bits(e)
	var f float64
	usual := uint64(0x7ff8000000000000)
	switch len(e) {
	case 2:
		var single [1]float32
		cf.FromHalf(single[:], []uint16{uint16(u)})
		f, usual = float64(single[0]), 0x7e00
	case 4:
		f, usual = float64(math.Float32frombits(uint32(u))), 0x7fc00000
	default:
		f = math.Float64frombits(u)
	}
	switch {
	case u == usual:
		return append(dst, `"NaN"`...)
	case f != f:
		return fmt.Appendf(dst, `"0x%0*x"`, 2*len(e), u)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	digits := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exp, _ := strings.Cut(digits, "e")
	if x, _ := strconv.Atoi(exp); x >= -5 && x <= 15 {
		from := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
		if !strings.Contains(string(dst[from:]), ".") {
			dst = append(dst, ".0"...)
		}
		return dst
	}
	return append(append(append(append(dst, mantissa...), 'e'), exp[0]), strings.TrimLeft(exp[1:], "0")...)
}
