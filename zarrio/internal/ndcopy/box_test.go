package ndcopy

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCopyBox compares with copying element by element, for each size of element and every kind of stride.
func TestCopyBox(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 2, 3, 4, 8, 16, 24} {
		for _, b := range []Box{
			{[2]int{0, 5}, [2]int{1, 1}, [2]int{1, 1}},
			{[2]int{5, 0}, [2]int{1, 1}, [2]int{1, 1}},
			{[2]int{1, 1}, [2]int{0, 0}, [2]int{0, 0}},
			{[2]int{1, 50}, [2]int{0, 1}, [2]int{0, 1}},
			{[2]int{7, 1}, [2]int{3, 1}, [2]int{5, 1}},
			{[2]int{7, 11}, [2]int{11, 1}, [2]int{11, 1}},
			{[2]int{7, 11}, [2]int{20, 1}, [2]int{11, 1}},
			{[2]int{7, 11}, [2]int{11, 1}, [2]int{12, 1}},
			{[2]int{40, 70}, [2]int{1, 40}, [2]int{70, 1}}, // a transposition
			{[2]int{40, 70}, [2]int{70, 1}, [2]int{1, 40}},
			{[2]int{33, 65}, [2]int{-1, -40}, [2]int{70, 1}},
			{[2]int{3, 9}, [2]int{-20, -2}, [2]int{9, 1}},
			{[2]int{3, 9}, [2]int{20, 2}, [2]int{40, 3}},
		} {
			t.Run(fmt.Sprint(size, b), func(t *testing.T) {
				src := make([]byte, 5000*size)
				for i := range src {
					src[i] = byte(rng.Uint32())
				}
				s, d := 0, 1+rng.IntN(8)
				for _, k := range []int{0, 1} {
					s -= min(0, b.Src[k]*(b.N[k]-1)) // begin where negative strides stay inside
				}
				dst := bytes.Repeat([]byte{9}, d+5000*size)
				want := slices.Clone(dst)
				for i := range b.N[0] {
					for j := range b.N[1] {
						copy(want[d+(i*b.Dst[0]+j*b.Dst[1])*size:][:size], src[(s+i*b.Src[0]+j*b.Src[1])*size:])
					}
				}
				Copy(dst, d, src, s, size, 0, &b)
				if !bytes.Equal(dst, want) {
					t.Error("copyBox differs from copying element by element")
				}
				fill := bytes.Repeat([]byte{1, 2, 3}, 8)[:size]
				for i := range b.N[0] {
					for j := range b.N[1] {
						copy(want[d+(i*b.Dst[0]+j*b.Dst[1])*size:][:size], fill)
					}
				}
				Fill(dst, d, size, fill, &b)
				if !bytes.Equal(dst, want) {
					t.Error("fillBox differs from filling element by element")
				}
				Fill(dst, d, size, nil, &b)
				Fill(want, d, size, make([]byte, size), &b)
				if !bytes.Equal(dst, want) {
					t.Error("fillBox without a fill value differs from zeros")
				}
			})
		}
	}
}

func TestSwapBytes(t *testing.T) {
	for size, want := range map[int]string{1: "abcdefghijklmnop", 2: "badcfehgjilknmpo", 4: "dcbahgfelkjiponm", 8: "hgfedcbaponmlkji"} {
		p := []byte("abcdefghijklmnop")
		if SwapBytes(p, size); string(p) != want {
			t.Errorf("swapBytes(%d) = %s, want %s", size, p, want)
		}
		if SwapBytes(p, size); string(p) != "abcdefghijklmnop" {
			t.Errorf("swapBytes(%d) twice = %s", size, p)
		}
	}
}

func BenchmarkCopyBox(b *testing.B) {
	const n = 512
	src, dst := make([]byte, n*n*4), make([]byte, n*n*4)
	for _, bb := range []struct {
		name string
		box  Box
	}{
		{"contiguous", Box{[2]int{n, n}, [2]int{n, 1}, [2]int{n, 1}}},
		{"rows", Box{[2]int{n / 2, n / 2}, [2]int{n, 1}, [2]int{n / 2, 1}}},
		{"strided", Box{[2]int{n / 2, n / 2}, [2]int{2 * n, 2}, [2]int{n / 2, 1}}},
		{"transposed", Box{[2]int{n, n}, [2]int{1, n}, [2]int{n, 1}}},
	} {
		b.Run("box="+bb.name, func(b *testing.B) {
			b.SetBytes(int64(bb.box.Count() * 4))
			for b.Loop() {
				Copy(dst, 0, src, 0, 4, 0, &bb.box)
			}
		})
	}
}
