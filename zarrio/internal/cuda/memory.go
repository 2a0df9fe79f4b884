//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"zarrbench/zarrio/internal/hostmem"
)

// A Ptr is an address in a device's memory.
type Ptr uintptr

// portable pins memory for every context (CU_MEMHOSTALLOC_PORTABLE, CU_MEMHOSTREGISTER_PORTABLE).
const portable = 1

// Values of CUpointer_attribute and of CUmemorytype.
const (
	pointerMemoryType = 2
	pointerOrdinal    = 9
	pointerRangeStart = 11
	pointerRangeSize  = 12

	memoryHost   = 1
	memoryDevice = 2
)

// Alloc allocates n bytes of the device's memory, at an address that is a multiple of 256 or more. They hold anything. Where
// the device has not that much the error is an [*OutOfMemoryError].
func (d *Device) Alloc(n int64) (Ptr, error) {
	if n <= 0 {
		return 0, fmt.Errorf("allocation of %d bytes of a GPU's memory, expected 1 or more", n)
	}
	p, err := d.create(&d.driver.memAlloc, uintptr(n))
	if err != nil {
		free := int64(-1)
		if isOutOfMemory(err) {
			if f, _, infoErr := d.MemInfo(); infoErr == nil {
				free = f
			}
		}
		return 0, outOfMemory(err, n, free)
	}
	return Ptr(p), nil
}

// Free frees memory of Alloc. It waits for the work that the device has.
func (d *Device) Free(p Ptr) error { return d.call1(&d.driver.memFree, uintptr(p)) }

// A hostBlock is what HostAlloc returned part of, or all.
type hostBlock struct {
	block *hostmem.Block // registered with the driver, or nil
	addr  uintptr        // of an allocation of the driver, if block is nil
}

// HostAlloc allocates n bytes of the host's memory, pinned for every device, that begin at a page and lie in huge pages where
// the system has them: direct reads into small ones take three times as long. They hold anything, are no part of Go's heap, and
// must be freed by HostFree.
//
// The memory is this process's own, which the driver is told of. A driver that can't be told allocates it.
func (d *Device) HostAlloc(n int64) ([]byte, error) {
	if n <= 0 || n > math.MaxInt-hostmem.Align {
		return nil, fmt.Errorf("allocation of %d bytes of pinned memory, expected 1 or more", n)
	}
	if err := d.bound(&d.driver.hostRegister); err != nil {
		return nil, err
	}
	h, addr, err := d.register(n)
	if errors.Is(err, errNoRegister) {
		h, addr, err = d.allocate(n)
	}
	if err != nil {
		return nil, outOfMemory(err, n, -1)
	}
	d.hostMu.Lock()
	defer d.hostMu.Unlock()
	d.host[addr] = h
	return hostSlice(addr, n), nil
}

// errNoRegister says that this driver registers no memory of the process.
var errNoRegister = errors.New("host memory can't be registered")

// register allocates pages and registers them.
func (d *Device) register(n int64) (hostBlock, uintptr, error) {
	pages := (n + hostmem.Align - 1) &^ (hostmem.Align - 1)
	block, err := hostmem.Alloc(pages)
	if err != nil {
		return hostBlock{}, 0, err
	}
	c := d.driver.get()
	defer d.driver.put(c)
	addr := c.setHost(block.Bytes())
	c.args[0], c.args[1], c.args[2] = addr, uintptr(pages), portable
	err = d.call(c, &d.driver.hostRegister, 3)
	if err == nil {
		return hostBlock{block: block}, addr, nil
	}
	err = errors.Join(err, block.Free())
	for _, code := range []int{codeNotSupported, codeNotPermitted, codeInvalidValue} {
		if errors.Is(err, &Error{Code: code}) {
			return hostBlock{}, 0, fmt.Errorf("%w: %w", errNoRegister, err)
		}
	}
	return hostBlock{}, 0, err
}

// allocate has the driver allocate memory, with room to begin at a page: it starts anywhere.
func (d *Device) allocate(n int64) (hostBlock, uintptr, error) {
	addr, err := d.create(&d.driver.hostAlloc, uintptr(n+hostmem.Align-1), portable)
	return hostBlock{addr: addr}, (addr + hostmem.Align - 1) &^ (hostmem.Align - 1), err
}

// HostFree frees memory of this device's HostAlloc, of which b must have the first byte; b may be shorter. Nothing that is
// queued may use it.
func (d *Device) HostFree(b []byte) error {
	addr := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	d.hostMu.Lock()
	h, ok := d.host[addr]
	delete(d.host, addr) // Whatever the driver says: it is not to be freed twice.
	d.hostMu.Unlock()
	switch {
	case !ok:
		return fmt.Errorf("%d bytes at %#x are not the start of pinned memory of CUDA device %d", len(b), addr, d.ordinal)
	case h.block == nil:
		return d.call1(&d.driver.hostFree, h.addr)
	}
	if err := d.call1(&d.driver.hostUnregister, addr); err != nil {
		return err // A device may still write what is registered: the memory is lost.
	}
	return h.block.Free()
}

// Check returns an error where the n bytes at p are not all of one allocation of this device's memory.
func (d *Device) Check(p Ptr, n int64) error {
	if n <= 0 {
		return fmt.Errorf("%d bytes of GPU memory, expected 1 or more", n)
	}
	if err := d.bound(&d.driver.pointerAttributes); err != nil {
		return err
	}
	c := d.driver.get()
	defer d.driver.put(c)
	c.attributes = [...]int32{pointerMemoryType, pointerOrdinal, pointerRangeStart, pointerRangeSize}
	for i := range c.outs {
		c.outs[i] = c.outAddr(i)
	}
	c.args[0] = uintptr(len(c.attributes))
	c.args[1] = uintptr(unsafe.Pointer(&c.attributes))
	c.args[2] = uintptr(unsafe.Pointer(&c.outs))
	c.args[3] = uintptr(p)
	// Unlike cuPointerGetAttribute this succeeds for addresses that the driver doesn't know, with zeros.
	if err := d.call(c, &d.driver.pointerAttributes, 4); err != nil {
		return fmt.Errorf("address %#x: %w", uintptr(p), err)
	}
	kind, ordinal := c.int(0), c.int(1)
	start, size := c.out[2], c.out[3]
	switch {
	case kind == memoryHost:
		return fmt.Errorf("address %#x is memory of the host, expected CUDA device %d", uintptr(p), d.ordinal)
	case kind != memoryDevice:
		return fmt.Errorf("address %#x is not memory that the CUDA driver knows, expected memory of device %d", uintptr(p), d.ordinal)
	case ordinal != d.ordinal:
		return fmt.Errorf("address %#x is memory of CUDA device %d, expected device %d", uintptr(p), ordinal, d.ordinal)
	case uint64(p) < start || uint64(p)-start > size || uint64(n) > size-(uint64(p)-start):
		return fmt.Errorf("%d bytes at %#x end outside their allocation of %d bytes at %#x", n, uintptr(p), size, start)
	}
	return nil
}

func isOutOfMemory(err error) bool { return errors.Is(err, &Error{Code: codeOutOfMemory}) }

// outOfMemory returns err, or what more can be said of it.
func outOfMemory(err error, n, free int64) error {
	if !isOutOfMemory(err) {
		return err
	}
	return &OutOfMemoryError{Bytes: n, Free: free, Err: err}
}
