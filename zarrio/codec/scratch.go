package codec

import (
	"bytes"
	"io"
	"unsafe"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"zarrbench/zarrio/codec/internal/lzma"
	"zarrbench/zarrio/codec/internal/zstdfast"
)

// A Scratch holds what decoders reuse from one chunk to the next, so that they need not allocate once it is warm. The
// zero value is ready for use. It serves one goroutine at a time.
type Scratch struct {
	// Reread says that what is decoded is read again at once, so that it should stay in the CPU's caches.
	Reread bool

	mid      [2][]byte    // between two steps of a chain
	planes   []byte       // a block whose bytes or bits are still shuffled
	bits     []byte       // the same block with its bits in place, its bytes not
	src      bytes.Reader // what the inflaters read; holds no chunk between calls
	offsets  []uint32     // of a frame's blocks, ascending
	one      [1]byte      // where a byte goes that should not be there
	zlib     io.ReadCloser
	gzip     *gzip.Reader
	zstd     *zstd.Decoder
	zstdFast *zstdfast.Decoder
	lzma     *lzma.Decoder
	enc      *encoders

	c cContexts
}

// align is a cache line, and enough for any vector load.
const align = 64

// grow returns the first n bytes of *buf, which it replaces where it is too small. They start on a cache line; their
// content is undefined.
func grow(buf *[]byte, n int) []byte {
	if cap(*buf) < n {
		b := make([]byte, n+align-1)
		skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % align
		*buf = b[skip:][:n:n]
	}
	return (*buf)[:n]
}
