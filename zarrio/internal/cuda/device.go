//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"zarrbench/zarrio/internal/cstr"
)

// A Device is one GPU with its primary context, which this process's other users of CUDA share, and a thread of its own. A
// Device may be opened more than once, and several be open at a time: none knows of the other.
type Device struct {
	driver  *Driver
	ordinal int
	handle  uintptr // the CUdevice
	context uintptr // the CUcontext

	name     string
	busID    string
	totalMem int64

	requests chan *request
	stop     chan struct{} // closed by Close
	ended    chan struct{} // closed when the thread has released the context
	closed   atomic.Bool
	once     sync.Once
	thread   atomic.Int64 // the number of the thread, 0 once it has ended
	endErr   error        // what releasing returned; read after ended

	hostMu sync.Mutex
	host   map[uintptr]hostBlock // allocations of HostAlloc, by their addresses
}

// Open retains the primary context of a device, making it if there is none, and starts the device's thread.
// The device must be closed.
func (d *Driver) Open(ordinal int) (*Device, error) {
	if err := d.checkOrdinal(ordinal); err != nil {
		return nil, err
	}
	dev := &Device{
		driver:   d,
		ordinal:  ordinal,
		requests: make(chan *request),
		stop:     make(chan struct{}),
		ended:    make(chan struct{}),
		host:     make(map[uintptr]hostBlock),
	}
	if err := dev.describe(); err != nil {
		return nil, err
	}
	dev.sleepInWaits()
	c := d.get()
	defer d.put(c)
	c.args[0], c.args[1] = c.outAddr(0), dev.handle
	if err := d.call(c, &d.contextRetain, 2); err != nil {
		return nil, err
	}
	dev.context = uintptr(c.out[0])
	go dev.serve()
	if err := dev.Do(dev.Bind); err != nil {
		return nil, errors.Join(err, dev.Close())
	}
	return dev, nil
}

// Values of CUctx_flags.
const (
	schedule             = 7 // the bits that say how a thread waits
	scheduleAuto         = 0 // CU_CTX_SCHED_AUTO, which spins where there are as many cores as contexts
	scheduleBlockingSync = 4
)

// sleepInWaits has threads that wait in the primary context sleep: a core that spins is missed by workers. If the program has
// chosen how its threads wait, that stays. A driver before CUDA 11 can't be told, and spins.
func (d *Device) sleepInWaits() {
	f := &d.driver.functions
	if f.contextState.addr == 0 || f.contextFlags.addr == 0 {
		return
	}
	c := d.driver.get()
	defer d.driver.put(c)
	c.args[0], c.args[1], c.args[2] = d.handle, c.outAddr(0), c.outAddr(1)
	if c.code(&f.contextState, 3) != 0 {
		return // retaining tells what is wrong
	}
	flags := uintptr(uint32(c.out[0]))
	if flags&schedule == scheduleAuto {
		c.args[0], c.args[1] = d.handle, flags|scheduleBlockingSync
		c.code(&f.contextFlags, 2)
	}
}

// describe asks for what doesn't change of a device. It needs no context.
func (d *Device) describe() error {
	f := &d.driver.functions
	c := d.driver.get()
	defer d.driver.put(c)
	c.args[0], c.args[1] = c.outAddr(0), uintptr(d.ordinal)
	if err := d.call(c, &f.deviceGet, 2); err != nil {
		return err
	}
	d.handle = uintptr(uint32(c.out[0]))

	text := make([]byte, nameBytes)
	c.args[0], c.args[1], c.args[2] = c.setHost(text), nameBytes, d.handle
	if err := d.call(c, &f.deviceName, 3); err != nil {
		return err
	}
	d.name = cstr.Cut(text)

	c.args[0], c.args[1] = c.outAddr(0), d.handle
	if err := d.call(c, &f.deviceTotalMem, 2); err != nil {
		return err
	}
	d.totalMem = int64(c.out[0])

	if f.devicePCIBusID.addr != 0 {
		c.args[0], c.args[1], c.args[2] = c.setHost(text), nameBytes, d.handle
		if err := d.call(c, &f.devicePCIBusID, 3); err != nil {
			return err
		}
		d.busID = strings.ToLower(cstr.Cut(text)) // as the kernel writes it
		return nil
	}
	var at [3]int
	for i, attribute := range [...]int{attributePCIDomain, attributePCIBus, attributePCIDevice} {
		var err error
		if at[i], err = d.Attribute(attribute); err != nil {
			return err
		}
	}
	d.busID = fmt.Sprintf("%04x:%02x:%02x.0", at[0], at[1], at[2])
	return nil
}

// Values of CUdevice_attribute.
const (
	attributePCIBus    = 33
	attributePCIDevice = 34
	attributePCIDomain = 50
)

// Ordinal returns the number by which the device was opened.
func (d *Device) Ordinal() int { return d.ordinal }

// Name returns the device's name, such as "NVIDIA RTX A2000".
func (d *Device) Name() string { return d.name }

// PCIBusID returns where the device is, as the folders of /sys/bus/pci/devices are named: "0000:01:00.0".
func (d *Device) PCIBusID() string { return d.busID }

// TotalMem returns the bytes of memory that the device has.
func (d *Device) TotalMem() int64 { return d.totalMem }

// Driver returns the driver that opened the device.
func (d *Device) Driver() *Driver { return d.driver }

// Attribute returns the value of a CUdevice_attribute, such as 16, the number of multiprocessors. It may be called on any
// thread.
func (d *Device) Attribute(a int) (int, error) {
	c := d.driver.get()
	defer d.driver.put(c)
	c.args[0], c.args[1], c.args[2] = c.outAddr(0), uintptr(a), d.handle
	if err := d.call(c, &d.driver.deviceAttribute, 3); err != nil {
		return 0, err
	}
	return c.int(0), nil
}

// Bind makes the device's context current on this thread, to which the caller has locked its goroutine. It takes less than a
// microsecond where the context is already current.
func (d *Device) Bind() error { return d.call1(&d.driver.contextSet, d.context) }

// Unbind leaves the calling thread without a context, so that it may serve others.
func (d *Device) Unbind() error {
	c := d.driver.get()
	defer d.driver.put(c)
	c.args[0] = 0
	return d.driver.call(c, &d.driver.contextSet, 1)
}

// With runs f on this goroutine's thread with the device's context current, and puts back what was: a caller that uses several
// devices, or CUDA by other means, has its own context afterwards. Calls may overlap.
func (d *Device) With(f func() error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := d.driver.get()
	c.args[0] = c.outAddr(0)
	err = d.call(c, &d.driver.contextGet, 1)
	before := uintptr(c.out[0])
	d.driver.put(c)
	switch {
	case err != nil:
		return err
	case before == d.context:
		return f()
	}
	if err := d.Bind(); err != nil {
		return err
	}
	// Not by a method of the device, which f may have closed.
	defer func() {
		c := d.driver.get()
		defer d.driver.put(c)
		c.args[0] = before
		err = errors.Join(err, d.driver.call(c, &d.driver.contextSet, 1))
	}()
	return f()
}

// Close ends the device's thread after the call of Do that it is at, and releases the primary context. What was allocated and
// not freed is gone once the context has no other holder, so nothing may be in use. It may be called more than once, on any
// thread but the device's own, and returns the same error each time.
func (d *Device) Close() error {
	if d.onThread() {
		return errors.New("the CUDA device's own thread can't close it")
	}
	d.once.Do(func() {
		close(d.stop)
		<-d.ended
	})
	return d.endErr
}

// end is the last that the device's thread does.
func (d *Device) end() {
	// Other threads may have the context current still; with closed set they can't use it by this device.
	d.closed.Store(true)
	err := d.Unbind()
	if err == nil {
		runtime.UnlockOSThread()
	}
	c := d.driver.get()
	defer d.driver.put(c)
	c.args[0] = d.handle
	d.endErr = errors.Join(err, d.driver.call(c, &d.driver.contextRelease, 1))
	d.thread.Store(0)
	close(d.ended)
}

// onThread reports whether the caller runs on the device's thread.
func (d *Device) onThread() bool { return d.thread.Load() == int64(syscall.Gettid()) }

// A request is one call of Do.
type request struct {
	f    func() error
	done chan struct{}

	err      error
	panicked *PanicError
	exited   bool // f ended its goroutine
}

// A PanicError is what Do panics with where its function did, on the device's thread.
type PanicError struct {
	Value any    // what the function panicked with
	Stack []byte // where
}

func (p *PanicError) Error() string {
	return fmt.Sprintf("%v\n\non the CUDA device's thread:\n%s", p.Value, p.Stack)
}

// Unwrap returns the value where it is an error, or nil.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// serve runs what Do asks for until the device is closed. Its thread ends with it where it can't be given back.
func (d *Device) serve() {
	runtime.LockOSThread()
	d.thread.Store(int64(syscall.Gettid()))
	for {
		select {
		case r := <-d.requests:
			d.run(r)
		case <-d.stop:
			d.end()
			return
		}
	}
}

// run runs one request. A panic goes to the caller. So does the end of the goroutine by runtime.Goexit, which also ends this
// thread: another takes its place.
func (d *Device) run(r *request) {
	normal := false
	defer func() {
		if !normal {
			if v := recover(); v != nil {
				r.panicked = &PanicError{v, debug.Stack()}
			} else {
				r.exited = true
				d.thread.Store(0)
				go func() {
					runtime.LockOSThread()
					_ = d.Bind() // Where it fails, every call on this thread does.
					d.serve()
				}()
			}
		}
		close(r.done)
	}()
	r.err = r.f()
	normal = true
}

// Do runs f on the device's own thread, where the context is current, and returns its error. Calls are served one after the
// other. A panic in f is the caller's: Do panics with a [*PanicError]. Within f, Do calls its function at once.
func (d *Device) Do(f func() error) error {
	if d.onThread() {
		return f()
	}
	r := &request{f: f, done: make(chan struct{})}
	select {
	case d.requests <- r:
	case <-d.stop:
		return ErrClosed
	}
	<-r.done
	if r.exited {
		runtime.Goexit()
	}
	if r.panicked != nil {
		panic(r.panicked)
	}
	return r.err
}

// MemInfo returns how many bytes of the device's memory are free, and how many there are.
func (d *Device) MemInfo() (free, total int64, err error) {
	if err := d.bound(&d.driver.memInfo); err != nil {
		return 0, 0, err
	}
	c := d.driver.get()
	defer d.driver.put(c)
	c.args[0], c.args[1] = c.outAddr(0), c.outAddr(1)
	if err := d.call(c, &d.driver.memInfo, 2); err != nil {
		return 0, 0, err
	}
	return int64(c.out[0]), int64(c.out[1]), nil
}

// hostSlice makes a slice of C memory. The address is C's, of memory that does not move: go vet can't know that.
func hostSlice(addr uintptr, n int64) []byte {
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), n)
}
