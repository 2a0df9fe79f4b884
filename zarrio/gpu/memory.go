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

// devicePage is the alignment in bytes of batches and rings on the GPU. It is the GPU's page size:
// direct I/O to aligned memory needs no bounce buffers.
const devicePage = 64 << 10

// allocPages allocates n bytes on a GPU, aligned to devicePage. They begin at base; the caller must
// free whole, the start of the allocation.
func allocPages(dev *cuda.Device, n int64) (whole, base cuda.Ptr, err error) {
	if whole, err = dev.Alloc(n + devicePage); err != nil {
		return 0, 0, err
	}
	return whole, (whole + devicePage - 1) &^ (devicePage - 1), nil
}

// A memory is the memory of a batch, one allocation on a GPU. It implements tensor.DeviceMemory.
type memory struct {
	gpu   *GPU
	whole cuda.Ptr   // start of the allocation
	base  cuda.Ptr   // start of the batch, aligned to devicePage
	n     int64      // bytes from base on
	ready cuda.Event // recorded after the last copy of a Fill

	registered bool                // with cuFile, so that files can be read straight into it
	unregister func(*memory) error // set by the engine that registered the memory

	mu            sync.Mutex
	pendingEvents []cuda.Event // recorded by Release; the next Fill waits for them
	freeEvents    []cuda.Event // for reuse by Release
	recordErr     error        // error of a Release, if any; the next Fill returns it
}

// newMemory allocates n bytes on the GPU.
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
		err = fmt.Errorf("GPU %d: memory for a batch: %w", g.dev.Ordinal(), err)
		return nil, errors.Join(err, m.Free())
	}
	return m, nil
}

func (m *memory) Len() int64            { return m.n }
func (m *memory) Device() tensor.Device { return m.gpu.Device() }
func (m *memory) Bytes() []byte         { return nil }
func (m *memory) Addr() uintptr         { return uintptr(m.base) }
func (m *memory) Ready() tensor.Event   { return tensor.Event(m.ready) }

// at returns the address of byte to of the batch. It fails if rows of width bytes, pitch apart,
// don't fit from there on.
func (m *memory) at(to, pitch, width, rows int) (cuda.Ptr, error) {
	if to < 0 || int64(to)+int64(rows-1)*int64(pitch)+int64(width) > m.n {
		return 0, fmt.Errorf("%d rows of %d bytes at byte %d of a batch of %d bytes",
			rows, width, to, m.n)
	}
	return m.base + cuda.Ptr(to), nil
}

// Free waits for work in flight that uses the memory, and frees it.
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
				// Leak the memory: freeing registered memory may hang nvidia-fs.
				return errors.Join(err, unregErr)
			}
		}
		if m.whole != 0 {
			err = errors.Join(err, g.dev.Free(m.whole))
		}
		return err
	})
}

// Release records an event on each of the streams, for the next Fill to wait for. If that fails, it
// waits for the stream itself.
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
			// Waiting for the stream now is slower, but guarantees the same.
			if err := dev.Synchronize(cuda.Stream(s)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && m.recordErr == nil {
		m.recordErr = fmt.Errorf("zarrio: release of a batch: %w", err)
	}
}

// eachPending calls f with each event that Release recorded since the last Fill. If a Release
// failed, it returns that error.
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

// recycleEvents makes the pending events free for reuse. Call it when all that will write the
// memory waits for them.
func (m *memory) recycleEvents() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pendingEvents, m.freeEvents = m.pendingEvents[:0], append(m.freeEvents, m.pendingEvents...)
}

// Repeat implements tensor.DeviceMemory. The next Fill's copies wait for it.
func (m *memory) Repeat(off int64, elements, size int, fill []byte) error {
	if off < 0 || int64(elements)*int64(size) > m.n-off {
		return fmt.Errorf("zarrio: %d elements of %d bytes at byte %d of a batch of %d bytes",
			elements, size, off, m.n)
	}
	var pattern [16]byte
	copy(pattern[:], fill)
	g := m.gpu
	return g.withContext(func() error {
		s, err := g.auxStream()
		if err != nil {
			return err
		}
		wait := func(e cuda.Event) error { return g.dev.Wait(s, e) }
		if err := errors.Join(wait(m.ready), m.eachPending(wait)); err != nil {
			return err
		}
		lo, hi := binary.LittleEndian.Uint64(pattern[:]), binary.LittleEndian.Uint64(pattern[8:])
		grid, block, args := ptx.FillPattern(uint64(m.base)+uint64(off), uint64(elements*size),
			lo, hi, uint64(size), uint64(elements), 1)
		if err := g.launch(ptx.NameFillPattern, grid, block, s, args[:]...); err != nil {
			return err
		}
		return g.dev.Record(m.ready, s)
	})
}

// CopyOut implements tensor.DeviceMemory.
func (m *memory) CopyOut(dst []byte, off int64) error {
	if off < 0 || off > m.n || int64(len(dst)) > m.n-off {
		return fmt.Errorf("zarrio: %d bytes at byte %d of a batch of %d bytes", len(dst), off, m.n)
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
