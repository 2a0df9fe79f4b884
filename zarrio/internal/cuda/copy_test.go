//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"bytes"
	"errors"
	"testing"
)

func TestCopies(t *testing.T) {
	d := open(t, 0)
	for _, n := range []int{1, 7, 4096, 1_000_003} {
		p, q := alloc(t, d, int64(n)), alloc(t, d, int64(n)+3)
		s := stream(t, d)
		want := pattern(n, 1)

		// Calls that wait take Go's memory.
		got := make([]byte, n)
		check(t, d.CopyHtoD(p, want), d.CopyDtoH(got, p))
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes: other bytes came back", n)
		}

		// There, beside, and back, each after the other in a stream.
		host, back := pinned(t, d, int64(n)), pinned(t, d, int64(n))
		want = pattern(n, 2)
		copy(host, want)
		check(t, d.CopyHtoDAsync(p, host, s), d.CopyDtoDAsync(q+3, p, int64(n), s), d.CopyDtoHAsync(back, q+3, s), d.Synchronize(s))
		if !bytes.Equal(back, want) {
			t.Errorf("%d bytes: other bytes came back through a stream", n)
		}

		check(t, d.SetAsync(p, 0x5b, int64(n), s), d.Synchronize(s), d.CopyDtoH(got, p))
		if !bytes.Equal(got, bytes.Repeat([]byte{0x5b}, n)) {
			t.Errorf("%d bytes: not all are set", n)
		}
	}
}

// TestCopyRefused checks that the driver's refusals come back.
func TestCopyRefused(t *testing.T) {
	d := open(t, 0)
	p := alloc(t, d, 100)
	host := pinned(t, d, 1<<20)
	for name, err := range map[string]error{
		"cuMemcpyHtoD_v2":      d.CopyHtoD(p, host),
		"cuMemcpyDtoH_v2":      d.CopyDtoH(host, p),
		"cuMemcpyHtoDAsync_v2": d.CopyHtoDAsync(p, host, 0),
		"cuMemcpyDtoHAsync_v2": d.CopyDtoHAsync(host, p, 0),
		"cuMemcpyDtoDAsync_v2": d.CopyDtoDAsync(p, p+50, 1<<20, 0),
		"cuMemsetD8Async":      d.SetAsync(p, 0, 1<<20, 0),
		"cuMemcpy2DAsync_v2":   d.Copy2DAsync(&Copy2D{Dst: p, DstPitch: 1 << 10, SrcHost: host, SrcPitch: 8, Width: 8, Height: 200}, 0),
	} {
		if !errors.Is(err, &Error{Call: name, Code: 1}) {
			t.Errorf("%s past the end: error %v, want %s", name, err, ErrorName(1))
		}
	}
}

func TestCopy2D(t *testing.T) {
	d := open(t, 0)
	s := stream(t, d)
	for _, test := range []struct{ width, height, srcPitch, dstPitch int64 }{
		{1, 1, 1, 1},
		{10, 1, 10, 10},
		{10, 7, 10, 10},   // dense
		{10, 7, 16, 10},   // padding goes
		{10, 7, 10, 16},   // padding comes
		{33, 50, 100, 77}, // both
		{4096, 20, 4608, 4096},
	} {
		srcBytes := (test.height-1)*test.srcPitch + test.width
		dstBytes := (test.height-1)*test.dstPitch + test.width
		host := pinned(t, d, srcBytes)
		copy(host, pattern(int(srcBytes), 3))
		want := bytes.Repeat([]byte{0xee}, int(dstBytes)+2)
		for row := range test.height {
			copy(want[1+row*test.dstPitch:][:test.width], host[row*test.srcPitch:])
		}
		src, dst := alloc(t, d, srcBytes), alloc(t, d, dstBytes+2)
		check(t, d.CopyHtoD(src, host))
		for name, r := range map[string]*Copy2D{
			"host":   {SrcHost: host},
			"device": {Src: src},
		} {
			r.Dst, r.DstPitch, r.SrcPitch, r.Width, r.Height = dst+1, test.dstPitch, test.srcPitch, test.width, test.height
			check(t, d.SetAsync(dst, 0xee, dstBytes+2, s), d.Copy2DAsync(r, s), d.Synchronize(s))
			got := make([]byte, len(want))
			check(t, d.CopyDtoH(got, dst))
			if !bytes.Equal(got, want) {
				t.Errorf("%+v of the %s: other bytes", test, name)
			}
		}
	}
}
