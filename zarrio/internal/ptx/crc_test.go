package ptx

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

// randomBytes returns n bytes of r.
func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestCRCTable(t *testing.T) {
	table := CRCTable()
	if len(table) != 1024 {
		t.Fatalf("%d entries, want 1024", len(table))
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		b := randomBytes(r, 4)
		crc := ^uint32(0)
		crc ^= uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		crc = table[768+crc&0xff] ^ table[512+crc>>8&0xff] ^ table[256+crc>>16&0xff] ^ table[crc>>24]
		if got, want := ^crc, crc32.ChecksumIEEE(b); got != want {
			t.Fatalf("CRC of %x by four tables = %#x, want %#x", b, got, want)
		}
	}
}

func TestCombineCRC32(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, lenA := range []int{0, 1, 7, 4096} {
		for _, lenB := range []int{0, 1, 2, 3, 4, 5, 31, 32, 33, 255, 16384, 70001} {
			b := randomBytes(r, lenA+lenB)
			want := crc32.ChecksumIEEE(b)
			if got := CombineCRC32(crc32.ChecksumIEEE(b[:lenA]), crc32.ChecksumIEEE(b[lenA:]), int64(lenB)); got != want {
				t.Errorf("%d and %d bytes: %#x, want %#x", lenA, lenB, got, want)
			}
		}
	}
	// 5 GiB of zeros behind a message, halves joined by halves.
	a, zeros, n := crc32.ChecksumIEEE([]byte("zarr")), crc32.ChecksumIEEE(make([]byte, 5)), int64(5)
	steps := a
	for range 30 {
		zeros, n = CombineCRC32(zeros, zeros, n), 2*n
	}
	for range 5 {
		piece, m := crc32.ChecksumIEEE(make([]byte, 1<<20)), int64(1<<20)
		for m < 1<<30 {
			piece, m = CombineCRC32(piece, piece, m), 2*m
		}
		steps = CombineCRC32(steps, piece, m)
	}
	if got := CombineCRC32(a, zeros, n); got != steps {
		t.Errorf("%d zeros at once: %#x, in five steps: %#x", n, got, steps)
	}
}

func FuzzJoiner(f *testing.F) {
	f.Add([]byte{}, uint16(1))
	f.Add([]byte("a"), uint16(1))
	f.Add([]byte("0123456789abcdef0"), uint16(16))
	f.Add([]byte("0123456789abcdef"), uint16(8))
	f.Fuzz(func(t *testing.T, data []byte, piece uint16) {
		if piece == 0 {
			return
		}
		n := int(piece)
		var pieces []uint32
		combined, done := uint32(0), 0
		for done < len(data) {
			end := min(done+n, len(data))
			crc := crc32.ChecksumIEEE(data[done:end])
			pieces = append(pieces, crc)
			combined = CombineCRC32(combined, crc, int64(end-done))
			done = end
		}
		if got, want := len(pieces), int(Pieces(uint64(len(data)), uint64(piece))); got != want {
			t.Errorf("%d bytes have %d pieces of %d, want %d", len(data), want, n, got)
		}
		want := crc32.ChecksumIEEE(data)
		if got := NewJoiner(int64(len(data)), int64(n)).Join(pieces); got != want {
			t.Errorf("Join of pieces of %d of %x = %#x, want %#x", n, data, got, want)
		}
		if combined != want {
			t.Errorf("CombineCRC32 of pieces of %d of %x = %#x, want %#x", n, data, combined, want)
		}
	})
}
