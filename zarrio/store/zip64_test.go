package store_test

import (
	"encoding/binary"
	"math"
	"slices"
)

// toZip64 rewrites a zip file without a comment so that its directory has every number in zip64 fields.
func toZip64(file []byte) []byte {
	le := binary.LittleEndian
	end := file[len(file)-22:]
	start, length, count := int(le.Uint32(end[16:])), int(le.Uint32(end[12:])), uint64(le.Uint16(end[10:]))
	out := slices.Clone(file[:start])
	for dir := file[start:][:length]; len(dir) > 0; {
		nameLen, extraLen, commentLen := int(le.Uint16(dir[28:])), int(le.Uint16(dir[30:])), int(le.Uint16(dir[32:]))
		h := slices.Clone(dir[:46+nameLen])
		extra, comment := dir[46+nameLen:][:extraLen], dir[46+nameLen+extraLen:][:commentLen]
		dir = dir[46+nameLen+extraLen+commentLen:]

		wide := le.AppendUint16(nil, 0x9999) // a field that nobody knows comes first
		wide = append(le.AppendUint16(wide, 3), "abc"...)
		wide = le.AppendUint16(le.AppendUint16(wide, 1), 24)
		wide = le.AppendUint64(wide, uint64(le.Uint32(h[24:])))
		wide = le.AppendUint64(wide, uint64(le.Uint32(h[20:])))
		wide = le.AppendUint64(wide, uint64(le.Uint32(h[42:])))
		for _, at := range []int{20, 24, 42} {
			le.PutUint32(h[at:], math.MaxUint32)
		}
		le.PutUint16(h[30:], uint16(len(wide)+extraLen))
		out = slices.Concat(out, h, wide, extra, comment)
	}
	at := uint64(len(out))
	out = le.AppendUint32(out, 0x06064b50)
	out = le.AppendUint64(out, 44)
	out = le.AppendUint16(le.AppendUint16(out, 45), 45)
	out = le.AppendUint32(le.AppendUint32(out, 0), 0)
	out = le.AppendUint64(le.AppendUint64(out, count), count)
	out = le.AppendUint64(le.AppendUint64(out, at-uint64(start)), uint64(start))
	out = le.AppendUint32(le.AppendUint32(out, 0x07064b50), 0)
	out = le.AppendUint32(le.AppendUint64(out, at), 1)
	out = le.AppendUint32(le.AppendUint32(out, 0x06054b50), 0)
	out = le.AppendUint16(le.AppendUint16(out, math.MaxUint16), math.MaxUint16)
	out = le.AppendUint32(le.AppendUint32(out, math.MaxUint32), math.MaxUint32)
	return le.AppendUint16(out, 0)
}
