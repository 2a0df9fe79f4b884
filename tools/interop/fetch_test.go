package interop

import (
	"bytes"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fetchBucket is the bucket that the stores of the test are in. It has the public one's name, so that objects which are known
// beforehand are held against what is known.
const fetchBucket = "weatherbench2"

// lowResolution is a store of whose objects some are known, byte for byte.
const lowResolution = "1959-2023_01_10-6h-240x121_equiangular_with_poles_conservative.zarr"

// A fetchCase is a selection of a store that era5.py makes.
type fetchCase struct {
	store, vars, level string
	start              string
	steps              int
	forms              []string // -form and -format
	most               float64  // the largest share of the objects' bytes that may be moved
}

var fetchCases = []fetchCase{
	{"blocks.zarr", "u_component_of_wind", "500", "2000-01-01T00", 2, []string{"raw 2", "shard 3"}, 0.06},
	{lowResolution, "geopotential,v_component_of_wind,2m_temperature,land_sea_mask", "850", "2000-01-01T12", 10, []string{"lz4 2", "zstd 3"}, 1.01},
	{"hourly.zarr", "geopotential,u_component_of_wind,v_component_of_wind", "250", "1999-12-31T22", 13,
		[]string{"raw 2", "raw 3", "lz4 2", "lz4 3", "zstd 2", "zstd 3", "shard 3"}, 1.01},
}

// TestInteropFetch fetches with tools/era5 from a server that speaks as the object store does, and compares what comes about
// with the same selection as zarr-python makes it.
func TestInteropFetch(t *testing.T) {
	server := os.Getenv("ZARRBENCH_GCS")
	if server == "" {
		t.Skip("ZARRBENCH_GCS names no fake-gcs-server: make interop prepares one")
	}
	pythons := filepath.SplitList(os.Getenv("ZARRBENCH_PYTHON"))
	if len(pythons) == 0 || strings.HasPrefix(environment(pythons[len(pythons)-1]), "zarr-2") {
		t.Skip("ZARRBENCH_PYTHON lists no Python with zarr 3, which reads both formats: make interop prepares some")
	}
	exe := pythons[len(pythons)-1]
	root := t.TempDir()
	bucket := filepath.Join(root, fetchBucket, "datasets", "era5")
	require.NoError(t, os.MkdirAll(bucket, 0o777))
	runCommand(t, exe, "-B", "era5.py", "write", bucket, "../../fixtures/mini/wb2_exact")
	endpoint, moved := serveBuckets(t, server, root)
	era5 := filepath.Join(t.TempDir(), "era5")
	runCommand(t, "go", "build", "-o", era5, "zarrbench/tools/era5")

	for _, c := range fetchCases {
		objects := objectBytes(t, filepath.Join(bucket, c.store))
		for _, form := range c.forms {
			t.Run(c.store+" "+form, func(t *testing.T) {
				out := filepath.Join(t.TempDir(), "era5.zarr")
				name, format, _ := strings.Cut(form, " ")
				moved.Store(0)
				text := runCommand(t, era5, "-endpoint", endpoint, "-store", "gs://"+fetchBucket+"/datasets/era5/"+c.store, "-out", out,
					"-vars", c.vars, "-level", c.level, "-start", c.start, "-steps", strconv.Itoa(c.steps), "-form", name, "-format", format)
				if share := float64(moved.Load()) / float64(objects); share > c.most || share == 0 {
					t.Errorf("%d bytes moved are %.1f %% of the %d that the store has, want at most %.0f %%\n%s",
						moved.Load(), 100*share, objects, 100*c.most, text)
				}
				args := []string{"-B", "era5.py", "compare", filepath.Join(bucket, c.store), out, c.level, c.start, strconv.Itoa(c.steps)}
				runCommand(t, exe, append(args, strings.Split(c.vars, ",")...)...)
				if text := runCommand(t, era5, "-verify", "-out", out); c.store == lowResolution && !strings.Contains(text, "SHA-256 was known beforehand") {
					t.Errorf("-verify knows no object beforehand:\n%s", text)
				}
			})
		}
	}

	t.Run("an object that is not the known one", func(t *testing.T) {
		const key = "datasets/era5/" + lowResolution + "/latitude/.zarray"
		document, err := os.ReadFile(filepath.Join(root, fetchBucket, key))
		require.NoError(t, err)
		upload := endpoint + "/upload/storage/v1/b/" + fetchBucket + "/o?uploadType=media&name=" + url.QueryEscape(key)
		resp, err := http.Post(upload, "application/octet-stream", bytes.NewReader(append(document, '\n')))
		require.NoError(t, err)
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("upload: %s", resp.Status)
		}
		out := filepath.Join(t.TempDir(), "data", "era5.zarr")
		text, err := exec.CommandContext(t.Context(), era5, "-endpoint", endpoint, "-store", "gs://"+fetchBucket+"/datasets/era5/"+lowResolution,
			"-out", out, "-vars", "geopotential", "-start", "2000-01-01", "-steps", "2").CombinedOutput()
		if err == nil || !strings.Contains(string(text), "it is known to have") || exists(filepath.Dir(out)) {
			t.Errorf("%v, want an error that says what is known, and nothing left\n%s", err, text)
		}
	})
}

// runCommand runs a command that has to succeed, and returns what it printed.
func runCommand(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// objectBytes is the size of all chunks of a store's variables.
func objectBytes(t *testing.T, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	require.NoError(t, err)
	return size
}

// serveBuckets starts a server of the folders of root, which are buckets, and returns its address and the count of the bytes
// that it sends in bodies.
func serveBuckets(t *testing.T, server, root string) (endpoint string, moved *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String() // free a moment ago
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), server, "-scheme", "http", "-host", "127.0.0.1", "-port", port, "-public-host", address,
		"-backend", "memory", "-data", root, "-log-level", "warn")
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		ended <- <-ended
	})
	for { // until it has read its objects; if it never does, the test's own limit ends this
		resp, err := http.Get("http://" + address + "/storage/v1/b/" + fetchBucket)
		if err == nil {
			resp.Body.Close()
			break
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s: %v\n%s", server, err, log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	moved = new(atomic.Int64)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: address}) },
		ModifyResponse: func(resp *http.Response) error {
			resp.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(resp.Body, countWriter{moved}), resp.Body}
			return nil
		},
	})
	t.Cleanup(proxy.Close)
	return proxy.URL, moved
}

// A countWriter counts what is written.
type countWriter struct{ n *atomic.Int64 }

func (c countWriter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
