//go:build linux

package main

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio/store/storetest"
)

// A disk that is full in the middle of a fetch stops it with an error that says so. What was finished stays, and when there is
// room again the same command goes on.
func TestRealDiskFull(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small disk can't be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	exe := build(t)
	const args, units = "-steps 40 -j 2", 3 * 40
	filler := filepath.Join(disk, "filler")
	var chunks atomic.Int64
	w := newWorld(t, fixtures.Synthetic{Steps: 40, Form: "lz4", NLat: 9, NLon: 16, Levels: 13}, storetest.ServerOptions{
		Hook: func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, ".0.0.0") && chunks.Add(1) == 50 {
				fill(t, filler)
			}
			return false
		},
	})
	endpoint := strings.TrimSuffix(w.server.URL, "/b")
	run := func(out string) (*child, error) {
		list := append([]string{"-store", "gs://b/era5/store.zarr", "-endpoint", endpoint, "-out", out}, strings.Fields(args)...)
		c := newChild(t, exe, list...)
		return c, c.Run()
	}
	w.out = filepath.Join(disk, "data", "era5.zarr")
	c, err := run(w.out)
	if err == nil || c.ProcessState.ExitCode() != 1 || !strings.Contains(c.stderr.String(), "no space left on device") ||
		!strings.Contains(c.stderr.String(), "the same command goes on from there") {
		t.Fatalf("a full disk: %v\n%s", err, &c.stderr)
	}
	if n := len(finishedChunks(t, w)); n < 20 || n >= units {
		t.Errorf("%d of %d chunks are finished", n, units)
	}
	// Before anything is fetched, it is refused to go on.
	if c, err := run(w.out); err == nil || !strings.Contains(c.stderr.String(), "free") {
		t.Errorf("the disk is still full: %v\n%s", err, &c.stderr)
	}
	require.NoError(t, os.Remove(filler))
	if c, err = run(w.out); err != nil || !strings.Contains(c.stderr.String(), "going on: ") {
		t.Fatalf("with room again: %v\n%s", err, &c.stderr)
	}
	elsewhere := filepath.Join(t.TempDir(), "era5.zarr")
	if c, err = run(elsewhere); err != nil {
		t.Fatalf("%v\n%s", err, &c.stderr)
	}
	if !maps.EqualFunc(contents(t, w.out), contents(t, elsewhere), bytes.Equal) {
		t.Error("the store differs from one that was fetched at once")
	}
}

// fill writes a file until the disk is full.
func fill(t *testing.T, name string) {
	f, err := os.Create(name)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}
