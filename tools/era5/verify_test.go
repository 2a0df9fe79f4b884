package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio/store/storetest"
)

// -verify says what is wrong with a store, and what proof there was of it.
func TestVerify(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{Hash: true})
	w.must(t, "-steps 4")
	check := func() (string, error) {
		var out, errOut bytes.Buffer
		err := run(t.Context(), []string{"-verify", "-out", w.out}, &out, &errOut)
		return out.String(), err
	}
	text, err := check()
	if err != nil || !strings.Contains(text, "15 objects of the source were read whole, and the server's CRC-32C of them agreed") { // 12 chunks, .zmetadata, level, time
		t.Errorf("-verify: %v, %q", err, text)
	}
	name := filepath.Join(w.out, "geopotential", "2.0.0")
	extra := filepath.Join(w.out, "geopotential", "7.0.0")
	tests := []struct {
		name   string
		damage func() error
		want   string
	}{
		{"a bit", func() error { flip(t, name); return nil }, "geopotential/2.0.0 has SHA-256 "},
		{"a byte less", func() error { return os.Truncate(name, 575) }, "geopotential/2.0.0 has 575 bytes, want 576"},
		{"a file less", func() error { return os.Remove(name) }, "2.0.0: no such file"},
		{"a file more", func() error { return os.WriteFile(extra, []byte("x"), 0o666) }, "geopotential/7.0.0 is not in the manifest"},
	}
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	for _, tt := range tests {
		require.NoError(t, tt.damage())
		if text, err := check(); err == nil || !strings.Contains(err.Error(), tt.want) || text != "" {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		require.NoError(t, os.WriteFile(name, data, 0o666))
		require.NoError(t, os.RemoveAll(extra))
	}
	if _, err := check(); err != nil {
		t.Error(err)
	}
	w.out = t.TempDir()
	if _, err := check(); err == nil || !strings.Contains(err.Error(), errNoManifest.Error()) {
		t.Errorf("no store: %v", err)
	}
}

// exactPlace is the store whose objects are known beforehand.
const exactPlace = "1959-2023_01_10-6h-240x121_equiangular_with_poles_conservative.zarr"

// Objects that are known beforehand are held against what is known.
func TestPinned(t *testing.T) {
	mini := filepath.Join(fixtures.Dir(), "mini", "wb2_exact")
	w := newWorld(t, fixtures.Synthetic{Steps: 8, NLat: 121, NLon: 240, Levels: 13, Form: "lz4", ChunkSteps: 8, LonLat: true}, storetest.ServerOptions{})
	for name, data := range w.files {
		delete(w.files, name)
		w.files[strings.Replace(name, "store.zarr", exactPlace, 1)] = data
	}
	for name, data := range readTree(t, mini) {
		w.files["era5/"+exactPlace+"/"+name] = data // the documents too, though consolidated metadata stand for them
	}
	for _, name := range []string{"u_component_of_wind", "v_component_of_wind"} {
		w.files["era5/"+exactPlace+"/"+name+"/.zarray"] = w.files["era5/"+exactPlace+"/geopotential/.zarray"]
	}
	w.serve(t, storetest.ServerOptions{})
	o := w.command(t, "-steps 8 -store gs://b/era5/"+exactPlace)
	if _, _, err := w.fetch(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	require.NoError(t, verify(t.Context(), w.out, &out, &errOut))
	// Six documents and three coordinates.
	if want := "were read whole, and their SHA-256 was known beforehand"; !strings.Contains(out.String(), want) {
		t.Errorf("%q, want %q in it", out.String(), want)
	}
	if got, want := len(read(t, w.out, "latitude", nil)), 8*121; got != want {
		t.Errorf("latitude has %d bytes, want %d", got, want)
	}

	key := "era5/" + exactPlace + "/u_component_of_wind/.zarray"
	w.server.Set(key, append([]byte(" "), w.files[key]...))
	w.out = filepath.Join(t.TempDir(), "era5.zarr")
	o.out = w.out
	if _, _, err := w.fetch(t.Context(), o); err == nil || !strings.Contains(err.Error(), "it is known to have 393 and 61cfdce172da") {
		t.Errorf("another document: %v", err)
	}
}
