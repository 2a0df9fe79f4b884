package chunk

import (
	"context"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/fileio"
)

// ReadGap is the largest gap between two ranges of a local file that is read through, if nothing is
// known of how the file is read.
const ReadGap = fileio.DiskGap

// gap returns the gap that is read through between spans of an uncompressed chunk.
func (r *Reader) gap(ctx context.Context, a *Array, chunk int, spans []codec.Span) int64 {
	if a.Source.priced || len(spans) < 2 {
		return a.Source.gap
	}
	if r.Files == nil || a.Source.files == nil {
		return fileio.BufferedGap
	}
	if len(a.Pipe.Levels) == 0 && r.open(ctx, a, chunk) == nil && r.shard.value == &r.value {
		return r.value.file.Gap(int64(spans[0].Lo), spans[len(spans)-1].Hi-spans[0].Lo)
	}
	return ReadGap // reading reports an error
}

// ReadsBlocks reports whether it costs no more to load need of a chunk block by block than at once: all
// of the chunk is needed and it is decoded in parts, or it is an uncompressed file, which the page cache
// holds or all of which goes through it. The file may stay open, for the read that follows.
func (r *Reader) ReadsBlocks(ctx context.Context, a *Array, chunk int, need []codec.Span) bool {
	switch {
	case a.DecodesParts():
		return SpanBytes(need) == a.ChunkBytes()
	case !a.Raw() || !a.Prefetches():
		return false
	case r.Files == nil:
		return true
	}
	err := r.open(ctx, a, chunk) // reading reports an error
	return err == nil && r.shard.value == &r.value && r.value.file.Cached(0, a.ChunkBytes())
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
func (a *Array) partsMayPay(n int, spans []codec.Span) bool {
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
