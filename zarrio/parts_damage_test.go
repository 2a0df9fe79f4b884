package zarrio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/race"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// A damaged is an array whose one chunk, or one inner chunk, is a frame that a test damages.
type damaged struct {
	frame   arraytest.Frame
	sharded bool
	mem     *store.Mem
	array   *Array
}

func newDamaged(t *testing.T, f arraytest.Frame, sharded bool) *damaged {
	d := &damaged{frame: f, sharded: sharded}
	files := f.Files()
	if sharded {
		files = f.ShardFiles()
	}
	d.mem = arraytest.MemStore(t, files)
	d.array = openArray(t, d.mem, Options{CoalesceGap: -1})
	return d
}

// put makes stored the frame, and opens the array anew if it is sharded: the index is another.
func (d *damaged) put(t *testing.T, stored []byte) {
	t.Helper()
	if !d.sharded {
		require.NoError(t, d.mem.Put(t.Context(), arraytest.FrameKey, stored))
		return
	}
	shard := d.frame.ShardOf([][]byte{d.frame.Encoded, nil, stored})[arraytest.FrameShard]
	require.NoError(t, d.mem.Put(t.Context(), arraytest.FrameShard, shard))
	d.array.c.ForgetTables()
}

// read reads rows of a step of the frame.
func (d *damaged) read(t *testing.T, step, lo, hi int) ([]byte, error) {
	f := d.frame
	if d.sharded {
		step += 2 * f.Shape[0]
	}
	got := make([]byte, (hi-lo)*f.Shape[2]*f.Size)
	_, err := d.array.ReadInto(t.Context(), Selection{At(step), Span(lo, hi)}, got)
	return got, err
}

// readWhole reads the frame whole.
func (d *damaged) readWhole(t *testing.T) ([]byte, error) {
	f := d.frame
	lo := 0
	if d.sharded {
		lo = 2 * f.Shape[0]
	}
	got := make([]byte, len(f.Decoded))
	_, err := d.array.ReadInto(t.Context(), Selection{Span(lo, lo+f.Shape[0])}, got)
	return got, err
}

// wantNamed checks that an error says which chunk of which array of which store is damaged, and in
// which step that was found.
func (d *damaged) wantNamed(t *testing.T, err error, what string) {
	t.Helper()
	e, ok := errors.AsType[*meta.ChunkError](err)
	require.True(t, ok, "%s: %v", what, err)
	key := arraytest.FrameKey
	if d.sharded {
		key = arraytest.FrameShard
		require.Equal(t, []int{2, 0, 0}, e.Inner, what)
	}
	require.Equal(t, "memory", e.Store, what)
	require.Equal(t, "x", e.Array, what)
	require.Equal(t, key, e.Key, what)
	require.Contains(t, []string{"read", "blosc"}, e.Step, what)
}

// check reads parts of a damaged frame. They must be what reading the chunk whole gives. If that
// fails, they are an error, or right if needed tells that the part needs none of the damaged bytes.
func (d *damaged) check(t *testing.T, stored []byte, needed func(lo, hi int) bool, what string) {
	t.Helper()
	f, row := d.frame, d.frame.Shape[2]*d.frame.Size
	d.put(t, stored)
	whole, wholeErr := d.readWhole(t)
	if wholeErr != nil {
		d.wantNamed(t, wholeErr, what)
	}
	for _, part := range [][3]int{{0, 0, 3}, {f.Shape[0] / 2, 1, 2}, {f.Shape[0] - 1, f.Shape[1] - 2, f.Shape[1]}} {
		got, err := d.read(t, part[0], part[1], part[2])
		lo, hi := (part[0]*f.Shape[1]+part[1])*row, (part[0]*f.Shape[1]+part[2])*row
		switch {
		case wholeErr == nil && err != nil:
			t.Fatalf("%s: part %v: %v, but the whole chunk can be read", what, part, err)
		case err != nil:
			d.wantNamed(t, err, what)
		case wholeErr == nil && !bytes.Equal(got, whole[lo:hi]):
			t.Fatalf("%s: part %v: other bytes than of the whole chunk", what, part)
		case !needed(lo, hi) && !bytes.Equal(got, f.Native()[lo:hi]):
			t.Fatalf("%s: part %v: wrong, though it is not damaged (whole: %v)", what, part, wholeErr)
		}
	}
}

// damagedFrames returns one frame of each compressor, with other layouts.
func damagedFrames(t *testing.T) (list []arraytest.Frame) {
	all := arraytest.Frames(t)
	for i := 0; i < len(all); i += 7 {
		list = append(list, all[i])
	}
	return append(list, all[len(all)-1])
}

func eachDamaged(t *testing.T, test func(t *testing.T, d *damaged)) {
	for i, f := range damagedFrames(t) {
		for _, sharded := range []bool{false, true} {
			if sharded && testing.Short() && i > 0 {
				continue
			}
			t.Run(fmt.Sprintf("%s/sharded=%t", f.Name, sharded), func(t *testing.T) { test(t, newDamaged(t, f, sharded)) })
		}
	}
}

// table returns the size of a block, and the length of the header and the table.
func (d *damaged) table() (blocksize, length int) {
	f := d.frame.Encoded
	if f[2]&2 != 0 { // copied
		return 1, 16
	}
	blocksize = int(binary.LittleEndian.Uint32(f[8:]))
	return blocksize, 16 + 4*((len(d.frame.Decoded)+blocksize-1)/blocksize)
}

// TestPartsDamagedHead flips bits of each byte of a frame's header and table.
func TestPartsDamagedHead(t *testing.T) {
	eachDamaged(t, func(t *testing.T, d *damaged) {
		blocksize, table := d.table()
		for at := range table {
			for _, flip := range []byte{1, 0x80, 0xff, 1 << (at % 8)} {
				bad := bytes.Clone(d.frame.Encoded)
				bad[at] ^= flip
				needed := func(lo, hi int) bool {
					block := (at - 16) / 4
					return at < 16 || lo/blocksize <= block && block <= (hi-1)/blocksize
				}
				d.check(t, bad, needed, fmt.Sprintf("byte %d ^ %#x", at, flip))
			}
		}
		for at := 4; at < 16; at += 4 {
			for _, v := range []uint32{0, 1, 16, 127, 1 << 20, 1 << 31, 1<<31 - 1, 1<<32 - 1} {
				bad := bytes.Clone(d.frame.Encoded)
				binary.LittleEndian.PutUint32(bad[at:], v)
				d.check(t, bad, func(int, int) bool { return true }, fmt.Sprintf("%d at %d", v, at))
			}
		}
	})
}

// TestPartsDamagedLength cuts frames short, and makes them longer.
func TestPartsDamagedLength(t *testing.T) {
	eachDamaged(t, func(t *testing.T, d *damaged) {
		n := len(d.frame.Encoded)
		lengths := []int{n - 1, n - 2, n - 100}
		for k := 0; k < n; k += 1 + k/8 {
			lengths = append(lengths, k)
		}
		never := func(int, int) bool { return false }
		for _, k := range lengths {
			d.check(t, d.frame.Encoded[:k], never, fmt.Sprintf("%d of %d bytes", k, n))
		}
		for _, k := range []int{1, 16, 4096, len(d.frame.Decoded) / 10} {
			d.check(t, append(bytes.Clone(d.frame.Encoded), make([]byte, k)...), never, fmt.Sprintf("%d bytes more", k))
		}
	})
}

// TestPartsDamagedBlocks overwrites bytes of blocks.
func TestPartsDamagedBlocks(t *testing.T) {
	eachDamaged(t, func(t *testing.T, d *damaged) {
		rng := rand.New(rand.NewPCG(4, 2))
		_, table := d.table()
		for i := range 150 {
			bad := bytes.Clone(d.frame.Encoded)
			at := table + rng.IntN(len(bad)-table)
			n := min(1+rng.IntN(16), len(bad)-at)
			for k := range n {
				bad[at+k] = byte(rng.Uint32())
			}
			needed := func(lo, hi int) bool {
				for _, q := range d.frame.Parts(t, lo, hi) {
					if q.Encoded.Lo < at+n && at < q.Encoded.Hi {
						return true
					}
				}
				return false
			}
			d.check(t, bad, needed, fmt.Sprintf("damage %d: %d bytes at %d", i, n, at))
		}
	})
}

// TestPartsDamagedAllocs: what a damaged head claims is not allocated.
func TestPartsDamagedAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	for _, f := range damagedFrames(t) {
		d := newDamaged(t, f, false)
		for at := 4; at < 16; at += 4 {
			for _, v := range []uint32{1 << 26, 1<<31 - 1, 1<<32 - 1} {
				bad := bytes.Clone(f.Encoded)
				binary.LittleEndian.PutUint32(bad[at:], v)
				d.put(t, bad)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := d.read(t, 0, 1, 2)
				runtime.ReadMemStats(&after)
				if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
					t.Errorf("%s: %d at %d: %d bytes were allocated, error %v", f.Name, v, at, n, err)
				}
			}
		}
	}
}
