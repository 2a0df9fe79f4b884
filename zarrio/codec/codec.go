// Package codec decodes the chunks of Zarr arrays: one file a codec, and Blosc's own frame with all that it may hold.
// It knows nothing of arrays or stores.
//
// Zstandard, gzip and zlib are decoded by libzstd and libdeflate where the machine has them, else by Go: [Libraries] tells
// which. The environment variable ZARRIO_CLIB=off and the build tag noclib keep the C libraries out. The same chunks decode
// with them and without, but for damage to a deflate stream that its checksum proves to do no harm.
package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Decoder undoes one step of an array's codec chain. It may be used by many goroutines at once, each with a Scratch of
// its own.
type Decoder interface {
	// Decode decodes src into dst, whose length is exactly that of the decoded bytes; anything else is an error. It never
	// writes outside dst, keeps neither slice, and dst must not overlap src. After an error dst's content is unspecified.
	Decode(dst, src []byte, s *Scratch) error
	// Name is the codec's name as array metadata spell it, such as "blosc".
	Name() string
}

// A Span is the half-open range of bytes [Lo, Hi).
type Span struct{ Lo, Hi int }

// A PartialDecoder saves work if a caller needs only parts of a chunk.
type PartialDecoder interface {
	Decoder
	// DecodeSpans is Decode for a caller that will look only at the given spans of dst, which ascend and don't overlap:
	// bytes outside them may or may not be written. Errors in parts of src that it needn't look at go unnoticed.
	DecodeSpans(dst, src []byte, spans []Span, s *Scratch) error
}

// A Part is a run of a chunk's bytes that can be decoded alone. Encoded is its place in the encoded form, and Decoded its place in
// the chunk. Need, unless it is empty, is what the caller will look at of Decoded.
type Part struct{ Encoded, Decoded, Need Span }

// A PartDecoder decodes parts of a chunk from parts of its encoded form, so that the rest need not be fetched. The head, which is
// the first bytes of the encoded form, tells where the parts are.
type PartDecoder interface {
	Decoder
	// HeadLen returns how many bytes are enough for the head of most chunks of n bytes.
	HeadLen(n int) int
	// Parts appends to parts those that hold the spans of a chunk of n bytes, which ascend and don't overlap, in the order in
	// which they are decoded. head is the beginning of the encoded form, which has size bytes; it may be longer than needed.
	// need is how long it must be, which is at most size. If it is shorter, Parts appends nothing. Every part is within the
	// encoded form and the chunk, whatever the head says; an impossible head is an error. ErrWhole is that of a chunk whose parts
	// can't be decoded alone, and which Decode may still decode.
	Parts(parts []Part, head []byte, size, n int, spans []Span, s *Scratch) (_ []Part, need int, err error)
	// DecodePart decodes a part that Parts found by the same head. src has its encoded bytes, and dst room for the decoded ones.
	// Otherwise it is like Decode.
	DecodePart(dst, src, head []byte, p Part, s *Scratch) error
}

// ErrWhole is the error of [PartDecoder.Parts] for a chunk that can't be decoded in parts.
var ErrWhole = errors.New("can't be decoded in parts")

// A Swapper can reverse the bytes of each element while it decodes.
type Swapper interface {
	Decoder
	// Swapped returns a decoder of the same bytes that reverses every size decoded ones, which is 2, 4 or 8, or false if that
	// is no quicker than to reverse them afterwards. Spans that it is given begin and end with such elements. What is left
	// after the last whole element is decoded as it is. It is a PartialDecoder and a PartDecoder if the Swapper is one.
	Swapped(size int) (Decoder, bool)
}

// A Fixed decoder's encoded length follows from the decoded one: filters and checksums have it, compressors don't.
type Fixed interface {
	Decoder
	// EncodedLen returns how many bytes Decode takes for n decoded ones, or an error where there can't be n of them.
	EncodedLen(n int) (int, error)
}

// A Trimmer's decoded bytes are a part of its encoded ones, such as those beside a checksum, so that they need no copy.
type Trimmer interface {
	Fixed
	// Trim checks src and returns the decoded bytes, a part of it. Decode is Trim and a copy.
	Trim(src []byte) ([]byte, error)
}

// A Sizer can tell how long its decoded bytes are. Every decoder that is not Fixed is one.
type Sizer interface {
	Decoder
	// DecodedLen returns how many bytes src decodes to, from its header, or by decoding it if no header gives the length. More
	// than limit is an error. A length from a header is not proved by the data.
	DecodedLen(src []byte, limit int, s *Scratch) (int, error)
}

// A Bounded decoder knows how long its encoded bytes can get, which may be much more than the decoded ones.
type Bounded interface {
	Decoder
	// EncodedLimit returns the most bytes that n decoded ones are encoded to.
	EncodedLimit(n int) int
}

// A Retyper's encoded elements have another type than its decoded ones.
type Retyper interface {
	Decoder
	// EncodedType returns the type of the encoded elements.
	EncodedType() Type
}

// An UnsupportedError is the error of New for a codec that it doesn't know. It is [errors.ErrUnsupported], as the errors of
// variants of codecs are that this package can't decode.
type UnsupportedError struct{ Name string }

func (e *UnsupportedError) Error() string {
	note := ""
	if e.Name == "blosc2" {
		note = " (only frames of Blosc 1 are)"
	}
	return fmt.Sprintf("codec %q is not supported%s; supported: %s", e.Name, note, strings.Join(names, ", "))
}

// Is reports whether target is [errors.ErrUnsupported].
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// names lists what New knows, sorted.
var names = []string{
	"adler32", "astype", "bitround", "blosc", "bz2", "cast_value", "crc32", "crc32c", "delta", "fixedscaleoffset", "fletcher32",
	"gzip", "jenkins_lookup3", "lz4", "lzma", "packbits", "quantize", "scale_offset", "shuffle", "zlib", "zstd",
}

// Options are what a codec's decoder depends on besides its own configuration.
type Options struct {
	// Format is the version of Zarr whose metadata name the codec: some names mean other things in 2 than in 3.
	Format int
	// Type is the type of the decoded elements, for filters whose configuration doesn't give one.
	Type Type
	// SkipChecksums leaves checksums unverified.
	SkipChecksums bool
}

// New returns the decoder of the codec that array metadata call name. The config is the codec's JSON object as the
// metadata have it, or the "configuration" within; it may be empty. An unknown name gives an *UnsupportedError.
func New(name string, config json.RawMessage, opt Options) (Decoder, error) {
	if opt.Type != (Type{}) && !opt.Type.valid() {
		return nil, fmt.Errorf("elements of type %#v: %w", opt.Type, errors.ErrUnsupported)
	}
	switch strings.TrimPrefix(name, "numcodecs.") {
	case "adler32":
		return newAdler32(config, opt)
	case "astype":
		return newAsType(config, opt)
	case "bitround":
		return newBitround(config, opt)
	case "blosc":
		return newBlosc(config)
	case "bz2":
		return newBZ2(config)
	case "cast_value":
		return newCastValue(config, opt)
	case "crc32":
		return newCRC32(config, opt)
	case "crc32c":
		return newCRC32C(config, opt)
	case "delta":
		return newDelta(config, opt)
	case "fixedscaleoffset":
		return newFixedScaleOffset(config, opt)
	case "fletcher32":
		return newFletcher32(opt)
	case "gzip":
		return newGzip(config)
	case "jenkins_lookup3":
		return newJenkins(config, opt)
	case "lz4":
		return newLZ4(config)
	case "lzma":
		return newLZMA(config)
	case "packbits":
		return newPackbits(name, config, opt)
	case "quantize":
		return newQuantize(config, opt)
	case "scale_offset":
		return newScaleOffset(config, opt)
	case "shuffle":
		return newShuffle(config)
	case "zlib":
		return newZlib(config)
	case "zstd":
		return newZstd(config)
	}
	return nil, &UnsupportedError{Name: name}
}

// parseConfig reads config into v, a pointer to a struct that lists what the codec looks at. Fields that are not there
// keep their value, and fields that v does not list are left alone: they matter to encoders.
func parseConfig(config json.RawMessage, v any) error {
	if len(config) == 0 {
		return nil
	}
	if err := json.Unmarshal(config, v); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

// named puts a codec's name in front of err, unless the library that made err already did.
func named(name string, err error) error {
	if strings.HasPrefix(err.Error(), name+":") {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}
