package main

import (
	"encoding/binary"
	"fmt"
	"strings"

	"zarrbench/zarrio"
)

// engines are those of package zarrio: cpu ends in host memory, host goes on from there to a GPU, and gds reads files into a
// GPU's memory.
var engines = []string{"cpu", "host", "gds"}

// advice says how an engine reads an array's chunks.
type advice struct {
	Direct bool   `json:"direct"`             // straight into place, without a copy on the way
	How    string `json:"how"`                // what is done, or why it can't be done
	Store  string `json:"store_as,omitempty"` // how to store the array so that it is direct
}

// advise says it of each engine. unread is why elements can't be read at all, or nil; files says that chunks are plain files.
func advise(m *zarrio.Metadata, s zarrio.Storage, unread error, files bool) map[string]advice {
	all := map[string]advice{}
	for _, e := range engines {
		switch {
		case unread != nil:
			all[e] = advice{How: "not at all: " + unread.Error(), Store: want(m, e == "gds")}
		case m.Extents != nil && s.Shard == nil:
			all[e] = advice{How: "not at all: chunks differ in their extents, and loaders take regular grids only", Store: want(m, e == "gds")}
		case !m.DType.Numeric():
			all[e] = advice{How: "not at all: elements of type " + printable(m.DType.String()) + " are no numbers"}
		default:
			all[e] = adviseEngine(e, m, s, files)
		}
	}
	return all
}

// adviseEngine is advise for an array of numbers that can be read.
func adviseEngine(engine string, m *zarrio.Metadata, s zarrio.Storage, files bool) advice {
	blocks := engine == "cpu" && s.Blocks
	why := obstacles(m, s, blocks)
	if engine == "gds" { // which reads parts of planes by rows, and decodes nothing
		why = why[:0]
		if !s.COrder {
			why = append(why, orderObstacle)
		}
		if len(s.Codecs) > 0 {
			why = append(why, "chunks are encoded ("+printable(strings.Join(s.Codecs, ", "))+")")
		}
		if !s.Native {
			why = append(why, "elements are not in this machine's byte order")
		}
		if !files {
			why = append(why, "chunks are not plain local files")
		}
	}
	if len(why) > 0 {
		how := map[string]string{"cpu": "decoded aside, then copied into place: ", "host": "decoded aside, copied into place, then to the GPU: ",
			"gds": "not by cuFile: "}[engine]
		return advice{How: how + strings.Join(why, "; "), Store: want(m, engine == "gds")}
	}
	how := "read straight into "
	if len(s.Codecs) > 0 {
		how = "decoded straight into "
	}
	how += map[string]string{"cpu": "place", "host": "host memory", "gds": "GPU memory"}[engine]
	switch {
	case engine == "gds" && len(obstacles(m, s, false)) > 0:
		how += ", by rows"
	case blocks && len(obstacles(m, s, false)) > 0:
		how += ", block by block, but for blocks that lie in several planes"
	}
	if !s.Native {
		how += ", where the byte order is changed"
	}
	if engine == "host" {
		how += ", then copied to the GPU"
	}
	return advice{Direct: true, How: how}
}

const orderObstacle = "the dimensions are not in C order"

// obstacles says why a chunk's elements can't be brought straight into place, where they lie as planes of the last two
// dimensions: a decoded chunk must be one run of them. Of a chunk that is not encoded, and of one that is decoded block by block,
// what is needed of a plane must be one.
func obstacles(m *zarrio.Metadata, s zarrio.Storage, blocks bool) []string {
	var why []string
	if !s.COrder {
		why = append(why, orderObstacle)
	}
	rank := len(s.Chunk)
	if rank >= 2 && min(s.Chunk[rank-2], m.Shape[rank-2]) > 1 && s.Chunk[rank-1] != m.Shape[rank-1] {
		why = append(why, fmt.Sprintf("along %s, chunks have %d elements and the array %d", dimension(m, rank-1), s.Chunk[rank-1], m.Shape[rank-1]))
	}
	if len(s.Codecs) == 0 || blocks {
		return why
	}
	for i := max(rank-2, 0); i < rank; i++ {
		if m.Shape[i]%s.Chunk[i] != 0 {
			why = append(why, fmt.Sprintf("along %s, encoded chunks of %d reach beyond the array's %d", dimension(m, i), s.Chunk[i], m.Shape[i]))
		}
	}
	if planes := volume(s.Chunk[:max(rank-2, 0)]); planes > 1 {
		why = append(why, fmt.Sprintf("an encoded chunk has %d planes", planes))
	}
	return why
}

func dimension(m *zarrio.Metadata, i int) string {
	if i < len(m.Dims) && m.Dims[i] != "" {
		return printable(m.Dims[i])
	}
	return fmt.Sprintf("dimension %d", i)
}

// want says how the array would have to be stored to be read straight into place.
func want(m *zarrio.Metadata, plain bool) string {
	chunk := make([]int, len(m.Shape))
	for i := range chunk {
		chunk[i] = 1
		if i >= len(chunk)-2 {
			chunk[i] = max(1, m.Shape[i])
		}
	}
	s := "chunks of " + extents(chunk) + " in C order"
	if !plain {
		return s
	}
	order := "little-endian"
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		order = "big-endian"
	}
	return s + ", " + order + ", without codecs, in a local directory; or such inner chunks of shards, without checksums"
}
