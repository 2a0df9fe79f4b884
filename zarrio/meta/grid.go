package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// maxExtents bounds the chunks along all dimensions of a rectilinear grid together, each of which takes memory, however
// few bytes describe them.
const maxExtents = 1 << 22

// parseV3Grid reads a chunk_grid into Chunks and Extents. The shape, the codecs and the type are already known.
func (m *Metadata) parseV3Grid(doc json.RawMessage) error {
	x, err := parseExtension("chunk_grid", doc)
	if err != nil {
		return err
	}
	switch x.name {
	case "regular":
		err = m.parseRegular(x)
	case "rectilinear":
		err = m.parseRectilinear(x)
	default:
		return &UnsupportedError{What: x.point, Found: fmt.Sprintf("%.100q", x.name), Supported: "regular and rectilinear"}
	}
	return x.wrap(err)
}

func (m *Metadata) parseRegular(x extension) error {
	opt, err := x.options("chunk_shape")
	if err != nil {
		return err
	}
	var chunks Extents
	if err := opt.Get("chunk_shape", &chunks, "a list of whole numbers"); err != nil {
		return err
	}
	if chunks == nil {
		return errors.New("no chunk_shape")
	}
	m.Chunks = chunks
	m.repairChunks(m.innerChunks())
	return nil
}

// repairChunks gives the chunks of empty dimensions an extent where the document has 0, as some writers once wrote for them:
// the smallest one, which is that of inner chunks where there are any. No chunk exists that could tell the difference.
func (m *Metadata) repairChunks(inner []int) {
	for i := range min(len(m.Chunks), len(m.Shape)) {
		if m.Chunks[i] != 0 || m.Shape[i] != 0 {
			continue
		}
		if m.Chunks[i] = 1; i < len(inner) {
			m.Chunks[i] = inner[i]
		}
	}
}

// innerChunks returns the extents of the chunks within shards, or nil.
func (m *Metadata) innerChunks() []int {
	for _, c := range m.Codecs {
		var config struct {
			Chunks Extents `json:"chunk_shape"`
		}
		if c.Name == "sharding_indexed" && json.Unmarshal(c.Config, &config) == nil {
			return config.Chunks
		}
	}
	return nil
}

// parseRectilinear reads the extension of that name. Chunks that begin behind the array's end are dropped: they hold nothing.
// A grid whose chunks are all alike becomes a regular one.
func (m *Metadata) parseRectilinear(x extension) error {
	opt, err := x.options("kind", "chunk_shapes")
	if err != nil {
		return err
	}
	if string(opt["kind"]) != `"inline"` {
		return &UnsupportedError{What: "kind", Found: Quote(opt["kind"]), Supported: `"inline"`}
	}
	var dims []json.RawMessage
	if err := opt.Get("chunk_shapes", &dims, "a list"); err != nil {
		return err
	}
	if len(dims) != len(m.Shape) {
		return fmt.Errorf("%d chunk_shapes for %d dimensions", len(dims), len(m.Shape))
	}
	steps := make([][]repeated, len(dims))
	m.Chunks = make([]int, len(dims))
	regular, room := true, maxExtents
	for i, doc := range dims {
		if steps[i], err = parseRuns(doc, m.Shape[i]); err != nil {
			return fmt.Errorf("chunk_shapes of dimension %d: %w", i, err)
		}
		m.Chunks[i] = steps[i][0].value
		for _, s := range steps[i] {
			regular = regular && s.value == m.Chunks[i]
			m.Chunks[i] = max(m.Chunks[i], s.value)
			if room -= min(s.count, room+1); room < 0 {
				return &UnsupportedError{What: "number of chunks along dimensions", Found: fmt.Sprintf("over %d", maxExtents), Supported: "less, or a regular grid"}
			}
		}
	}
	if regular {
		return nil
	}
	m.Extents = make([][]int, len(dims))
	for i, runs := range steps {
		m.Extents[i] = []int{}
		for _, s := range runs {
			m.Extents[i] = append(m.Extents[i], slices.Repeat([]int{s.value}, s.count)...)
		}
	}
	return nil
}

// A repeated extent is so many chunks of one extent.
type repeated struct{ value, count int }

// parseRuns reads the extents of the chunks along a dimension: a number, which is that of all, or a list of numbers and of
// pairs [extent, count]. The runs end with the chunk that holds the last element; of an empty dimension there is one of no
// chunks, so that there is a largest extent always.
func parseRuns(doc json.RawMessage, shape int) ([]repeated, error) {
	var list []json.RawMessage
	if json.Unmarshal(doc, &list) != nil || IsNull(doc) {
		extent, err := positive(doc)
		if err != nil {
			return nil, err
		}
		return []repeated{{extent, shape/extent + min(shape%extent, 1)}}, nil
	}
	var runs []repeated
	rest := shape
	for _, item := range list {
		var pair []json.RawMessage
		count := 1
		if json.Unmarshal(item, &pair) == nil && !IsNull(item) {
			if len(pair) != 2 {
				return nil, fmt.Errorf("want an extent or a pair of extent and count, found %s", Quote(item))
			}
			var err error
			if count, err = positive(pair[1]); err != nil {
				return nil, fmt.Errorf("count: %w", err)
			}
			item = pair[0]
		}
		extent, err := positive(item)
		if err != nil {
			return nil, err
		}
		if need := rest/extent + min(rest%extent, 1); count >= need {
			count, rest = need, 0
		} else {
			rest -= count * extent
		}
		if count > 0 || len(runs) == 0 {
			runs = append(runs, repeated{extent, count})
		}
	}
	if rest > 0 || len(runs) == 0 {
		return nil, fmt.Errorf("the chunks cover %d of %d elements", shape-rest, shape)
	}
	return runs, nil
}

// positive reads an extent or a count.
func positive(doc json.RawMessage) (int, error) {
	var e Extents
	if err := e.UnmarshalJSON(slices.Concat([]byte("["), doc, []byte("]"))); err != nil {
		return 0, err
	}
	if len(e) != 1 || e[0] < 1 {
		return 0, fmt.Errorf("extent %s: less than 1", Quote(doc))
	}
	return e[0], nil
}

// validateExtents checks the extents of a rectilinear grid.
func (m *Metadata) validateExtents() error {
	if len(m.Extents) != len(m.Shape) {
		return fmt.Errorf("extents of chunks for %d dimensions, the shape %v has %d", len(m.Extents), m.Shape, len(m.Shape))
	}
	for i, dim := range m.Extents {
		at := 0
		for _, e := range dim {
			if e < 1 || e > m.Chunks[i] {
				return fmt.Errorf("dimension %d has a chunk of %d, want 1 to %d", i, e, m.Chunks[i])
			}
			if at >= m.Shape[i] {
				return fmt.Errorf("dimension %d of %d has chunks behind its end", i, m.Shape[i])
			}
			at += e // no overflow: extent and chunk together are known to fit
		}
		if at < m.Shape[i] {
			return fmt.Errorf("the chunks cover %d of %d elements of dimension %d", at, m.Shape[i], i)
		}
	}
	return nil
}
