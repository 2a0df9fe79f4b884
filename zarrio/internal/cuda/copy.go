//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"fmt"
	"unsafe"
)

// CopyHtoD copies src to the device and waits for it. An empty src is no work.
func (d *Device) CopyHtoD(dst Ptr, src []byte) error {
	if err := d.copyHost(&d.driver.copyHtoD, dst, src); err != nil || len(src) == 0 {
		return err
	}
	// Of memory that is not pinned the driver returns as soon as it has a copy of its own, which is still under way on the
	// default stream: streams that don't wait for that one would find what was there before.
	return d.Synchronize(0)
}

// CopyDtoH fills dst with the device's memory at src and waits for it. An empty dst is no work.
func (d *Device) CopyDtoH(dst []byte, src Ptr) error {
	if len(dst) == 0 {
		return nil
	}
	c := d.driver.get()
	c.args[0], c.args[1], c.args[2] = c.setHost(dst), uintptr(src), uintptr(len(dst))
	err := d.call(c, &d.driver.copyDtoH, 3)
	d.driver.put(c)
	return err
}

// copyHost calls a function that takes an address of the device and a slice.
func (d *Device) copyHost(f *function, dst Ptr, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	c := d.driver.get()
	c.args[0], c.args[1], c.args[2] = uintptr(dst), c.setHost(src), uintptr(len(src))
	err := d.call(c, f, 3)
	d.driver.put(c)
	return err
}

// CopyHtoDAsync is CopyHtoD as work of a stream: src must be of HostAlloc, and stay as it is until the work is done.
func (d *Device) CopyHtoDAsync(dst Ptr, src []byte, s Stream) error {
	if len(src) == 0 {
		return nil
	}
	c := d.driver.get()
	c.args[0], c.args[1], c.args[2], c.args[3] = uintptr(dst), c.setHost(src), uintptr(len(src)), uintptr(s)
	err := d.call(c, &d.driver.copyHtoDAsync, 4)
	d.driver.put(c)
	return err
}

// CopyDtoHAsync is CopyDtoH as work of a stream: dst must be of HostAlloc, and holds the bytes when the work is done.
func (d *Device) CopyDtoHAsync(dst []byte, src Ptr, s Stream) error {
	if len(dst) == 0 {
		return nil
	}
	c := d.driver.get()
	c.args[0], c.args[1], c.args[2], c.args[3] = c.setHost(dst), uintptr(src), uintptr(len(dst)), uintptr(s)
	err := d.call(c, &d.driver.copyDtoHAsync, 4)
	d.driver.put(c)
	return err
}

// CopyDtoDAsync copies n bytes within the device, as work of a stream. The ranges must not overlap.
func (d *Device) CopyDtoDAsync(dst, src Ptr, n int64, s Stream) error {
	if n <= 0 {
		return lengthError(n)
	}
	c := d.driver.get()
	c.args[0], c.args[1], c.args[2], c.args[3] = uintptr(dst), uintptr(src), uintptr(n), uintptr(s)
	err := d.call(c, &d.driver.copyDtoDAsync, 4)
	d.driver.put(c)
	return err
}

// SetAsync sets n bytes of the device to v, as work of a stream.
func (d *Device) SetAsync(p Ptr, v byte, n int64, s Stream) error {
	if n <= 0 {
		return lengthError(n)
	}
	c := d.driver.get()
	c.args[0], c.args[1], c.args[2], c.args[3] = uintptr(p), uintptr(v), uintptr(n), uintptr(s)
	err := d.call(c, &d.driver.setAsync, 4)
	d.driver.put(c)
	return err
}

// lengthError returns the error for a length that is not positive: none for zero, which is no work.
func lengthError(n int64) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d bytes of GPU memory, expected 0 or more", n)
}

// A Copy2D is a copy of rows to a device. All its numbers but Height are bytes.
type Copy2D struct {
	Dst      Ptr
	DstPitch int64 // from the start of a row to that of the next, at least Width
	Src      Ptr   // of the same device
	SrcPitch int64
	SrcHost  []byte // instead of Src: memory of HostAlloc, as long as the last row's end or longer
	Width    int64
	Height   int64 // rows
}

// copy2D is CUDA_MEMCPY2D_v2 of cuda.h, whose fields are 8 bytes each, with room after the memory types, which are ints.
type copy2D struct {
	srcX, srcY                   uint64
	srcType                      uint64
	srcHost, srcDevice, srcArray uint64
	srcPitch                     uint64
	dstX, dstY                   uint64
	dstType                      uint64
	dstHost, dstDevice, dstArray uint64
	dstPitch                     uint64
	width, height                uint64
}

// Copy2DAsync copies rows to the device, as work of a stream. No rows, or rows of no bytes, are no work. It does not keep r.
func (d *Device) Copy2DAsync(r *Copy2D, s Stream) error {
	if err := r.check(); err != nil {
		return err
	}
	if r.Width == 0 || r.Height == 0 {
		return nil
	}
	c := d.driver.get()
	c.copy2D = copy2D{
		srcType:   memoryDevice,
		srcDevice: uint64(r.Src),
		srcPitch:  uint64(r.SrcPitch),
		dstType:   memoryDevice,
		dstDevice: uint64(r.Dst),
		dstPitch:  uint64(r.DstPitch),
		width:     uint64(r.Width),
		height:    uint64(r.Height),
	}
	if r.Src == 0 {
		c.copy2D.srcType = memoryHost
		c.copy2D.srcHost = uint64(c.setHost(r.SrcHost))
	}
	c.args[0], c.args[1] = uintptr(unsafe.Pointer(&c.copy2D)), uintptr(s)
	err := d.call(c, &d.driver.copy2DAsync, 2)
	d.driver.put(c)
	return err
}

// check refuses what the driver would, and slices that are too short, of which it knows nothing.
func (r *Copy2D) check() error {
	switch {
	case r.Width < 0 || r.Height < 0:
		return fmt.Errorf("copy of %d rows of %d bytes, expected 0 or more", r.Height, r.Width)
	case r.DstPitch < r.Width || r.SrcPitch < r.Width:
		return fmt.Errorf("copy of rows of %d bytes that are %d bytes apart, to %d bytes apart, expected no less than a row",
			r.Width, r.SrcPitch, r.DstPitch)
	case r.Src != 0 && r.SrcHost != nil:
		return fmt.Errorf("copy of rows both of the host and of the GPU, expected one of them")
	case r.Width == 0 || r.Height == 0 || r.Src != 0:
		return nil
	}
	n := int64(len(r.SrcHost))
	if n < r.Width || (n-r.Width)/r.SrcPitch < r.Height-1 {
		return fmt.Errorf("copy of %d rows of %d bytes, %d bytes apart, of %d bytes of the host: they are too short",
			r.Height, r.Width, r.SrcPitch, n)
	}
	return nil
}
