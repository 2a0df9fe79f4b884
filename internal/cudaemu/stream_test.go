//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"unsafe"
)

// TestLazy has two streams and no wait between them: with lazy the second reads what the first hasn't written.
func TestLazy(t *testing.T) {
	for _, waits := range []bool{false, true} {
		t.Run(fmt.Sprintf("waits=%v", waits), func(t *testing.T) {
			d := newDriver(t)
			Set(t, "lazy", 1)
			d.bind(0)
			p := d.memory(100)
			from, f := d.pinned(100)
			to, b := d.pinned(100)
			s1, s2, e := d.stream(1), d.stream(1), d.event()
			fill(f, 1)
			d.want(0, d.htodA(p, from, 100, s1))
			if waits {
				d.want(0, d.record(e, s1))
				d.want(0, d.wait(s2, e, 0))
			}
			d.want(0, d.dtohA(to, p, 100, s2))
			fill(f, 2) // pinned memory is read when the copy runs
			if !all(b, 0xA5) {
				t.Error("the copy ran before anybody waited")
			}
			d.want(0, d.streamSync(s2))
			want := byte(0xA5)
			if waits {
				want = 2
			}
			if !all(b, want) {
				t.Errorf("the second stream read %#x, want %#x", b[0], want)
			}
			d.want(0, d.streamSync(s1))
		})
	}
}

func TestStaged(t *testing.T) {
	d := newDriver(t)
	Set(t, "lazy", 1)
	d.bind(0)
	p := d.memory(100)
	s := d.stream(1)
	b := make([]byte, 100)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&b[0])
	h := uint64(uintptr(unsafe.Pointer(&b[0])))
	fill(b, 1)
	d.want(0, d.htodA(p, h, 100, s))
	fill(b, 2)
	d.want(0, d.dtohA(h, p, 100, s)) // waits, because the memory isn't pinned
	if !all(b, 1) {
		t.Errorf("got %d back, want what the memory held when the copy was queued", b[0])
	}
	good := copy2D{srcType: 1, srcHost: h, srcPitch: 10, dstType: 2, dstDevice: p, dstPitch: 20, width: 10, height: 5}
	fill(b[:50], 3)
	d.want(0, d.copy2D(&good, s))
	fill(b[:50], 4)
	d.want(0, d.streamSync(s))
	for i, v := range view(p, 100) {
		if want := byte(1 + 2*((i/10+1)%2)); v != want {
			t.Fatalf("byte %d is %d, want %d", i, v, want)
		}
	}
}

// TestLegacy has work in the legacy stream, which waits for blocking streams alone.
func TestLegacy(t *testing.T) {
	for _, flags := range []uint32{0, 1} {
		d := newDriver(t)
		t.Run(fmt.Sprintf("flags=%d", flags), func(t *testing.T) {
			d.t = t
			Set(t, "lazy", 1)
			d.bind(0)
			p := d.memory(10)
			s := d.stream(flags)
			d.want(0, d.setA(p, 1, 10, s))
			h, b := d.pinned(10)
			d.want(0, d.dtoh(h, p, 10))
			if want := []byte{1, 0xA5}[flags]; !all(b, want) {
				t.Errorf("read %#x, want %#x", b[0], want)
			}
			d.want(0, d.set(p, 2, 10)) // the host doesn't wait for it, a blocking stream does
			d.want(0, d.dtohA(h, p, 10, s))
			d.want(0, d.streamSync(s))
			if want := []byte{2, 1}[flags]; !all(b, want) {
				t.Errorf("read %#x, want %#x", b[0], want)
			}
			d.want(0, d.synchronize())
			if !all(view(p, 10), 2) {
				t.Error("the context was synchronized before its work was done")
			}
		})
	}
}

func TestEvents(t *testing.T) {
	d := newDriver(t)
	Set(t, "lazy", 1)
	d.bind(0)
	p := d.memory(10)
	s, e := d.stream(1), d.event()
	d.want(0, d.eventQuery(e)) // never recorded
	d.want(0, d.eventSync(e))
	d.want(0, d.wait(s, e, 0))
	d.want(0, d.streamQuery(s))
	d.want(0, d.setA(p, 1, 10, s))
	d.want(0, d.record(e, s))
	d.want(0, d.setA(p, 2, 10, s))
	d.want(0, d.eventSync(e))
	if !all(view(p, 10), 1) {
		t.Error("the event isn't where it was recorded")
	}
	d.want(0, d.eventQuery(e))
	d.want(600, d.streamQuery(s))
	d.want(0, d.streamQuery(s)) // a loop of queries ends
	d.want(0, d.record(e, s))
	d.want(600, d.eventQuery(e))
	d.want(0, d.eventQuery(e))
	d.want(400, d.eventSync(s))
	d.want(400, d.streamSync(e))
	d.want(400, d.record(s, e))
	d.want(1, d.streamCreate(&p, 2))
}

// TestDestroyed has work in a stream that is gone: it still runs, when something waits for it.
func TestDestroyed(t *testing.T) {
	d := newDriver(t)
	Set(t, "lazy", 1)
	d.bind(0)
	p := d.memory(10)
	e := d.event()
	var s uint64
	d.want(0, d.streamCreate(&s, 1))
	d.want(0, d.setA(p, 1, 10, s))
	d.want(0, d.record(e, s))
	d.want(0, d.streamDestroy(s))
	d.want(400, d.streamDestroy(s))
	d.want(400, d.streamSync(s))
	d.want(0, d.eventSync(e))
	if !all(view(p, 10), 1) {
		t.Error("the work of the destroyed stream wasn't done")
	}
}

// TestFreedInUse frees memory that a queued copy has. That waits, but is counted.
func TestFreedInUse(t *testing.T) {
	d := newDriver(t)
	Set(t, "lazy", 1)
	d.bind(0)
	h, b := d.pinned(10)
	s := d.stream(1)
	var p uint64
	d.want(0, d.alloc(&p, 10))
	d.want(0, d.setA(p, 1, 10, s))
	d.want(0, d.dtohA(h, p, 10, s))
	d.want(0, d.free(p))
	if n := Get("freed_in_use"); n != 1 || !all(b, 1) {
		t.Errorf("freed_in_use is %d, and the copy gave %d", n, b[0])
	}
	mustLoad().reset()
}

// TestThreads has streams with threads of their own, which hand a buffer around, used from goroutines on threads of their own.
func TestThreads(t *testing.T) {
	d := newDriver(t)
	c := d.bind(0)
	const workers, rounds, n = 4, 50, 10000
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			d := symbols(t)
			var p, from, to, s1, s2, e uint64
			for _, rc := range []int32{
				d.setCurrent(c), d.alloc(&p, n), d.hostAlloc(&from, n, 1), d.hostAlloc(&to, n, 1),
				d.streamCreate(&s1, 1), d.streamCreate(&s2, uint32(w%2)), d.eventCreate(&e, 2),
			} {
				if rc != 0 {
					t.Errorf("worker %d: %d", w, rc)
					return
				}
			}
			for i := range rounds {
				v := byte(w*rounds + i)
				fill(view(from, n), v)
				for _, rc := range []int32{
					d.htodA(p, from, n, s1), d.record(e, s1), d.wait(s2, e, 0), d.dtohA(to, p, n, s2), d.record(e, s2), d.eventSync(e),
				} {
					if rc != 0 {
						t.Errorf("worker %d: %d", w, rc)
					}
				}
				if b := view(to, n); !all(b, v) {
					t.Errorf("worker %d, round %d: got %d, want %d", w, i, b[0], v)
				}
			}
			for _, rc := range []int32{
				d.free(p), d.hostFree(from), d.hostFree(to), d.streamDestroy(s1), d.streamDestroy(s2), d.eventDestroy(e), d.setCurrent(0),
			} {
				if rc != 0 {
					t.Errorf("worker %d: %d", w, rc)
				}
			}
		})
	}
	wg.Wait()
}
