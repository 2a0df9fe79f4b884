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
	last   []int                    // by step of a sample's parts: the last piece
	at     []int                    // by step of a sample's parts: the index, or -1 if there is none
	spans  []codec.Span             // the bytes that a read needs of its chunk
}

// A shardReads is a row of reads of one shard, which one worker makes.
type shardReads struct {
	last  int32 // index of the row's last read
	count int   // reads of the row
}

// plan makes the plan of a batch. Sample i is the window whose index along each axis is at[i].
func (p *planner) plan(s *sampling, at []point) {
	p.begin(s, len(at))
	for i, w := range at {
		origin, _ := s.windows.by[0].at(w[0])
		p.at, p.last = p.at[:0], p.last[:0]
		most := 0 // channels of a part
		for k := range s.parts {
			part := &s.parts[k]
			if part.shared {
				continue
			}
			most = max(most, len(part.channels))
			if len(part.steps) == 0 { // a static part
				p.at, p.last = append(p.at, 0), append(p.last, -1)
			}
			for _, st := range part.steps {
				index, ok := s.index(origin, st)
				if !ok {
					index = -1
				}
				p.at, p.last = append(p.at, index), append(p.last, -1)
			}
		}
		// Channel by channel: chunks of one array are read one after the other.
		for ch := range most {
			first := 0 // the part's first step in p.at
			for k := range s.parts {
				part := &s.parts[k]
				if part.shared {
					continue
				}
				steps := max(len(part.steps), 1)
				for step := range steps {
					if ch < len(part.channels) && p.at[first+step] >= 0 {
						plane := (i*steps+step)*len(part.channels) + ch
						p.addPlane(s, part, ch, i, p.at[first+step], &p.last[first+step], plane, w)
					}
				}
				first += steps
			}
		}
	}
	p.GroupByRead()
}

// planShared makes the plan of what all batches share.
func (p *planner) planShared(s *sampling) {
	p.begin(s, 1)
	for k := range s.parts {
		last := -1
		for ch := range s.parts[k].channels {
			if s.parts[k].shared {
				p.addPlane(s, &s.parts[k], ch, 0, 0, &last, ch, point{})
			}
		}
	}
	p.GroupByRead()
}

// begin empties the plan.
func (p *planner) begin(s *sampling, samples int) {
	p.Reset(samples)
	p.Outputs = s.outputs
	if p.index == nil {
		p.index = make(map[chunk.Key]int32)
		p.shards = make(map[chunk.Key]shardReads)
	}
	clear(p.index)
	clear(p.shards)
}

// addPlane adds the pieces of a plane of a part: of a channel, at an index along the step dimension,
// for a sample whose window is w. plane is the number of the plane in the part. last is the last piece
// of the sample's part at this step, or -1.
func (p *planner) addPlane(s *sampling, part *part, ch, sample, step int, last *int, plane int, w point) {
	var window [2][1]gridRun
	var box [2][]gridRun
	for d := range box {
		if box[d] = part.crop[d]; box[d] == nil {
			lo, n := s.windows.by[d+1].at(w[d+1])
			window[d][0] = gridRun{lo, n}
			box[d] = window[d][:]
		}
	}
	dst := part.offset + plane*part.plane*part.dtype.Size
	chunk, src := part.channels[ch].field(s, step, &w)
	row := 0
	for _, y := range box[0] {
		col := 0
		for _, x := range box[1] {
			p.addField(part, ch, sample, chunk, src, last, dst+(row*part.n[1]+col)*part.dtype.Size, [2]gridRun{y, x})
			col += x.n
		}
		row += y.n
	}
}

// addField adds the pieces of one field: of a channel's rows and columns in box. The plane's first
// element is element src of a chunk. dst is the byte of the memory that the field begins at. last is
// as for addPlane.
func (p *planner) addField(part *part, ch, sample, chunk, src int, last *int, dst int, box [2]gridRun) {
	c, size := &part.channels[ch], part.dtype.Size
	row, col := c.grid[0], c.grid[1]
	y0, x0 := box[0].lo, box[1].lo
	for y := y0; y < y0+box[0].n; {
		y1 := min((y/row.n+1)*row.n, y0+box[0].n)
		for x := x0; x < x0+box[1].n; {
			x1 := min((x/col.n+1)*col.n, x0+box[1].n)
			piece := plan.Piece{
				Read:   p.read(c, chunk+y/row.n*row.chunkBy+x/col.n*col.chunkBy),
				Output: part.output[ch],
				Sample: sample,
				Src:    src + y%row.n*row.srcBy + x%col.n*col.srcBy,
				Dst:    dst + ((y-y0)*part.n[1]+x-x0)*size,
				N:      [2]int{y1 - y, x1 - x},
				SrcBy:  [2]int{row.srcBy, col.srcBy},
				DstBy:  [2]int{part.n[1], 1},
			}
			if p.Outputs[piece.Output].Convert != nil {
				p.Reads[piece.Read].Converts = true
			}
			if *last < 0 || !p.Pieces[*last].Extend(&piece, size) {
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
