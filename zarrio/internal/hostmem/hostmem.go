// Package hostmem gives memory for data that is filled again and again: page-aligned, outside the garbage collector's heap
// where it is large, in huge pages where the system has them, and touched before use, so that no page fault falls into a
// timed region.
package hostmem

import (
	"fmt"
	"math"
	"os"
	"unsafe"
)

// Align is what blocks are aligned to: a page, which is also what direct I/O asks for.
const Align = 4096

// unknown stands for a limit that is not known: more than machines have, and little enough for the Go heap to take.
const unknown = 1 << 40

// A Block is memory outside the heap. It is not safe for concurrent use; its bytes are.
type Block struct{ b []byte }

// Alloc returns a touched block of n bytes. Free gives it back: until then it stays, whatever the collector does.
func Alloc(n int64) (*Block, error) {
	if n < 0 || n > Limit() || int64(int(n)) != n {
		return nil, fmt.Errorf("allocate %d bytes: this process may use 0 to %d", n, Limit())
	}
	if n == 0 {
		return &Block{}, nil
	}
	b, err := mmap(int(n))
	if err != nil {
		return nil, fmt.Errorf("allocate %d bytes: %w", n, err)
	}
	for i, page := 0, os.Getpagesize(); i < len(b); i += page {
		b[i] = 0
	}
	return &Block{b}, nil
}

// Bytes returns the block's memory: valid until Free.
func (b *Block) Bytes() []byte { return b.b }

// Free gives the memory back to the system. Using it afterwards is a fault.
func (b *Block) Free() error {
	if b.b == nil {
		return nil
	}
	err := munmap(b.b)
	b.b = nil
	return err
}

// Make returns n bytes of the collector's heap, page-aligned.
func Make(n int) []byte {
	b := make([]byte, n+Align)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (Align - 1)
	return b[skip : skip+n : skip+n]
}

// Check returns an error for a request for more bytes than this process may ever use.
func Check(n int64) error {
	if limit := Limit(); n > limit {
		return fmt.Errorf("%d bytes are more than the memory of %d bytes that this process may use", n, limit)
	}
	return nil
}

// CheckElements is [Check] for n elements of size bytes, whose product may be too large for an int.
func CheckElements(n, size int) error {
	if n > math.MaxInt/size {
		return fmt.Errorf("%d elements of %d bytes are more than there can be memory for", n, size)
	}
	return Check(int64(n) * int64(size))
}
