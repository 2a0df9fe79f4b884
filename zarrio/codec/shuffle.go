package codec

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"zarrbench/zarrio/internal/ndcopy"
)

// shuffleCodec is numcodecs' Shuffle filter: byte k of every element, for each k in turn.
type shuffleCodec struct {
	size int
	swap int // reverse the bytes of elements of this size; 0 if none
}

func newShuffle(config json.RawMessage) (Decoder, error) {
	c := struct{ ElementSize int }{4} // numcodecs' default
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	if c.ElementSize < 0 {
		return nil, fmt.Errorf("configuration: elementsize is %d, expected 0 or more", c.ElementSize)
	}
	return shuffleCodec{size: c.ElementSize}, nil
}

func (shuffleCodec) Name() string { return "shuffle" }

func (c shuffleCodec) EncodedLen(n int) (int, error) {
	if c.size > 1 && n%c.size != 0 {
		return 0, notWhole(n, c.size)
	}
	return n, nil
}

// Swapped implements [Swapper].
func (c shuffleCodec) Swapped(size int) (Decoder, bool) {
	return shuffleCodec{c.size, size}, c.size > 1 && c.size <= maxPlanes && c.size%size == 0
}

func (c shuffleCodec) Decode(dst, src []byte, _ *Scratch) error {
	if len(src) != len(dst) {
		return badLength(len(src), len(dst))
	}
	if c.size <= 1 {
		copy(dst, src)
		return nil
	}
	if len(src)%c.size != 0 {
		return notWhole(len(src), c.size)
	}
	unshuffleSwapped(dst, src, c.size, c.swap)
	return nil
}

// unshuffleGeneric is the definition of unshuffle, with which every faster version must agree: the n whole elements of
// dst have their bytes n apart in src. What is left after the last whole element is copied.
func unshuffleGeneric(dst, src []byte, size int) {
	n := len(src) / size
	for k := range size {
		for i, v := range src[k*n:][:n] {
			dst[i*size+k] = v
		}
	}
	copy(dst[n*size:], src[n*size:])
}

// maxPlanes is the widest element whose bytes unshufflePlanes takes.
const maxPlanes = 16

// unshuffle puts the bytes of each element together. The lengths of dst and src are equal, and the two don't overlap.
func unshuffle(dst, src []byte, size int) { unshuffleSwapped(dst, src, size, 0) }

// unshuffleSwapped is unshuffle, and reverses every swap bytes of dst if swap is 2, 4 or 8.
func unshuffleSwapped(dst, src []byte, size, swap int) {
	n := len(src) / size
	switch {
	case size == 1 || n <= 1:
		ndcopy.CopySwapped(dst, src, swap)
		return
	case size > maxPlanes:
		unshuffleGeneric(dst, src, size)
		ndcopy.SwapBytes(dst, swap)
		return
	}
	var planes [maxPlanes][]byte
	for k := range size {
		planes[k] = src[k*n:][:n:n]
	}
	fused := reversePlanes(planes[:size], swap)
	unshufflePlanes(dst[:n*size], planes[:size])
	copy(dst[n*size:], src[n*size:])
	if fused {
		dst = dst[n*size:] // what is left
	}
	ndcopy.SwapBytes(dst, swap)
}

// reversePlanes changes the order of the planes so that unshufflePlanes reverses every swap bytes of an element. It returns
// false, and changes nothing, if there is nothing to reverse or these bytes may be those of two elements.
func reversePlanes(planes [][]byte, swap int) bool {
	if swap <= 1 || len(planes)%swap != 0 {
		return false
	}
	for ; len(planes) > 0; planes = planes[swap:] {
		slices.Reverse(planes[:swap])
	}
	return true
}

// unshufflePlanes is unshuffle for the bytes of elements that lie in a slice for each k, all of one length, which adds
// up to dst's.
func unshufflePlanes(dst []byte, planes [][]byte) {
	if unshuffleVector(dst, planes) {
		return
	}
	n := len(planes[0])
	switch len(planes) {
	case 2:
		a, b := planes[0], planes[1][:n]
		for i := range a {
			binary.LittleEndian.PutUint16(dst[2*i:], uint16(a[i])|uint16(b[i])<<8)
		}
	case 4:
		a, b, c, d := planes[0], planes[1][:n], planes[2][:n], planes[3][:n]
		for i := range a {
			binary.LittleEndian.PutUint32(dst[4*i:], uint32(a[i])|uint32(b[i])<<8|uint32(c[i])<<16|uint32(d[i])<<24)
		}
	case 8:
		a, b, c, d := planes[0], planes[1][:n], planes[2][:n], planes[3][:n]
		e, f, g, h := planes[4][:n], planes[5][:n], planes[6][:n], planes[7][:n]
		for i := range a {
			lo := uint32(a[i]) | uint32(b[i])<<8 | uint32(c[i])<<16 | uint32(d[i])<<24
			hi := uint32(e[i]) | uint32(f[i])<<8 | uint32(g[i])<<16 | uint32(h[i])<<24
			binary.LittleEndian.PutUint64(dst[8*i:], uint64(lo)|uint64(hi)<<32)
		}
	default:
		for k, plane := range planes {
			for i, v := range plane {
				dst[i*len(planes)+k] = v
			}
		}
	}
}

// shuffle undoes unshuffle.
func shuffle(dst, src []byte, size int) {
	n := len(src) / size
	if size == 4 {
		a, b, c, d := dst[:n], dst[n:][:n], dst[2*n:][:n], dst[3*n:][:n]
		for i := range a {
			v := binary.LittleEndian.Uint32(src[4*i:])
			a[i], b[i], c[i], d[i] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
		}
	} else {
		for k := range size {
			for i := range n {
				dst[k*n+i] = src[i*size+k]
			}
		}
	}
	copy(dst[n*size:], src[n*size:])
}
