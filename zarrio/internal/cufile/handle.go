//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/ebitengine/purego"

	"zarrbench/zarrio/internal/cuda"
)

// A Handle is a registered file. Its methods may be called by many goroutines at once.
type Handle struct {
	driver *Driver
	file   *os.File // kept here, or the collector would close the descriptor that the library reads from
	raw    uintptr
	users  atomic.Int64 // reads in flight; very negative once closed
}

const closedUsers = math.MinInt64 / 2

// Register registers a file for reading. The Handle owns f from then on; after an error f is the caller's as before. The full
// path of GPUDirect Storage needs a file opened with O_DIRECT; compatibility mode takes others too. Reading a file's
// descriptor otherwise, by ReadAt, goes on working.
func (d *Driver) Register(f *os.File) (*Handle, error) {
	if f == nil {
		return nil, &Error{Call: "cuFileHandleRegister", Code: InvalidValue}
	}
	if err := d.add(&d.handles); err != nil {
		return nil, err
	}
	h := &Handle{driver: d, file: f}
	descr := descriptor{kind: 1, fd: int32(f.Fd())}
	err := check("cuFileHandleRegister", d.lib.handleRegister(&h.raw, &descr))
	runtime.KeepAlive(f)
	if err != nil {
		d.remove(&d.handles)
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return h, nil
}

// File returns the file, which is the handle's.
func (h *Handle) File() *os.File { return h.file }

// Close deregisters the file and closes it. While reads are in flight it changes nothing and returns an error. It closes once.
func (h *Handle) Close() error {
	if !h.users.CompareAndSwap(0, closedUsers) {
		if n := h.users.Load(); n >= 0 {
			return fmt.Errorf("close %s: %d reads are in flight", h.file.Name(), n)
		}
		return errClosed
	}
	h.driver.lib.handleDeregister(h.raw)
	h.driver.remove(&h.driver.handles)
	return h.file.Close()
}

// use counts a read that begins, unless the handle is closed; done counts it off.
func (h *Handle) use() error {
	if h.users.Add(1) <= 0 {
		h.users.Add(-1)
		return errClosed
	}
	return nil
}

func (h *Handle) done() { h.users.Add(-1) }

// Read reads n bytes at offset off of the file to bufOff bytes behind base, which is memory of the driver's device: the start
// of a registered buffer, or any other memory that the device has. It returns how many bytes it read: less than n only where
// the file ends, or where the system reads less at a time; at the end 0, and no error. What is behind them in the n bytes of the
// memory is unspecified. Read doesn't allocate, and repeats what a signal interrupts.
//
// The library reads without a copy where off, n and the memory's address are multiples of 4 KiB and the memory is registered,
// and the machine can.
func (h *Handle) Read(base cuda.Ptr, n int, off, bufOff int64) (int, error) {
	if err := h.use(); err != nil {
		return 0, err
	}
	defer h.done()
	if err := h.driver.reaches("cuFileRead", base, n, bufOff); err != nil {
		return 0, err
	}
	lib := h.driver.lib
	args := arguments.Get().(*[5]uintptr)
	defer arguments.Put(args)
	*args = [...]uintptr{h.raw, uintptr(base), uintptr(n), uintptr(off), uintptr(bufOff)}
	var got, code int
	withoutSignals(func() { // and on one thread, for errno
		for {
			r, _, _ := purego.SyscallN(lib.read, args[:]...)
			if got, code = int(r), 0; got < 0 {
				code = lib.code(got)
			}
			if code != int(syscall.EINTR) {
				return
			}
		}
	})
	if code != 0 {
		return 0, &Error{Call: "cuFileRead", Code: code}
	}
	return got, nil
}

// arguments holds arrays of a call's arguments, as a slice of them goes to the heap.
var arguments = sync.Pool{New: func() any { return new([5]uintptr) }}

// code returns what a negative result of a read stands for. cufile.h says that it is -1 with an errno or else a code with a
// minus; the library returns -1 with the code in errno instead. The goroutine must be locked to the thread.
func (l *library) code(result int) int {
	if result == -1 {
		return l.errno()
	}
	return -result
}
