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

// A GPU is an NVIDIA GPU that engines use. A process may open several GPUs, and several engines may
// share one.
//
// CUDA's driver (libcuda) and cuFile are loaded when they are first needed.
type GPU struct {
	dev  *cuda.Device // with its primary context
	node *numa.Node   // NUMA node that the GPU is attached to, where workers run; nil if unknown

	mu     sync.Mutex
	users  int // engines and batches; Close fails while there are any
	closed bool
	cufile *cufile.Driver // nil until an engine needs it
	module cuda.Module    // the kernels; 0 until they are needed
	kernel map[string]cuda.Function
	tables cuda.Ptr    // for the CRC kernel; 0 until they are needed
	aux    cuda.Stream // returned by auxStream; 0 until it is needed
	sums   reduction
	pool   blockPool
}

// Open opens the GPU with the given ordinal, in CUDA's numbering. If the machine has no such GPU,
// the error names what is missing and matches errors.ErrUnsupported. Close the GPU after the
// engines that use it.
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

// String returns the GPU's name, the driver's CUDA version, and cuFile's version if an engine has
// opened it: "NVIDIA RTX A2000, CUDA 12.9, cuFile 1.14".
func (g *GPU) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	name := g.dev.Name() + ", CUDA " + cuda.Dotted(g.dev.Driver().Version())
	if g.cufile != nil {
		name += ", cuFile " + cuda.Dotted(g.cufile.Version())
	}
	return name
}

// Device returns the device of batches on this GPU.
func (g *GPU) Device() tensor.Device {
	return tensor.Device{Type: tensor.DeviceCUDA, ID: int32(g.dev.Ordinal())}
}

// Emulated reports whether the driver emulates a GPU, for tests. Times measured on it mean nothing.
func (g *GPU) Emulated() bool { return g.dev.Driver().Emulated() }

// use counts a user, or fails if the GPU is closed. The user calls leave when it is done.
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

// Close frees everything that is held on the GPU. It fails while engines or batches use the GPU.
func (g *GPU) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return nil
	case g.users > 0:
		return fmt.Errorf("zarrio: GPU %d: closed while %d engines or batches use it",
			g.dev.Ordinal(), g.users)
	}
	g.closed = true
	var err error
	if g.cufile != nil {
		err = g.cufile.Close()
	}
	err = errors.Join(err, g.dev.Do(func() error {
		// Free the streams first: they may be running kernels of the module.
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

// cuFile returns cuFile's driver, and opens it on the first call, which takes most of a second.
func (g *GPU) cuFile() (*cufile.Driver, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cufile == nil {
		d, err := cufile.Open(g.dev, cufile.Config{})
		if err != nil {
			return nil, err
		}
		g.cufile = d
	}
	return g.cufile, nil
}

// function returns a kernel of package ptx. The calling thread must have the GPU's context.
func (g *GPU) function(name string) (cuda.Function, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f, ok := g.kernel[name]; ok {
		return f, nil
	}
	if g.module == 0 {
		m, err := g.dev.LoadModule(ptx.Source())
		if err != nil {
			return 0, fmt.Errorf("load kernels: %w", err)
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

// auxStream returns the stream for work that belongs to no engine. The calling thread must have the
// GPU's context.
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

// crcTables returns the address of the tables of the CRC kernel. The calling thread must have the
// GPU's context.
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

// describe returns a description of workers with the node that they run on, if it is known:
// "8 workers on NUMA node 1".
func (g *GPU) describe(workers string) string {
	if g == nil || g.node == nil {
		return workers
	}
	return fmt.Sprintf("%s on %v", workers, g.node)
}
