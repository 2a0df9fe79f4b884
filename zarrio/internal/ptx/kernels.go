package ptx

import "zarrbench/internal/loss"

// The names of the kernels in [Source].
const (
	NameSegmentSquares = "segment_squares"
	NamePlaneSums      = "plane_sums"
	NamePlaneCRCs      = "plane_crcs"
	NameCopyRows       = "copy_rows"
	NameFillPattern    = "fill_pattern"
	NameCopyBoxes      = "copy_boxes"
)

// Block is the number of threads of a block of every kernel.
const Block = 256

// maxGrid is the largest grid of a launch. Kernels whose grid is smaller than their work take it in turns.
const maxGrid = 1 << 20

// columns is how many units of a row a thread of [CopyRows] and [FillPattern] takes in a turn.
const columns = 16

// Segments returns the number of segments of a plane of so many elements, as package loss cuts it.
func Segments(elements uint64) uint64 { return (elements + loss.Segment - 1) / loss.Segment }

// SegmentSquares sums the squares of the differences of float32 planes a and b, whose first elements lie strideA and strideB
// bytes apart, segment by segment, to the bit as package loss defines it. out holds planes*[Segments](elements) float64:
// those of a plane lie together. a, b and their strides are multiples of 4, out of 8. a and b may be the same memory.
func SegmentSquares(a, b, strideA, strideB, elements, planes, out uint64) (grid, block uint32, args [8]uint64) {
	segments := Segments(elements)
	return blocks(segments*planes, Block/loss.Lanes), Block, [8]uint64{a, b, strideA, strideB, elements, segments, planes, out}
}

// PlaneSums adds the sums of each plane's segments, in order, to +0. in is what [SegmentSquares] wrote, out holds a float64
// a plane: what loss.SquaredError gives for it.
func PlaneSums(in, segments, planes, out uint64) (grid, block uint32, args [4]uint64) {
	return blocks(planes, Block), Block, [4]uint64{in, segments, planes, out}
}

// PlaneCRCs computes the CRC-32 (IEEE) of every piece of pieceBytes bytes of planes of so many bytes, stride bytes apart; the
// last piece of a plane may be shorter. table is where [CRCTable] lies, a multiple of 4, and out holds [Pieces] uint32 a
// plane, which a [Joiner] makes the plane's. Base and stride may be any, and loads are widest where pieces lie on multiples
// of 16. pieceBytes must not be 0.
func PlaneCRCs(base, stride, bytes, pieceBytes, planes, table, out uint64) (grid, block uint32, args [8]uint64) {
	pieces := Pieces(bytes, pieceBytes)
	return blocks(pieces*planes, Block), Block, [8]uint64{base, stride, bytes, pieces, pieceBytes, planes, table, out}
}

// Pieces returns the number of pieces of pieceBytes bytes, of which the last may be shorter, that so many bytes have.
func Pieces(bytes, pieceBytes uint64) uint64 { return (bytes + pieceBytes - 1) / pieceBytes }

// CopyRows copies rows of width bytes, whose starts lie dstPitch and srcPitch bytes apart. The rows of dst must not overlap
// each other or src. It moves 16 bytes at a time where addresses, pitches and width are multiples of 16, 4 where they are
// multiples of 4, and otherwise single bytes.
func CopyRows(dst, dstPitch, src, srcPitch, width, rows uint64) (grid, block uint32, args [6]uint64) {
	return rowBlocks(width/rowUnit(dst|dstPitch|src|srcPitch|width), rows), Block, [6]uint64{dst, dstPitch, src, srcPitch, width, rows}
}

// FillPattern writes rows of elements, whose starts lie dstPitch bytes apart. An element is the first size bytes, 1, 2, 4, 8
// or 16, of lo and hi in the order of memory: the lowest byte of lo comes first. It is as fast as [CopyRows].
func FillPattern(dst, dstPitch, lo, hi, size, elements, rows uint64) (grid, block uint32, args [7]uint64) {
	width := elements * size
	return rowBlocks(width/rowUnit(dst|dstPitch|width), rows), Block, [7]uint64{dst, dstPitch, lo, hi, size, elements, rows}
}

// A Box is rows of bytes that [CopyBoxes] copies. Rows of Dst must overlap no others.
type Box struct {
	Dst      uint64 // an address
	Src      uint32 // bytes from the source's start
	SrcPitch uint32 // from the start of a row to that of the next
	DstPitch uint32
	Width    uint32
	Rows     uint32
	_        uint32
}

// BoxBytes is the size of a [Box], and what a list of them is aligned to a half of.
const BoxBytes = 32

// BoxPart is how many bytes a box should have at most: a block of threads copies each, and a GPU has many.
const BoxPart = 16 << 10

// CopyBoxes copies count boxes, whose list lies at boxes, a multiple of 16. Units are those of [CopyRows], box by box.
func CopyBoxes(src, boxes, count uint64) (grid, block uint32, args [3]uint64) {
	return blocks(count, 1), Block, [3]uint64{src, boxes, count}
}

// blocks returns the grid for n pieces of work, of which a block takes each at a time.
func blocks(n, each uint64) uint32 { return uint32(min((n+each-1)/each, maxGrid)) }

// rowUnit returns how many bytes a row kernel moves at a time, all being every number that must be a multiple of it.
func rowUnit(all uint64) uint64 {
	switch {
	case all%16 == 0:
		return 16
	case all%4 == 0:
		return 4
	}
	return 1
}

// rowBlocks returns the grid of a row kernel: a group of threads, a power of two of them, takes [columns] units a thread of one
// row, and a block has as many groups as fit.
func rowBlocks(units, rows uint64) uint32 {
	group := uint64(1)
	for group < Block && group < units {
		group *= 2
	}
	turns := (units + group*columns - 1) / (group * columns)
	return uint32(min(turns*((rows+Block/group-1)/(Block/group)), maxGrid))
}
