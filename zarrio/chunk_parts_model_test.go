package zarrio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// A levelsModel is an array (steps, levels, lat, lon) of float32 in chunks of a step, of smooth fields that Blosc compresses.
type levelsModel struct {
	steps, levels, lat, lon int

	blocksize int    // of the frames; 0 is what C-Blosc takes
	cname     string // "" is lz4
	mixed     bool   // blocks lie in any order
	big       bool   // elements are big-endian
	add       float64
}

var smallLevels = levelsModel{steps: 3, levels: 37, lat: 121, lon: 240, blocksize: 32560} // 3.57 blocks a level

// raw returns a chunk as it is before compression.
func (m levelsModel) raw(step int) []byte {
	n := m.levels * m.lat * m.lon
	b := make([]byte, 4*n)
	var row [64]float64
	for i := range row {
		row[i] = math.Sin(float64(i)*0.7) + m.add
	}
	noise := uint32(1)
	for i := range n {
		noise = noise*1664525 + 1013904223
		v := noise>>17 ^ math.Float32bits(float32(float64(step)+float64(i/(m.lat*m.lon))+row[i/m.lon%64]+float64(i%m.lon)/1024))
		if m.big {
			binary.BigEndian.PutUint32(b[4*i:], v)
		} else {
			binary.LittleEndian.PutUint32(b[4*i:], v)
		}
	}
	return b
}

// frame compresses a chunk.
func (m levelsModel) frame(raw []byte) []byte {
	cname := m.cname
	if cname == "" {
		cname = "lz4"
	}
	encode := func(b []byte) []byte {
		f, err := codec.EncodeBlosc(nil, b, 4, cname, nil)
		if err != nil {
			panic(err)
		}
		return f
	}
	if m.blocksize == 0 {
		return encode(raw)
	}
	// Each block is that of a frame of one block. None is short: that would have to be laid out otherwise.
	count := len(raw) / m.blocksize
	if len(raw)%m.blocksize != 0 {
		panic("a short block")
	}
	frame := make([]byte, 16+4*count)
	for k := range count {
		i := k
		if m.mixed {
			i = k * 67 % count // prime to the number of blocks
		}
		one := encode(raw[i*m.blocksize:][:m.blocksize])
		if k == 0 {
			copy(frame, one[:16])
		}
		binary.LittleEndian.PutUint32(frame[16+4*i:], uint32(len(frame)))
		frame = append(frame, one[20:]...)
	}
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(raw)))
	binary.LittleEndian.PutUint32(frame[12:], uint32(len(frame)))
	return frame
}

func (m levelsModel) key(step int) string { return fmt.Sprintf("x/%d.0.0.0", step) }

// files returns a store of version 2 with the array "x".
func (m levelsModel) files() map[string][]byte {
	dtype := `"<f4"`
	if m.big {
		dtype = `">f4"`
	}
	files := map[string][]byte{".zgroup": []byte(zarrtest.ZGroup), "x/.zarray": []byte(zarrtest.ZArray(map[string]string{
		"shape": fmt.Sprintf("[%d, %d, %d, %d]", m.steps, m.levels, m.lat, m.lon), "chunks": fmt.Sprintf("[1, %d, %d, %d]", m.levels, m.lat, m.lon),
		"dtype": dtype, "fill_value": "-1.0", "compressor": `{"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}`}))}
	for step := range m.steps {
		files[m.key(step)] = m.frame(m.raw(step))
	}
	return files
}

// memory returns a store of files, whose reads have no price.
func memory(t testing.TB, files map[string][]byte) *store.Mem {
	t.Helper()
	st := store.NewMem()
	for key, value := range files {
		if err := st.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

// A pricedStore notes what is read of a store whose reads have a price.
type pricedStore struct {
	*storetest.Recorder
	gap, size int64
}

func (s pricedStore) Coalesce() (gap, size int64) { return s.gap, s.size }
func (s pricedStore) Requests() int               { return 3 }

// sameAs checks that a selection of a is the same as that of want, and returns what it cost.
func sameAs(t *testing.T, a, want *Array, sel Selection) meta.Stats {
	t.Helper()
	shape, err := sel.Shape(a.Shape())
	if err != nil {
		t.Fatal(err)
	}
	n, err := meta.Product(shape, math.MaxInt/4)
	if err != nil {
		t.Fatal(err)
	}
	got, whole := make([]byte, 4*n), make([]byte, 4*n)
	stats, err := a.ReadInto(t.Context(), sel, got)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := want.ReadInto(t.Context(), sel, whole); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, whole) {
		t.Errorf("%v: other elements than from whole chunks", sel)
	}
	return stats
}

// A costlyMem is a store in memory whose reads have a price.
type costlyMem struct{ *store.Mem }

func (costlyMem) Coalesce() (gap, size int64) { return 4096, 1 << 20 }
func (costlyMem) Requests() int               { return 1 }

// bytesOf returns how many bytes of a key were asked for.
func bytesOf(reads []storetest.Read) int64 {
	n := 0
	for _, r := range reads {
		n += r.Len
	}
	return int64(n)
}
