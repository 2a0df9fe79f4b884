//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"bytes"
	"errors"
	"testing"

	"zarrbench/internal/cudaemu"
)

// TestLazy checks the order that events and streams make, where nothing is done before somebody waits for it.
func TestLazy(t *testing.T) {
	cudaemu.Need(t)
	cudaemu.Set(t, "lazy", 1)
	d := open(t, 0)
	const n = 1000
	first, second := stream(t, d), stream(t, d)
	e, last := event(t, d), event(t, d)
	p := alloc(t, d, n)
	host, back := pinned(t, d, n), pinned(t, d, n)
	done := func(e Event, want bool) {
		t.Helper()
		if got, err := d.Done(e); got != want || err != nil {
			t.Errorf("Done = %v, %v, want %v", got, err, want)
		}
	}
	done(e, true) // It was never recorded.

	copy(host, pattern(n, 1))
	clear(back)
	check(t, d.CopyHtoDAsync(p, host, first), d.Record(e, first), d.Wait(second, e), d.CopyDtoHAsync(back, p, second))
	check(t, d.Record(last, second))
	done(e, false)
	done(last, false)
	if !bytes.Equal(back, make([]byte, n)) {
		t.Error("a copy was done before anybody waited for it: the test shows nothing")
	}
	check(t, d.SynchronizeEvent(last))
	done(e, true)
	done(last, true)
	if !bytes.Equal(back, host) {
		t.Error("the second stream did not wait for the first")
	}

	// An event waits for what was there when it was recorded, and no more.
	copy(host, pattern(n, 2))
	check(t, d.CopyHtoDAsync(p, host, first), d.Record(e, first), d.CopyDtoHAsync(back, p, first))
	check(t, d.SynchronizeEvent(e))
	done(e, true)
	check(t, d.Synchronize(first))
	if !bytes.Equal(back, host) {
		t.Error("the stream's work is not done after Synchronize")
	}
}

func TestStreamErrors(t *testing.T) {
	d := open(t, 0)
	s := stream(t, d)
	e := event(t, d)
	p := alloc(t, d, 10)
	for _, test := range []struct {
		call string
		do   func() error
	}{
		{"cuStreamSynchronize", func() error { return d.Synchronize(s) }},
		{"cuEventRecord", func() error { return d.Record(e, s) }},
		{"cuStreamWaitEvent", func() error { return d.Wait(s, e) }},
		{"cuEventSynchronize", func() error { return d.SynchronizeEvent(e) }},
		{"cuEventQuery", func() error { _, err := d.Done(e); return err }},
		{"cuStreamCreate", func() error {
			s, err := d.NewStream()
			if err == nil {
				err = d.FreeStream(s)
			}
			return err
		}},
		{"cuEventCreate", func() error {
			e, err := d.NewEvent()
			if err == nil {
				err = d.FreeEvent(e)
			}
			return err
		}},
		{"cuMemsetD8Async", func() error { return d.SetAsync(p, 0, 10, s) }},
	} {
		cudaemu.Fail(t, test.call, 801, 0, 0, 1)
		if err := test.do(); !errors.Is(err, &Error{Call: test.call, Code: 801}) {
			t.Errorf("%s: error %v, want %s", test.call, err, ErrorName(801))
		}
		if err := test.do(); err != nil {
			t.Errorf("%s: error %v once the fault is over", test.call, err)
		}
	}
	check(t, d.Synchronize(s))
}

// TestHotAllocs checks that calls of a loop over chunks allocate nothing.
func TestHotAllocs(t *testing.T) {
	d := open(t, 0)
	const n = 1024
	h := &hot{s: stream(t, d), e: event(t, d), dst: alloc(t, d, n), src: alloc(t, d, n), host: pinned(t, d, n)}
	checkAllocs(t, d, h)
	check(t, d.Synchronize(h.s))
}
