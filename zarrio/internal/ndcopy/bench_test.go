package ndcopy_test

import (
	"fmt"
	"testing"

	"zarrbench/zarrio/internal/ndcopy"
)

func BenchmarkCopyBox(b *testing.B) {
	const n = 512
	for _, bb := range []struct {
		name string
		size int
		box  ndcopy.Box
	}{
		{"contiguous", 4, ndcopy.Box{N: [2]int{n, n}, Src: [2]int{n, 1}, Dst: [2]int{n, 1}}},
		{"rows", 4, ndcopy.Box{N: [2]int{n / 2, n / 2}, Src: [2]int{n, 1}, Dst: [2]int{n / 2, 1}}},
		{"strided", 4, ndcopy.Box{N: [2]int{n / 2, n / 2}, Src: [2]int{2 * n, 2}, Dst: [2]int{n / 2, 1}}},
		{"transposed", 4, ndcopy.Box{N: [2]int{n, n}, Src: [2]int{1, n}, Dst: [2]int{n, 1}}},
		{"small", 4, ndcopy.Box{N: [2]int{90, 180}, Src: [2]int{1, 90}, Dst: [2]int{180, 1}}},
		{"copy-721x1440", 4, ndcopy.Box{N: [2]int{721, 1440}, Src: [2]int{1440, 1}, Dst: [2]int{1440, 1}}},
		{"F-721x1440", 4, ndcopy.Box{N: [2]int{721, 1440}, Src: [2]int{1, 721}, Dst: [2]int{1440, 1}}},
		{"F-721x1440", 2, ndcopy.Box{N: [2]int{721, 1440}, Src: [2]int{1, 721}, Dst: [2]int{1440, 1}}},
		{"F-721x1440", 8, ndcopy.Box{N: [2]int{721, 1440}, Src: [2]int{1, 721}, Dst: [2]int{1440, 1}}},
		{"F-1024x1024", 4, ndcopy.Box{N: [2]int{1024, 1024}, Src: [2]int{1, 1024}, Dst: [2]int{1024, 1}}},
		{"F-1024x1024", 2, ndcopy.Box{N: [2]int{1024, 1024}, Src: [2]int{1, 1024}, Dst: [2]int{1024, 1}}},
		{"F-1024x1440", 4, ndcopy.Box{N: [2]int{1024, 1440}, Src: [2]int{1, 1024}, Dst: [2]int{1440, 1}}},
		{"F-721x1024", 4, ndcopy.Box{N: [2]int{721, 1024}, Src: [2]int{1, 721}, Dst: [2]int{1024, 1}}},
	} {
		for _, swap := range []int{0, bb.size} {
			b.Run(fmt.Sprintf("box=%s/size=%d/swap=%d", bb.name, bb.size, swap), func(b *testing.B) {
				src, dst := ndcopy.Grow(nil, n*n*9*bb.size), ndcopy.Grow(nil, n*n*9*bb.size)
				ndcopy.Repeat(src, []byte{1, 2, 3, 4}) // else it is the kernel's page of zeros, time and again
				b.SetBytes(int64(bb.box.Count() * bb.size))
				for b.Loop() {
					ndcopy.Copy(dst, 0, src, 0, bb.size, swap, &bb.box)
				}
			})
		}
	}
	// A destination of many fields in turn, so that none is in a cache: from as many, or from one that was just decoded,
	// and read afterwards or not.
	const fields, height, width = 24, 721, 1440
	src, dst := ndcopy.Grow(nil, fields*height*width*4), ndcopy.Grow(nil, fields*height*width*4)
	ndcopy.Repeat(src, []byte{1, 2, 3, 4})
	for _, bb := range []struct {
		name string
		box  ndcopy.Box
	}{
		{"copy", ndcopy.Box{N: [2]int{height, width}, Src: [2]int{width, 1}, Dst: [2]int{width, 1}}},
		{"F", ndcopy.Box{N: [2]int{height, width}, Src: [2]int{1, height}, Dst: [2]int{width, 1}}},
	} {
		for _, from := range []int{fields, 1} {
			for _, read := range []bool{false, true} {
				b.Run(fmt.Sprintf("field=%s/sources=%d/read=%v", bb.name, from, read), func(b *testing.B) {
					b.SetBytes(height * width * 4)
					sum := uint64(0)
					for i := 0; b.Loop(); i++ {
						at := i % fields * height * width * 4
						ndcopy.Copy(dst, at, src, i%from*height*width, 4, 0, &bb.box)
						if read {
							for _, v := range ndcopy.Elements[uint64](dst[at : at+height*width*4]) {
								sum += v
							}
						}
					}
					if sum == 1 {
						b.Log(sum)
					}
				})
			}
		}
	}
}
