//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/ptx"
	"zarrbench/zarrio/tensor"
)

// devicePage is what batches, rings and reads are aligned to on the GPU: its page, for which direct I/O needs no bounce buffers.
const devicePage = 64 << 10

// allocPages allocates n bytes on a GPU from a page's start on, which is base. whole is what is to be freed.
func allocPages(dev *cuda.Device, n int64) (whole, base cuda.Ptr, err error) {
	if whole, err = dev.Alloc(n + devicePage); err != nil {
		return 0, 0, err
	}
	return whole, (whole + devicePage - 1) &^ (devicePage - 1), nil
}

// memory is the memory of a batch, one allocation on a GPU.
type memory struct {
	gpu   *GPU
	whole cuda.Ptr // the allocation
	base  cuda.Ptr // aligned
	n     int64
	ready cuda.Event // behind the last copy of a Fill

	registered bool                // with cuFile, so that files are read straight into it
	unregister func(*memory) error // by whom registered it

	mu            sync.Mutex
	pendingEvents []cuda.Event // what a Fill waits for
	freeEvents    []cuda.Event
	recordErr     error // why one could not be recorded
}

// newGPUMemory allocates n bytes on a GPU.
func (g *GPU) newMemory(n int64) (*memory, error) {
	if n < 0 {
		return nil, fmt.Errorf("GPU %d: allocate %d bytes", g.dev.Ordinal(), n)
	}
	if err := g.use(); err != nil {
		return nil, err
	}
	m := &memory{gpu: g, n: n}
	err := g.dev.Do(func() error {
		var err error
		if m.whole, m.base, err = allocPages(g.dev, n); err != nil {
			return err
		}
		m.ready, err = g.newEvent()
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("GPU %d: memory for a batch: %w", g.dev.Ordinal(), err), m.Free())
	}
	return m, nil
}

func (m *memory) Len() int64            { return m.n }
func (m *memory) Device() tensor.Device { return m.gpu.Device() }
func (m *memory) Bytes() []byte         { return nil }
func (m *memory) Addr() uintptr         { return uintptr(m.base) }
func (m *memory) Ready() tensor.Event   { return tensor.Event(m.ready) }

// at returns the address of rows of width bytes, pitch apart, that begin so many bytes from the start.
func (m *memory) at(to, pitch, width, rows int) (cuda.Ptr, error) {
	if to < 0 || int64(to)+int64(rows-1)*int64(pitch)+int64(width) > m.n {
		return 0, fmt.Errorf("%d rows of %d bytes at %d of a batch of %d bytes", rows, width, to, m.n)
	}
	return m.base + cuda.Ptr(to), nil
}

// Free waits for what is under way in the memory.
func (m *memory) Free() error {
	g := m.gpu
	if g == nil {
		return nil
	}
	m.gpu = nil
	defer g.leave()
	return g.withContext(func() error {
		var err error
		for _, e := range append(m.pendingEvents, m.freeEvents...) {
			err = errors.Join(err, g.freeEvent(e))
		}
		err = errors.Join(err, g.freeEvent(m.ready))
		if m.registered {
			if unregErr := m.unregister(m); unregErr != nil {
				return errors.Join(err, unregErr) // to free what is registered may hang nvidia-fs: it is lost
			}
		}
		if m.whole != 0 {
			err = errors.Join(err, g.dev.Free(m.whole))
		}
		return err
	})
}

// Release records an event behind all that is queued on each of the streams.
func (m *memory) Release(streams []tensor.Stream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dev := m.gpu.dev
	record := func(s cuda.Stream) error {
		var e cuda.Event
		if k := len(m.freeEvents) - 1; k >= 0 {
			e, m.freeEvents = m.freeEvents[k], m.freeEvents[:k]
		} else {
			var err error
			if e, err = m.gpu.newEvent(); err != nil {
				return err
			}
		}
		m.pendingEvents = append(m.pendingEvents, e)
		return dev.Record(e, s)
	}
	err := m.gpu.withContext(func() error {
		for _, s := range streams {
			if record(cuda.Stream(s)) == nil {
				continue
			}
			if err := dev.Synchronize(cuda.Stream(s)); err != nil { // it costs time, and says the same
				return err
			}
		}
		return nil
	})
	if err != nil && m.recordErr == nil {
		m.recordErr = fmt.Errorf("zarrio: release of a batch: %w", err)
	}
}

// eachPending calls f with each event that was recorded by a release since the last Fill.
func (m *memory) eachPending(f func(cuda.Event) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recordErr != nil {
		return m.recordErr
	}
	for _, e := range m.pendingEvents {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// recycleEvents says that all that writes the memory waits for the releases so far.
func (m *memory) recycleEvents() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pendingEvents, m.freeEvents = m.pendingEvents[:0], append(m.freeEvents, m.pendingEvents...)
}

// Repeat implements DeviceMemory. What the next Fill writes is queued behind it.
func (m *memory) Repeat(off int64, elements, size int, fill []byte) error {
	if off < 0 || int64(elements)*int64(size) > m.n-off {
		return fmt.Errorf("zarrio: %d elements of %d bytes at %d of a batch of %d bytes", elements, size, off, m.n)
	}
	var pattern [16]byte
	copy(pattern[:], fill)
	g := m.gpu
	return g.withContext(func() error {
		s, err := g.auxStream()
		if err != nil {
			return err
		}
		if err := errors.Join(g.dev.Wait(s, m.ready), m.eachPending(func(e cuda.Event) error { return g.dev.Wait(s, e) })); err != nil {
			return err
		}
		grid, block, args := ptx.FillPattern(uint64(m.base)+uint64(off), uint64(elements*size), binary.LittleEndian.Uint64(pattern[:]), binary.LittleEndian.Uint64(pattern[8:]), uint64(size), uint64(elements), 1)
		if err := g.launch(ptx.NameFillPattern, grid, block, s, args[:]...); err != nil {
			return err
		}
		return g.dev.Record(m.ready, s)
	})
}

// CopyOut implements DeviceMemory.
func (m *memory) CopyOut(dst []byte, off int64) error {
	if off < 0 || off > m.n || int64(len(dst)) > m.n-off {
		return fmt.Errorf("zarrio: %d bytes at %d of a batch of %d bytes", len(dst), off, m.n)
	}
	if m.gpu == nil {
		return errors.New("zarrio: copy of a tensor that was used after Close")
	}
	if len(dst) == 0 {
		return nil
	}
	return m.gpu.withContext(func() error {
		if err := m.gpu.dev.SynchronizeEvent(m.ready); err != nil {
			return err
		}
		return m.gpu.dev.CopyDtoH(dst, m.base+cuda.Ptr(off))
	})
}
