//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"cmp"
	"slices"

	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/tensor"
)

// A strip is a part of a piece that one read brings: several whole rows, or a part of one row. Its
// rows have width bytes, and are pitch bytes apart in the file.
type strip struct {
	piece *plan.Piece
	row   int // the piece's row where the strip begins
	col   int // offset within that row in bytes
	rows  int
	width int
	pitch int
	off   int64 // in the file
	run   int   // bytes of the run in the file that the strip is a part of
}

// end returns the offset in the file where the strip ends.
func (q *strip) end() int64 { return q.off + int64((q.rows-1)*q.pitch+q.width) }

// pageEnd returns the offset in the file where the strip's last page ends.
func (q *strip) pageEnd() int64 { return (q.end() + tensor.PageSize - 1) &^ (tensor.PageSize - 1) }

// batchOffset returns the strip's offset in the batch, whose elements have size bytes.
func (q *strip) batchOffset(size int) int {
	return q.piece.Dst + q.row*q.piece.DstBy[0]*size + q.col
}

// sameBytes reports whether q and o are the same bytes of a file.
func (q *strip) sameBytes(o *strip) bool {
	return q.off == o.off && q.rows == o.rows && q.width == o.width && q.pitch == o.pitch
}

// cutPieces cuts a chunk's pieces into strips that fit one read each, and appends them to strips in
// the order of the file. The chunk begins at offset base of its file; its elements have size bytes.
func (e *gdsEngine) cutPieces(strips []strip, pieces []plan.Piece, base int64, size int) []strip {
	for i := range pieces {
		strips = e.cutPiece(strips, &pieces[i], len(pieces) > 1, base, size)
	}
	byOffset := func(a, b strip) int { return cmp.Compare(a.off, b.off) }
	if !slices.IsSortedFunc(strips, byOffset) {
		slices.SortStableFunc(strips, byOffset)
	}
	return strips
}

// cutPiece cuts one piece into strips, and appends them. Bytes between rows that are far apart are
// in no strip. If the chunk has several pieces, those too large for one read are all cut at the
// same offsets of the chunk, so that one read serves all strips between two cuts.
func (e *gdsEngine) cutPiece(
	strips []strip, q *plan.Piece, several bool, base int64, size int,
) []strip {
	src := q.Src * size // in the chunk
	off := base + int64(src)
	rows, width, pitch, dstPitch := q.N[0], q.N[1]*size, q.SrcBy[0]*size, q.DstBy[0]*size
	if rows == 1 || pitch == width && dstPitch == width {
		rows, width, pitch = 1, rows*width, rows*width
	}
	if rows*width == 0 {
		return strips
	}
	most := e.room(off, pitch, rows)
	// Rows that one read brings, and bytes of the file without a gap of more than stripGap.
	together, run := 1, width
	if pitch >= width && pitch-width <= stripGap && width <= most {
		together = (most-width)/pitch + 1
		run = (rows-1)*pitch + width
	}
	cell, cellRows := 0, 0 // bytes between two cuts of a row, and rows between two cuts
	if several {
		room := e.room(base, pitch, rows)
		if width > most {
			cell = room
		}
		if together > 1 && rows*pitch > room {
			cellRows = max(1, room/pitch)
		}
	}
	for row := 0; row < rows; {
		k := min(together, rows-row)
		if cellRows > 0 {
			k = min(k, cellRows-(src/pitch+row)%cellRows)
		}
		for col := 0; col < width; {
			n := min(most, width-col)
			if cell > 0 {
				n = min(cell-(src+row*pitch+col)%cell, width-col)
			}
			strips = append(strips, strip{
				piece: q, row: row, col: col, rows: k, width: n, pitch: pitch,
				off: off + int64(row*pitch+col), run: run,
			})
			col += n
		}
		row += k
	}
	return strips
}

// room returns how many bytes at offset off one read can bring. Reads begin and end at pages, so
// that is a page less than a slot unless off and the rows are aligned.
func (e *gdsEngine) room(off int64, pitch, rows int) int {
	if off%tensor.PageSize == 0 && (rows == 1 || pitch%tensor.PageSize == 0) {
		return e.slotBytes()
	}
	return e.slotBytes() - tensor.PageSize
}

// slotBytes returns the size of the largest transfer in bytes, a multiple of a page.
func (e *gdsEngine) slotBytes() int {
	size := e.bounce.size
	if e.slots != nil {
		size = min(size, e.slots.size)
		if e.submit == SubmitBatch {
			size = min(size, e.depth*e.maxRead)
		}
	}
	return size
}

// together returns how many of the first strips one read should bring. They fit a slot, and each
// shares a page with those before it, so that one read for all reads fewer bytes than one for each.
// A strip that begins on the next page joins them too, unless it may be read straight into mem.
func (e *gdsEngine) together(strips []strip, mem *memory) int {
	size, inPlace := int64(e.slotBytes()), mem != nil && mem.registered
	start, end := strips[0].off&^(tensor.PageSize-1), strips[0].pageEnd()
	for i := range strips[1:] {
		q := &strips[1+i]
		if q.off > end || q.off == end && inPlace && q.rows == 1 || q.pageEnd()-start > size {
			return 1 + i
		}
		end = max(end, q.pageEnd())
	}
	return len(strips)
}

// newTransfer returns the transfer that reads strips from f.
func newTransfer(r *plan.ChunkRead, f *openedFile, strips []strip, mem *memory) transfer {
	t := transfer{read: r, file: f, strips: strips, off: strips[0].off, mem: mem}
	end := t.off
	for i := range strips {
		end = max(end, strips[i].end())
		t.run = max(t.run, strips[i].run)
	}
	t.n = int(end - t.off)
	t.run = max(t.run, t.n)
	return t
}

// stripGap is the largest gap between two rows of a file that cuFile reads through. It was not
// measured on a GPU.
const stripGap = 64 << 10
