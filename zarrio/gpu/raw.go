//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/cufile"
	"zarrbench/zarrio/tensor"
)

// RawOptions configures a [RawReader].
type RawOptions struct {
	Workers    int  // concurrent reads; if 0, it is 8
	Size       int  // bytes per read, a multiple of 4,096; if 0, it is 4 MiB
	Registered bool // register the memory with cuFile
}

// A RawReader reads files with cuFile, over and over into the same memory of the GPU. Its speed is
// the most that the machine allows to a reader of these files that makes one call per read.
type RawReader struct {
	gpu     *GPU
	driver  *cufile.Driver
	opt     RawOptions
	handles []*cufile.Handle
	sizes   []int64
	whole   cuda.Ptr
	base    cuda.Ptr // opt.Size bytes for each worker
	pinned  bool
}

// NewRawReader returns a reader of the files at paths. It opens them and registers them with
// cuFile. If there are more than may be kept open (see [GDSOptions].Handles), it reads only the
// first ones.
func (g *GPU) NewRawReader(paths []string, opt RawOptions) (*RawReader, error) {
	opt.Workers, opt.Size = cmp.Or(opt.Workers, 8), cmp.Or(opt.Size, slotSize)
	if opt.Workers < 0 || opt.Workers > 1<<10 ||
		opt.Size < tensor.PageSize || opt.Size%tensor.PageSize != 0 || opt.Size > 1<<30 {
		return nil, fmt.Errorf("zarrio: raw reads: %d workers, %d bytes a read: "+
			"want 1 to 1,024, and a multiple of %d up to 1 GiB", opt.Workers, opt.Size, tensor.PageSize)
	}
	if err := g.use(); err != nil {
		return nil, err
	}
	r := &RawReader{gpu: g, opt: opt}
	if err := r.open(paths); err != nil {
		return nil, fmt.Errorf("zarrio: raw reads: %w", errors.Join(err, r.Close()))
	}
	return r, nil
}

func (r *RawReader) open(paths []string) error {
	var err error
	if r.driver, err = r.gpu.cuFile(); err != nil {
		return err
	}
	dev := r.gpu.dev
	n := int64(r.opt.Workers) * int64(r.opt.Size)
	return r.gpu.withContext(func() error {
		if r.whole, r.base, err = allocPages(dev, n); err != nil {
			return err
		}
		if r.opt.Registered {
			if err := r.driver.RegisterBuffer(r.base, n); err != nil {
				return err
			}
			r.pinned = true
		}
		for _, path := range paths[:min(len(paths), defaultHandles())] {
			f, err := os.OpenFile(path, unix.O_DIRECT, 0)
			if err != nil {
				return err
			}
			info, err := f.Stat()
			if err != nil {
				return errors.Join(err, f.Close())
			}
			h, err := r.driver.Register(f)
			if err != nil {
				return errors.Join(err, f.Close())
			}
			r.handles, r.sizes = append(r.handles, h), append(r.sizes, info.Size())
		}
		return nil
	})
}

// Read reads all files whole, and returns the number of bytes read.
func (r *RawReader) Read(ctx context.Context) (int64, error) {
	if r.gpu == nil {
		return 0, errors.New("zarrio: raw reads: used after Close")
	}
	var (
		wg    sync.WaitGroup
		next  atomic.Int64
		total atomic.Int64
	)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for worker := range r.opt.Workers {
		wg.Go(func() {
			err := r.gpu.withContext(func() error {
				for ctx.Err() == nil {
					i := int(next.Add(1)) - 1
					if i >= len(r.handles) {
						return nil
					}
					n, err := r.readFile(ctx, i, int64(worker)*int64(r.opt.Size))
					total.Add(n)
					if err != nil {
						name := r.handles[i].File().Name()
						return fmt.Errorf("zarrio: raw reads: %s: %w", name, err)
					}
				}
				return nil
			})
			if err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return total.Load(), context.Cause(ctx)
}

func (r *RawReader) readFile(ctx context.Context, i int, at int64) (int64, error) {
	var off int64
	for off < r.sizes[i] && ctx.Err() == nil {
		n, err := r.handles[i].Read(r.base, r.opt.Size, off, at)
		if err != nil {
			return off, err
		}
		if n == 0 {
			return off, fmt.Errorf("read %d of %d bytes: the file shrank", off, r.sizes[i])
		}
		off += int64(n)
	}
	return off, nil
}

// Close closes the files and frees the memory.
func (r *RawReader) Close() error {
	if r.gpu == nil {
		return nil
	}
	dev := r.gpu.dev
	err := dev.Do(func() error {
		var err error
		for _, h := range r.handles {
			err = errors.Join(err, h.Close())
		}
		if r.pinned {
			err = errors.Join(err, r.driver.DeregisterBuffer(r.base))
		}
		if r.whole != 0 {
			err = errors.Join(err, dev.Free(r.whole))
		}
		return err
	})
	r.gpu.leave()
	r.gpu = nil
	return err
}
