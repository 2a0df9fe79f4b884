package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zstdFastInputs are bytes whose frames have blocks and literals of all kinds, and repeated offsets.
func zstdFastInputs() map[string][]byte {
	rnd := rand.New(rand.NewPCG(5, 6))
	noise := make([]byte, 70000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	smooth := make([]byte, 0, 4*30000)
	for i := range 30000 {
		v := float32(50000 + 3000*math.Sin(float64(i)/900) + rnd.Float64())
		smooth = binary.LittleEndian.AppendUint32(smooth, math.Float32bits(v))
	}
	planes := make([]byte, len(smooth))
	shuffle(planes, smooth, 4)
	var runs, words []byte
	for len(runs) < 100000 {
		n := 1 + rnd.IntN(300)
		period := 1 + rnd.IntN(20)
		start := len(runs)
		runs = append(runs, noise[n:n+period+1]...)
		for len(runs)-start < n {
			runs = append(runs, runs[len(runs)-period])
		}
	}
	for len(words) < 200000 {
		words = fmt.Appendf(words, "%d %x; ", rnd.IntN(1000), rnd.IntN(50))
	}
	return map[string][]byte{
		"noise": noise, "smooth": smooth, "planes": planes, "runs": runs, "words": words, "zeros": make([]byte, 300000),
		"mixed": append(append(bytes.Clone(noise[:3000]), runs[:3000]...), planes[90000:]...),
	}
}

// zstdFastFrames encodes the inputs and parts of them at all levels, as one run of the encoder and as several.
func zstdFastFrames(tb testing.TB) map[string][][2][]byte {
	tb.Helper()
	frames := map[string][][2][]byte{}
	for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
		if err != nil {
			tb.Fatal(err)
		}
		for name, data := range zstdFastInputs() {
			for _, n := range []int{40, 300, 2000, 20000, len(data)} {
				part := data[len(data)-n:]
				frames[name] = append(frames[name], [2][]byte{part, enc.EncodeAll(part, nil)})
				e := encoders{zstd: enc, zstdLevel: zstd.SpeedFastest}
				planes, err := e.appendPlanes(nil, part, 4)
				if err != nil {
					tb.Fatal(err)
				}
				frames[name] = append(frames[name], [2][]byte{part, planes})
			}
		}
	}
	return frames
}

func TestZstdFast(t *testing.T) {
	var usual, all zstdFast
	all.all = true
	for name, frames := range zstdFastFrames(t) {
		decoded, decodedAll := 0, 0
		for _, f := range frames {
			data, frame := f[0], f[1]
			for _, slack := range []int{0, 7, zstdSlack} {
				buf := bytes.Repeat([]byte{0xa5}, len(data)+2*zstdSlack)
				got := buf[: len(data) : len(data)+slack]
				if all.decode(got, frame) {
					decodedAll++
					if !bytes.Equal(got, data) {
						t.Fatalf("%s, %d bytes, slack %d: decodes to other bytes", name, len(data), slack)
					}
				} else if len(data) > 1000 {
					t.Errorf("%s, %d bytes, slack %d: not decoded", name, len(data), slack)
				}
				for i, v := range buf[len(data)+slack:] {
					if v != 0xa5 {
						t.Fatalf("%s, %d bytes, slack %d: wrote %d bytes behind that", name, len(data), slack, i)
					}
				}
				if usual.decode(got, frame) {
					decoded++
					if !bytes.Equal(got, data) {
						t.Fatalf("%s, %d bytes, slack %d: decodes to other bytes", name, len(data), slack)
					}
				}
				for _, n := range []int{0, len(data) - 1, len(data) + 1} {
					if all.decode(make([]byte, n), frame) {
						t.Errorf("%s, %d bytes: decodes to %d", name, len(data), n)
					}
				}
			}
		}
		t.Logf("%s: %d of %d decoded, %d usually", name, decodedAll, 3*len(frames), decoded)
	}
}

func TestZstdFastAllocs(t *testing.T) {
	var z zstdFast
	z.all = true
	for name, frames := range zstdFastFrames(t) {
		for _, f := range frames {
			dst := make([]byte, len(f[0]), len(f[0])+zstdSlack)
			z.decode(dst, f[1])
			if n := testing.AllocsPerRun(3, func() { z.decode(dst, f[1]) }); n != 0 {
				t.Errorf("%s, %d bytes: %v allocs, want 0", name, len(dst), n)
			}
		}
	}
}

// FuzzZstdFast compares what is decoded with what the library makes of it.
func FuzzZstdFast(f *testing.F) {
	for _, frames := range zstdFastFrames(f) {
		for _, frame := range frames[:8] {
			if len(frame[1]) < 4000 {
				f.Add(frame[1], uint32(len(frame[0])))
			}
		}
	}
	library, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<20))
	if err != nil {
		f.Fatal(err)
	}
	used := &zstdFast{all: true}
	f.Fuzz(func(t *testing.T, src []byte, n uint32) {
		if n > 1<<19 {
			t.Skip()
		}
		a, b := make([]byte, n, n+zstdSlack), make([]byte, n)
		ok := (&zstdFast{all: true}).decode(a, src)
		if again := used.decode(b, src); again != ok || ok && !bytes.Equal(a, b) {
			t.Fatalf("decoded: %v, then with what was left of another frame: %v, or other bytes", ok, again)
		}
		if !ok {
			return
		}
		want, err := library.DecodeAll(src, nil)
		if err != nil || !bytes.Equal(want, a) {
			t.Fatalf("%d bytes: the library has %d others (%v)", n, len(want), err)
		}
	})
}
