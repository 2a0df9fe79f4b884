package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
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

// advise says it of each engine. unread is why elements can't be read at all, or nil; filer says that chunks are plain files.
func advise(m *zarrio.Metadata, unread error, filer bool) map[string]advice {
	all := map[string]advice{}
	for _, e := range engines {
		all[e] = adviseEngine(e, m, unread, filer)
	}
	return all
}

func adviseEngine(engine string, m *zarrio.Metadata, unread error, filer bool) advice {
	if !m.DType.Numeric() {
		return advice{How: "not at all: elements of type " + m.DType.String() + " are no numbers"}
	}
	if unread != nil {
		return advice{How: "not at all: " + unread.Error(), Store: want(m, engine == "gds")}
	}
	p := placement(m)
	why := p.obstacles
	if engine == "gds" {
		why = slices.Concat(p.codecs, why)
		if !filer {
			why = append(why, "chunks are no plain local files")
		}
	} else if len(p.codecs) > 0 && p.planes > 1 {
		why = append(slices.Clone(why), fmt.Sprintf("a compressed chunk has %d planes", p.planes))
	}
	if len(why) > 0 {
		how := map[string]string{"cpu": "decoded aside, then copied into place: ", "host": "decoded aside, copied into place, then to the GPU: ", "gds": "not by cuFile: "}[engine]
		return advice{How: how + strings.Join(why, "; "), Store: want(m, engine == "gds")}
	}
	verb := "read"
	if len(p.codecs) > 0 {
		verb = "decoded"
	}
	switch {
	case engine == "cpu":
		return advice{Direct: true, How: verb + " straight into place"}
	case engine == "host":
		return advice{Direct: true, How: verb + " straight into host memory, then copied to the GPU"}
	case p.planes > 1:
		return advice{Direct: true, How: "read straight into GPU memory, plane by plane", Store: want(m, true)}
	}
	return advice{Direct: true, How: "read straight into GPU memory"}
}

// A place is what matters for reading chunks into place.
type place struct {
	codecs    []string // why a chunk's bytes are not its elements: codecs and checksums
	obstacles []string // why its elements don't lie as they do in a plane
	planes    int      // in a chunk, or in an inner chunk of a shard
}

// placement looks at how elements lie in a chunk, or in an inner chunk of a shard, which is read by itself.
func placement(m *zarrio.Metadata) place {
	p := place{planes: 1}
	chunks := m.Chunks
	codecs := m.Codecs
	big := m.BigEndian
	for i := 0; i < len(codecs); i++ {
		c := codecs[i]
		switch c.Name {
		case "bytes":
			var config struct{ Endian string }
			_ = json.Unmarshal(c.Config, &config) // without it elements are single bytes
			big = config.Endian == "big"
		case "transpose":
			p.obstacles = append(p.obstacles, "the dimensions are transposed")
		case "sharding_indexed":
			var shard struct {
				ChunkShape []int `json:"chunk_shape"`
				Codecs     []struct {
					Name          string
					Configuration json.RawMessage
				}
			}
			if json.Unmarshal(c.Config, &shard) == nil && len(shard.ChunkShape) == len(chunks) {
				chunks = shard.ChunkShape
				codecs = slices.Clone(codecs[:i+1])
				for _, inner := range slices.Backward(shard.Codecs) { // in the order of decoding
					codecs = append(codecs, zarrio.CodecSpec{Name: inner.Name, Config: inner.Configuration})
				}
			}
		case "crc32c":
			p.codecs = append(p.codecs, "chunks have a checksum (crc32c)")
		default:
			p.codecs = append(p.codecs, "chunks are encoded ("+c.Name+")")
		}
	}
	one := binary.NativeEndian.Uint16([]byte{0, 1}) == 1 // on a big-endian machine
	if big != one && m.DType.Size > 1 {
		p.obstacles = append(p.obstacles, "elements are not in this machine's byte order")
	}
	if !slices.IsSorted(m.Order) {
		p.obstacles = append(p.obstacles, "the dimensions are not in C order")
	}
	for i, c := range chunks {
		if i >= len(chunks)-2 && c != m.Shape[i] {
			p.obstacles = append(p.obstacles, fmt.Sprintf("along %s, chunks have %d elements and the array %d", dimension(m, i), c, m.Shape[i]))
		}
		if i < len(chunks)-2 {
			p.planes *= c
		}
	}
	return p
}

func dimension(m *zarrio.Metadata, i int) string {
	if i < len(m.Dims) && m.Dims[i] != "" {
		return m.Dims[i]
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
	order := "little-endian"
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		order = "big-endian"
	}
	s := fmt.Sprintf("chunks of %s in C order, %s", list(chunk), order)
	if plain {
		s += ", without codecs, in a local directory; or such inner chunks of shards, without checksums"
	}
	return s
}
