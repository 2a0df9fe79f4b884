//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"fmt"
	"strings"
	"unsafe"
)

// A Module is code that a device has loaded.
type Module uintptr

// A Function is a kernel of a module.
type Function uintptr

// LoadModule has the driver compile PTX for the device. Code that it doesn't take is CUDA_ERROR_INVALID_PTX (218), or
// CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222) where the driver is older than the code.
func (d *Device) LoadModule(ptx string) (Module, error) {
	text, err := cString(ptx)
	if err != nil {
		return 0, err
	}
	if err := d.bound(&d.driver.moduleLoad); err != nil {
		return 0, err
	}
	c := d.driver.get()
	defer d.driver.put(c)
	c.args[0], c.args[1] = c.outAddr(0), c.setHost(text)
	if err := d.call(c, &d.driver.moduleLoad, 2); err != nil {
		return 0, err
	}
	return Module(c.out[0]), nil
}

// UnloadModule unloads a module of LoadModule, whose functions are then gone.
func (d *Device) UnloadModule(m Module) error {
	return d.call1(&d.driver.moduleUnload, uintptr(m))
}

// Function returns the kernel of that name. Where there is none the error is CUDA_ERROR_NOT_FOUND (500).
func (d *Device) Function(m Module, name string) (Function, error) {
	text, err := cString(name)
	if err != nil {
		return 0, err
	}
	c := d.driver.get()
	defer d.driver.put(c)
	c.args[0], c.args[1], c.args[2] = c.outAddr(0), uintptr(m), c.setHost(text)
	if err := d.call(c, &d.driver.moduleFunction, 3); err != nil {
		return 0, fmt.Errorf("kernel %q: %w", name, err)
	}
	return Function(c.out[0]), nil
}

// Launch runs a kernel with grid blocks of block threads each, as work of a stream. The kernel's parameters are .u64, as many
// as args has, of which there are 16 at most: the driver can't check that. Neither grid nor block may be 0.
func (d *Device) Launch(f Function, grid, block uint32, s Stream, args ...uint64) error {
	if len(args) > maxLaunchArgs {
		return fmt.Errorf("launch with %d arguments, expected %d at most", len(args), maxLaunchArgs)
	}
	c := d.driver.get()
	for i := range copy(c.values[:], args) {
		c.params[i] = uintptr(unsafe.Pointer(&c.values[i]))
	}
	c.args = [11]uintptr{
		0: uintptr(f),
		1: uintptr(grid), 2: 1, 3: 1,
		4: uintptr(block), 5: 1, 6: 1,
		7:  0, // bytes of dynamic shared memory
		8:  uintptr(s),
		9:  uintptr(unsafe.Pointer(&c.params)), // read before the call returns
		10: 0,                                  // extra, which is another way to pass parameters
	}
	err := d.call(c, &d.driver.launch, 11)
	d.driver.put(c)
	return err
}

// cString returns the bytes of s with a zero at the end.
func cString(s string) ([]byte, error) {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return nil, fmt.Errorf("text with a zero byte at %d, which would end there for the CUDA driver", i)
	}
	return append([]byte(s), 0), nil
}
