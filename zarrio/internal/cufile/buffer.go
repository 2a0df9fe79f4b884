//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"slices"

	"zarrbench/zarrio/internal/cuda"
)

// A buffer is a registered range of a device's memory.
type buffer struct {
	base cuda.Ptr
	n    int64
}

// RegisterBuffer registers n bytes of the driver's device, so that reads into them need no registration of their own. What
// can be registered at a time is limited by the card's BAR1 window: GPUMemoryPinningFailed is one way to hear of that. Free
// the memory only after DeregisterBuffer.
func (d *Driver) RegisterBuffer(p cuda.Ptr, n int64) error {
	d.mu.Lock() // The library has a lock of its own here.
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	if n <= 0 {
		return &Error{Call: "cuFileBufRegister", Code: InvalidValue}
	}
	if err := d.dev.Check(p, n); err != nil {
		return err
	}
	if err := check("cuFileBufRegister", d.lib.bufRegister(uintptr(p), uintptr(n), 0)); err != nil {
		return err
	}
	buffers := append(slices.Clone(*d.buffers.Load()), buffer{p, n})
	d.buffers.Store(&buffers)
	return nil
}

// DeregisterBuffer undoes RegisterBuffer. No read into the memory may be in flight.
func (d *Driver) DeregisterBuffer(p cuda.Ptr) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	i := slices.IndexFunc(*d.buffers.Load(), func(b buffer) bool { return b.base == p })
	if i < 0 { // It may be another driver's, which the library doesn't tell apart.
		return &Error{Call: "cuFileBufDeregister", Code: MemoryNotRegistered}
	}
	if err := check("cuFileBufDeregister", d.lib.bufDeregister(uintptr(p))); err != nil {
		return err
	}
	buffers := slices.Delete(slices.Clone(*d.buffers.Load()), i, i+1)
	d.buffers.Store(&buffers)
	return nil
}

// reaches returns an error unless n bytes at bufOff from base are memory of the driver's device. The library itself looks at
// what is registered alone: elsewhere it would write behind an allocation, or to another device.
func (d *Driver) reaches(call string, base cuda.Ptr, n int, bufOff int64) error {
	if n < 0 || bufOff < 0 || int64(base)+bufOff < 0 {
		return &Error{Call: call, Code: InvalidValue}
	}
	for _, b := range *d.buffers.Load() {
		if base >= b.base && int64(base-b.base) < b.n {
			if int64(base-b.base) > b.n-bufOff-int64(n) {
				return &Error{Call: call, Code: InvalidMappingRange}
			}
			return nil
		}
	}
	if n == 0 {
		return nil
	}
	return d.dev.Check(base+cuda.Ptr(bufOff), int64(n))
}
