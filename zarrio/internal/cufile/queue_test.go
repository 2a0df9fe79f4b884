//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"zarrbench/zarrio/internal/cuda"
)

// TestQueue has many batches that together are more than may be in flight: without a limit NVIDIA's 1.14 never comes back.
func TestQueue(t *testing.T) {
	d := testDriver(t)
	const workers, each, size = 4, 100, 4096
	buf := alloc(t, d.dev, workers*each*size)
	registerBuffer(t, d, buf, workers*each*size)
	path, data := testFile(t, 4*size)
	h := register(t, d, path, 0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if err := d.dev.Bind(); err != nil {
				t.Error(err)
				return
			}
			defer d.dev.Unbind()
			b, err := d.NewBatch(each)
			if err != nil {
				t.Error(err)
				return
			}
			ios, done := make([]IO, each), make([]Completion, each)
			for range 20 {
				for i := range ios {
					ios[i] = IO{Handle: h, Base: buf, Bytes: size, Offset: int64(i%4) * size, BufOffset: int64(w*each+i) * size}
				}
				if err := b.Submit(ios); err != nil {
					t.Error(err)
					break
				}
				n, err := b.Wait(each, done)
				if err != nil || n != each {
					t.Errorf("%d of %d reads are done, error %v", n, each, err)
					break
				}
				for _, c := range done {
					if c.Err != nil || c.N != size {
						t.Errorf("read of %d bytes: %d, error %v", size, c.N, c.Err)
					}
				}
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range workers * each {
		at := i % each % 4 * size
		expect(t, d.dev, buf+cuda.Ptr(i*size), data[at:at+size])
	}
}

// A batch that has reads in flight is not kept waiting for others, which may wait for it.
func TestQueueFull(t *testing.T) {
	const size = 4096
	d := testDriver(t)
	buf := alloc(t, d.dev, QueueDepth*size)
	path, _ := testFile(t, size)
	h := register(t, d, path, 0)
	ios := make([]IO, QueueDepth)
	for i := range ios {
		ios[i] = IO{Handle: h, Base: buf, Bytes: size, BufOffset: int64(i) * size}
	}
	var all [2]*Batch
	for i, n := range []int{QueueDepth - 1, 2} {
		b, err := d.NewBatch(QueueDepth)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}()
		all[i] = b
		if err := b.Submit(ios[:n-i]); err != nil {
			t.Fatal(err)
		}
	}
	for i, b := range all {
		var e *Error
		if err := b.Submit(ios[:1]); !errors.As(err, &e) || e.Code != BatchFull {
			t.Errorf("batch %d: a read more than the queue has room for: error %v, want one with the code %d", i, err, BatchFull)
		}
	}
	done := make([]Completion, QueueDepth)
	if n, err := all[0].Wait(QueueDepth-1, done); err != nil || n != QueueDepth-1 {
		t.Fatalf("%d reads are done, error %v", n, err)
	}
	if err := all[1].Submit(ios[:QueueDepth-1]); err != nil {
		t.Error(err)
	}
}
