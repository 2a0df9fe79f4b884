package zarrbench

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
)

// pythonArray is what tools/interop/interop.py prints of an array.
type pythonArray struct {
	Name   string
	Shape  []int
	SHA256 string
}

// python runs tools/interop/interop.py with the Python that make interop prepares.
func python(t *testing.T, args ...string) []pythonArray {
	t.Helper()
	exe := os.Getenv("ZARRBENCH_PYTHON")
	if exe == "" {
		t.Skip("ZARRBENCH_PYTHON names no Python with zarr 2: make interop prepares one")
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"tools/interop/interop.py"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.String())
	}
	var arrays []pythonArray
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		var a pythonArray
		if err := json.Unmarshal(s.Bytes(), &a); err != nil {
			t.Fatalf("%v: %q: %v", args, s.Text(), err)
		}
		arrays = append(arrays, a)
	}
	return arrays
}

// sameAs reads the arrays of a store and compares them with what Python says of them.
func sameAs(t *testing.T, store string, want []pythonArray) {
	t.Helper()
	for _, mode := range []zarrio.Consolidated{zarrio.Verify, zarrio.Never} {
		g, err := zarrio.Open(t.Context(), store, zarrio.Options{Consolidated: mode})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		members, err := g.Members(t.Context())
		if err != nil || len(members) != len(want) {
			t.Errorf("%d members, %v; want %d arrays", len(members), err, len(want))
		}
		for _, w := range want {
			a, err := g.Array(t.Context(), w.Name)
			if err != nil {
				t.Error(err)
				continue
			}
			n := a.DType().Size
			for _, s := range w.Shape {
				n *= s
			}
			data := make([]byte, n)
			if _, err := a.ReadInto(t.Context(), nil, data); err != nil {
				t.Error(err)
				continue
			}
			sum := sha256.Sum256(data)
			if got := hex.EncodeToString(sum[:]); got != w.SHA256 || !slices.Equal(a.Shape(), w.Shape) {
				t.Errorf("%s: %v %s, codecs %v: SHA-256 %s, shape %v; zarr-python has %s, %v", w.Name, a.Metadata().Order, a.DType(), a.Metadata().Codecs, got, a.Shape(), w.SHA256, w.Shape)
			}
		}
	}
}

func TestInteropPythonWrites(t *testing.T) {
	dir := t.TempDir()
	want := python(t, "write", dir)
	if len(want) < 100 {
		t.Errorf("only %d arrays to compare", len(want))
	}
	sameAs(t, filepath.Join(dir, "store.zarr"), want)
}

func TestInteropPythonReads(t *testing.T) {
	for _, s := range []fixtures.Synthetic{
		{Steps: 5, Form: "raw", NLat: 13, NLon: 24},
		{Steps: 5, Form: "lz4", NLat: 121, NLon: 240},
		{Steps: 5, Form: "lz4", NLat: 13, NLon: 24, Levels: 13, ChunkSteps: 2, LonLat: true},
	} {
		store := synthetic(t, s)
		sameAs(t, store, python(t, "digest", store))
	}
}
