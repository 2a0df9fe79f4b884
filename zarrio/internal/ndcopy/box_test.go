package ndcopy_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/ndcopy"
)

// randomBytes returns n bytes that are the same in every run.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// TestKernels compares what was found of this CPU with what it is known to have: ZARRIO_KERNELS is yes or no.
func TestKernels(t *testing.T) {
	if want := os.Getenv("ZARRIO_KERNELS"); want != "" {
		require.Equal(t, want == "yes", ndcopy.Vectors())
	}
}

// reversed copies an element, whose bytes it reverses in groups of swap.
func reversed(dst, src []byte, swap int) {
	for copy(dst, src); swap > 1 && len(dst) > 0; dst = dst[swap:] {
		slices.Reverse(dst[:swap])
	}
}

// extent returns the least and the most offset of an element of a box, on the side with these strides.
func extent(n, stride [2]int) (lo, hi int) {
	for k := range n {
		last := stride[k] * (n[k] - 1)
		lo, hi = lo+min(0, last), hi+max(0, last)
	}
	return lo, hi
}

// checkCopy compares Copy with copying element by element, and the definition with that. The source is shift bytes behind
// an aligned start, and the destination d. It panics or reports bytes outside of the box that were written.
func checkCopy(tb testing.TB, size, swap, shift, d int, b ndcopy.Box) {
	const margin = 128
	srcLo, srcHi := extent(b.N, b.Src)
	dstLo, dstHi := extent(b.N, b.Dst)
	src := randomBytes(shift + (srcHi-srcLo+1)*size)[shift:]
	memory := ndcopy.Grow(nil, margin+d+(dstHi-dstLo+1)*size+margin)
	ndcopy.Repeat(memory, []byte{0xa5})
	d += margin - dstLo*size
	want := slices.Clone(memory)
	for i := range b.N[0] {
		for j := range b.N[1] {
			to, from := d+(i*b.Dst[0]+j*b.Dst[1])*size, (i*b.Src[0]+j*b.Src[1]-srcLo)*size
			reversed(want[to:to+size], src[from:from+size], swap)
		}
	}
	definition := slices.Clone(memory)
	if b.Count() > 0 {
		ndcopy.CopyGeneric(definition, d, src, -srcLo*size, size, swap, &b)
		if !bytes.Equal(definition, want) {
			tb.Fatalf("%+v size %d swap %d: the definition differs from copying element by element", b, size, swap)
		}
	}
	ndcopy.Copy(memory[:len(memory)-margin], d, src, -srcLo, size, swap, &b)
	if !bytes.Equal(memory, want) {
		tb.Fatalf("%+v size %d swap %d shift %d: Copy differs from copying element by element", b, size, swap, shift)
	}
}

// TestCopy has each size of element and every kind of stride.
func TestCopy(t *testing.T) {
	boxes := []ndcopy.Box{
		{N: [2]int{0, 5}, Src: [2]int{1, 1}, Dst: [2]int{1, 1}},
		{N: [2]int{5, 0}, Src: [2]int{1, 1}, Dst: [2]int{1, 1}},
		{N: [2]int{1, 1}},
		{N: [2]int{1, 50}, Src: [2]int{0, 1}, Dst: [2]int{0, 1}},
		{N: [2]int{7, 1}, Src: [2]int{3, 1}, Dst: [2]int{5, 1}},
		{N: [2]int{7, 11}, Src: [2]int{11, 1}, Dst: [2]int{11, 1}},
		{N: [2]int{7, 11}, Src: [2]int{20, 1}, Dst: [2]int{11, 1}},
		{N: [2]int{7, 11}, Src: [2]int{11, 1}, Dst: [2]int{12, 1}},
		{N: [2]int{40, 70}, Src: [2]int{1, 40}, Dst: [2]int{70, 1}}, // a transposition
		{N: [2]int{40, 70}, Src: [2]int{70, 1}, Dst: [2]int{1, 40}},
		{N: [2]int{33, 65}, Src: [2]int{1, -33}, Dst: [2]int{-65, 1}},
		{N: [2]int{33, 65}, Src: [2]int{-1, -40}, Dst: [2]int{70, 1}},
		{N: [2]int{3, 9}, Src: [2]int{-20, -2}, Dst: [2]int{9, 1}},
		{N: [2]int{3, 9}, Src: [2]int{20, 2}, Dst: [2]int{40, 3}},
		{N: [2]int{181, 208}, Src: [2]int{1, 181}, Dst: [2]int{208, 1}}, // written around the caches
		{N: [2]int{181, 203}, Src: [2]int{1, 190}, Dst: [2]int{-208, 1}},
		{N: [2]int{181, 256}, Src: [2]int{1, 256}, Dst: [2]int{256, 1}},
	}
	for _, size := range []int{1, 2, 3, 4, 8, 12, 16, 24} {
		for swap := 1; swap <= 8 && size%swap == 0; swap *= 2 {
			for _, b := range boxes {
				t.Run(fmt.Sprint(size, swap, b), func(t *testing.T) {
					for _, shift := range []int{0, 1, 32} {
						checkCopy(t, size, swap, shift, shift, b)
					}
				})
			}
		}
	}
}

// TestTransposeShapes has every number of rows and columns around the steps of the vector code.
func TestTransposeShapes(t *testing.T) {
	for _, size := range []int{2, 4, 8} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			for rows := 1; rows <= 20; rows++ {
				for columns := 1; columns <= 70; columns++ {
					checkCopy(t, size, size, 1, 3, ndcopy.Box{N: [2]int{rows, columns}, Src: [2]int{1, rows + 1}, Dst: [2]int{columns + 2, 1}})
				}
			}
		})
	}
}

// A box that leaves its memory must not be written.
func TestCopyOutside(t *testing.T) {
	for _, tt := range []struct {
		name     string
		dst, src int
		box      ndcopy.Box
	}{
		{"destination", 32*32*4 - 1, 32 * 32 * 4, ndcopy.Box{N: [2]int{32, 32}, Src: [2]int{1, 32}, Dst: [2]int{32, 1}}},
		{"source", 32 * 32 * 4, 32*32*4 - 1, ndcopy.Box{N: [2]int{32, 32}, Src: [2]int{1, 32}, Dst: [2]int{32, 1}}},
		{"before the destination", 64 * 32 * 4, 32 * 32 * 4, ndcopy.Box{N: [2]int{32, 32}, Src: [2]int{1, 32}, Dst: [2]int{-32, 1}}},
		{"before the source", 32 * 32 * 4, 64 * 32 * 4, ndcopy.Box{N: [2]int{32, 32}, Src: [2]int{1, -32}, Dst: [2]int{32, 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dst, src := make([]byte, tt.dst), make([]byte, tt.src)
			require.Panics(t, func() { ndcopy.Copy(dst, 0, src, 0, 4, 0, &tt.box) })
		})
	}
}

func FuzzCopy(f *testing.F) {
	f.Add(uint8(4), uint8(4), uint8(40), uint8(70), int16(1), int16(40), int16(70), int16(1), uint8(0), uint8(0))
	f.Add(uint8(2), uint8(1), uint8(33), uint8(65), int16(1), int16(-40), int16(-70), int16(1), uint8(1), uint8(3))
	f.Add(uint8(8), uint8(4), uint8(9), uint8(17), int16(17), int16(1), int16(1), int16(9), uint8(5), uint8(64))
	f.Fuzz(func(t *testing.T, size, swap, n0, n1 uint8, s0, s1, d0, d1 int16, shift, d uint8) {
		b := ndcopy.Box{N: [2]int{int(n0), int(n1)}, Src: [2]int{int(s0) % 300, int(s1) % 300}, Dst: [2]int{int(d0) % 300, int(d1) % 300}}
		if b.Count() > 1<<13 {
			b.N[0] = 1<<13/b.N[1] + 1
		}
		size = 1 + (size-1)%24
		if swap != 1 && swap != 2 && swap != 4 && swap != 8 || size%swap != 0 {
			swap = 0
		}
		seen := make(map[int]bool) // the elements of a destination don't overlap
		for i := range b.N[0] {
			for j := range b.N[1] {
				at := i*b.Dst[0] + j*b.Dst[1]
				if seen[at] {
					t.Skip()
				}
				seen[at] = true
			}
		}
		checkCopy(t, int(size), int(swap), int(shift), int(d), b)
	})
}

func TestFill(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 8, 16, 24} {
		for _, b := range []ndcopy.Box{
			{N: [2]int{0, 5}, Dst: [2]int{1, 1}},
			{N: [2]int{7, 1}, Dst: [2]int{5, 1}},
			{N: [2]int{7, 11}, Dst: [2]int{11, 1}},
			{N: [2]int{7, 11}, Dst: [2]int{12, 1}},
			{N: [2]int{3, 9}, Dst: [2]int{40, 3}},
		} {
			t.Run(fmt.Sprint(size, b), func(t *testing.T) {
				for _, fill := range [][]byte{bytes.Repeat([]byte{1, 2, 3}, 8)[:size], nil} {
					const d = 3
					got := bytes.Repeat([]byte{9}, d+200*size)
					want := slices.Clone(got)
					for i := range b.N[0] {
						for j := range b.N[1] {
							e := want[d+(i*b.Dst[0]+j*b.Dst[1])*size:][:size]
							clear(e)
							copy(e, fill)
						}
					}
					ndcopy.Fill(got, d, size, fill, &b)
					require.Equal(t, want, got)
				}
			})
		}
	}
}

func TestSwapBytes(t *testing.T) {
	for _, tt := range []struct {
		size int
		want string
	}{
		{1, "abcdefghijklmnop"}, {2, "badcfehgjilknmpo"}, {4, "dcbahgfelkjiponm"}, {8, "hgfedcbaponmlkji"},
	} {
		t.Run(fmt.Sprint(tt.size), func(t *testing.T) {
			p := []byte("abcdefghijklmnop")
			ndcopy.SwapBytes(p, tt.size)
			require.Equal(t, tt.want, string(p))
			ndcopy.SwapBytes(p, tt.size)
			require.Equal(t, "abcdefghijklmnop", string(p))
		})
	}
}

// TestCopySwapped has lengths around the steps of the vector code, in place and not, with guards around the destination.
func TestCopySwapped(t *testing.T) {
	for _, size := range []int{1, 2, 4, 8} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			for n := range 150 {
				src := randomBytes(n)
				want := slices.Clone(src)
				for i := 0; i+size <= n; i += size {
					slices.Reverse(want[i : i+size])
				}
				guard := bytes.Repeat([]byte{0xa5}, 64)
				dst := slices.Concat(guard, make([]byte, n), guard)
				ndcopy.CopySwapped(dst[64:64+n], src, size)
				require.Equal(t, slices.Concat(guard, want, guard), dst)
				dst = slices.Concat(guard, src, guard)
				ndcopy.SwapBytes(dst[64:64+n], size)
				require.Equal(t, slices.Concat(guard, want, guard), dst)
			}
		})
	}
}
