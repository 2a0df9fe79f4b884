package main

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// blocks is a source whose chunks have several Blosc blocks each, so that less than an object is fetched.
var blocks = fixtures.Synthetic{Steps: 3, Form: "lz4", NLat: 121, NLon: 240, Levels: 37}

// Faults that pass heal, whatever the number of requests at once, and the store is the same.
func TestFaults(t *testing.T) {
	w := newWorld(t, blocks, storetest.ServerOptions{})
	w.must(t, "-steps 3 -j 1")
	want := contents(t, w.out)
	for _, opt := range []storetest.ServerOptions{
		{Rate: 0.03, Faults: storetest.ServerFaults()},
		{Rate: 0.2, Faults: []storetest.ServerFault{storetest.WrongBytes}, Hash: true},
		{NoRange: true},
		{NoRange: true, Chunked: true},
		{NoSuffix: true, NoHead: true, NoETag: true},
	} {
		for _, args := range []string{"-j 1", "-j 16", "-j 4 -whole-objects"} {
			if opt.Hash && !strings.Contains(args, "whole") {
				continue // parts have no checksum
			}
			w.out = filepath.Join(t.TempDir(), "era5.zarr")
			w.serve(t, opt)
			o := w.command(t, "-steps 3 "+args)
			o.http.Retries, o.http.Gap = 40, 1<<10
			if _, stderr, err := w.fetch(t.Context(), o); err != nil {
				t.Fatalf("%+v %s: %v\n%s", opt, args, err, stderr)
			}
			if !maps.EqualFunc(contents(t, w.out), want, bytes.Equal) {
				t.Errorf("%+v %s: another store", opt, args)
			}
			w.gone(t)
		}
	}
}

// Where the server has ranges, and blocks are worth it, little is moved, and the plan foretells it.
func TestMovesLittle(t *testing.T) {
	for _, tt := range []struct {
		source fixtures.Synthetic
		args   string
		share  float64 // of the objects' bytes that may be moved
	}{
		{blocks, "-steps 3", 0.2},
		{fixtures.Synthetic{Steps: 24, Form: "lz4", NLat: 91, NLon: 180, Levels: 13, ChunkSteps: 8, LonLat: true}, "-start 2000-01-02T12 -steps 13", 0.6},
		{fixtures.Synthetic{Steps: 4, Form: "raw", NLat: 46, NLon: 90, Levels: 13}, "-steps 4", 0.08},
	} {
		w := newWorld(t, tt.source, storetest.ServerOptions{})
		o := w.command(t, tt.args)
		o.http.Gap = 1 << 10
		p, err := makePlan(t.Context(), o)
		require.NoError(t, err)
		defer p.source.Close()
		if _, _, err := w.fetch(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		m, err := readManifest(w.out)
		require.NoError(t, err)
		var moved, whole, requests int64
		for _, x := range m.Fetched {
			if strings.Count(x.Key, ".") == 3 {
				if x.SHA256 != "" || x.Proof != proofParts || x.ETag == "" || !strings.HasPrefix(x.Source, w.server.URL) {
					t.Errorf("%+v", x)
				}
				moved, whole, requests = moved+x.Moved, whole+x.Bytes, requests+x.Requests
			}
		}
		if float64(moved) > tt.share*float64(whole) || moved == 0 {
			t.Errorf("%s: %d of %d bytes moved", tt.args, moved, whole)
		}
		if r := float64(p.total.moved) / float64(moved); r < 0.8 || r > 1.2 || p.total.requests != requests {
			t.Errorf("%s: planned %d bytes by %d requests, were %d by %d", tt.args, p.total.moved, p.total.requests, moved, requests)
		}
		if p.total.stored < whole*9/10 || p.total.stored > whole*11/10 {
			t.Errorf("%s: planned %d bytes of whole objects, have %d", tt.args, p.total.stored, whole)
		}
	}
}

// Faults that stay end in an error that says what is wrong, and leave what is finished.
func TestLastingFaults(t *testing.T) {
	const bad = "v_component_of_wind/10.0.0.0"
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		want   []string
	}{
		{"404", http.NotFound, []string{"lacks the chunk " + bad, "-allow-missing"}},
		{"403", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "AccessDenied", http.StatusForbidden) }, []string{bad, "403 Forbidden", "AccessDenied"}},
		{"503", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "busy", http.StatusServiceUnavailable) }, []string{bad, "503 Service Unavailable"}},
		{"noise", func(w http.ResponseWriter, _ *http.Request) {
			w.Write(bytes.Repeat([]byte{7}, 999))
		}, []string{bad, "blosc"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var healed atomic.Bool
			w := newWorld(t, small, storetest.ServerOptions{Hook: func(w http.ResponseWriter, r *http.Request) bool {
				if healed.Load() || !strings.HasSuffix(r.URL.Path, bad) {
					return false
				}
				tt.answer(w, r)
				return true
			}})
			_, _, err := w.fetch(t.Context(), w.command(t, "-steps 16 -j 1"))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(tt.want, "stopped with 32 of 48 units done") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q in it", err, want)
				}
			}
			healed.Store(true)
			_, stderr := w.must(t, "-steps 16")
			if !strings.Contains(stderr, "going on: 32 of 48 units") {
				t.Errorf("stderr %q", stderr)
			}
			w.gone(t)
		})
	}
}

// A missing chunk becomes fill values where that is allowed, and is listed.
func TestAllowMissing(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	const key = "geopotential/2.0.0.0"
	delete(w.files, "era5/store.zarr/"+key)
	w.serve(t, storetest.ServerOptions{})
	w.must(t, "-steps 4 -allow-missing")
	for i, b := range read(t, w.out, "geopotential", nil)[2*9*16*4:][:9*16*4] {
		if want := []byte{0, 0, 0xc0, 0x7f}[i%4]; b != want { // NaN
			t.Fatalf("byte %d is %x, want %x", i, b, want)
		}
	}
	var out, errOut bytes.Buffer
	if err := verify(t.Context(), w.out, &out, &errOut); err != nil || !strings.Contains(out.String(), "missing at the source, and the fill value here: "+key) {
		t.Errorf("-verify: %v, %q", err, out.String())
	}
	if _, _, err := w.fetch(t.Context(), w.command(t, "-steps 4")); err == nil {
		t.Error("the store passes for one that lacks nothing")
	}
}

// An object that changes between the requests for its parts is not mixed.
func TestObjectChanges(t *testing.T) {
	var w *world
	const key = "era5/store.zarr/u_component_of_wind/1.0.0.0"
	var seen, swaps atomic.Int64
	w = newWorld(t, blocks, storetest.ServerOptions{Hook: func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, key) && seen.Add(1)%2 == 1 { // after each second request it is another
			n := swaps.Add(1)
			w.server.Set(key, append(bytes.Clone(w.files[key]), make([]byte, n)...))
		}
		return false
	}})
	o := w.command(t, "-steps 3")
	o.http.Gap = 1 << 10
	_, _, err := w.fetch(t.Context(), o)
	if !errors.Is(err, store.ErrChanged) || !strings.Contains(err.Error(), "u_component_of_wind/1.0.0.0") {
		t.Errorf("fetch: %v, want %v", err, store.ErrChanged)
	}
	if _, err := os.Stat(w.out); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the store is there")
	}
}

// A field that can't be is not written.
func TestImpossibleField(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	// Geopotential in the place of wind.
	w.files["era5/store.zarr/u_component_of_wind/1.0.0.0"] = w.files["era5/store.zarr/geopotential/1.0.0.0"]
	w.serve(t, storetest.ServerOptions{})
	_, _, err := w.fetch(t.Context(), w.command(t, "-steps 4"))
	if err == nil || !strings.Contains(err.Error(), "u_component_of_wind/1.0.0.0: element 0 is ") || !strings.Contains(err.Error(), "want -250 to 250") {
		t.Errorf("fetch: %v", err)
	}
}

// Without a network there is one message, and nothing is left.
func TestOffline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	endpoint := "http://" + l.Addr().String()
	l.Close() // nobody listens there
	out := filepath.Join(t.TempDir(), "data", "era5.zarr")
	var stdout, stderr bytes.Buffer
	err = run(t.Context(), []string{"-endpoint", endpoint, "-out", out}, &stdout, &stderr)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{defaultStore, "at " + endpoint, "connection refused", "go run ./tools/era5 -synthetic", "copy a store that was fetched elsewhere to", out} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %q in it", err, want)
		}
	}
	if _, err := os.Stat(filepath.Dir(out)); !errors.Is(err, fs.ErrNotExist) || stdout.Len() != 0 || stderr.Len() != 0 {
		t.Errorf("something is left: %v, stdout %q, stderr %q", err, stdout.String(), stderr.String())
	}
}

// A proxy that lets nobody through is as good as no network.
func TestRefused(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{Hook: func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "not from here", http.StatusForbidden)
		return true
	}})
	_, _, err := w.fetch(t.Context(), w.command(t, ""))
	if err == nil || !strings.Contains(err.Error(), "403 Forbidden") || !strings.Contains(err.Error(), "-synthetic") {
		t.Errorf("fetch: %v", err)
	}
	w.gone(t)
}
