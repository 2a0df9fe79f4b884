//go:build !purego

package lz4block

import (
	"github.com/pierrec/lz4/v4"
	"golang.org/x/sys/cpu"
)

var useAVX2 = cpu.X86.HasAVX2

// decodeFast decodes the sequences of src into dst while there is room to spare behind them in
// both, and returns how far it came. It stops before the first sequence for which there isn't, and
// before one that is corrupt.
//
//go:noescape
func decodeFast(dst, src []byte) (di, si int)

// decode decodes a block into dst and returns the length of what is decoded, which is at most that
// of dst.
func decode(dst, src []byte) (int, error) {
	if !useAVX2 {
		return lz4.UncompressBlock(src, dst)
	}
	di, si := decodeFast(dst, src)
	return decodeGeneric(dst, src, di, si)
}
