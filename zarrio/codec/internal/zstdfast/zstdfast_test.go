package zstdfast

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// maxSlack is the capacity that is left behind decoded bytes.
const maxSlack = 64

// inputs are bytes whose frames have blocks and literals of all kinds, and repeated offsets.
func inputs() map[string][]byte {
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
	for i, v := range smooth {
		planes[i%4*len(smooth)/4+i/4] = v
	}
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

// encodeInputs encodes the inputs and parts of them at all levels, as one run of the encoder and as
// several.
func encodeInputs(tb testing.TB) map[string][][2][]byte {
	tb.Helper()
	frames := map[string][][2][]byte{}
	short, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithAllLitEntropyCompression(true), zstd.WithSingleSegment(true))
	require.NoError(tb, err)
	for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
		if err != nil {
			tb.Fatal(err)
		}
		for name, data := range inputs() {
			for _, n := range []int{40, 300, 2000, 20000, len(data)} {
				part := data[len(data)-n:]
				frames[name] = append(frames[name], [2][]byte{part, enc.EncodeAll(part, nil)})
				if n <= zstd.MinWindowSize {
					frames[name] = append(frames[name], [2][]byte{part, short.EncodeAll(part, nil)})
				} else {
					frames[name] = append(frames[name], [2][]byte{part, encodePlanes(tb, enc, part, 4)})
				}
			}
		}
	}
	return frames
}

// encodePlanes encodes so many parts of src in a frame, each from a block of its own on.
func encodePlanes(tb testing.TB, enc *zstd.Encoder, src []byte, planes int) []byte {
	tb.Helper()
	if len(src)/planes < 4<<10 {
		planes = 1
	}
	var b bytes.Buffer
	enc.ResetContentSize(&b, int64(len(src)))
	for i := range planes {
		plane := src[i*len(src)/planes : (i+1)*len(src)/planes]
		_, err := enc.Write(plane)
		require.NoError(tb, err)
		require.NoError(tb, enc.Flush())
	}
	require.NoError(tb, enc.Close())
	enc.Reset(nil)
	return b.Bytes()
}

func TestZstdFast(t *testing.T) {
	var usual, all Decoder
	all.all = true
	for name, frames := range encodeInputs(t) {
		decoded, decodedAll := 0, 0
		for _, f := range frames {
			data, frame := f[0], f[1]
			for _, slack := range []int{0, 7, maxSlack} {
				buf := bytes.Repeat([]byte{0xa5}, len(data)+2*maxSlack)
				got := buf[: len(data) : len(data)+slack]
				if all.Decode(got, frame) {
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
				if usual.Decode(got, frame) {
					decoded++
					if !bytes.Equal(got, data) {
						t.Fatalf("%s, %d bytes, slack %d: decodes to other bytes", name, len(data), slack)
					}
				}
				for _, n := range []int{0, len(data) - 1, len(data) + 1} {
					if all.Decode(make([]byte, n), frame) {
						t.Errorf("%s, %d bytes: decodes to %d", name, len(data), n)
					}
				}
			}
		}
		t.Logf("%s: %d of %d decoded, %d usually", name, decodedAll, 3*len(frames), decoded)
	}
}

func TestZstdFastAllocs(t *testing.T) {
	var z Decoder
	z.all = true
	for name, frames := range encodeInputs(t) {
		for _, f := range frames {
			dst := make([]byte, len(f[0]), len(f[0])+maxSlack)
			z.Decode(dst, f[1])
			if n := testing.AllocsPerRun(3, func() { z.Decode(dst, f[1]) }); n != 0 {
				t.Errorf("%s, %d bytes: %v allocs, want 0", name, len(dst), n)
			}
		}
	}
}

// FuzzZstdFast compares what is decoded with what the library makes of it.
func FuzzZstdFast(f *testing.F) {
	for _, frames := range encodeInputs(f) {
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
	used := &Decoder{all: true}
	f.Fuzz(func(t *testing.T, src []byte, n uint32) {
		if n > 1<<19 {
			t.Skip()
		}
		a, b := make([]byte, n, n+maxSlack), make([]byte, n)
		ok := (&Decoder{all: true}).Decode(a, src)
		if again := used.Decode(b, src); again != ok || ok && !bytes.Equal(a, b) {
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
