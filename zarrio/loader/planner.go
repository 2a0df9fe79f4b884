package loader

import (
	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
)

// A planner makes the plans of batches. It reuses its memory from plan to plan.
type planner struct {
	plan.Plan
	index  map[chunk.Key]int32      // the index of each chunk's read in the plan
	shards map[chunk.Key]shardReads // the last row of each shard
	last   []int                    // by step of a window: the last piece
	spans  []codec.Span             // the bytes that a read needs of its chunk
}

// A shardReads is a row of reads of one shard, which one worker makes.
type shardReads struct {
	last  int32 // index of the row's last read
	count int   // reads of the row
}

// A batchLayout is how the tensors of a batch lie in its memory.
type batchLayout struct {
	tensor int // distance between the tensors of two window steps, in bytes
	plane  int // distance between two planes, in elements
	rows   int // extents of a plane
	cols   int
	size   int // bytes an element
}

// plan makes the plan of a batch. Sample i is the window whose index along each dimension is at[i].
func (p *planner) plan(channels []channel, c *windowing, at [][3]int, to *batchLayout) {
	p.Reset(len(at))
	p.TensorStride, p.PlaneStride, p.PlaneBytes = to.tensor, to.plane*to.size, to.rows*to.cols*to.size
	if p.index == nil {
		p.index = make(map[chunk.Key]int32)
		p.shards = make(map[chunk.Key]shardReads)
	}
	clear(p.index)
	clear(p.shards)
	for i, w := range at {
		p.last = p.last[:0]
		step0, steps := c.by[0].at(w[0])
		row0, rows := c.by[1].at(w[1])
		col0, cols := c.by[2].at(w[2])
		for range steps {
			p.last = append(p.last, -1)
		}
		for ch := range channels {
			for s := range steps {
				dst := s*to.tensor + (i*len(channels)+ch)*to.plane*to.size
				p.addField(&channels[ch], i, step0+s, &p.last[s], dst, [2]int{row0, col0}, [2]int{rows, cols}, to)
			}
		}
	}
	p.GroupByRead()
}

// addField adds the pieces of one field: of the channel's grid, n rows and columns from index lo
// on, at one step. dst is the byte of the batch that the field begins at. last is the index of the
// sample's last piece at this step, or -1.
func (p *planner) addField(c *channel, sample, step int, last *int, dst int, lo, n [2]int, to *batchLayout) {
	chunk, src := c.chunk0, c.src0
	if c.step.n > 0 {
		chunk += step / c.step.n * c.step.chunkBy
		src += step % c.step.n * c.step.srcBy
	}
	row, col := c.grid[0], c.grid[1]
	for y := lo[0]; y < lo[0]+n[0]; {
		y1 := min((y/row.n+1)*row.n, lo[0]+n[0])
		for x := lo[1]; x < lo[1]+n[1]; {
			x1 := min((x/col.n+1)*col.n, lo[1]+n[1])
			piece := plan.Piece{
				Read:   p.read(c, chunk+y/row.n*row.chunkBy+x/col.n*col.chunkBy),
				Sample: sample,
				Src:    src + y%row.n*row.srcBy + x%col.n*col.srcBy,
				Dst:    dst + ((y-lo[0])*to.cols+x-lo[1])*to.size,
				N:      [2]int{y1 - y, x1 - x},
				SrcBy:  [2]int{row.srcBy, col.srcBy},
				DstBy:  [2]int{to.cols, 1},
			}
			if *last < 0 || !p.Pieces[*last].Extend(&piece, to.size) {
				*last = len(p.Pieces)
				p.Pieces = append(p.Pieces, piece)
			}
			x = x1
		}
		y = y1
	}
}

// read returns the index of the plan's read of a chunk. It adds a read if the plan has none yet.
func (p *planner) read(c *channel, number int) int {
	key := chunk.Key{Array: c.array.Chunks(), Number: number}
	i, ok := p.index[key]
	if !ok {
		i = int32(len(p.Reads))
		p.index[key] = i
		p.Reads = append(p.Reads, plan.ChunkRead{Array: c.array.Chunks(), Chunk: number})
		p.follow(c, i)
	}
	return int(i)
}

// follow appends a read to the row of its shard, or begins a new row if there is none or it is
// full.
func (p *planner) follow(c *channel, i int32) {
	a := c.array.Chunks()
	levels := a.Pipe.Levels
	if len(levels) == 0 {
		p.RowHeads = append(p.RowHeads, i)
		return
	}
	var memory [meta.MaxRank]int
	coords := memory[:len(a.Grid.Counts)]
	a.Grid.Coords(coords, p.Reads[i].Chunk)
	shard, _, _ := levels[0].Place(coords, a.Grid.Chunks)
	key := chunk.Key{Array: a, Number: shard}
	row := p.shards[key]
	if row.count == 0 || row.count == a.GroupLimit() {
		p.RowHeads = append(p.RowHeads, i)
		row.count = 0
	} else {
		p.Reads[row.last].Next = i
	}
	p.shards[key] = shardReads{last: i, count: row.count + 1}
}

// keep marks the reads of chunks that the next plan needs too. A chunk that is read in parts is
// marked only if both plans need the same bytes of it.
func (p *planner) keep(next *planner) {
	p.After = &next.Plan
	for i := range p.Reads {
		r := &p.Reads[i]
		j, ok := next.index[r.Key()]
		if ok {
			need := p.needed(r)
			ok = !r.Array.InParts(r.Array.ChunkBytes(), need) || overlap(need, next.needed(&next.Reads[j]))
		}
		r.Keep = ok
	}
}

// needed returns the bytes that the plan needs of a chunk. They are valid until the next call.
func (p *planner) needed(r *plan.ChunkRead) []codec.Span {
	p.spans = plan.Needed(p.spans, p.Pieces[r.First:r.First+r.Count], r.Array.Meta.DType.Size)
	return p.spans
}

// overlap reports whether two lists of spans, which ascend, have a byte in common.
func overlap(a, b []codec.Span) bool {
	i := 0
	for _, s := range b {
		for i < len(a) && a[i].Hi <= s.Lo {
			i++
		}
		if i < len(a) && a[i].Lo < s.Hi {
			return true
		}
	}
	return false
}
