//go:build !((linux || darwin) && (amd64 || arm64) && !android && !faketime && !noclib)

package clib

// ZstdVersion returns libzstd's version, such as "1.5.4", or "" where there is none to be used.
func ZstdVersion() string { return "" }

// A Zstd is a decompression context of libzstd. There are none here.
type Zstd struct{}

// NewZstd returns nil where there is no library, or no memory for a context.
func NewZstd() *Zstd { return nil }

// Decompress decodes the frames of src into the whole of dst. Neither may be empty.
func (z *Zstd) Decompress(_, _ []byte) error { return errCorrupt }

// HasDeflate reports whether there is a libdeflate to be used. It doesn't tell its version.
func HasDeflate() bool { return false }

// A Deflate is a decompressor of libdeflate. There are none here.
type Deflate struct{}

// NewDeflate returns nil where there is no library, or no memory for a decompressor.
func NewDeflate() *Deflate { return nil }

// Zlib decodes the zlib stream at the start of src into dst, and returns how many bytes of src and of dst that were. Neither
// may be empty.
func (d *Deflate) Zlib(_, _ []byte) (used, n int, err error) { return 0, 0, errOther }

// Gzip is Zlib for a gzip member.
func (d *Deflate) Gzip(_, _ []byte) (used, n int, err error) { return 0, 0, errRoom }
