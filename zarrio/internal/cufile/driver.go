//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"zarrbench/zarrio/internal/cuda"
)

// A Config says how a driver is opened.
type Config struct {
	// ProbeTimeout is how long the child process may take that tries the driver first. 0 is 20 seconds.
	ProbeTimeout time.Duration
	// Root is the folder in which proc, run and dev are looked at before the driver is opened. "" is the machine's own.
	Root string
	// ForbidCompat makes Open fail where the library would have to read through host memory: it turns its compatibility mode
	// off. That holds for the whole process, and needs version 1.14 and a driver that this process hasn't open yet.
	ForbidCompat bool
}

// errClosed is what a closed driver, handle or batch says.
var errClosed = fmt.Errorf("cufile: %w", os.ErrClosed)

// A Driver is libcufile's driver, open for one device. The library counts how often a process has opened it, so there may be
// several. Its methods may be called by many goroutines at once.
type Driver struct {
	dev *cuda.Device
	lib *library

	mu      sync.Mutex // for what follows
	closed  bool
	handles int
	batches int
	buffers atomic.Pointer[[]buffer] // written under mu, as a new slice, and read without
}

// Open opens the driver for a device, whose context it uses: close it before the device. See the package's documentation for
// what is tried first. An error is an [*UnsupportedError] that says what was found, and what a person would do about it.
func Open(dev *cuda.Device, cfg Config) (*Driver, error) {
	d, err := open(dev, cfg)
	if err != nil {
		return nil, &UnsupportedError{err}
	}
	return d, nil
}

func open(dev *cuda.Device, cfg Config) (*Driver, error) {
	lib, err := load()
	if err != nil {
		return nil, err
	}
	if err := inspect(cfg.Root); err != nil {
		return nil, err
	}
	if cfg.ForbidCompat && lib.setBool == nil {
		return nil, fmt.Errorf("compatibility mode can't be forbidden: %s has no cuFileSetParameterBool, which came with version 1.14", lib.path)
	}
	if err := tryInChild(lib.path, dev.Ordinal(), cfg); err != nil {
		return nil, err
	}
	d := &Driver{dev: dev, lib: lib}
	d.buffers.Store(new([]buffer))
	if err := dev.Do(func() error { return lib.open(cfg.ForbidCompat) }); err != nil {
		return nil, err
	}
	return d, nil
}

// open opens the library's driver, on a thread that has a device's context.
func (l *library) open(forbidCompat bool) error {
	if forbidCompat {
		err := check("cuFileSetParameterBool", l.setBool(int32(AllowCompatMode), false))
		var e *Error
		if errors.As(err, &e) && e.Code == DriverAlreadyOpen {
			return fmt.Errorf("compatibility mode can't be forbidden once the driver is open in this process: %w", err)
		}
		if err != nil {
			return err
		}
	}
	if err := check("cuFileDriverOpen", l.driverOpen()); err != nil {
		return err
	}
	l.enableStats()
	return nil
}

// Close closes the driver. Handles, buffers and batches are closed before: while there are any, Close changes nothing and
// returns an error that counts them. It closes once.
func (d *Driver) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return errClosed
	}
	if buffers := len(*d.buffers.Load()); d.handles+buffers+d.batches > 0 {
		d.mu.Unlock()
		return fmt.Errorf("close the cuFile driver: %d files, %d buffers and %d batches are still registered", d.handles, buffers, d.batches)
	}
	d.closed = true
	d.mu.Unlock() // what runs on the device's thread may wait for it
	return d.dev.Do(func() error { return check("cuFileDriverClose_v2", d.lib.driverClose()) })
}

// add counts a handle or a batch, unless the driver is closed.
func (d *Driver) add(count *int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	*count++
	return nil
}

func (d *Driver) remove(count *int) {
	d.mu.Lock()
	*count--
	d.mu.Unlock()
}

// Device returns the device that the driver was opened for.
func (d *Driver) Device() *cuda.Device { return d.dev }

// Version returns 1000 times the library's major version and 10 times its minor one: 1140 is 1.14. It is 0 before version 1.8.
func (d *Driver) Version() int { return d.lib.version }

// Path returns the path of the library's file.
func (d *Driver) Path() string { return d.lib.path }

// Emulated reports whether the library is this project's emulation, whose timings mean nothing.
func (d *Driver) Emulated() bool { return d.lib.emulated }

// HasBatch reports whether the library has the batch API.
func (d *Driver) HasBatch() bool { return d.lib.hasBatch() }
