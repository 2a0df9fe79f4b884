package interop

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio"
	"zarrbench/zarrio/meta"
)

// A peerArray is what other software says of an array, in a line that manifest.py makes.
type peerArray struct {
	Software   string // that read it
	Store      string // the name of its folder
	Path       string
	Unread     string // why it can't be read with this software; nothing else is known then
	Shape      []int
	DType      string            // as zarrio spells it
	SHA256     string            // of the elements in C order, little-endian; "" where they vary in length
	Values     []json.RawMessage // of elements that are not numbers
	Attributes map[string]any
}

// refusals are the words of zarrio's error for each array of a group "refused", by the array's name.
var refusals = map[string]string{
	"bfloat16":   `data type "bfloat16" is not supported`,
	"base64":     `codec "base64" is not supported`,
	"categorize": `codec "categorize" is not supported`,
	"json2":      `codec "json2" is not supported`,
	"lzma delta": `filter delta before or instead of a single lzma or lzma2`,
	"pickle":     `codec "pickle" is not supported`,
	"vlen-array": `codec "vlen-array" is not supported`,
}

// eachPython runs test for each Python that make interop prepares.
func eachPython(t *testing.T, test func(t *testing.T, exe string)) {
	list := filepath.SplitList(os.Getenv("ZARRBENCH_PYTHON"))
	if len(list) == 0 {
		t.Skip("ZARRBENCH_PYTHON lists no Python with zarr: make interop prepares some")
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("digests are of little-endian elements")
	}
	for _, exe := range list {
		t.Run(environment(exe), func(t *testing.T) {
			t.Parallel()
			test(t, exe)
		})
	}
}

// environment returns the name of the virtual environment of a Python, such as "zarr-2.18".
func environment(exe string) string { return filepath.Base(filepath.Dir(filepath.Dir(exe))) }

// python runs interop.py and returns the arrays that it prints.
func python(t *testing.T, exe string, args ...string) []peerArray {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"-B", "interop.py"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.String())
	}
	var arrays []peerArray
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, len(out)+1)
	for lines.Scan() {
		var a peerArray
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatalf("%v: %q: %v", args, lines.Text(), err)
		}
		arrays = append(arrays, a)
	}
	return arrays
}

// sortOut returns the arrays by what key gives for them.
func sortOut[K comparable](arrays []peerArray, key func(peerArray) K) map[K][]peerArray {
	sorted := map[K][]peerArray{}
	for _, a := range arrays {
		sorted[key(a)] = append(sorted[key(a)], a)
	}
	return sorted
}

// TestInteropReads reads what other software writes.
func TestInteropReads(t *testing.T) {
	eachPython(t, func(t *testing.T, exe string) {
		dir := t.TempDir()
		for name, want := range sortOut(python(t, exe, "write", dir), func(a peerArray) string { return a.Store }) {
			t.Run(name, func(t *testing.T) {
				store := filepath.Join(dir, name)
				modes := []zarrio.Consolidated{zarrio.Never, zarrio.Auto}
				// zarr-python 3 consolidates v2 documents in words of its own, which Verify refuses.
				if strings.HasPrefix(environment(exe), "zarr-2") && exists(filepath.Join(store, ".zmetadata")) {
					modes = append(modes, zarrio.Verify)
				}
				for _, mode := range modes {
					compareStore(t, store, mode, want)
				}
			})
		}
	})
}

// compareStore reads the arrays of a store and compares them with what other software says of them. Arrays of a group
// "refused" must be refused.
func compareStore(t *testing.T, dir string, mode zarrio.Consolidated, want []peerArray) {
	t.Helper()
	g, err := zarrio.Open(t.Context(), dir, zarrio.Options{Consolidated: mode})
	if err != nil {
		t.Error(err)
		return
	}
	defer g.Close()
	found, err := listArrays(t.Context(), g)
	if err != nil {
		t.Error(err)
	}
	for _, p := range found {
		if path.Base(path.Dir(p)) == "refused" {
			if err := compareRefusal(t.Context(), g, p); err != nil {
				t.Errorf("%s: %v\n%s", p, err, describeArray(dir, p))
			}
		} else if !slices.ContainsFunc(want, func(w peerArray) bool { return w.Path == p }) {
			t.Errorf("%s: an array that was not written", p)
		}
	}
	for _, w := range want {
		if !slices.Contains(found, w.Path) {
			t.Errorf("%s: an array that is not listed", w.Path)
		}
		if w.Unread != "" {
			t.Logf("%s: skipped: %s", w.Path, w.Unread)
			continue
		}
		if err := compareArray(t.Context(), g, w); err != nil {
			t.Errorf("%s: %v\n%s", w.Path, err, describeArray(dir, w.Path))
		}
	}
}

// listArrays returns the paths of all arrays under g.
func listArrays(ctx context.Context, g *zarrio.Group) ([]string, error) {
	members, err := g.Members(ctx)
	var paths []string
	for _, m := range members {
		p := path.Join(g.Path(), m.Name)
		if m.Array {
			paths = append(paths, p)
			continue
		}
		sub, suberr := g.Group(ctx, m.Name)
		var below []string
		if suberr == nil {
			below, suberr = listArrays(ctx, sub)
		}
		paths, err = append(paths, below...), errors.Join(err, suberr)
	}
	return paths, err
}

// compareArray says how an array differs from what other software says of it.
func compareArray(ctx context.Context, g *zarrio.Group, want peerArray) error {
	a, err := g.Array(ctx, want.Path)
	if err != nil {
		return err
	}
	var diff []error
	if !slices.Equal(a.Shape(), want.Shape) {
		diff = append(diff, fmt.Errorf("shape %v, want %v", a.Shape(), want.Shape))
	}
	if got := typeName(a.DType()); got != want.DType {
		diff = append(diff, fmt.Errorf("data type %s, want %s", got, want.DType))
	}
	if err := compareAttributes(a.Attrs(), want.Attributes); err != nil {
		diff = append(diff, err)
	}
	if len(diff) > 0 {
		return errors.Join(diff...)
	}
	if want.Values != nil {
		if err := compareValues(ctx, a, want.Values); err != nil {
			return err
		}
	}
	if want.SHA256 == "" {
		return nil
	}
	data, err := readAll(ctx, a)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != want.SHA256 {
		return fmt.Errorf("SHA-256 %s, want %s", got, want.SHA256)
	}
	return nil
}

// typeName spells a data type as the lines of other software do, which tell no variants of opaque types.
func typeName(d zarrio.DType) string {
	if d.Kind == meta.Object || d.Kind == meta.Raw {
		d.Variant = ""
	}
	return d.String()
}

// compareValues compares elements as the JSON of fill values, in C order.
func compareValues(ctx context.Context, a *zarrio.Array, want []json.RawMessage) error {
	n := 0
	for got, err := range a.ElementsJSON(ctx) {
		if err != nil {
			return err
		}
		var g, w any
		if n < len(want) && (json.Unmarshal(got, &g) != nil || json.Unmarshal(want[n], &w) != nil || g != w) {
			return fmt.Errorf("element %d is %s, want %s", n, got, want[n])
		}
		n++
	}
	if n != len(want) {
		return fmt.Errorf("%d elements, want %d", n, len(want))
	}
	return nil
}

func compareAttributes(got zarrio.Attributes, want map[string]any) error {
	if want == nil { // it has no word for them
		return nil
	}
	decoded := map[string]any{}
	for name, doc := range got {
		var v any
		if err := json.Unmarshal(doc, &v); err != nil {
			return fmt.Errorf("attribute %q: %w", name, err)
		}
		decoded[name] = v
	}
	if !reflect.DeepEqual(decoded, want) {
		return fmt.Errorf("attributes %v, want %v", decoded, want)
	}
	return nil
}

// compareRefusal opens and reads an array that is not to be read, and says what is wrong with the error.
func compareRefusal(ctx context.Context, g *zarrio.Group, p string) error {
	want, known := refusals[path.Base(p)]
	a, err := g.Array(ctx, p)
	if err == nil {
		for _, e := range a.ElementsJSON(ctx) {
			err = e
		}
	}
	if !known || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), want) {
		return fmt.Errorf("error %v; want errors.ErrUnsupported that says %q", err, want)
	}
	return nil
}

// readAll reads all elements of an array.
func readAll(ctx context.Context, a *zarrio.Array) ([]byte, error) {
	n := a.DType().Size
	for _, s := range a.Shape() {
		n *= s
	}
	data := make([]byte, n)
	_, err := a.ReadInto(ctx, nil, data)
	return data, err
}

// describeArray returns the documents of an array, for errors.
func describeArray(dir, p string) string {
	var docs []byte
	for _, name := range []string{".zarray", "zarr.json"} {
		doc, _ := os.ReadFile(filepath.Join(dir, filepath.FromSlash(p), name))
		docs = append(docs, doc...)
	}
	var b bytes.Buffer
	if json.Compact(&b, docs) != nil {
		return string(docs)
	}
	return b.String()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
