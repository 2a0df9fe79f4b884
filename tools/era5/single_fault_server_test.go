package main

import (
	"bytes"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/store/storetest"
)

// Each fault by itself heals where it passes. Where it stays with a chunk, the fetch ends in an error that names the chunk and
// what is wrong, and goes on when it is gone.
func TestSingleFaults(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	w.must(t, "-steps 16")
	want := contents(t, w.out)
	lasting := map[storetest.ServerFault]string{
		storetest.RequestTimeout:     "408",
		storetest.TooManyRequests:    "429",
		storetest.RetryAfter:         "429",
		storetest.InternalError:      "500",
		storetest.BadGateway:         "502",
		storetest.ServiceUnavailable: "503",
		storetest.GatewayTimeout:     "504",
		storetest.Reset:              "reset",
		storetest.Truncated:          "unexpected EOF",
		storetest.WrongRange:         "",
		storetest.WrongBytes:         "crc32c",
		storetest.WholeValue:         "", // is what was asked for, and more
	}
	for fault, word := range lasting {
		t.Run(string(fault), func(t *testing.T) {
			w := &world{files: w.files, out: filepath.Join(t.TempDir(), "data", "era5.zarr")}
			args := "-steps 16 -j 1"
			if fault == storetest.WrongBytes { // of parts nobody can tell
				args += " -whole-objects"
			}
			check := func() {
				t.Helper()
				if got := contents(t, w.out); !maps.EqualFunc(got, want, bytes.Equal) {
					t.Error("another store")
				}
				w.gone(t)
			}
			w.serve(t, storetest.ServerOptions{Rate: 0.2, Faults: []storetest.ServerFault{fault}, Hash: true})
			o := w.command(t, args)
			o.http.Retries = 40
			if _, _, err := w.fetch(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if w.server.Faults() == 0 {
				t.Error("nothing befell the fetch")
			}
			check()

			const bad = "v_component_of_wind/10.0.0.0"
			var healed atomic.Bool
			broken := storetest.NewServer(t, w.files, storetest.ServerOptions{Bucket: "b", Rate: 1, Faults: []storetest.ServerFault{fault}, Hash: true})
			w.out = filepath.Join(t.TempDir(), "data", "era5.zarr")
			w.serve(t, storetest.ServerOptions{Hash: true, Hook: func(rw http.ResponseWriter, r *http.Request) bool {
				if healed.Load() || !strings.HasSuffix(r.URL.Path, bad) {
					return false
				}
				broken.ServeHTTP(rw, r)
				return true
			}})
			o = w.command(t, args)
			o.http.Retries = 3
			_, _, err := w.fetch(t.Context(), o)
			if fault == storetest.WholeValue {
				require.NoError(t, err)
				check()
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range []string{word, bad, "stopped with 32 of 48 units done"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\nwant %q in it", err, part)
				}
			}
			healed.Store(true)
			if _, stderr := w.must(t, args); !strings.Contains(stderr, "going on: 32 of 48 units") {
				t.Errorf("stderr %q", stderr)
			}
			check()
		})
	}
}
