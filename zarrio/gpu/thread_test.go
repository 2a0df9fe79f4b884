//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"runtime"
	"strings"
	"sync"
	"testing"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/fileio"
)

// TestGPUThreads: the kernel interrupts threads on which an io_uring was used, even after it was closed. Workers run on others.
func TestGPUThreads(t *testing.T) {
	g := testGPU(t, 0)
	group, _ := onDisk(t, gdsFields(t, 4, 4, 6), zarrio.Options{})
	const n = 8
	var used, ended sync.WaitGroup
	leave := make(chan struct{})
	used.Add(n)
	for range n { // whose threads are the next that goroutines get
		ended.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			func() {
				defer used.Done()
				e := engine.NewCPU(engine.CPUOptions{IO: engine.IOUring, Workers: 1})
				defer e.Close()
				if strings.Contains(e.String(), "without io_uring") {
					return
				}
				if err := e.Probe(t.Context(), group.Store(), group.Path()); err != nil {
					t.Error(err)
				}
				if !fileio.RingThread() {
					t.Error("the thread has used an io_uring, and is said not to")
				}
			}()
			<-leave
		})
	}
	used.Wait()
	close(leave)
	ended.Wait()
	e := must(t)(NewGDS(g, GDSOptions{Workers: n}))
	for i, w := range e.(*gdsEngine).workers {
		var ring bool
		w.Do(func() { ring = fileio.RingThread() })
		if ring {
			t.Errorf("worker %d runs on a thread that has used an io_uring", i)
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
