//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"cmp"
	"slices"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/tensor"
)

// A strip is rows of a piece, or a part of one: rows rows of width bytes, pitch bytes apart in the file.
type strip struct {
	piece *plan.Piece
	row   int // of the piece, the first one
	col   int // where in it, in bytes
	rows  int
	width int
	pitch int
	off   int64 // in the file
	run   int   // bytes of the run in the file that it is a part of
}

// end returns where in the file the strip ends.
func (q *strip) end() int64 { return q.off + int64((q.rows-1)*q.pitch+q.width) }

// pageEnd returns where in the file its last page ends.
func (q *strip) pageEnd() int64 { return (q.end() + tensor.PageSize - 1) &^ (tensor.PageSize - 1) }

// batchOffset returns where in the batch the strip belongs, whose elements have size bytes.
func (q *strip) batchOffset(size int) int { return q.piece.Dst + q.row*q.piece.DstBy[0]*size + q.col }

// sameBytes reports whether two strips are the same bytes of a file.
func (q *strip) sameBytes(o *strip) bool {
	return q.off == o.off && q.rows == o.rows && q.width == o.width && q.pitch == o.pitch
}

// cutPieces appends the strips that a chunk's pieces are read in to strips, in the order of the file. The chunk begins at base of its
// file, its elements have size bytes, and each strip fits one read.
func (e *gdsEngine) cutPieces(strips []strip, pieces []plan.Piece, base int64, size int) []strip {
	for i := range pieces {
		strips = e.cutPiece(strips, &pieces[i], len(pieces) > 1, base, size)
	}
	if byOffset := func(a, b strip) int { return cmp.Compare(a.off, b.off) }; !slices.IsSortedFunc(strips, byOffset) {
		slices.SortStableFunc(strips, byOffset)
	}
	return strips
}

// cutPiece cuts a piece, leaving out what lies between rows that are far apart. Of several pieces, those that one read can't
// bring are cut at the same places of the chunk, so that one read brings all that lies between two cuts.
func (e *gdsEngine) cutPiece(strips []strip, q *plan.Piece, several bool, base int64, size int) []strip {
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
	together, run := 1, width // rows that are read at once, and the bytes that lie side by side but for small gaps
	if pitch >= width && pitch-width <= chunk.ReadGap && width <= most {
		together = (most-width)/pitch + 1
		run = (rows-1)*pitch + width
	}
	cell, cellRows := 0, 0 // between two cuts, of a row and of rows
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
			strips = append(strips, strip{piece: q, row: row, col: col, rows: k, width: n, pitch: pitch, off: off + int64(row*pitch+col), run: run})
			col += n
		}
		row += k
	}
	return strips
}

// room returns how many bytes one read can bring from off on: what is left of a slot when the read begins and ends on pages.
func (e *gdsEngine) room(off int64, pitch, rows int) int {
	if off%tensor.PageSize == 0 && (rows == 1 || pitch%tensor.PageSize == 0) {
		return e.slotBytes()
	}
	return e.slotBytes() - tensor.PageSize
}

// slotBytes returns the most bytes of one read, in whole pages.
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

// together returns how many of the first strips one read brings, for mem: all of them fit a slot, and each shares a page with
// those before it, so that to read them at once is less than one by one. One that begins on the page behind them joins them
// unless it may be read straight into mem.
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

// newTransfer returns the read of strips that together found.
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
