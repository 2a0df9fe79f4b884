package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// small is a source of 48 chunks.
var small = fixtures.Synthetic{Steps: 16, Form: "lz4", NLat: 9, NLon: 16, Levels: 13}

// chunkRequests counts the requests, with a header that tells the run, for each chunk of a variable. A server may find requests
// of an earlier run later, which were given up.
func (w *world) chunkRequests(run string) map[string]int {
	count := make(map[string]int)
	for _, r := range w.server.Log() {
		if r.Header.Get("X-Run") != run {
			continue
		}
		if name := strings.TrimPrefix(r.Key, "era5/store.zarr/"); isChunk(r.Key) && strings.Count(name, ".") == 3 {
			count[name]++
		}
	}
	return count
}

// Interrupted again and again, a fetch goes on where it stopped: it ends in the same store, and asks for no chunk that it has.
func TestResume(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		random := rand.New(rand.NewPCG(seed, 0))
		var left atomic.Int64
		var cancel atomic.Pointer[context.CancelFunc]
		w := newWorld(t, small, storetest.ServerOptions{Hook: func(http.ResponseWriter, *http.Request) bool {
			if left.Add(-1) == 0 {
				(*cancel.Load())()
			}
			return false
		}})
		left.Store(1 << 40)
		o := w.command(t, "-steps 16 -j 3")
		w.must(t, "-steps 16 -j 1")
		want := contents(t, w.out)
		require.NoError(t, os.RemoveAll(w.out))

		runs, have := 0, map[string]bool{}
		for finished := false; !finished; runs++ {
			if runs > 60 {
				t.Fatal("it never ends")
			}
			ctx, stop := context.WithCancel(t.Context())
			cancel.Store(&stop)
			left.Store(12 + random.Int64N(10))
			run := strconv.Itoa(runs)
			o.http.Header = http.Header{"X-Run": {run}}
			_, _, err := w.fetch(ctx, o)
			stop()
			for name := range w.chunkRequests(run) {
				if have[name] && !strings.Contains(name, "/0.0.0.0") { // whose head is looked at for the plan
					t.Errorf("run %d asked for %s, which was there", runs, name)
				}
			}
			for _, name := range finishedChunks(t, w) {
				have[name] = true
			}
			if finished = err == nil; !finished && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		if runs < 4 {
			t.Errorf("seed %d: done after %d runs, which shows little", seed, runs)
		}
		if !maps.EqualFunc(contents(t, w.out), want, bytes.Equal) {
			t.Errorf("seed %d: the store differs from one that was fetched at once", seed)
		}
		w.gone(t)
	}
}

// finishedChunks returns the chunks of the source that the journal calls finished.
func finishedChunks(t *testing.T, w *world) (names []string) {
	f, err := os.Open(filepath.Join(workPath(w.out), "journal"))
	if err != nil {
		return nil
	}
	defer f.Close()
	_, entries, _, err := readJournal(f)
	if err != nil && !errors.Is(err, errNoJournal) {
		t.Fatal(err)
	}
	for _, e := range entries {
		for _, o := range e.Objects {
			names = append(names, o.Key)
		}
	}
	return names
}

// fullDisk is a Putter on which there is room for so many values.
type fullDisk struct {
	store.Putter
	room *atomic.Int64
}

func (d fullDisk) Put(ctx context.Context, key string, value []byte) error {
	if d.room.Add(-1) < 0 {
		return &store.KeyError{Store: "disk", Op: "put", Key: key, Err: syscall.ENOSPC}
	}
	return d.Putter.Put(ctx, key, value)
}

// halfway leaves a fetch that stopped after so many chunks because the disk was full.
func (w *world) halfway(t *testing.T, args string, chunks int64) {
	t.Helper()
	o := w.command(t, args)
	room := new(atomic.Int64)
	room.Store(chunks)
	o.wrap = func(p store.Putter) store.Putter { return fullDisk{p, room} }
	_, _, err := w.fetch(t.Context(), o)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "the same command goes on from there") {
		t.Fatalf("full disk: %v", err)
	}
	if _, err := os.Stat(w.out); err == nil {
		t.Fatal("half a store is there")
	}
}

func TestFullDisk(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	w.halfway(t, "-steps 16 -j 1", 20)
	if n := len(finishedChunks(t, w)); n != 20 {
		t.Errorf("%d chunks are finished, want 20", n)
	}
	_, stderr := w.must(t, "-steps 16")
	if !strings.Contains(stderr, "going on: 20 of 48 units are there") {
		t.Errorf("stderr %q", stderr)
	}
	w.gone(t)

	o := w.command(t, "-steps 8 -force")
	o.free = func(string) (int64, error) { return 1000, nil }
	before := readTree(t, w.out)
	if _, _, err := w.fetch(t.Context(), o); err == nil || !strings.Contains(err.Error(), "bytes and 1000 are free") {
		t.Errorf("a small disk: %v", err)
	}
	if after := readTree(t, w.out); len(after) != len(before) {
		t.Error("the store that is there was touched")
	}
	w.gone(t)
}

// Files that were lost or damaged since, as by a power cut, are fetched again.
func TestResumeChecksFiles(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	w.halfway(t, "-steps 16 -j 1", 20)
	dir := filepath.Join(workPath(w.out), "store")
	require.NoError(t, os.Truncate(filepath.Join(dir, "geopotential", "1.0.0"), 0))
	require.NoError(t, os.Remove(filepath.Join(dir, "geopotential", "2.0.0")))
	flip(t, filepath.Join(dir, "geopotential", "3.0.0"))
	for _, name := range []string{"geopotential/.zarrio-tmp-X", "geopotential/9.0.0"} { // a killed process was writing them
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o666))
	}
	_, stderr := w.must(t, "-steps 16")
	if !strings.Contains(stderr, "going on: 17 of 48 units are there") {
		t.Errorf("stderr %q", stderr)
	}
	if err := verify(t.Context(), w.out, new(strings.Builder), new(strings.Builder)); err != nil {
		t.Error(err)
	}
}

// flip changes a bit of a file.
func flip(t *testing.T, name string) {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	data[len(data)/2] ^= 4
	require.NoError(t, os.WriteFile(name, data, 0o666))
}

// A fetch goes on only with the parameters and the source that it began with.
func TestResumeRefused(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	w.halfway(t, "-steps 16 -j 1", 20)
	for _, args := range []string{"-steps 15", "-steps 16 -level 850", "-steps 16 -form lz4", "-steps 16 -vars geopotential", "-steps 16 -allow-missing"} {
		_, _, err := w.fetch(t.Context(), w.command(t, args))
		if err == nil || !strings.Contains(err.Error(), "a fetch with other parameters was begun") {
			t.Errorf("%s: %v", args, err)
		}
	}
	key := "era5/store.zarr/.zmetadata"
	w.server.Set(key, append([]byte(" "), w.files[key]...))
	_, _, err := w.fetch(t.Context(), w.command(t, "-steps 16"))
	if err == nil || !strings.Contains(err.Error(), "the source changed since this fetch began: .zmetadata") {
		t.Errorf("another source: %v", err)
	}
	if n := len(finishedChunks(t, w)); n != 20 {
		t.Errorf("%d chunks are finished, want 20", n)
	}
	_, stderr := w.must(t, "-steps 15 -force")
	if strings.Contains(stderr, "going on") {
		t.Errorf("-force: stderr %q", stderr)
	}
	w.gone(t)
}

// A source that changes while it is fetched is noticed before the store is there.
func TestChangesMeanwhile(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	o := w.command(t, "-steps 16 -j 1")
	var puts atomic.Int64
	o.wrap = func(p store.Putter) store.Putter {
		return putterFunc(func(ctx context.Context, key string, value []byte) error {
			if puts.Add(1) == 10 {
				w.server.Set("era5/store.zarr/.zmetadata", append([]byte(" "), w.files["era5/store.zarr/.zmetadata"]...))
			}
			return p.Put(ctx, key, value)
		})
	}
	_, _, err := w.fetch(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "the source changed since this fetch began: .zmetadata") {
		t.Errorf("fetch: %v", err)
	}
	if _, err := os.Stat(w.out); err == nil {
		t.Error("the store is there")
	}
}

type putterFunc func(context.Context, string, []byte) error

func (f putterFunc) Put(ctx context.Context, key string, value []byte) error {
	return f(ctx, key, value)
}

func TestFinishedStore(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	w.must(t, "-steps 4")
	w.server.ResetLog()
	if stdout, _ := w.must(t, "-steps 4 -j 2"); !strings.HasSuffix(stdout, "was there already\n") || w.server.Requests() != 0 {
		t.Errorf("the same again: %q, %d requests", stdout, w.server.Requests())
	}
	if _, _, err := w.fetch(t.Context(), w.command(t, "-steps 5")); err == nil || !strings.Contains(err.Error(), "exists with other parameters (-store gs://b/era5/store.zarr ") {
		t.Errorf("other parameters: %v", err)
	}
	w.must(t, "-steps 5 -force")
	w.gone(t)
	if m, err := readManifest(w.out); err != nil || m.Parameters.Steps != 5 {
		t.Errorf("replaced: %+v, %v", m.Parameters, err)
	}
	// What was not fetched is not replaced by anything.
	w.out = t.TempDir()
	if _, _, err := w.fetch(t.Context(), w.command(t, "-steps 5 -force")); err == nil || !strings.Contains(err.Error(), "is not a store that was fetched") {
		t.Errorf("another folder: %v", err)
	}
}

func TestTwoAtOnce(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	require.NoError(t, os.MkdirAll(filepath.Dir(w.out), 0o777))
	first, err := openWorkdir(w.out)
	require.NoError(t, err)
	if _, _, err := w.fetch(t.Context(), w.command(t, "-steps 4")); !errors.Is(err, errBusy) {
		t.Errorf("the second: %v, want %v", err, errBusy)
	}
	require.NoError(t, first.close())
	w.must(t, "-steps 4")
	w.gone(t)
}

// A fetch that stops before its first chunk leaves nothing, and no beginnings of another are in the way of one.
func TestNothingDone(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	o := w.command(t, "-steps 16")
	o.wrap = func(p store.Putter) store.Putter { return fullDisk{p, new(atomic.Int64)} }
	if _, _, err := w.fetch(t.Context(), o); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "stopped before anything was done") {
		t.Errorf("full disk: %v", err)
	}
	w.gone(t)
	d, err := openWorkdir(w.out)
	require.NoError(t, err)
	j, _, err := d.resume(header{journalVersion, parameters{Steps: 3}, nil}, false)
	require.NoError(t, err)
	if err := errors.Join(j.f.Close(), d.close()); err != nil { // killed
		t.Fatal(err)
	}
	w.must(t, "-steps 4")
	w.gone(t)
}
