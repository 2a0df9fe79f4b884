// Package meta reads the documents of Zarr v2 and v3, and describes an array by one type, Metadata,
// whichever format its documents have. It also defines the types of elements and the errors that
// name a document, a chunk, or what isn't supported.
package meta

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Metadata describes an array in one way, whichever format its documents have.
type Metadata struct {
	Format int   // 2 or 3
	Shape  []int // extents, in elements
	Chunks []int // extents of a stored chunk (of a shard, where chunks are sharded), in elements; the largest if they differ
	// Extents are those of each chunk, by dimension, on a rectilinear grid; nil on a regular one. The last chunk of a dimension
	// holds its last element, and may reach beyond it.
	Extents   [][]int
	DType     DType
	BigEndian bool  // how elements are stored; in Zarr v3 the codec "bytes" says it, and this is false
	Order     []int // Order[i] is the dimension that is i-th in a stored chunk, slowest first; in v3 "transpose" changes it
	// Fill is what missing chunks hold, one element in the machine's byte order; nil where it is undefined: they then read as
	// zeros. Of variable-length elements (the kind Object) it is the text or the bytes of one, which may be none; of a record, its
	// fields packed as a chunk of little-endian ones has them.
	Fill   []byte
	Codecs []CodecSpec
	Keys   KeyEncoding
	Dims   []string // dimension names; "" where a dimension has none
	Attrs  Attributes

	Record []SwapRun // of the fields of a v3 record: what a change of byte order reverses
}

// A SwapRun is N numbers of Size bytes, one after the other: a change of byte order reverses the bytes
// of each.
type SwapRun struct{ Size, N int }

// A CodecSpec names one step from stored bytes to the array's bytes. Steps are listed in the order of decoding.
type CodecSpec struct {
	Name   string
	Config json.RawMessage // in v2 the codec's whole object, in v3 its "configuration"; nil where it has none
	// Optional says that a v3 document allows readers not to understand the codec. It can't be left out even so.
	Optional bool
}

// A KeyEncoding makes a chunk's key from its grid coordinates.
type KeyEncoding struct {
	Prefix    string // before the coordinates: "" in v2, "c" in the default one of v3
	Separator byte   // '.' or '/'
}

// Append appends the key of the chunk at the grid coordinates: "0.1" in v2, "c/0/1" in v3. A scalar's is "0" or "c".
func (k KeyEncoding) Append(key []byte, coords []int) []byte {
	key = append(key, k.Prefix...)
	if len(coords) == 0 && k.Prefix == "" {
		key = append(key, '0')
	}
	for i, c := range coords {
		if i > 0 || k.Prefix != "" {
			key = append(key, k.Separator)
		}
		key = strconv.AppendInt(key, int64(c), 10)
	}
	return key
}

// Attributes are the user's attributes of a group or an array, each as it stands in the document.
type Attributes map[string]json.RawMessage

// Text returns the attribute name if it is a JSON string, else "".
func (a Attributes) Text(name string) string {
	var s string
	if json.Unmarshal(a[name], &s) != nil {
		return ""
	}
	return s
}

// MaxRank bounds the number of dimensions: no data are known that come near it, and rows of coordinates can be kept in
// fixed arrays.
const MaxRank = 32

// Validate returns an error if m has properties that no document of any format may claim.
func (m *Metadata) Validate() error {
	if len(m.Shape) > MaxRank {
		return &UnsupportedError{What: "number of dimensions", Found: fmt.Sprint(len(m.Shape)), Supported: fmt.Sprint("0 to ", MaxRank)}
	}
	if len(m.Chunks) != len(m.Shape) {
		return fmt.Errorf("chunks %v have %d dimensions, the shape %v has %d", m.Chunks, len(m.Chunks), m.Shape, len(m.Shape))
	}
	limit := math.MaxInt / max(m.DType.Size, 1)
	if _, err := Product(m.Shape, limit); err != nil {
		return fmt.Errorf("shape: %w", err)
	}
	if i := slices.IndexFunc(m.Chunks, func(c int) bool { return c < 1 }); i >= 0 {
		return fmt.Errorf("chunks %v: extent %d of dimension %d is less than 1", m.Chunks, m.Chunks[i], i)
	}
	if _, err := Product(m.Chunks, limit); err != nil {
		return fmt.Errorf("chunks: %w", err)
	}
	// Positions in the array may lie behind its end, inside the last chunk: they must not overflow either.
	for i, s := range m.Shape {
		if s > math.MaxInt-m.Chunks[i] {
			return fmt.Errorf("shape %v: extent %d of dimension %d is too large for chunks of %d", m.Shape, s, i, m.Chunks[i])
		}
	}
	if m.Extents != nil {
		return m.validateExtents()
	}
	return nil
}

// COrder returns the order 0, 1, ..., rank-1, in which the last dimension varies fastest.
func COrder(rank int) []int {
	order := make([]int, rank)
	for i := range order {
		order[i] = i
	}
	return order
}

// Readable returns nil if the elements can be read as numbers, else the error that tells why not.
func (m *Metadata) Readable() error {
	if m.DType.Numeric() {
		return nil
	}
	if m.DType.Kind == Unknown {
		return &UnsupportedError{What: "data type", Found: fmt.Sprintf("%.100q", m.DType.Variant), Supported: supportedV3}
	}
	return &UnsupportedError{What: "reading data type", Found: m.DType.String(), Supported: "bool, integer, float, complex and datetime types"}
}
