package chunk

import "zarrbench/zarrio/codec"

// ReadGap is the largest gap between two ranges of a local file that is read through: a second read
// call costs about as much as copying so many bytes.
const ReadGap = 64 << 10

// partsCostLess reports whether reading the spans of a chunk of n bytes in parts, by two reads,
// costs less than reading size bytes by one. The chunk's head is not known yet, so the spans are
// taken to be compressed as well as the rest.
func (a *Array) partsCostLess(size float64, n int, spans []codec.Span) bool {
	need := float64(SpanBytes(spans)) / float64(n) * size
	return a.sendsRanges() && float64(a.parts.HeadLen(n))+float64(a.Source.gap)+need < size
}

// InParts reports whether the spans of a chunk of n bytes are read and decoded without the rest, as
// far as can be told without looking at the chunk.
func (a *Array) InParts(n int, spans []codec.Span) bool {
	return a.Raw() || a.parts != nil && a.partsCostLess(float64(n), n, spans)
}

// DecodesParts reports whether spans of a chunk can be decoded without the rest.
func (a *Array) DecodesParts() bool { return a.parts != nil }

// partsMayPay reports whether it is worth to find out whether a chunk should be read in parts. What
// is known without its value is taken into account.
func (r *Reader) partsMayPay(a *Array, chunk, n int, spans []codec.Span) bool {
	return len(a.Pipe.Levels) > 0 || a.partsCostLess(float64(n), n, spans)
}

// sendsRanges reports whether the store sends only the bytes that are asked for. A server that
// ignores ranges should have the whole value read at once.
func (a *Array) sendsRanges() bool {
	if a.Source.coalescer == nil {
		return true
	}
	gap, most := a.Source.coalescer.Coalesce()
	return gap < most
}
