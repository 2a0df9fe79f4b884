package engine_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/store"
)

// noGap has readers skip every gap, so that small chunks are read in parts too.
var noGap = zarrio.Options{CoalesceGap: -1}

// openGroup opens the root group of st.
func openGroup(t *testing.T, st store.Store, opt zarrio.Options) *zarrio.Group {
	t.Helper()
	g, err := zarrio.OpenStore(t.Context(), st, opt)
	require.NoError(t, err)
	return g
}

// TestFrames loads windows of arrays whose one chunk is a Blosc frame, or of shards of them.
func TestFrames(t *testing.T) {
	for i, f := range arraytest.Frames(t) {
		if testing.Short() && i%3 != 0 {
			continue
		}
		f.BigEndian = i%2 == 1 && f.Size > 1
		t.Run(f.Name, func(t *testing.T) { testFrame(t, f, loadertest.AllIO[i%4]) })
	}
}

// TestSharedFrames is TestFrames for frames that other software has made.
func TestSharedFrames(t *testing.T) {
	for i, f := range arraytest.SharedFrames(t) {
		if len(f.Decoded) == 0 || i%7 != 0 && (testing.Short() || len(f.Encoded) < 4096) {
			continue
		}
		t.Run(f.Name, func(t *testing.T) { testFrame(t, f, loadertest.AllIO[i%4]) })
	}
}

func testFrame(t *testing.T, f arraytest.Frame, io engine.IO) {
	want := f.Native()
	dir, shard, zip := arraytest.DirOf(t, f.Files()), arraytest.DirOf(t, f.ShardFiles()), arraytest.ZipOf(t, f.Files())
	rows := max(1, f.Shape[1]/3)
	opt := loader.Options{
		Channels: []string{"x"},
		Windows:  []loader.Window{{Dim: "time", Size: 1}, {Dim: "y", Size: rows}},
		Batch:    1,
		Prefetch: -1,
	}
	bands := opt
	bands.Windows = append([]loader.Window{{Dim: "x", Size: max(1, f.Shape[2]/2)}}, opt.Windows...)
	bands.Batch, bands.Shuffle = 3, loader.ByWindow
	for _, tt := range []struct {
		name string
		st   store.Store
		opt  loader.Options
		keep int64
	}{
		{"directory", dir, opt, -1},
		{"bands", dir, bands, 20_000},
		{"shard", shard, bands, -1},
		{"zip", zip, bands, 1 << 20},
	} {
		name := fmt.Sprintf("%v, %s", io, tt.name)
		l := loadertest.New(t, openGroup(t, tt.st, noGap), engine.CPUOptions{Workers: 2, IO: io, KeepBytes: tt.keep}, tt.opt)
		read, samples, known := int64(0), 0, false
		for b, err := range l.Batches(t.Context()) {
			require.NoError(t, err, name)
			for i := range b.Len {
				o := b.Windows[i]
				checkFrame(t, f, want, o, b.Tensors[0].PlaneBytes(i, 0), name)
				samples++
				if tt.name == "directory" {
					lo := ((o.Start[0]*f.Shape[1] + o.Start[1]) * f.Shape[2]) * f.Size
					n, _ := f.ReadBytes(t, codec.Span{Lo: lo, Hi: lo + o.Size[1]*f.Shape[2]*f.Size}, known)
					read, known = read+n, true
				}
			}
		}
		require.Equal(t, l.Samples(), samples)
		if tt.name == "directory" && !f.BigEndian && f.Size > 1 {
			require.Equal(t, read, l.Stats().ReadBytes, name)
		}
	}
}

// checkFrame compares a field of a sample with the elements of the array that a frame is, or of a
// shard of the frame, nothing and the frame.
func checkFrame(t *testing.T, f arraytest.Frame, elements []byte, o loader.Origin, got []byte, name string) {
	t.Helper()
	step, n := o.Start[0], o.Size[2]*f.Size
	if step/f.Shape[0] == 1 {
		require.Equal(t, make([]byte, len(got)), got, "%s: the missing chunk at %v", name, o)
		return
	}
	for y := range o.Size[1] {
		at := (((step%f.Shape[0])*f.Shape[1]+o.Start[1]+y)*f.Shape[2] + o.Start[2]) * f.Size
		if !bytes.Equal(got[y*n:(y+1)*n], elements[at:at+n]) {
			t.Fatalf("%s: row %d of the sample at %v differs", name, y, o)
		}
	}
}
