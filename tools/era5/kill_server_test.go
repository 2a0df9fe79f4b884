package main

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio/store/storetest"
)

// An interruption is a run of the command that gets a signal.
type interruption struct {
	signal os.Signal
	after  int  // the request at which it comes; 0 is none
	atEnd  bool // it comes when the document is read again, which is after all chunks
}

// interrupt runs the command over a server of its own, so that no request of an earlier run is taken for one of this, and
// returns how often each chunk was asked for.
func (w *world) interrupt(t *testing.T, exe string, i interruption, args ...string) (c *child, chunks map[string]int, err error) {
	t.Helper()
	var (
		mu        sync.Mutex
		requests  int
		documents int
	)
	chunks = make(map[string]int)
	c = newChild(t, exe)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests++
		if strings.HasSuffix(r.URL.Path, "/.zmetadata") {
			documents++
		}
		if name := strings.TrimPrefix(r.URL.Path, "/b/era5/store.zarr/"); strings.Count(name, ".") == 3 {
			chunks[name]++
		}
		if requests == i.after || i.atEnd && documents > 1 {
			_ = c.Process.Signal(i.signal) // it may have ended
		}
		mu.Unlock()
		w.server.ServeHTTP(rw, r)
	}))
	c.Args = append(c.Args, "-store", "gs://b/era5/store.zarr", "-endpoint", server.URL, "-out", w.out)
	c.Args = append(c.Args, args...)
	mu.Lock() // until the process is there
	err = c.Start()
	mu.Unlock()
	require.NoError(t, err)
	err = c.Wait()
	server.Close()
	return c, chunks, err
}

// Interrupted and killed at random moments, and then where all is fetched and nothing but the last look at the source is left,
// a fetch goes on where it stopped: it ends in the same store, and no chunk is fetched that the journal has.
func TestKilled(t *testing.T) {
	const interrupted, steps, units = 20, 80, 3 * 80
	exe := build(t)
	w := newWorld(t, fixtures.Synthetic{Steps: steps, Form: "lz4", NLat: 9, NLon: 16, Levels: 13}, storetest.ServerOptions{})
	w.must(t, "-steps 80")
	want := contents(t, w.out)
	require.NoError(t, os.RemoveAll(w.out))
	random := rand.New(rand.NewPCG(2000, 500))
	var moments []interruption
	for range interrupted {
		moments = append(moments, interruption{signal: []os.Signal{os.Interrupt, os.Kill}[random.IntN(2)], after: 8 + random.IntN(24)})
	}
	for _, s := range []os.Signal{os.Kill, os.Interrupt, os.Kill} {
		moments = append(moments, interruption{signal: s, atEnd: true})
	}
	have := make(map[string]bool) // chunks that the journal has
	for n, i := range append(moments, interruption{}) {
		c, chunks, err := w.interrupt(t, exe, i, "-steps", "80", "-j", "3")
		for name, requests := range chunks {
			if have[name] && (!strings.HasSuffix(name, "/0.0.0.0") || requests > 1) { // whose head is looked at for the plan
				t.Errorf("run %d asked for %s %d times, which was there", n, name, requests)
			}
		}
		if i.signal == nil {
			if err != nil {
				t.Fatalf("the last run: %v\n%s", err, &c.stderr)
			}
			break
		}
		for _, name := range finishedChunks(t, w) {
			have[name] = true
		}
		switch status := c.ProcessState.Sys().(syscall.WaitStatus); {
		case err == nil:
			t.Fatalf("run %d: %+v, and the process ends well", n, i)
		case i.signal == os.Interrupt && status.ExitStatus() != 1:
			t.Errorf("run %d: interrupted, it ended with %v\n%s", n, err, &c.stderr)
		case i.signal == os.Kill && status.Signal() != syscall.SIGKILL:
			t.Errorf("run %d: killed, it ended with %v\n%s", n, err, &c.stderr)
		}
		if _, err := os.Stat(w.out); err == nil {
			t.Fatalf("run %d: half a store is there", n)
		}
		if k := len(have); n == interrupted-1 && (k < units/4 || k >= units) {
			t.Errorf("%d of %d chunks are there after %d runs, which shows little", k, units, interrupted)
		}
		if i.atEnd && len(have) != units {
			t.Errorf("%d of %d chunks are there at the end", len(have), units)
		}
	}
	if got := contents(t, w.out); !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("the store differs from one that was fetched at once: %d files, want %d", len(got), len(want))
	}
	w.gone(t)
}
