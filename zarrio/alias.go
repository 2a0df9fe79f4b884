package zarrio

import "zarrbench/zarrio/meta"

// What an array's documents say, errors and counts are defined by the package meta, which also has
// the kinds of data types.
type (
	DType       = meta.DType
	Kind        = meta.Kind
	Metadata    = meta.Metadata
	CodecSpec   = meta.CodecSpec
	KeyEncoding = meta.KeyEncoding
	Attributes  = meta.Attributes

	UnsupportedError = meta.UnsupportedError
	MetadataError    = meta.MetadataError
	ChunkError       = meta.ChunkError

	Stats = meta.Stats
)

// Float32 is the type that most of ERA5 is published in.
var Float32 = meta.Float32

// What errors.Is finds in errors of this package.
var (
	ErrMissingChunk = meta.ErrMissingChunk
	ErrNodeType     = meta.ErrNodeType
)
