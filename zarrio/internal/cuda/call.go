//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// maxLaunchArgs is how many parameters a kernel can have here.
const maxLaunchArgs = 16

// A call holds what a function is given and what it writes, so that calls don't allocate. It must be in the heap, as objects
// there don't move: their addresses may be handed to C as numbers while the call is referred to.
type call struct {
	host *byte // Memory that heap objects point at is neither on a stack, which may move, nor freed meanwhile.
	args [11]uintptr
	out  [4]uint64 // what C writes at addresses that it is given

	copy2D copy2D

	// The parameters of a kernel, and where each is.
	values [maxLaunchArgs]uint64
	params [maxLaunchArgs]uintptr

	attributes [4]int32
	outs       [4]uintptr
}

// get returns a call, which goes back by put. Its fields hold anything.
func (d *Driver) get() *call { return d.calls.Get().(*call) }

func (d *Driver) put(c *call) {
	c.host = nil
	d.calls.Put(c)
}

// setHost keeps a slice for the time of the call, and returns its address.
func (c *call) setHost(b []byte) uintptr {
	c.host = unsafe.SliceData(b)
	return uintptr(unsafe.Pointer(c.host))
}

// outAddr returns the address of out[i], which it clears.
func (c *call) outAddr(i int) uintptr {
	c.out[i] = 0
	return uintptr(unsafe.Pointer(&c.out[i]))
}

// int returns the C int at the start of out[i]. Both architectures are little-endian.
func (c *call) int(i int) int { return int(int32(uint32(c.out[i]))) }

// code calls f with the first n of args and returns its result.
func (c *call) code(f *function, n int) int {
	r, _, _ := purego.SyscallN(f.addr, c.args[:n]...)
	runtime.KeepAlive(c) // C had its address as a number.
	return int(int32(uint32(r)))
}

// call calls f with the first n of c.args.
func (d *Driver) call(c *call, f *function, n int) error {
	if code := c.code(f, n); code != 0 {
		return d.error(f, code)
	}
	return nil
}

// call is Driver.call for a device that must be open.
func (d *Device) call(c *call, f *function, n int) error {
	if d.closed.Load() {
		return ErrClosed
	}
	return d.driver.call(c, f, n)
}

// call1 calls f with one argument.
func (d *Device) call1(f *function, a uintptr) error {
	c := d.driver.get()
	c.args[0] = a
	err := d.call(c, f, 1)
	d.driver.put(c)
	return err
}

// create calls f, which writes a handle at the address that is its first argument, with a second and third argument.
func (d *Device) create(f *function, more ...uintptr) (uintptr, error) {
	if err := d.bound(f); err != nil {
		return 0, err
	}
	c := d.driver.get()
	defer d.driver.put(c)
	c.args[0] = c.outAddr(0)
	n := 1 + copy(c.args[1:], more)
	if err := d.call(c, f, n); err != nil {
		return 0, err
	}
	return uintptr(c.out[0]), nil
}

// bound refuses to call f on a thread with no context, or another device's, where f would make something of another device
// that nobody notices.
func (d *Device) bound(f *function) error {
	c := d.driver.get()
	defer d.driver.put(c)
	c.args[0] = c.outAddr(0)
	if err := d.call(c, &d.driver.contextGet, 1); err != nil {
		return err
	}
	if uintptr(c.out[0]) != d.context {
		return d.driver.error(f, codeInvalidContext)
	}
	return nil
}
