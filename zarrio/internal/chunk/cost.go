package chunk

import (
	"context"

	"zarrbench/zarrio/codec"
)

// What a read costs besides its bytes, as the number of bytes that take as long: a larger gap
// between two ranges is skipped rather than read through. Measured on ext4 with rows of 192 bytes
// that were 1 to 64 KiB apart: 5 to 10 KB in the page cache, 20 to 29 KB through it from a disk, and
// 18 to 33 KB around it.
const (
	ReadGap     = 32 << 10 // from a disk, and if nothing is known
	bufferedGap = 16 << 10 // through the page cache, which may hold the bytes or not
)

// gap returns the gap that is read through between spans of an uncompressed chunk.
func (r *Reader) gap(ctx context.Context, a *Array, chunk int, spans []codec.Span) int64 {
	if a.Source.priced || len(spans) < 2 {
		return a.Source.gap
	}
	if r.Files == nil || a.Source.files == nil {
		return bufferedGap
	}
	if len(a.Pipe.Levels) == 0 && r.open(ctx, a, chunk) == nil && r.shard.value == &r.value {
		return r.value.file.Gap(int64(spans[0].Lo), spans[len(spans)-1].Hi-spans[0].Lo)
	}
	return ReadGap // reading reports an error
}

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
	if a.Raw() {
		return int64(n-SpanBytes(spans)) > a.Source.gap
	}
	return a.parts != nil && a.partsCostLess(float64(n), n, spans)
}

// DecodesParts reports whether spans of a chunk can be decoded without the rest.
func (a *Array) DecodesParts() bool { return a.parts != nil }

// partsMayPay reports whether it is worth to find out whether a chunk should be read in parts. What
// is known without its value is taken into account.
func (r *Reader) partsMayPay(a *Array, n int, spans []codec.Span) bool {
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

// Working returns how many bytes of memory a reader takes at most, as far as can be told without
// looking at the chunk, to load spans of a chunk of n bytes. inPlace reports whether they are loaded
// straight to where they belong.
func (a *Array) Working(n int, spans []codec.Span, inPlace bool) int64 {
	need := SpanBytes(spans)
	switch {
	case a.Raw() && inPlace:
		return 0
	case a.Raw():
		return int64(need)
	case a.InParts(n, spans): // a range, and a block at its end
		stored := min(a.Source.size, int64(need)) + largeBlock
		if inPlace {
			return stored
		}
		return stored + int64(need)
	case inPlace:
		return int64(n)
	}
	return int64(n) + int64(n)
}

// largeBlock is about as large as the blocks of Blosc get, unless the writer chose another size.
const largeBlock = 1 << 20

// Tables returns how many bytes the indices of the array's shards and the heads of its chunks take
// at most.
func (a *Array) Tables() int64 {
	n := int64(0)
	if len(a.Pipe.Levels) > 0 {
		n += maxTableBytes
	}
	if a.parts != nil {
		chunks := int64(1)
		for _, c := range a.Grid.Counts {
			chunks = min(chunks*int64(c), maxTableBytes)
		}
		n += min(maxTableBytes, chunks*int64(a.parts.HeadLen(a.ChunkBytes())/8+tableOverhead))
	}
	return n
}
