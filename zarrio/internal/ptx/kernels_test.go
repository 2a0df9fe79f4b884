//go:build linux && (amd64 || arm64)

package ptx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/loss"
)

// floats makes n float32 of a kind: of many binades, of any bits, or subnormal.
func floats(r *rand.Rand, kind string, n int) []float32 {
	f := make([]float32, n)
	for i := range f {
		switch kind {
		case "many binades":
			f[i] = float32(r.NormFloat64() * math.Exp(8*r.NormFloat64()))
		case "any bits":
			f[i] = math.Float32frombits(r.Uint32())
		case "subnormal":
			f[i] = math.Float32frombits(r.Uint32() & 0x807fffff)
		}
	}
	return f
}

// planesOf lays planes out with gaps of a byte between them, so that stride is the distance of their first elements.
func planesOf(planes [][]float32, stride int) []byte {
	if len(planes) == 0 {
		return nil
	}
	b := bytes.Repeat([]byte{0xff}, stride*(len(planes)-1)+4*len(planes[0])) // NaN
	for i, p := range planes {
		for j, x := range p {
			binary.LittleEndian.PutUint32(b[i*stride+4*j:], math.Float32bits(x))
		}
	}
	return b
}

// sameFloat reports whether two sums are the same bits, or both NaN.
func sameFloat(x, y float64) bool {
	return math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y)
}

func float64At(b []byte, i int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
}

func TestSegmentSquaresAndPlaneSums(t *testing.T) {
	d := newDevice(t, Source(), 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for _, kind := range []string{"many binades", "any bits", "subnormal"} {
		for _, n := range []int{0, 1, 15, 16, 17, 127, 128, 129, 721 * 3, 4095, 4096, 4097, 3*4096 + 37} {
			for planes, pads := range map[int][2]int{0: {0, 0}, 1: {0, 4}, 3: {100, 0}, 5: {4, 12}} {
				a, b := make([][]float32, planes), make([][]float32, planes)
				for i := range planes {
					a[i], b[i] = floats(r, kind, n), floats(r, kind, n)
				}
				strideA, strideB := 4*n+pads[0], 4*n+pads[1]
				x, y := d.put(planesOf(a, strideA), 4*planes), d.put(planesOf(b, strideB), 8)
				segments := int(Segments(uint64(n)))
				out, sums := d.alloc(8*segments*planes, 0), d.alloc(8*planes, 8)

				grid, block, args := SegmentSquares(addr(x), addr(y), uint64(strideA), uint64(strideB), uint64(n), uint64(planes), addr(out))
				d.run(NameSegmentSquares, grid, block, args[:])
				grid, block, sumArgs := PlaneSums(addr(out), uint64(segments), uint64(planes), addr(sums))
				d.run(NamePlaneSums, grid, block, sumArgs[:])

				for i := range planes {
					for s := range segments {
						from, to := s*loss.Segment, min((s+1)*loss.Segment, n)
						want := loss.SquaredError(a[i][from:to], b[i][from:to])
						if got := float64At(out, i*segments+s); !sameFloat(got, want) {
							t.Errorf("%s, %d elements, plane %d of %d, segment %d: %v, want %v", kind, n, i, planes, s, got, want)
						}
					}
					if got, want := float64At(sums, i), loss.SquaredError(a[i], b[i]); !sameFloat(got, want) {
						t.Errorf("%s, %d elements, plane %d of %d: %v, want %v", kind, n, i, planes, got, want)
					}
				}
				d.reset()
			}
		}
	}
}

// TestTurns launches kernels with less than their grid: blocks take the rest in turns.
func TestTurns(t *testing.T) {
	d := newDevice(t, Source(), 1<<21)
	r := rand.New(rand.NewPCG(3, 4))
	const n, planes = 4096 + 50, 21
	a, b := make([][]float32, planes), make([][]float32, planes)
	for i := range planes {
		a[i], b[i] = floats(r, "many binades", n), floats(r, "many binades", n)
	}
	x, y, out, sums := d.put(planesOf(a, 4*n), 0), d.put(planesOf(b, 4*n), 0), d.alloc(16*planes, 0), d.alloc(8*planes, 0)
	_, block, args := SegmentSquares(addr(x), addr(y), 4*n, 4*n, n, planes, addr(out))
	d.run(NameSegmentSquares, 2, block, args[:])
	_, block, sumArgs := PlaneSums(addr(out), 2, planes, addr(sums))
	d.run(NamePlaneSums, 1, block, sumArgs[:])
	for i := range planes {
		if got, want := float64At(sums, i), loss.SquaredError(a[i], b[i]); got != want {
			t.Errorf("plane %d: %v, want %v", i, got, want)
		}
	}
	src := d.put(randomBytes(r, 7001*13), 1)
	dst := d.alloc(len(src), 2)
	_, block, copyArgs := CopyRows(addr(dst), 7001, addr(src), 7001, 7001, 13)
	d.run(NameCopyRows, 3, block, copyArgs[:])
	if !bytes.Equal(dst, src) {
		t.Error("copy_rows in turns: other bytes")
	}
	table := d.put(u32Bytes(CRCTable()), 0)
	crcs := d.alloc(4*len(src), 0)
	_, block, crcArgs := PlaneCRCs(addr(src), uint64(len(src)), uint64(len(src)), 17, 1, addr(table), addr(crcs))
	d.run(NamePlaneCRCs, 2, block, crcArgs[:])
	joinCRCs(t, crcs, src, 17, 0)
}

func u32Bytes(v []uint32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

// joinCRCs checks plane i of what plane_crcs wrote.
func joinCRCs(t *testing.T, out, plane []byte, piece, i int) {
	t.Helper()
	n := int(Pieces(uint64(len(plane)), uint64(piece)))
	var pieces []uint32
	for k := range n {
		got := binary.LittleEndian.Uint32(out[4*(i*n+k):])
		if want := crc32.ChecksumIEEE(plane[k*piece : min((k+1)*piece, len(plane))]); got != want {
			t.Fatalf("plane %d of %d bytes, piece %d of %d: %#x, want %#x", i, len(plane), k, piece, got, want)
		}
		pieces = append(pieces, got)
	}
	if got, want := NewJoiner(int64(len(plane)), int64(piece)).Join(pieces), crc32.ChecksumIEEE(plane); got != want {
		t.Errorf("plane %d of %d bytes: %#x, want %#x", i, len(plane), got, want)
	}
}

func TestPlaneCRCs(t *testing.T) {
	d := newDevice(t, Source(), 1<<22)
	r := rand.New(rand.NewPCG(5, 6))
	check := func(n, piece, planes, pad, offset int) {
		t.Helper()
		stride := n + pad
		b := d.put(randomBytes(r, max(stride*planes-pad, 0)), offset)
		table := d.put(u32Bytes(CRCTable()), 4)
		out := d.alloc(4*int(Pieces(uint64(n), uint64(piece)))*planes, 4)
		grid, block, args := PlaneCRCs(addr(b), uint64(stride), uint64(n), uint64(piece), uint64(planes), addr(table), addr(out))
		d.run(NamePlaneCRCs, grid, block, args[:])
		for i := range planes {
			joinCRCs(t, out, b[i*stride:i*stride+n], piece, i)
		}
		d.reset()
	}
	for n := range 71 {
		check(n, 16384, 1, 0, n%17)
		check(n, 23, 3, 4, n%5)
	}
	for offset := range 17 {
		check(100, 50, 2, 3, offset)
	}
	check(70000, 16384, 3, 0, 0)
	check(65536, 16384, 2, 16, 4)
	check(300000, 1000, 1, 0, 1)
}

func TestCopyRows(t *testing.T) {
	d := newDevice(t, Source(), 1<<21)
	r := rand.New(rand.NewPCG(7, 8))
	check := func(width, rows, dstPad, srcPad, dstOff, srcOff int) {
		t.Helper()
		dstPitch, srcPitch := width+dstPad, width+srcPad
		src := d.put(randomBytes(r, max(srcPitch*rows-srcPad, 0)), srcOff)
		dst := d.alloc(max(dstPitch*rows-dstPad, 0), dstOff)
		grid, block, args := CopyRows(addr(dst), uint64(dstPitch), addr(src), uint64(srcPitch), uint64(width), uint64(rows))
		d.run(NameCopyRows, grid, block, args[:])
		for i := range rows {
			at, of := i*dstPitch, i*srcPitch
			if !bytes.Equal(dst[at:at+width], src[of:of+width]) {
				t.Errorf("width %d, row %d of %d, pads %d and %d, offsets %d and %d: other bytes", width, i, rows, dstPad, srcPad, dstOff, srcOff)
			}
			if i < rows-1 && slices.ContainsFunc(dst[at+width:at+dstPitch], func(b byte) bool { return b != fresh }) {
				t.Errorf("width %d, row %d of %d, pads %d and %d, offsets %d and %d: bytes between rows are written", width, i, rows, dstPad, srcPad, dstOff, srcOff)
			}
		}
		d.reset()
	}
	for dstOff := range 17 { // every alignment of both
		for srcOff := range 17 {
			check(64, 3, 16, 0, dstOff, srcOff)
		}
	}
	for _, width := range []int{0, 1, 3, 4, 15, 16, 17, 32, 48, 100, 255, 256, 1024, 1028, 4095, 4096, 4100, 65536, 65552, 100001} {
		for _, pad := range []int{0, 1, 4, 16, 48} {
			check(width, 5, pad, 0, 0, 0)
			check(width, 2, 0, pad, 0, 16)
			check(width, 1, pad, pad, 4, 0)
		}
	}
	for _, rows := range []int{0, 1, 15, 16, 17, 255, 256, 257, 300} {
		check(16, rows, 16, 0, 0, 0)
		check(20, rows, 0, 4, 4, 0)
		check(3, rows, 0, 0, 0, 0)
		check(1, rows, 1, 2, 0, 0)
	}
}

func TestFillPattern(t *testing.T) {
	d := newDevice(t, Source(), 1<<21)
	r := rand.New(rand.NewPCG(9, 10))
	for _, size := range []int{1, 2, 4, 8, 16} {
		for _, elements := range []int{0, 1, 2, 3, 5, 8, 64, 1023, 4099} {
			for _, pad := range []int{0, 1, 4, 16} {
				for _, offset := range []int{0, 1, 2, 4, 8, 12, 16} {
					rows := 1 + r.IntN(4)
					lo, hi := r.Uint64(), r.Uint64()
					width := size * elements
					pitch := width + pad
					dst := d.alloc(pitch*rows-pad, offset)
					grid, block, args := FillPattern(addr(dst), uint64(pitch), lo, hi, uint64(size), uint64(elements), uint64(rows))
					d.run(NameFillPattern, grid, block, args[:])
					element := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, lo), hi)[:size]
					want := bytes.Repeat([]byte{fresh}, len(dst))
					for i := range rows {
						copy(want[i*pitch:], bytes.Repeat(element, elements))
					}
					if !bytes.Equal(dst, want) {
						t.Errorf("%d elements of %d bytes, %d rows, pad %d, offset %d: other bytes", elements, size, rows, pad, offset)
					}
					d.reset()
				}
			}
		}
	}
}

// TestCopyBoxes copies lists of boxes, whose addresses and sizes are multiples of anything, and nothing else.
func TestCopyBoxes(t *testing.T) {
	require.EqualValues(t, BoxBytes, unsafe.Sizeof(Box{}))
	d := newDevice(t, Source(), 1<<21)
	r := rand.New(rand.NewPCG(11, 12))
	for _, unit := range []int{1, 4, 16} {
		for _, count := range []int{0, 1, 2, 300} {
			t.Run(fmt.Sprintf("%d boxes of units of %d", count, unit), func(t *testing.T) {
				defer d.reset()
				src := d.put(randomBytes(r, 64<<10), 0)
				dst := d.alloc(1<<20, 0)
				want := bytes.Repeat([]byte{fresh}, len(dst))
				var list []byte
				to := 0
				for range count {
					width, rows := unit*r.IntN(30), r.IntN(9)
					b := Box{SrcPitch: uint32(width + unit*r.IntN(5)), DstPitch: uint32(width + unit*r.IntN(5)), Width: uint32(width), Rows: uint32(rows)}
					to += unit * r.IntN(3)
					b.Dst = d.addr(dst) + uint64(to)
					b.Src = uint32(unit * r.IntN((len(src)-9*int(b.SrcPitch)-width)/unit))
					for i := range rows {
						copy(want[to+i*int(b.DstPitch):][:width], src[int(b.Src)+i*int(b.SrcPitch):])
					}
					to += max(0, rows-1)*int(b.DstPitch) + width
					list = append(list, unsafe.Slice((*byte)(unsafe.Pointer(&b)), BoxBytes)...)
				}
				boxes := d.put(list, 0)
				grid, block, args := CopyBoxes(addr(src), addr(boxes), uint64(count))
				d.run(NameCopyBoxes, grid, block, args[:])
				require.True(t, bytes.Equal(dst, want), "other bytes")
			})
		}
	}
}

// TestFarPlanes gives kernels planes, and rows, whose distance doesn't fit 32 bits.
func TestFarPlanes(t *testing.T) {
	d := newDevice(t, Source(), 1<<17)
	const stride, planes, n = 5<<30 + 16, 3, 4100
	far := newFarMemory(d, stride*(planes-1)+4*n)
	r := rand.New(rand.NewPCG(13, 14))
	a := make([][]float32, planes)
	for i := range a {
		a[i] = floats(r, "many binades", n)
		far.write(i*stride, planesOf(a[i:i+1], 0))
	}
	plane := func(i int) []byte { return far.read(i*stride, 4*n) }

	segments, sums, table, crcs := d.alloc(16*planes, 0), d.alloc(8*planes, 0), d.put(u32Bytes(CRCTable()), 0), d.alloc(8*planes, 0)
	grid, block, args := SegmentSquares(far.addr+stride, far.addr, stride, stride, n, planes-1, addr(segments))
	d.run(NameSegmentSquares, grid, block, args[:])
	grid, block, sumArgs := PlaneSums(addr(segments), 2, planes-1, addr(sums))
	d.run(NamePlaneSums, grid, block, sumArgs[:])
	for i := range planes - 1 {
		if got, want := float64At(sums, i), loss.SquaredError(a[i+1], a[i]); got != want {
			t.Errorf("plane %d: %v, want %v", i, got, want)
		}
	}
	grid, block, crcArgs := PlaneCRCs(far.addr, stride, 4*n, 16384, planes, addr(table), addr(crcs))
	d.run(NamePlaneCRCs, grid, block, crcArgs[:])
	for i := range planes {
		joinCRCs(t, crcs, plane(i), 16384, i)
	}
	near := d.alloc(4*n*planes, 0)
	grid, block, copyArgs := CopyRows(addr(near), 4*n, far.addr, stride, 4*n, planes)
	d.run(NameCopyRows, grid, block, copyArgs[:])
	grid, block, fillArgs := FillPattern(far.addr, stride, 0x3ff, 0, 4, n, planes)
	d.run(NameFillPattern, grid, block, fillArgs[:])
	for i := range planes {
		if want := planesOf(a[i:i+1], 0); !bytes.Equal(near[4*n*i:][:4*n], want) {
			t.Errorf("plane %d: other bytes are copied", i)
		}
		if want := bytes.Repeat([]byte{0xff, 3, 0, 0}, n); !bytes.Equal(plane(i), want) {
			t.Errorf("plane %d: it is filled with other bytes", i)
		}
	}
	grid, block, copyArgs = CopyRows(far.addr, stride, addr(near), 4*n, 4*n, planes)
	d.run(NameCopyRows, grid, block, copyArgs[:])
	for i := range planes {
		if want := planesOf(a[i:i+1], 0); !bytes.Equal(plane(i), want) {
			t.Errorf("plane %d: other bytes are copied back", i)
		}
	}
}

// TestOutOfBounds shows that the tests above would see a kernel that reads beyond its planes.
func TestOutOfBounds(t *testing.T) {
	if onGPU {
		t.Skip("a GPU doesn't tell what it reads: compute-sanitizer does")
	}
	d := newDevice(t, Source(), 1<<20)
	a, b, out := d.alloc(4*100, 0), d.alloc(4*100, 0), d.alloc(8, 0)
	grid, block, args := SegmentSquares(addr(a), addr(b), 400, 400, 101, 1, addr(out))
	want := fmt.Sprintf("reads 4 bytes at %#x, outside device memory", addr(a)+400)
	if got := d.tryRun(NameSegmentSquares, grid, block, args[:]); !bytes.HasSuffix([]byte(got), []byte(want)) {
		t.Errorf("error %q, want %q", got, want)
	}
}
