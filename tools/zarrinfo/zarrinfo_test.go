package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"zarrbench/tools/internal/cli"
	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// TestMain lets a test run the command itself, to see its exit status.
func TestMain(m *testing.M) {
	if os.Getenv("ZARRINFO_MAIN") != "" {
		main()
	}
	os.Exit(runTests(m))
}

// makeStore writes a store with an uncompressed and a compressed array, and in Zarr v3 a sharded one, each of four steps on a
// grid of 2 x 3 that hold the numbers from 0 on. It has consolidated metadata.
func makeStore(t *testing.T, format int) string {
	t.Helper()
	spec := write.ArraySpec{Shape: []int{4, 2, 3}, Chunks: []int{1, 2, 3}, DType: zarrio.Float32, Fill: tensor.AsBytes([]float32{0.1}),
		Dims: []string{"time", "latitude", "longitude"}, Attrs: map[string]string{"units": "K"}}
	arrays := []arraySpec{{"raw", spec}}
	spec.Compressor.Name = "blosc-lz4"
	arrays = append(arrays, arraySpec{"deep/lz4", spec})
	if format == 3 {
		spec.Shards = []int{2, 2, 3}
		arrays = append(arrays, arraySpec{"shard", spec})
	}
	return makeArrays(t, format, map[string]string{"title": "a <test>"}, arrays...)
}

// An arraySpec describes an array of float32 and says where it is: in the root, or in a group of its own.
type arraySpec struct {
	path string
	write.ArraySpec
}

// makeArrays writes a store of arrays of the numbers from 0 on, with consolidated metadata.
func makeArrays(t *testing.T, format int, attrs any, arrays ...arraySpec) string {
	t.Helper()
	dir := t.TempDir()
	st, err := store.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	w, err := write.Create(st, format, attrs)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range arrays {
		elements := make([]float32, volume(spec.Shape))
		for i := range elements {
			elements[i] = float32(i)
		}
		if group, _, deep := strings.Cut(spec.path, "/"); deep {
			err = w.Group(group, nil)
		}
		var a *write.ArrayWriter
		if err == nil {
			a, err = w.Array(spec.path, spec.ArraySpec)
		}
		if err == nil {
			err = a.Write(t.Context(), make([]int, len(spec.Shape)), spec.Shape, tensor.AsBytes(elements))
		}
		if err == nil {
			err = a.Finish(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// makeStrings writes an array of strings of varying length, by hand.
func makeStrings(t *testing.T, dir string) {
	t.Helper()
	writeFile(t, dir, ".zarray", `{"zarr_format": 2, "shape": [3], "chunks": [2], "dtype": "|O", "fill_value": "none", "order": "C", "filters": [{"id": "vlen-utf8"}], "compressor": null}`)
	writeFile(t, dir, "0", "\x02\x00\x00\x00\x02\x00\x00\x00\xc3\xa9\x03\x00\x00\x00a\nb")
}

func writeFile(t *testing.T, dir, key, value string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(value), 0o666); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(key))); err != nil {
			t.Fatal(err)
		}
	}
}

// zipped makes a zip file of a directory.
func zipped(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "store.zip")
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// served returns the URL of a server of a directory, which doesn't list it.
func served(t *testing.T, dir string) string {
	t.Helper()
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(r.URL.Path))); err == nil && info.IsDir() {
			http.NotFound(w, r)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// info runs the command, whose error is to be want ("" is none), and returns what it prints.
func info(t *testing.T, want string, args ...string) string {
	t.Helper()
	var out, stderr bytes.Buffer
	err := run(t.Context(), args, &out, &stderr)
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%q: error %v, want %q", args, err, want)
	}
	if stderr.Len() > 0 {
		t.Errorf("%q: on stderr: %s", args, &stderr)
	}
	return out.String()
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"a", "b"}, {"-nonsense"}, {"--array_path=a", "b"}, {"--array_path=a", "-json"}, {"-missing=ok", "a"},
		{"-check", "-missing=maybe", "a"}} {
		var out, stderr bytes.Buffer
		if err := run(t.Context(), args, &out, &stderr); !errors.Is(err, cli.ErrUsage) || out.Len() > 0 || !strings.HasPrefix(stderr.String(), "usage: ") {
			t.Errorf("%q: error %v, output %q, %q", args, err, &out, &stderr)
		}
	}
	if out := info(t, "", "-h"); !strings.HasPrefix(out, "usage: ") || !strings.Contains(out, "Examples:") || !strings.Contains(out, "-missing") {
		t.Errorf("-h: %s", out)
	}
	var out, stderr bytes.Buffer
	for _, place := range []string{filepath.Join(t.TempDir(), "nowhere"), t.TempDir(), ""} {
		if err := run(t.Context(), []string{place}, &out, &stderr); err == nil || errors.Is(err, cli.ErrUsage) {
			t.Errorf("a path %q that holds nothing: %v", place, err)
		}
	}
}

// process runs the command as a process of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), "ZARRINFO_MAIN=1")
	return c
}

func TestStatus(t *testing.T) {
	dir := makeStore(t, 2)
	for _, tt := range []struct {
		args   []string
		status int
		stderr string
	}{
		{[]string{dir}, 0, ""},
		{[]string{"-check", dir}, 0, ""},
		{nil, 2, "usage: "},
		{[]string{"--array_path=" + dir}, 1, "zarrinfo: zarrio: "},
		{[]string{"--array_path=" + filepath.Join(dir, "raw")}, 0, ""},
	} {
		c := process(t, tt.args...)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		err := c.Run()
		if got := c.ProcessState.ExitCode(); got != tt.status || !strings.HasPrefix(stderr.String(), tt.stderr) || tt.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%q: exit status %d, want %d (%v): %s", tt.args, got, tt.status, err, &stderr)
		}
	}
}

// TestClosedPipe checks that the command ends without a word where nobody reads what it prints, or with an error.
func TestClosedPipe(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, ".zarray", `{"zarr_format": 2, "shape": [1000000], "chunks": [1000000], "dtype": "|i1", "fill_value": 7, "order": "C", "filters": null, "compressor": null}`)
	c := process(t, "--array_path="+dir)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 2)
	if _, err := out.Read(first); err != nil || string(first) != "7\n" {
		t.Errorf("the first line: %q, %v", first, err)
	}
	out.Close()
	if err := c.Wait(); err == nil || strings.Contains(stderr.String(), "panic") || strings.Contains(stderr.String(), "goroutine") {
		t.Errorf("%v: %s", err, &stderr)
	}
	// And where the writer's error comes back.
	var w fullWriter
	if err := run(t.Context(), []string{"--array_path=" + dir}, w, &stderr); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
	if err := run(t.Context(), []string{makeStore(t, 3)}, w, &stderr); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
}

type fullWriter struct{}

var errFull = errors.New("no space")

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }
