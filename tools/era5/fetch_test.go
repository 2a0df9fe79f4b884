package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// A world is a source on a server, and what is asked for of it.
type world struct {
	dir    string // of the source
	files  map[string][]byte
	server *storetest.Server
	out    string
}

// quick are options that wait for nothing.
var quick = store.HTTPOptions{Backoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond, Retries: 8}

// newWorld makes a synthetic store and serves it as the object store of bucket "b".
func newWorld(t *testing.T, s fixtures.Synthetic, opt storetest.ServerOptions) *world {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "source.zarr")
	require.NoError(t, s.Write(t.Context(), dir))
	w := &world{dir: dir, files: make(map[string][]byte), out: filepath.Join(t.TempDir(), "data", "era5.zarr")}
	for name, data := range readTree(t, dir) {
		w.files["era5/store.zarr/"+name] = data
	}
	w.serve(t, opt)
	return w
}

func (w *world) serve(t *testing.T, opt storetest.ServerOptions) {
	opt.Bucket = "b"
	w.server = storetest.NewServer(t, w.files, opt)
}

// readTree returns the files below dir.
func readTree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	require.NoError(t, err)
	return files
}

// contents returns the files of the store at dir, but for the manifest, which tells how much moved.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := readTree(t, dir)
	for name := range files {
		if filepath.Base(name) == manifestName {
			delete(files, name)
		}
	}
	return files
}

// command parses arguments for the world.
func (w *world) command(t *testing.T, args string) options {
	t.Helper()
	endpoint := strings.TrimSuffix(w.server.URL, "/b")
	c, err := parse(append([]string{"-store", "gs://b/era5/store.zarr", "-endpoint", endpoint, "-out", w.out}, strings.Fields(args)...)...)
	require.NoError(t, err)
	requests := c.http.Requests
	c.http = quick
	c.http.Requests = requests
	return c.options
}

// fetch runs a fetch and returns what it printed.
func (w *world) fetch(ctx context.Context, o options) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	err = fetch(ctx, o, &out, &errOut)
	return out.String(), errOut.String(), err
}

// must runs a fetch that has to succeed.
func (w *world) must(t *testing.T, args string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, err := w.fetch(t.Context(), w.command(t, args))
	if err != nil {
		t.Fatalf("fetch %s: %v\n%s", args, err, stderr)
	}
	return stdout, stderr
}

// gone checks that nothing but the store, if that, is beside it.
func (w *world) gone(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(w.out))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(w.out) {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// read reads a selection of an array of a store.
func read(t *testing.T, dir, name string, sel zarrio.Selection) []byte {
	t.Helper()
	g, err := zarrio.Open(t.Context(), dir, zarrio.Options{Strict: true})
	require.NoError(t, err)
	defer g.Close()
	a, err := g.Array(t.Context(), name)
	require.NoError(t, err)
	shape, err := sel.Shape(a.Shape())
	require.NoError(t, err)
	n := a.DType().Size
	for _, extent := range shape {
		n *= extent
	}
	data := make([]byte, n)
	if _, err := a.ReadInto(t.Context(), sel, data); err != nil {
		t.Fatal(err)
	}
	return data
}

// The store that comes about holds the selection of the source, in the source's order of dimensions, in every form.
func TestFetch(t *testing.T) {
	sources := []fixtures.Synthetic{
		{Steps: 12, Form: "lz4", NLat: 9, NLon: 16, Levels: 37},
		{Steps: 20, Form: "lz4", NLat: 7, NLon: 12, Levels: 13, ChunkSteps: 8, LonLat: true},
		{Steps: 12, Form: "raw", NLat: 7, NLon: 12, Levels: 13, ChunkSteps: 3},
		{Steps: 12, Form: "zstd", Format: 3, NLat: 7, NLon: 12, ChunkSteps: 2},
		{Steps: 20, Form: "shard", Format: 3, NLat: 7, NLon: 12, Levels: 13},
	}
	for _, source := range sources {
		w := newWorld(t, source, storetest.ServerOptions{Hash: true})
		for _, form := range []string{"raw", "lz4", "zstd -format 2", "shard"} {
			w.out = filepath.Join(t.TempDir(), "data", "era5.zarr")
			args := "-form " + form + " -start 2000-01-01T12 -end 2000-01-03T06 -level 500 -vars v_component_of_wind,geopotential"
			stdout, _ := w.must(t, args)
			if !strings.Contains(stdout, " bytes moved by ") {
				t.Errorf("%s: stdout %q", args, stdout)
			}
			w.gone(t)
			const lo, hi = 2, 10
			for _, name := range []string{"v_component_of_wind", "geopotential"} {
				sel := zarrio.Selection{zarrio.Span(lo, hi)}
				if source.Levels > 0 {
					sel = append(sel, zarrio.At(map[int]int{13: 7, 37: 21}[source.Levels]))
				}
				got, want := read(t, w.out, name, nil), read(t, w.dir, name, sel)
				if !bytes.Equal(got, want) {
					t.Errorf("%+v as %s: %s differs", source, form, name)
				}
			}
			for name, sel := range map[string]zarrio.Selection{"time": {zarrio.Span(lo, hi)}, "latitude": nil, "longitude": nil} {
				if got, want := read(t, w.out, name, nil), read(t, w.dir, name, sel); !bytes.Equal(got, want) {
					t.Errorf("%+v as %s: %s differs", source, form, name)
				}
			}
			stdout, _ = w.must(t, args)
			if !strings.HasSuffix(stdout, "bytes, was there already\n") {
				t.Errorf("%s: the second time stdout is %q", args, stdout)
			}
			var out, errOut bytes.Buffer
			if err := run(t.Context(), []string{"-verify", "-out", w.out}, &out, &errOut); err != nil {
				t.Errorf("-verify: %v", err)
			}
			if !strings.Contains(out.String(), "are as they were written (SHA-256)") {
				t.Errorf("-verify: %q", out.String())
			}
		}
	}
}

// A source on the local disk, though it be a zip file, tells as much of what came of it.
func TestFetchLocal(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	archive := filepath.Join(t.TempDir(), "source.zip")
	f, err := os.Create(archive)
	require.NoError(t, err)
	z := zip.NewWriter(f)
	require.NoError(t, errors.Join(z.AddFS(os.DirFS(w.dir)), z.Close(), f.Close()))
	for _, place := range []string{w.dir, archive} {
		w.out = filepath.Join(t.TempDir(), "era5.zarr")
		stdout, _ := w.must(t, "-steps 4 -store "+place)
		if !strings.HasSuffix(stdout, ": 100.0 %\n") {
			t.Errorf("%s: %q, want all that there is to be moved", place, stdout)
		}
		var out, errOut bytes.Buffer
		if err := verify(t.Context(), w.out, &out, &errOut); err != nil || !strings.Contains(out.String(), "15 objects of the source were read whole, and were as long as stated") {
			t.Errorf("%s: %v, %q", place, err, out.String())
		}
		m, err := readManifest(w.out)
		require.NoError(t, err)
		for _, o := range m.Fetched {
			if !o.Missing && o.Source != place+"/"+o.Key {
				t.Errorf("%s is from %q, want %q", o.Key, o.Source, place+"/"+o.Key)
			}
		}
	}
}

// A signature in the place's query is needed to fetch, and stays nowhere. Another one is no other place.
func TestFetchSigned(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	base := w.server.URL + "/era5/store.zarr"
	stdout, stderr := w.must(t, "-endpoint= -steps 2 -store "+base+"?sig=c3Ryb25n")
	for _, r := range w.server.Log() {
		if r.Query != "sig=c3Ryb25n" {
			t.Errorf("%s was asked for with the query %q", r.Key, r.Query)
		}
	}
	files := readTree(t, w.out)
	files["stdout"], files["stderr"] = []byte(stdout), []byte(stderr)
	for name, text := range files {
		if bytes.Contains(text, []byte("c3Ryb25n")) {
			t.Errorf("%s has the signature", name)
		}
	}
	if stdout, _ := w.must(t, "-endpoint= -steps 2 -store "+base+"?sig=other"); !strings.HasSuffix(stdout, "was there already\n") {
		t.Errorf("with another signature: %q", stdout)
	}
}

// A store is described as the study's is: format 2, no compressor, a step a chunk, consolidated.
func TestFetchDefault(t *testing.T) {
	w := newWorld(t, fixtures.Synthetic{Steps: 70, Form: "lz4", NLat: 9, NLon: 16, Levels: 13}, storetest.ServerOptions{})
	w.must(t, "")
	g, err := zarrio.Open(t.Context(), w.out, zarrio.Options{Consolidated: zarrio.Verify, Strict: true})
	require.NoError(t, err)
	defer g.Close()
	for name := range strings.SplitSeq(defaultVars, ",") {
		a, err := g.Array(t.Context(), name)
		require.NoError(t, err)
		m := a.Metadata()
		if m.Format != 2 || !slices.Equal(m.Shape, []int{64, 9, 16}) || !slices.Equal(m.Chunks, []int{1, 9, 16}) || len(m.Codecs) != 0 {
			t.Errorf("%s: format %d, shape %v, chunks %v, codecs %v", name, m.Format, m.Shape, m.Chunks, m.Codecs)
		}
		if !slices.Equal(m.Dims, []string{"time", "latitude", "longitude"}) || m.Attrs.Text("units") == "" {
			t.Errorf("%s: dimensions %v, attributes %v", name, m.Dims, m.Attrs)
		}
	}
}
