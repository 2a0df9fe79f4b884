package write

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"zarrbench/zarrio/meta"
)

// An ArraySpec describes an array that is to be written. Shape, Chunks and DType must be set; every other zero value is the
// usual choice. Elements are stored in a regular grid of chunks.
type ArraySpec struct {
	Shape  []int // extents, in elements
	Chunks []int // extents of what is compressed as one: of a chunk, or of a shard's inner chunk
	// Shards are the extents of a shard, multiples of the inner chunks'; nil where chunks are not sharded. Format 3 only.
	Shards []int

	DType     meta.DType // a numeric one
	BigEndian bool       // how elements are stored
	FOrder    bool       // how a chunk's elements follow each other: the first index varies fastest, and not, as in C, the last
	// Fill is one element in the machine's byte order, such as AsBytes([]float32{-999}): what missing chunks read as. nil is
	// null in format 2, which leaves it open; in format 3 it is zero, or NaT for times.
	Fill       []byte
	Compressor Compressor
	Separator  byte // between a chunk's coordinates in its key: '.' or '/'; 0 is the format's own, '.' in 2 and '/' in 3

	// OmitFill leaves out chunks and inner chunks that hold nothing but the fill value, if there is one, bit for bit.
	OmitFill bool

	Dims  []string // names of the dimensions, "" for none; nil where no dimension has a name
	Attrs any      // as Create takes them
}

// A Compressor says how chunks are compressed.
type Compressor struct {
	// Name is "" for none, "blosc-lz4", "blosc-zstd" (both with shuffled bytes), "zstd" or "gzip".
	Name string
	// Level is the compressor's own; 0 is the usual one: 5 for blosc-lz4 and gzip, 3 for blosc-zstd and zstd. Blosc has no
	// other here.
	Level int
}

// resolved returns c with its level filled in, or says what is wrong with it.
func (c Compressor) resolved() (Compressor, error) {
	usual, least, most := 0, 0, 0
	switch c.Name {
	case "":
	case "blosc-lz4":
		usual, least, most = 5, 5, 5
	case "blosc-zstd":
		usual, least, most = 3, 3, 3
	case "zstd":
		usual, least, most = 3, -131072, 22
	case "gzip":
		usual, least, most = 5, 1, 9
	default:
		return c, &meta.UnsupportedError{What: "compressor", Found: strconv.Quote(c.Name), Supported: `"", "blosc-lz4", "blosc-zstd", "zstd" and "gzip"`}
	}
	if c.Level == 0 {
		c.Level = usual
	}
	if c.Level < least || c.Level > most {
		return c, fmt.Errorf("compressor %q: level %d, want %d to %d", c.Name, c.Level, least, most)
	}
	return c, nil
}

// resolved returns s with its defaults filled in, in memory of its own, and the extents of what is stored under a key: a
// chunk or a shard. Or it says what is wrong.
func (s ArraySpec) resolved(format int) (_ ArraySpec, unit []int, err error) {
	s.Shape, s.Chunks, s.Shards = slices.Clone(s.Shape), slices.Clone(s.Chunks), slices.Clone(s.Shards)
	s.Dims, s.Fill = slices.Clone(s.Dims), slices.Clone(s.Fill)
	if s.Shape == nil {
		s.Shape = []int{} // a scalar: [] in a document, not null
	}
	if s.Chunks == nil {
		s.Chunks = []int{}
	}
	if s.Separator == 0 {
		s.Separator = '/'
		if format == 2 {
			s.Separator = '.'
		}
	}
	if s.Compressor, err = s.Compressor.resolved(); err != nil {
		return s, nil, err
	}
	if t, ok := meta.ParseTypeString(meta.NumpyType(s.DType, s.BigEndian)); !ok || t != s.DType || !t.Numeric() {
		return s, nil, &meta.UnsupportedError{What: "writing data type", Found: fmt.Sprintf("%v of %d bytes", s.DType, s.DType.Size),
			Supported: "bool, integer, float, complex and datetime types"}
	}
	unit = s.Chunks
	if s.Shards != nil {
		unit = s.Shards
	}
	// The inner chunks first: shards are multiples of them, so that both fit if the shards do.
	for _, extents := range [][]int{s.Chunks, unit} {
		m := meta.Metadata{Shape: s.Shape, Chunks: extents, DType: s.DType}
		if err := m.Validate(); err != nil {
			return s, nil, err
		}
	}
	for i, n := range s.Shards {
		if n%s.Chunks[i] != 0 {
			return s, nil, fmt.Errorf("shards %v are no multiples of the chunks %v", s.Shards, s.Chunks)
		}
	}
	switch {
	case s.Shards != nil && format == 2:
		return s, nil, errors.New("shards: there are none in format 2")
	case s.Separator != '.' && s.Separator != '/':
		return s, nil, fmt.Errorf("separator %q, want '.' or '/'", s.Separator)
	case s.Fill != nil && len(s.Fill) != s.DType.Size:
		return s, nil, fmt.Errorf("fill value of %d bytes, want the %d of %v", len(s.Fill), s.DType.Size, s.DType)
	case s.Dims != nil && len(s.Dims) != len(s.Shape):
		return s, nil, fmt.Errorf("names of %d dimensions, want %d", len(s.Dims), len(s.Shape))
	}
	if f := s.DType; f.Kind == meta.Float && f.Size == 8 && s.Fill != nil && meta.GetBits(s.Fill) == math.Float64bits(math.NaN()) {
		meta.PutBits(s.Fill, 0x7ff8000000000000) // Go's NaN has a bit set that NumPy's has not, and format 3 would spell out
	}
	if s.Fill == nil && format == 3 { // there must be one
		s.Fill = make([]byte, s.DType.Size)
		if s.DType.Kind == meta.Datetime || s.DType.Kind == meta.Timedelta {
			meta.PutBits(s.Fill, 1<<63)
		}
	}
	return s, unit, nil
}
