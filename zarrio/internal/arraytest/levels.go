package arraytest

import (
	"encoding/binary"
	"fmt"
	"math"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// A Levels describes an array of float32 with the dimensions steps, levels, lat and lon, in chunks
// of one step. Its fields are smooth, and its chunks are Blosc frames.
type Levels struct {
	Steps, Levels, Lat, Lon int

	Blocksize int     // of the frames; 0 for the one that C-Blosc takes
	Cname     string  // the compressor in the frames; empty for lz4
	Scattered bool    // blocks of a frame are not stored in their order
	BigEndian bool    // elements are big-endian
	Add       float64 // is added to each element
}

// SmallLevels has 3.57 blocks a level.
var SmallLevels = Levels{Steps: 3, Levels: 37, Lat: 121, Lon: 240, Blocksize: 32560}

// Raw returns the uncompressed bytes of a chunk.
func (m Levels) Raw(step int) []byte {
	n := m.Levels * m.Lat * m.Lon
	b := make([]byte, 4*n)
	var row [64]float64
	for i := range row {
		row[i] = math.Sin(float64(i)*0.7) + m.Add
	}
	noise := uint32(1)
	for i := range n {
		noise = noise*1664525 + 1013904223
		v := noise>>17 ^ math.Float32bits(float32(float64(step)+float64(i/(m.Lat*m.Lon))+row[i/m.Lon%64]+float64(i%m.Lon)/1024))
		if m.BigEndian {
			binary.BigEndian.PutUint32(b[4*i:], v)
		} else {
			binary.LittleEndian.PutUint32(b[4*i:], v)
		}
	}
	return b
}

// Frame returns a chunk as a Blosc frame.
func (m Levels) Frame(raw []byte) []byte {
	cname := m.Cname
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
	if m.Blocksize == 0 {
		return encode(raw)
	}
	// Each block is taken from a frame of one block. A short block would have another layout.
	count := len(raw) / m.Blocksize
	if len(raw)%m.Blocksize != 0 {
		panic("a short block")
	}
	frame := make([]byte, 16+4*count)
	for k := range count {
		i := k
		if m.Scattered {
			i = k * 67 % count // a permutation, since 67 is prime to the number of blocks
		}
		one := encode(raw[i*m.Blocksize:][:m.Blocksize])
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

// Key returns the key of a chunk.
func (m Levels) Key(step int) string { return fmt.Sprintf("x/%d.0.0.0", step) }

// Files returns the values of a store of Zarr v2 with the array "x".
func (m Levels) Files() map[string][]byte {
	dtype := `"<f4"`
	if m.BigEndian {
		dtype = `">f4"`
	}
	doc := zarrtest.ZArray(map[string]string{
		"shape":      fmt.Sprintf("[%d, %d, %d, %d]", m.Steps, m.Levels, m.Lat, m.Lon),
		"chunks":     fmt.Sprintf("[1, %d, %d, %d]", m.Levels, m.Lat, m.Lon),
		"dtype":      dtype,
		"fill_value": "-1.0",
		"compressor": `{"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}`,
	})
	files := map[string][]byte{".zgroup": []byte(zarrtest.ZGroup), "x/.zarray": []byte(doc)}
	for step := range m.Steps {
		files[m.Key(step)] = m.Frame(m.Raw(step))
	}
	return files
}

// A PricedStore is a store.Coalescer that records what is read.
type PricedStore struct {
	*storetest.Recorder
	Gap, Size int64
}

// Coalesce implements store.Coalescer.
func (s PricedStore) Coalesce() (gap, size int64) { return s.Gap, s.Size }

// Requests implements store.Coalescer.
func (s PricedStore) Requests() int { return 3 }

// A CostlyMem is a store in memory that is a store.Coalescer.
type CostlyMem struct{ *store.Mem }

// Coalesce implements store.Coalescer.
func (CostlyMem) Coalesce() (gap, size int64) { return 4096, 1 << 20 }

// Requests implements store.Coalescer.
func (CostlyMem) Requests() int { return 1 }

// BytesOf returns the number of bytes that reads asked for.
func BytesOf(reads []storetest.Read) int64 {
	n := 0
	for _, r := range reads {
		n += r.Len
	}
	return int64(n)
}
