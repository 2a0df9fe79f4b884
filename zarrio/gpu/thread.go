//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"runtime"
	"sync"

	"zarrbench/zarrio/internal/fileio"
)

// An osThread runs functions on an operating system thread that runs nothing else.
type osThread struct {
	run chan func()
	// noUring is set for threads that wait for cuFile. io_uring was never used on them, since its
	// completions would interrupt the waits. They are kept for the next engine: a thread that has
	// called cuFile must not end, and if it were given back to Go's scheduler, other goroutines
	// could use io_uring on it.
	noUring bool
}

// idleThreads holds the noUring threads that no engine uses.
var idleThreads struct {
	sync.Mutex
	free []*osThread
}

// startThread starts a thread. If noUring is set, it returns an idle one if there is any.
func startThread(noUring bool) *osThread {
	if noUring {
		idleThreads.Lock()
		defer idleThreads.Unlock()
		if last := len(idleThreads.free) - 1; last >= 0 {
			t := idleThreads.free[last]
			idleThreads.free = idleThreads.free[:last]
			return t
		}
	}
	t := &osThread{run: make(chan func()), noUring: noUring}
	t.start()
	return t
}

// start starts the goroutine that is locked to the thread, and returns when it runs.
func (t *osThread) start() {
	started := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		if t.noUring && fileio.RingThread() {
			t.start() // on another thread, since this one is locked meanwhile
			runtime.UnlockOSThread()
			close(started)
			return
		}
		close(started)
		for f := range t.run {
			f()
		}
	}()
	<-started
}

// do runs f on the thread, and waits for it.
func (t *osThread) do(f func()) {
	done := make(chan struct{})
	t.run <- func() {
		defer close(done)
		f()
	}
	<-done
}

// end ends the use of the thread. restored reports whether the thread is in the state that it had
// when it was started. If so, Go's scheduler or the next engine may use it. If not, it is never
// used again: it ends, or sleeps if it is a noUring thread.
func (t *osThread) end(restored bool) {
	switch {
	case t.noUring && restored:
		idleThreads.Lock()
		defer idleThreads.Unlock()
		idleThreads.free = append(idleThreads.free, t)
	case !t.noUring:
		if restored {
			t.do(runtime.UnlockOSThread)
		}
		close(t.run)
	}
}

// A thread is an osThread with a GPU's context, on the GPU's NUMA node.
type thread struct {
	*osThread
	gpu   *GPU
	leave func() error // restores the CPUs that the thread could run on before
}

// thread returns a thread with the GPU's context. See osThread for noUring.
func (g *GPU) thread(noUring bool) (*thread, error) {
	t := &thread{gpu: g, osThread: startThread(noUring)}
	var err error
	t.do(func() {
		if t.leave, err = g.node.Enter(); err == nil {
			err = g.dev.Bind()
		}
	})
	if err != nil {
		t.end()
		return nil, err
	}
	return t, nil
}

// end takes the GPU's context from the thread, moves it off the GPU's NUMA node, and ends its use.
func (t *thread) end() {
	restored := true
	t.do(func() {
		if t.leave != nil {
			restored = t.gpu.dev.Unbind() == nil && t.leave() == nil
		}
	})
	t.osThread.end(restored)
}
