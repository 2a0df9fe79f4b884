package codec

import (
	"errors"
	"fmt"

	"zarrbench/zarrio/codec/internal/match"
)

var (
	errBloscLZInput  = errors.New("stream is cut short")
	errBloscLZOutput = errors.New("decodes to more than is expected")
)

// maxNear is the longest distance that a BloscLZ match of the short form can have, less one.
const maxNear = 8191

// blosclzBlock decodes a BloscLZ stream into the whole of dst.
//
// The stream is a row of literal runs and matches. A control byte below 32 starts a run of one more literals than it
// says. Any other has a match's length, less two, in its upper three bits, where 7 asks for more bytes to be added up to
// the first that isn't 255; the distance, less one, has its upper five bits in the control byte and its lower eight in
// the byte after the length. If all thirteen are set, two more bytes, big-endian, are added to it. The first control
// byte is always a literal run: its upper bits tell the format's variant.
func blosclzBlock(dst, src []byte) error {
	if len(src) == 0 {
		return errors.New("empty stream")
	}
	ip, op := 1, 0
	ctrl := int(src[0] & 31)
	for {
		if ctrl < 32 {
			n := ctrl + 1
			if n > len(src)-ip {
				return errBloscLZInput
			}
			if n > len(dst)-op {
				return errBloscLZOutput
			}
			copy(dst[op:op+n], src[ip:ip+n])
			ip += n
			op += n
		} else {
			n := ctrl>>5 + 2
			dist := ctrl & 31 << 8
			if n == 9 {
				for {
					if ip >= len(src) {
						return errBloscLZInput
					}
					c := int(src[ip])
					ip++
					n += c
					if c != 255 {
						break
					}
				}
			}
			if ip >= len(src) {
				return errBloscLZInput
			}
			dist += int(src[ip])
			ip++
			if dist == maxNear {
				if len(src)-ip < 2 {
					return errBloscLZInput
				}
				dist += int(src[ip])<<8 | int(src[ip+1])
				ip += 2
			}
			dist++
			if dist > op {
				return fmt.Errorf("match reaches %d bytes back at offset %d", dist, op)
			}
			if n > len(dst)-op {
				return errBloscLZOutput
			}
			match.Copy(dst, op, dist, n)
			op += n
		}
		if ip >= len(src) {
			break
		}
		ctrl = int(src[ip])
		ip++
	}
	if op != len(dst) {
		return fmt.Errorf("decodes to %d bytes, expected %d", op, len(dst))
	}
	return nil
}
