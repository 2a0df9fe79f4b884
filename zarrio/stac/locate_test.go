package stac_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zarrbench/zarrio/stac"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// stacItem is an Item with assets, the fields of an object.
func stacItem(assets string) []byte {
	return []byte(`{"type": "Feature", "stac_version": "1.0.0", "id": "i", "properties": {}, "links": [], "assets": {` + assets + `}}`)
}

// twoStores are assets of an Item beside the stores "data/a.zarr" and "data/b 1.zarr".
const twoStores = `"a": {"href": "data/a.zarr", "type": "application/vnd+zarr", "roles": ["data"], "zarr:consolidated": true},
	"b": {"href": "./data/b%201.zarr", "type": "application/vnd.zarr; version=2", "xarray:open_kwargs": {"group": "g"}}`

var stacFiles = map[string][]byte{
	"item.json":         stacItem(twoStores),
	"items/no-suffix":   stacItem(strings.ReplaceAll(strings.ReplaceAll(twoStores, `"data/`, `"../data/`), "./data", "../data")),
	"dir.json/x":        []byte("directory"),
	"data/a.zarr/x":     []byte("a"),
	"data/b 1.zarr/x":   []byte("b"),
	"html.json":         []byte("<html><body>please sign in</body></html>"),
	"truncated.geojson": stacItem(twoStores)[:120],
	"kerchunk.json":     stacItem(`"r": {"href": "r.json", "type": "application/json", "roles": ["references"]}`),
	"huge.json":         make([]byte, stac.MaxSize+1),
}

// stacPlaces serves stacFiles in several ways: under each of the prefixes that it returns.
func stacPlaces(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	for name, value := range stacFiles {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, value, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	server := storetest.NewServer(t, stacFiles, storetest.ServerOptions{})
	return map[string]string{"path": dir + "/", "file URL": "file://" + dir + "/", "file": "file:" + dir + "/",
		"localhost": "FILE://localhost" + dir + "/", "http": server.URL + "/"}
}

// checkX checks a store that was opened by what its key "x" has, and closes it.
func checkX(t *testing.T, name, want string, s store.Closer, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if got, err := store.ReadAll(t.Context(), s, "x", 100); err != nil || string(got) != want {
		t.Errorf("%s: value %q, %v, want %q", name, got, err, want)
	}
	if err := s.Close(); err != nil {
		t.Errorf("%s: Close: %v", name, err)
	}
}

// open opens the store that a place leads to.
func open(ctx context.Context, place string, opt store.Options) (store.Closer, error) {
	l, err := stac.Locate(ctx, place, opt)
	if err != nil {
		return nil, err
	}
	return l.Open(ctx)
}

// TestLocate opens what documents lead to, from files and from a server.
func TestLocate(t *testing.T) {
	tests := []struct {
		place, value, key, document string
	}{
		{"item.json", "a", "a", "item.json"},
		{"item.json#asset", "a", "a", "item.json"},
		{"item.json#asset=b", "b", "b", "item.json"},
		{"items/no-suffix#asset=b", "b", "b", "items/no-suffix"},
		{"data/a.zarr", "a", "", ""},
		{"dir.json/", "directory", "", ""},
	}
	for name, prefix := range stacPlaces(t) {
		for _, tt := range tests {
			l, err := stac.Locate(t.Context(), prefix+tt.place, store.Options{})
			if err != nil {
				t.Errorf("%s: Locate(%q): %v", name, tt.place, err)
				continue
			}
			if !strings.HasSuffix(l.Document, tt.document) || (l.Document == "") != (tt.document == "") {
				t.Errorf("%s: Locate(%q): document %q, want %q", name, tt.place, l.Document, tt.document)
			}
			switch a := l.Asset; {
			case (a == nil) != (tt.key == ""):
				t.Errorf("%s: Locate(%q): asset %+v, want %q", name, tt.place, a, tt.key)
			case a == nil && l.Place != prefix+tt.place:
				t.Errorf("%s: Locate(%q): place %q", name, tt.place, l.Place)
			case a != nil && (a.Key != tt.key || a.Key == "b" && a.Group != "g" || a.Key == "a" && (a.Consolidated == nil || !*a.Consolidated)):
				t.Errorf("%s: Locate(%q): asset %+v, want %q", name, tt.place, *a, tt.key)
			}
			// The store opens from what was found, from its place and from the place that was
			// given.
			for _, openAgain := range []func() (store.Closer, error){
				func() (store.Closer, error) { return l.Open(t.Context()) },
				func() (store.Closer, error) { return store.Open(t.Context(), l.Place) },
				func() (store.Closer, error) { return open(t.Context(), prefix+tt.place, store.Options{}) },
			} {
				s, err := openAgain()
				checkX(t, name+": "+tt.place, tt.value, s, err)
			}
		}
	}
}

func TestLocateErrors(t *testing.T) {
	tests := []struct {
		place, want string
		is          error
	}{
		{"item.json#asset=c", "no asset \"c\"\n  \"a\" (application/vnd+zarr) data/a.zarr\n  \"b\" ", nil},
		{"html.json", "found HTML", nil},
		{"truncated.geojson", "unexpected end of JSON", nil},
		{"kerchunk.json", "no Zarr asset that can be opened\n  \"r\" (application/json) r.json: virtual", errors.ErrUnsupported},
		{"huge.json", "limit of 16777216", nil},
		{"nosuch.json", "nosuch.json", fs.ErrNotExist},
		{"data#asset", "data", nil},
	}
	for name, prefix := range stacPlaces(t) {
		for _, tt := range tests {
			l, err := stac.Locate(t.Context(), prefix+tt.place, store.Options{HTTP: store.HTTPOptions{Retries: -1}})
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%s: Locate(%q) = %+v, %v, want %q", name, tt.place, l, err, tt.want)
			}
		}
	}
	for _, place := range []string{"https://#asset", "http://host#asset", "gs://bucket#asset", "ftp://host/item.json", "http://host/%zz.json", "https://u:p@host/item.json"} {
		if l, err := stac.Locate(t.Context(), place, store.Options{}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("Locate(%q) = %+v, %v", place, l, err)
		}
	}
}

// TestLocateNames has names on a disk that look like fragments and escapes.
func TestLocateNames(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{"a#asset/x": "1", "b%20c/x": "2", "b c/x": "3", "d e/x": "4", "f#asset=g.json": string(stacItem(`"z": {"href": "d e", "zarr:zarr_format": 2}`))} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(value), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	for place, want := range map[string]string{dir + "/a#asset": "1", "file://" + dir + "/a#asset": "1", dir + "/b%20c": "2", "file://" + dir + "/b%20c": "2",
		"file://" + dir + "/d%20e": "4", dir + "/f#asset=g.json#asset=z": "4"} {
		s, err := open(t.Context(), place, store.Options{})
		checkX(t, place, want, s, err)
	}
	if _, err := open(t.Context(), dir+"/d%20e", store.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path with an escape: %v, want fs.ErrNotExist", err)
	}
	t.Chdir(dir)
	if err := os.WriteFile("S2:item.json", stacItem(`"z": {"href": "d e", "zarr:zarr_format": 2}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if l, err := stac.Locate(t.Context(), "S2:item.json", store.Options{}); err != nil || l.Place != "d e" {
		t.Errorf("a name with a colon: %+v, %v", l, err)
	}
}

// TestLocateBuckets opens stores in buckets that another server has: the caller's, or one that the
// document names.
func TestLocateBuckets(t *testing.T) {
	server := storetest.NewServer(t, map[string][]byte{
		"cat/item.json":     stacItem(twoStores),
		"cat/abs.json":      stacItem(`"z": {"href": "s3://bucket/cat/data/a.zarr", "zarr:consolidated": true}`),
		"cat/zip.json":      stacItem(`"z": {"href": "none.zarr.zip"}`),
		"cat/data/a.zarr/x": []byte("a"), "cat/data/b%201.zarr/x": []byte("b"),
	}, storetest.ServerOptions{Bucket: "bucket"})
	endpoint := strings.TrimSuffix(server.URL, "/bucket")
	opt := store.Options{HTTP: store.HTTPOptions{Endpoint: endpoint, Retries: -1}}
	for place, want := range map[string]string{"gs://bucket/cat/item.json": "a", "s3://bucket/cat/item.json#asset=b": "b", "gs://bucket/cat/abs.json": "a", server.URL + "/cat/abs.json": "a",
		"gs://bucket/cat/data/a.zarr": "a"} {
		s, err := open(t.Context(), place, opt)
		checkX(t, place, want, s, err)
		if _, ok := s.(store.Lister); !ok {
			t.Errorf("%q: a %T, which can't be listed", place, s)
		}
	}
	if _, err := open(t.Context(), "gs://bucket/cat/zip.json", opt); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a zip file that isn't there: %v, want fs.ErrNotExist", err)
	}
	server.Set("cat/own.json", stacItem(`"z": {"href": "s3://bucket/cat/data/a.zarr", "zarr:consolidated": true,
		"xarray:storage_options": {"anon": true, "client_kwargs": {"endpoint_url": "`+endpoint+`"}}}`))
	s, err := open(t.Context(), server.URL+"/cat/own.json", store.Options{})
	checkX(t, "an endpoint of the document", "a", s, err)
}

// TestLocateHeader sends a header to the server of the document, and to no other that it leads to.
func TestLocateHeader(t *testing.T) {
	files := map[string][]byte{"z.zarr/x": []byte("z")}
	own, other := storetest.NewServer(t, files, storetest.ServerOptions{}), storetest.NewServer(t, files, storetest.ServerOptions{})
	own.Set("item.json", stacItem(`"own": {"href": "z.zarr"}, "other": {"href": "`+other.URL+`/z.zarr"}, "bucket": {"href": "s3://z.zarr/", "type": "application/vnd.zarr",
		"xarray:storage_options": {"endpoint_url": "`+other.URL+`"}}`))
	opt := store.Options{HTTP: store.HTTPOptions{Header: http.Header{"X-Secret": {"1"}}}}
	for _, key := range []string{"own", "other", "bucket"} {
		s, err := open(t.Context(), own.URL+"/item.json?q=1#asset="+key, opt)
		checkX(t, key, "z", s, err)
	}
	for _, r := range own.Log() {
		if r.Header.Get("X-Secret") != "1" || r.Key == "item.json" && !strings.Contains(r.Header.Get("Accept"), "application/geo+json") || (r.Query != "") != (r.Key == "item.json") {
			t.Errorf("%s?%s came with the header %v", r.Path, r.Query, r.Header)
		}
	}
	if got := other.Requests(); got != 2 {
		t.Errorf("%d requests to the other server, want 2", got)
	}
	for _, r := range other.Log() {
		if r.Header.Get("X-Secret") != "" {
			t.Errorf("%s came with the header", r.Path)
		}
	}
	if opt.HTTP.Header.Get("Accept") != "" {
		t.Error("the caller's header was changed")
	}
}
