package codec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// randomBytes returns n bytes that are the same in every run.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// shuffleLengths are numbers of elements around the steps of the vector code, and that of a chunk of 1x121x240.
var shuffleLengths = []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 47, 48, 63, 64, 65, 72, 95, 96, 100, 127, 128, 1000, 29040}

// canary is the byte around buffers that shows writes outside of them.
const canary = 0xa5

// guarded calls f with n bytes at the given distance from an aligned start, and fails the test where bytes around them change.
func guarded(t *testing.T, n, misalign int, f func(dst []byte)) {
	t.Helper()
	const margin = 2 * align
	var buf []byte
	b := grow(&buf, n+2*margin)
	for i := range b {
		b[i] = canary
	}
	lo, hi := margin+misalign, margin+misalign+n
	f(b[lo:hi:hi])
	for i, v := range b {
		if (i < lo || i >= hi) && v != canary {
			t.Fatalf("byte %d of a destination of %d was written", i-lo, n)
		}
	}
}

// TestKernels compares what was found of this CPU with what it is known to have: ZARRIO_KERNELS is yes or no.
func TestKernels(t *testing.T) {
	b := make([]byte, 64)
	got := unshuffleVector(make([]byte, 4*len(b)), [][]byte{b, b, b, b})
	if want := os.Getenv("ZARRIO_KERNELS"); want != "" && want != map[bool]string{true: "yes", false: "no"}[got] {
		t.Errorf("vector code is used: %v, want %s", got, want)
	}
}

func TestUnshuffle(t *testing.T) {
	for size := 1; size <= 64; size++ {
		t.Run(fmt.Sprintf("size=%d", size), func(t *testing.T) {
			for _, n := range shuffleLengths {
				for _, extra := range []int{0, 1, size - 1} {
					if n*size > 1<<18 || extra < 0 {
						continue
					}
					src := randomBytes(n*size + extra + 3)
					for misalign := range 4 {
						src := src[misalign:][:n*size+extra]
						want := make([]byte, len(src))
						unshuffleGeneric(want, src, size)
						guarded(t, len(src), misalign, func(dst []byte) {
							unshuffle(dst, src, size)
							if !bytes.Equal(dst, want) {
								t.Fatalf("n=%d extra=%d misalign=%d: differs from the definition", n, extra, misalign)
							}
						})
						back := make([]byte, len(src))
						shuffle(back, want, size)
						if !bytes.Equal(back, src) {
							t.Fatalf("n=%d extra=%d: shuffle does not undo unshuffle", n, extra)
						}
					}
				}
			}
		})
	}
}

// The kernel that writes around the caches takes aligned destinations only, and any number of elements.
func TestUnshuffleAround(t *testing.T) {
	for _, n := range shuffleLengths[1:] {
		src := randomBytes(4 * n)
		planes := [][]byte{src[:n], src[n:][:n], src[2*n:][:n], src[3*n:]}
		want := make([]byte, len(src))
		unshuffleGeneric(want, src, 4)
		for _, misalign := range []int{0, 32, 4, 31} {
			guarded(t, len(src), misalign, func(dst []byte) {
				done := unshuffleAround(dst, planes)
				if done && !bytes.Equal(dst, want) {
					t.Fatalf("n=%d misalign=%d: differs from the definition", n, misalign)
				}
				if done && misalign%32 != 0 {
					t.Fatalf("n=%d misalign=%d: taken", n, misalign)
				}
			})
		}
	}
}

func TestBitunshuffle(t *testing.T) {
	for size := 1; size <= 64; size++ {
		t.Run(fmt.Sprintf("size=%d", size), func(t *testing.T) {
			for _, n := range shuffleLengths {
				if n > 1000 {
					continue
				}
				for _, extra := range []int{0, size - 1} {
					src := randomBytes(n*size + extra)
					want := make([]byte, len(src))
					bitunshuffleGeneric(want, src, size)
					tmp := make([]byte, len(src))
					guarded(t, len(src), 1, func(dst []byte) {
						bitunshuffle(dst, src, tmp, size)
						if !bytes.Equal(dst, want) {
							t.Fatalf("n=%d extra=%d: differs from the definition", n, extra)
						}
					})
				}
			}
		})
	}
}

func FuzzUnshuffle(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), 4)
	f.Add(randomBytes(4*100+3), 4)
	f.Add(randomBytes(8*33), 8)
	f.Fuzz(func(t *testing.T, src []byte, size int) {
		if size < 1 || size > 255 {
			t.Skip()
		}
		want := make([]byte, len(src))
		unshuffleGeneric(want, src, size)
		guarded(t, len(src), len(src)%8, func(dst []byte) {
			unshuffle(dst, src, size)
			if !bytes.Equal(dst, want) {
				t.Errorf("unshuffle(size=%d)\n got %x\nwant %x", size, dst, want)
			}
		})
	})
}

func FuzzBitunshuffle(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), 2)
	f.Add(randomBytes(4*64+3), 4)
	f.Add(randomBytes(100), 1)
	f.Fuzz(func(t *testing.T, src []byte, size int) {
		if size < 1 || size > 255 {
			t.Skip()
		}
		want := make([]byte, len(src))
		bitunshuffleGeneric(want, src, size)
		guarded(t, len(src), len(src)%8, func(dst []byte) {
			bitunshuffle(dst, src, make([]byte, len(src)), size)
			if !bytes.Equal(dst, want) {
				t.Errorf("bitunshuffle(size=%d)\n got %x\nwant %x", size, dst, want)
			}
		})
	})
}

var shuffleBenchSizes = []int{2, 3, 4, 8, 16}

func BenchmarkUnshuffle(b *testing.B) {
	for _, size := range shuffleBenchSizes {
		for _, n := range []struct {
			name string
			n    int
		}{{"4Ki", 4 << 10}, {"128Ki", 128 << 10}} {
			b.Run(fmt.Sprintf("size=%d/n=%s", size, n.name), func(b *testing.B) {
				src, dst := randomBytes(n.n*size), make([]byte, n.n*size)
				b.SetBytes(int64(len(dst)))
				b.ReportAllocs()
				for b.Loop() {
					unshuffle(dst, src, size)
				}
			})
		}
	}
}

func BenchmarkBitunshuffle(b *testing.B) {
	for _, size := range shuffleBenchSizes {
		b.Run(fmt.Sprintf("size=%d/n=16Ki", size), func(b *testing.B) {
			src, dst := randomBytes(size<<14), make([]byte, size<<14)
			tmp := make([]byte, len(src))
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				bitunshuffle(dst, src, tmp, size)
			}
		})
	}
}
