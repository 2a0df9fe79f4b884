package codec

import "zarrbench/zarrio/internal/clib"

// Libraries returns which library decodes which format, a line each, such as "zstd: libzstd 1.5.4" and "gzip, zlib:
// klauspost/compress (Go)". C libraries are looked for when first needed, and kept out by the environment variable
// ZARRIO_CLIB=off.
func Libraries() []string {
	zstd, deflate := "zstd: "+goLibrary, "gzip, zlib: "+goLibrary
	if v := clib.ZstdVersion(); v != "" && !goOnly {
		zstd = "zstd: libzstd " + v
	}
	if clib.HasDeflate() && !goOnly {
		deflate = "gzip, zlib: libdeflate"
	}
	return []string{zstd, deflate}
}

const goLibrary = "klauspost/compress (Go)"

// LibrariesError returns an error if ZARRIO_CLIB is neither empty, "auto" nor "off". Other values mean "off".
func LibrariesError() error { return clib.Setting() }

// goOnly keeps the C libraries out. Only tests set it, to run both ways.
var goOnly = false

// minInputC is the shortest decoded length for which C is called: a call costs 100 ns, in which Go decodes as much.
const minInputC = 128

// A cContexts has the C libraries' contexts. Each is made when it is first needed, and nil if it can't be made.
type cContexts struct {
	zstd                    *clib.Zstd
	deflate                 *clib.Deflate
	zstdTried, deflateTried bool
}

// zstdFor returns the context for n decoded bytes, or nil if Go decodes them.
func (c *cContexts) zstdFor(n int) *clib.Zstd {
	if goOnly || n < minInputC {
		return nil
	}
	if !c.zstdTried {
		c.zstd, c.zstdTried = clib.NewZstd(), true
	}
	return c.zstd
}

// deflateFor is zstdFor for deflate streams.
func (c *cContexts) deflateFor(n int) *clib.Deflate {
	if goOnly || n < minInputC {
		return nil
	}
	if !c.deflateTried {
		c.deflate, c.deflateTried = clib.NewDeflate(), true
	}
	return c.deflate
}

// unzstdC decodes src into dst by libzstd and reports whether it could. Go decodes what libzstd refuses, so that the same frames
// are accepted with the library and without, and errors are the same.
func (s *Scratch) unzstdC(dst, src []byte) bool {
	z := s.c.zstdFor(len(dst))
	return z != nil && z.Decompress(dst, src) == nil
}

// unzlibC is unzstdC for a zlib stream, by libdeflate.
func (s *Scratch) unzlibC(dst, src []byte) bool {
	n, ok := s.unzlibUpToC(dst, src)
	return ok && n == len(dst)
}

// unzlibUpToC is unzlibC for a stream that may decode to fewer bytes than dst has, and returns how many.
func (s *Scratch) unzlibUpToC(dst, src []byte) (n int, ok bool) {
	d := s.c.deflateFor(len(dst))
	if d == nil || len(src) == 0 {
		return 0, false
	}
	_, n, err := d.Zlib(dst, src)
	return n, err == nil
}

// maxInflated is the most bytes that one byte of a deflate stream decodes to.
const maxInflated = 1032

// lenByC returns how many bytes src decodes to, no more than limit, for streams that Go refuses and C decodes.
func (s *Scratch) lenByC(decode func(dst, src []byte) (int, bool), src []byte, limit int) (int, bool) {
	return decode(grow(&s.planes, max(0, min(limit, maxInflated*len(src)))), src)
}

// gunzipC is unzstdC for gzip members, by libdeflate. Those with optional fields in their header are left to Go, as
// libdeflate doesn't check these fields.
func (s *Scratch) gunzipC(dst, src []byte) bool {
	n, ok := s.gunzipUpToC(dst, src)
	return ok && n == len(dst)
}

// gunzipUpToC is gunzipC for members that may decode to fewer bytes than dst has, and returns how many.
func (s *Scratch) gunzipUpToC(dst, src []byte) (n int, ok bool) {
	const flags = 3 // the index of their byte
	d := s.c.deflateFor(len(dst))
	if d == nil {
		return 0, false
	}
	for {
		if n == len(dst) || len(src) <= flags || src[flags] != 0 {
			return 0, false
		}
		used, m, err := d.Gzip(dst[n:], src)
		if err != nil {
			return 0, false
		}
		n, src = n+m, src[used:]
		if onlyZeros(src) {
			return n, true
		}
	}
}
