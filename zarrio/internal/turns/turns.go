// Package turns limits how many goroutines compute at once, where there are more of them than cores because most of them wait:
// for a disk, a network, or each other.
//
// A turn is held for the duration of one call, [Turns.Do], and for computing alone. So a goroutine that waits holds none, and
// turns can't deadlock: a goroutine that has one needs nothing else to give it back.
package turns

import "sync"

// Turns are a number of turns. Any number of goroutines may use them at once. A nil *Turns limits nothing.
type Turns struct {
	mu      sync.Mutex
	cond    sync.Cond
	free    int
	waiting int
	woken   bool // one of those that wait was woken and has not looked yet

	count     int
	unlimited bool
}

// New returns n turns, or one if n is less.
func New(n int) *Turns {
	t := &Turns{free: max(n, 1), count: max(n, 1)}
	t.cond.L = &t.mu
	return t
}

// Expect says how many goroutines will use the turns. If there is one for each, Do takes none. It must not be called while
// others use the turns.
func (t *Turns) Expect(goroutines int) { t.unlimited = goroutines <= t.count }

// Do calls f and returns its error. At most as many calls are under way at once as there are turns; Do waits for one. f must
// only compute: it must not wait for anything that another goroutine does, nor call Do.
//
// A goroutine that calls Do again at once goes before those that wait, since its data are in the caches.
func (t *Turns) Do(f func() error) error {
	if t == nil || t.unlimited {
		return f()
	}
	t.take()
	defer t.give()
	return f()
}

func (t *Turns) take() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.free == 0 {
		t.waiting++
		t.cond.Wait()
		t.waiting--
		t.woken = false
	}
	t.free--
	t.wake()
}

func (t *Turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free++
	t.wake()
}

// wake wakes one of those that wait, if there is a turn for it. t.mu is held.
func (t *Turns) wake() {
	if t.free > 0 && t.waiting > 0 && !t.woken {
		t.woken = true
		t.cond.Signal()
	}
}
