package write

import (
	"encoding/json"
	"strconv"
	"strings"

	"zarrbench/zarrio/meta"
)

// This file makes the documents of Zarr v3, their fields in the order in which zarr-python 3 writes them.

type v3GroupJSON struct {
	Attributes   meta.Attributes     `json:"attributes"`
	Format       int                 `json:"zarr_format"`
	Consolidated *v3ConsolidatedJSON `json:"consolidated_metadata,omitempty"`
	NodeType     string              `json:"node_type"`
}

// v3ConsolidatedJSON repeats the documents of all nodes below the root, by path.
type v3ConsolidatedJSON struct {
	Kind           string                     `json:"kind"`
	MustUnderstand bool                       `json:"must_understand"`
	Metadata       map[string]json.RawMessage `json:"metadata"`
}

type v3ArrayJSON struct {
	Shape        []int           `json:"shape"`
	DataType     any             `json:"data_type"`
	ChunkGrid    v3Named         `json:"chunk_grid"`
	KeyEncoding  v3Named         `json:"chunk_key_encoding"`
	Fill         json.RawMessage `json:"fill_value"`
	Codecs       []v3Named       `json:"codecs"`
	Attributes   meta.Attributes `json:"attributes"`
	Dims         []*string       `json:"dimension_names,omitempty"`
	Format       int             `json:"zarr_format"`
	NodeType     string          `json:"node_type"`
	Transformers []struct{}      `json:"storage_transformers"`
}

// A v3Named is an extension point: a name, and what else there is to say.
type v3Named struct {
	Name   string `json:"name"`
	Config any    `json:"configuration,omitempty"`
}

type v3GridJSON struct {
	ChunkShape []int `json:"chunk_shape"`
}

type v3KeysJSON struct {
	Separator string `json:"separator"`
}

type v3TransposeJSON struct {
	Order []int `json:"order"`
}

type v3BytesJSON struct {
	Endian string `json:"endian"`
}

type v3TimeJSON struct {
	Unit  string `json:"unit"`
	Scale int    `json:"scale_factor"`
}

type v3BloscJSON struct {
	Typesize  int    `json:"typesize"`
	Cname     string `json:"cname"`
	Level     int    `json:"clevel"`
	Shuffle   string `json:"shuffle"`
	Blocksize int    `json:"blocksize"`
}

type v3ZstdJSON struct {
	Level    int  `json:"level"`
	Checksum bool `json:"checksum"`
}

type v3GzipJSON struct {
	Level int `json:"level"`
}

type v3ShardingJSON struct {
	ChunkShape    []int     `json:"chunk_shape"`
	Codecs        []v3Named `json:"codecs"`
	IndexCodecs   []v3Named `json:"index_codecs"`
	IndexLocation string    `json:"index_location"`
}

// v3GroupDocuments describes a group; the root repeats the documents of all other nodes, which were written before it.
func v3GroupDocuments(path string, attrs meta.Attributes, docs map[string]json.RawMessage) []keyedDocument {
	doc := v3GroupJSON{Attributes: attrs, Format: 3, NodeType: "group"}
	if path == "" {
		doc.Consolidated = &v3ConsolidatedJSON{Kind: "inline", Metadata: docs}
	}
	return []keyedDocument{{meta.Prefix(path) + meta.V3Doc, path, doc}}
}

func v3ArrayDocuments(a *ArrayWriter) []keyedDocument {
	s := &a.spec
	doc := v3ArrayJSON{
		Shape:        s.Shape,
		DataType:     v3TypeName(s.DType),
		ChunkGrid:    v3Named{"regular", v3GridJSON{a.unit}},
		KeyEncoding:  v3Named{"default", v3KeysJSON{string(s.Separator)}},
		Fill:         meta.AppendJSON(nil, s.Fill, s.DType, 3),
		Codecs:       v3Codecs(s),
		Attributes:   a.attrs,
		Format:       3,
		NodeType:     "array",
		Transformers: []struct{}{},
	}
	if s.Shards != nil {
		doc.Codecs = []v3Named{{"sharding_indexed", v3ShardingJSON{
			ChunkShape:    s.Chunks,
			Codecs:        doc.Codecs,
			IndexCodecs:   []v3Named{{"bytes", v3BytesJSON{"little"}}, {"crc32c", nil}},
			IndexLocation: "end",
		}}}
	}
	for i := range s.Dims {
		var name *string // null where the dimension has no name
		if s.Dims[i] != "" {
			name = &s.Dims[i]
		}
		doc.Dims = append(doc.Dims, name)
	}
	return []keyedDocument{{meta.Prefix(a.path) + meta.V3Doc, a.path, doc}}
}

// v3TypeName spells a numeric type: its name, or the extension object of NumPy's times.
func v3TypeName(d meta.DType) any {
	if d.Kind != meta.Datetime && d.Kind != meta.Timedelta {
		return d.String()
	}
	unit := strings.TrimLeft(d.Unit, "0123456789")
	scale := 1
	if n, err := strconv.Atoi(strings.TrimSuffix(d.Unit, unit)); err == nil {
		scale = n
	}
	return v3Named{"numpy." + d.Kind.String(), v3TimeJSON{unit, scale}}
}

// v3Codecs lists what makes a chunk, or a shard's inner chunk, in the order of encoding.
func v3Codecs(s *ArraySpec) []v3Named {
	order := v3Named{Name: "bytes"}
	switch {
	case s.DType.Size == 1: // has no order
	case s.BigEndian:
		order.Config = v3BytesJSON{"big"}
	default:
		order.Config = v3BytesJSON{"little"}
	}
	var codecs []v3Named
	if s.FOrder {
		reversed := make([]int, len(s.Shape))
		for d := range reversed {
			reversed[d] = len(reversed) - 1 - d
		}
		codecs = append(codecs, v3Named{"transpose", v3TransposeJSON{reversed}})
	}
	codecs = append(codecs, order)
	name, cname, _ := strings.Cut(s.Compressor.Name, "-")
	switch name {
	case "blosc":
		codecs = append(codecs, v3Named{name, v3BloscJSON{s.DType.Size, cname, s.Compressor.Level, "shuffle", 0}})
	case "zstd":
		codecs = append(codecs, v3Named{name, v3ZstdJSON{Level: s.Compressor.Level}})
	case "gzip":
		codecs = append(codecs, v3Named{name, v3GzipJSON{s.Compressor.Level}})
	}
	return codecs
}
