//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"runtime"
	"sync"

	"zarrbench/zarrio/internal/fileio"
)

// An osThread runs what it is sent, on an operating system's thread of its own.
type osThread struct {
	run chan func()
	// noUring threads are for cuFile. No io_uring was used on them, so that nothing interrupts a wait. They are kept for the next
	// engine: a thread that has called cuFile must not end, and as any goroutine's it would not stay quiet.
	noUring bool
}

// idleThreads are those that no engine has.
var idleThreads struct {
	sync.Mutex
	free []*osThread
}

// startThread starts a thread, or takes a quiet one that is free.
func startThread(quiet bool) *osThread {
	if quiet {
		idleThreads.Lock()
		defer idleThreads.Unlock()
		if last := len(idleThreads.free) - 1; last >= 0 {
			t := idleThreads.free[last]
			idleThreads.free = idleThreads.free[:last]
			return t
		}
	}
	t := &osThread{run: make(chan func()), noUring: quiet}
	t.start()
	return t
}

// start starts the goroutine that is locked to the thread.
func (t *osThread) start() {
	started := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		if t.noUring && fileio.RingThread() {
			t.start() // on another, since this one is held meanwhile
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

// end gives the thread up. Where it is not as it was before, it is nobody's from now on: it ends, or as a quiet one sleeps.
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

// A thread is a thread that is bound to a GPU, on its NUMA node.
type thread struct {
	*osThread
	gpu   *GPU
	leave func() error // moves it from the node back to where it was
}

// thread returns a thread that is bound to the GPU.
func (g *GPU) thread(quiet bool) (*thread, error) {
	t := &thread{gpu: g, osThread: startThread(quiet)}
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

// end gives the thread up when it has done what it was sent.
func (t *thread) end() {
	restored := true
	t.do(func() {
		if t.leave != nil {
			restored = t.gpu.dev.Unbind() == nil && t.leave() == nil
		}
	})
	t.osThread.end(restored)
}
