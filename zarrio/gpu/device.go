//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"errors"
	"fmt"
	"sync"

	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/cufile"
	"zarrbench/zarrio/internal/numa"
	"zarrbench/zarrio/internal/ptx"
	"zarrbench/zarrio/tensor"
)

// A GPU is an NVIDIA GPU with what engines need of it. Several GPUs work in one process, as do several engines on one GPU.
//
// CUDA's driver (libcuda) and cuFile are loaded when they are first asked for: neither they nor cgo are needed to build.
type GPU struct {
	dev  *cuda.Device // with its primary context
	node *numa.Node   // where its workers run, or nil

	mu     sync.Mutex
	users  int // engines, and memory for batches: it is not closed under them
	closed bool
	file   *cufile.Driver // nil until an engine asks for it
	module cuda.Module    // the kernels, 0 until they are needed
	kernel map[string]cuda.Function
	tables cuda.Ptr    // of the CRC
	aux    cuda.Stream // see side
	sums   reduction
	pool   blockPool
}

// Open opens the GPU of that number, as CUDA counts them. If this machine has none, the error is errors.ErrUnsupported and
// says what is missing. The GPU is closed after the engines that use it.
func Open(ordinal int) (*GPU, error) {
	driver, err := cuda.Load()
	if err != nil {
		return nil, fmt.Errorf("zarrio: GPU %d: %w", ordinal, err)
	}
	dev, err := driver.Open(ordinal)
	if err != nil {
		return nil, fmt.Errorf("zarrio: GPU %d: %w", ordinal, err)
	}
	return &GPU{dev: dev, node: numa.OfPCI("/sys", dev.PCIBusID())}, nil
}

// String names the GPU, the version of CUDA that its driver has, and cuFile's once it is open: "NVIDIA RTX A2000, CUDA 12.9,
// cuFile 1.14".
func (g *GPU) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	name := g.dev.Name() + ", CUDA " + cuda.Dotted(g.dev.Driver().Version())
	if g.file != nil {
		name += ", cuFile " + cuda.Dotted(g.file.Version())
	}
	return name
}

// Device returns the device that batches on this GPU are on.
func (g *GPU) Device() tensor.Device {
	return tensor.Device{Type: tensor.DeviceCUDA, ID: int32(g.dev.Ordinal())}
}

// Emulated reports whether the driver is one for tests, which has no GPU: how long anything takes means nothing.
func (g *GPU) Emulated() bool { return g.dev.Driver().Emulated() }

// use counts a user, which calls leave when it is done.
func (g *GPU) use() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return fmt.Errorf("zarrio: GPU %d: used after Close", g.dev.Ordinal())
	}
	g.users++
	return nil
}

func (g *GPU) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users--
}

// Close gives back what is held on the GPU. It fails while engines use it.
func (g *GPU) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return nil
	case g.users > 0:
		return fmt.Errorf("zarrio: GPU %d: closed while %d engines or batches use it", g.dev.Ordinal(), g.users)
	}
	g.closed = true
	var err error
	if g.file != nil {
		err = g.file.Close()
	}
	err = errors.Join(err, g.dev.Do(func() error {
		// Streams first: they may run kernels of the module.
		err := errors.Join(g.freeStream(g.aux), g.sums.close(g), g.pool.close(g.dev))
		if g.module != 0 {
			err = errors.Join(err, g.dev.UnloadModule(g.module))
		}
		if g.tables != 0 {
			err = errors.Join(err, g.dev.Free(g.tables))
		}
		return err
	}))
	return errors.Join(err, g.dev.Close())
}

// cuFile opens cuFile's driver, once: it takes most of a second.
func (g *GPU) cuFile() (*cufile.Driver, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.file == nil {
		d, err := cufile.Open(g.dev, cufile.Config{})
		if err != nil {
			return nil, err
		}
		g.file = d
	}
	return g.file, nil
}

// function returns a kernel of package ptx, on a thread that is bound to the GPU.
func (g *GPU) function(name string) (cuda.Function, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f, ok := g.kernel[name]; ok {
		return f, nil
	}
	if g.module == 0 {
		m, err := g.dev.LoadModule(ptx.Source())
		if err != nil {
			return 0, fmt.Errorf("load the kernels: %w", err)
		}
		g.module, g.kernel = m, map[string]cuda.Function{}
	}
	f, err := g.dev.Function(g.module, name)
	if err != nil {
		return 0, err
	}
	g.kernel[name] = f
	return f, nil
}

// auxStream returns a stream for what is queued beside engines, on a thread that is bound to the GPU.
func (g *GPU) auxStream() (cuda.Stream, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.aux == 0 {
		var err error
		if g.aux, err = g.newStream(); err != nil {
			return 0, err
		}
	}
	return g.aux, nil
}

// crcTables returns the tables of the kernel that makes CRCs, on a thread that is bound to the GPU.
func (g *GPU) crcTables() (cuda.Ptr, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tables == 0 {
		table := tensor.AsBytes(ptx.CRCTable())
		p, err := g.dev.Alloc(int64(len(table)))
		if err != nil {
			return 0, err
		}
		if err := g.dev.CopyHtoD(p, table); err != nil {
			return 0, errors.Join(err, g.dev.Free(p))
		}
		g.tables = p
	}
	return g.tables, nil
}

// describe describes workers, with where they run: "8 workers on NUMA node 1".
func (g *GPU) describe(staff string) string {
	if g == nil || g.node == nil {
		return staff
	}
	return fmt.Sprintf("%s on %v", staff, g.node)
}
