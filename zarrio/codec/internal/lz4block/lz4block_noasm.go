//go:build !amd64 || purego

package lz4block

import "github.com/pierrec/lz4/v4"

// decode decodes a block into dst and returns the length of what is decoded, which is at most that
// of dst.
func decode(dst, src []byte) (int, error) { return lz4.UncompressBlock(src, dst) }
