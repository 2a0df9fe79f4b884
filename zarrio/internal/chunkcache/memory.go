package chunkcache

import (
	"slices"
	"unsafe"

	"zarrbench/zarrio/internal/hostmem"
)

// memory gives memory for parts of chunks: slots of one size from a slab of several. Blocks of a
// codec, and chunks of an array, mostly have one size, so that a slot that is free is soon used
// again, and no page of it is ever new.
type memory struct {
	limit, held int64
	classes     map[int]*class // by the size of their slots
}

// A class is the slabs with slots of one size.
type class struct {
	slabs []*slab
	free  [][]byte
}

// A slab is memory that is allocated, and given back, at once.
type slab struct {
	block *hostmem.Block // nil if the memory is the collector's
	mem   []byte
	used  int // slots
}

// slabSize is about the size of a slab.
const slabSize = 4 << 20

// slotSize returns the size of a slot for n bytes. Files can be read straight into slots of whole
// pages.
func slotSize(n int) int {
	if n < hostmem.Align {
		return (n + 63) &^ 63
	}
	return (n + hostmem.Align - 1) &^ (hostmem.Align - 1)
}

// Cost returns the bytes of a cache that n bytes of a chunk take, if they are one part.
func Cost(n int) int64 { return int64(slotSize(n)) }

// get returns a slot, cut to n bytes, or nil if the limit leaves no room.
func (m *memory) get(n int) []byte {
	size := slotSize(n)
	c := m.classes[size]
	if c == nil || len(c.free) == 0 {
		if c = m.grow(size); c == nil {
			return nil
		}
	}
	b := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	c.slabOf(b).used++
	return b[:n]
}

// grow adds a slab with slots of a size. It gives back unused slabs of other sizes if it has to. It
// returns nil if there is no room.
func (m *memory) grow(size int) *class {
	for m.held+int64(size) > m.limit {
		if !m.shrink() {
			return nil
		}
	}
	count := int(max(1, min(slabSize, m.limit-m.held)/int64(size)))
	s := &slab{}
	if n := count * size; n < slabSize/2 {
		s.mem = hostmem.Make(n)
	} else {
		var err error
		if s.block, err = hostmem.Alloc(int64(n)); err != nil {
			return nil
		}
		s.mem = s.block.Bytes()
	}
	c := m.classes[size]
	if c == nil {
		c = new(class)
		if m.classes == nil {
			m.classes = map[int]*class{}
		}
		m.classes[size] = c
	}
	m.held += int64(len(s.mem))
	for i := range count {
		c.free = append(c.free, s.mem[i*size:][:size:size])
	}
	i, _ := slices.BinarySearchFunc(c.slabs, s.base(), func(s *slab, at uintptr) int { return order(s.base(), at) })
	c.slabs = slices.Insert(c.slabs, i, s)
	return c
}

func (s *slab) base() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s.mem))) }

func order(a, b uintptr) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// slabOf returns the slab that a slot is in.
func (c *class) slabOf(b []byte) *slab {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	i, ok := slices.BinarySearchFunc(c.slabs, at, func(s *slab, at uintptr) int { return order(s.base(), at) })
	if !ok {
		i--
	}
	return c.slabs[i]
}

// put makes a slot free that get has returned.
func (m *memory) put(b []byte) {
	c := m.classes[slotSize(len(b))]
	c.slabOf(b).used--
	c.free = append(c.free, b[:cap(b)])
}

// shrink gives back a slab without used slots, and reports whether there was one.
func (m *memory) shrink() bool {
	for _, c := range m.classes {
		for i, s := range c.slabs {
			if s.used > 0 {
				continue
			}
			c.free = slices.DeleteFunc(c.free, func(b []byte) bool { return c.slabOf(b) == s })
			c.slabs = slices.Delete(c.slabs, i, i+1)
			m.release(s)
			return true
		}
	}
	return false
}

// release gives back a slab's memory.
func (m *memory) release(s *slab) {
	m.held -= int64(len(s.mem))
	if s.block != nil {
		_ = s.block.Free() // memory that can't be given back is lost, and nothing else
	}
	s.mem = nil
}

// count returns the number of all slots, and of the free ones.
func (m *memory) count() (slots, free int) {
	for size, c := range m.classes {
		for _, s := range c.slabs {
			slots += len(s.mem) / size
		}
		free += len(c.free)
	}
	return slots, free
}
