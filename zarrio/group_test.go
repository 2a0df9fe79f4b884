package zarrio

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// tree is a hierarchy of groups within groups.
func tree() map[string]string {
	return map[string]string{
		".zgroup": zarrtest.ZGroup, ".zattrs": `{"title":"root"}`,
		"x/.zarray":      zarrtest.ZArray(nil),
		"a/.zgroup":      zarrtest.ZGroup,
		"a/b/.zgroup":    zarrtest.ZGroup,
		"a/b/.zattrs":    `{"title":"inner"}`,
		"a/b/c/.zarray":  zarrtest.ZArray(map[string]string{"shape": "[7]"}),
		"a/b/c/.zattrs":  `{"units":"K"}`,
		"a/b/c/0":        "01234567",
		"notes/text":     "no node",
		"ordinary":       "no node either",
		"a/b/c/.zarray~": "left by an editor",
	}
}

// described is what consolidated metadata have of a tree.
func described(files map[string]string) map[string]string {
	docs := map[string]string{}
	for key, doc := range files {
		if base := filepath.Base(key); base == meta.V2ArrayDoc || base == meta.V2GroupDoc || base == meta.V2AttrsDoc {
			docs[key] = doc
		}
	}
	return docs
}

func TestGroups(t *testing.T) {
	for _, consolidated := range []bool{false, true} {
		t.Run(fmt.Sprint("consolidated=", consolidated), func(t *testing.T) {
			files := tree()
			if consolidated {
				files[meta.V2ConsolidatedDoc] = arraytest.Consolidate(described(files))
			}
			faults := storetest.NewFaults(zarrtest.DirStore(t, files))
			g, err := OpenStore(t.Context(), faults, Options{})
			require.NoError(t, err)
			if g.Path() != "" || g.Attrs().Text("title") != "root" || g.Store() != store.Store(faults) {
				t.Errorf("root: path %q, attributes %s", g.Path(), g.Attrs())
			}
			checkMembers(t, g, Member{"a", false}, Member{"x", true})
			a, err := g.Group(t.Context(), "a")
			require.NoError(t, err)
			checkMembers(t, a, Member{"b", false})
			b, err := a.Group(t.Context(), "b")
			require.NoError(t, err)
			if b.Path() != "a/b" || b.Attrs().Text("title") != "inner" {
				t.Errorf("inner: path %q, attributes %s", b.Path(), b.Attrs())
			}
			checkMembers(t, b, Member{"c", true})
			for _, node := range []struct {
				g    *Group
				name string
			}{{g, "a/b/c"}, {a, "b/c"}, {b, "c"}} {
				c, err := node.g.Array(t.Context(), node.name)
				require.NoError(t, err)
				if c.Path() != "a/b/c" || !slices.Equal(c.Shape(), []int{7}) || c.Attrs().Text("units") != "K" || c.DType() != meta.Float32 {
					t.Errorf("array: path %q, shape %v, %s, attributes %s", c.Path(), c.Shape(), c.DType(), c.Attrs())
				}
			}
			if again, err := b.Group(t.Context(), ""); err != nil || again.Path() != "a/b" {
				t.Errorf("Group(\"\") = %v, %v", again, err)
			}
			if n := faults.Total(); consolidated && n != 2 {
				t.Errorf("%d reads, want those of zarr.json and the consolidated metadata alone: %v", n, faults.Counts())
			}
		})
	}
}

func checkMembers(t *testing.T, g *Group, want ...Member) {
	t.Helper()
	got, err := g.Members(t.Context())
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Members of %q = %v, %v, want %v", g.Path(), got, err, want)
	}
}

func TestNodeNames(t *testing.T) {
	st := zarrtest.DirStore(t, tree())
	g, err := OpenStore(t.Context(), st, Options{})
	require.NoError(t, err)
	for _, name := range []string{"..", "../x", "/x", "x/", "a//b", "a/./b", ".", "a/../x", "a\x00", "\xff"} {
		_, err := g.Array(t.Context(), name)
		zarrtest.WantError(t, err, "zarrio: "+st.String(), fmt.Sprintf("node %q", name), "not a valid key")
		if !errors.Is(err, store.ErrBadKey) {
			t.Errorf("Array(%q): %v, want ErrBadKey", name, err)
		}
		if _, err := g.Group(t.Context(), name); !errors.Is(err, store.ErrBadKey) {
			t.Errorf("Group(%q): %v, want ErrBadKey", name, err)
		}
	}
}

func TestNodeMissing(t *testing.T) {
	files := tree()
	files["new/zarr.json"] = `{"zarr_format":3,"node_type":"array"}`
	st := zarrtest.DirStore(t, files)
	files[meta.V2ConsolidatedDoc] = arraytest.Consolidate(described(tree()))
	files["late/.zarray"] = zarrtest.ZArray(nil)
	known := zarrtest.DirStore(t, files)
	tests := []struct {
		name  string
		st    *store.Dir
		array bool
		want  []string
		kind  error
	}{
		{"none", st, true, []string{"none/.zarray: no array here: file does not exist"}, fs.ErrNotExist},
		{"a/none", st, false, []string{"a/none/.zgroup: no group here: file does not exist"}, fs.ErrNotExist},
		{"a", st, true, []string{"a/.zarray: no array here, but a group"}, meta.ErrNodeType},
		{"x", st, false, []string{"x/.zgroup: no group here, but an array"}, meta.ErrNodeType},
		{"ordinary", st, true, []string{"ordinary/.zarray"}, fs.ErrNotExist},
		{"new", st, true, []string{"new/zarr.json: no shape"}, nil},
		{"none", known, true, []string{"none/.zarray: no array here: file does not exist"}, fs.ErrNotExist},
		{"a", known, true, []string{"a/.zarray: no array here, but a group"}, meta.ErrNodeType},
		{"late", known, true, []string{"late/.zarray: it is in the store but not in the consolidated metadata, which are stale: open without them"}, fs.ErrNotExist},
	}
	for _, tt := range tests {
		g, err := OpenStore(t.Context(), tt.st, Options{})
		require.NoError(t, err)
		if tt.array {
			_, err = g.Array(t.Context(), tt.name)
		} else {
			_, err = g.Group(t.Context(), tt.name)
		}
		zarrtest.WantError(t, err, append(tt.want, "zarrio: "+tt.st.String()+": ")...)
		if tt.kind != nil && !errors.Is(err, tt.kind) {
			t.Errorf("%v is not %v", err, tt.kind)
		}
	}
}

func TestOpen(t *testing.T) {
	st := zarrtest.DirStore(t, tree())
	g, err := Open(t.Context(), st.Path(), Options{})
	require.NoError(t, err)
	x, err := g.Array(t.Context(), "x")
	require.NoError(t, err)
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if _, err := x.ReadInto(t.Context(), nil, make([]byte, 16)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("ReadInto after Close: %v, want fs.ErrClosed", err)
	}
	unclosable, err := OpenStore(t.Context(), struct{ store.Store }{st}, Options{})
	require.NoError(t, err)
	if err := unclosable.Close(); err != nil {
		t.Error(err)
	}
	_, err = unclosable.Members(t.Context())
	zarrtest.WantError(t, err, "zarrio: ", "listing without consolidated metadata", "stores that can list")
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v is not ErrUnsupported", err)
	}
	none := filepath.Join(t.TempDir(), "none.zarr")
	_, err = Open(t.Context(), none, Options{})
	zarrtest.WantError(t, err, "zarrio: ", none)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	_, err = Open(t.Context(), zarrtest.DirStore(t, map[string]string{"zarr.json": `{"zarr_format":4}`}).Path(), Options{})
	zarrtest.WantError(t, err, "zarr.json: zarr_format 4 is not supported; supported: 3 in a zarr.json document")
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v is not ErrUnsupported", err)
	}
	_, err = Open(t.Context(), zarrtest.DirStore(t, nil).Path(), Options{})
	zarrtest.WantError(t, err, "zarr.json: no group here, and no .zgroup: file does not exist")
	_, err = Open(t.Context(), zarrtest.DirStore(t, map[string]string{".zgroup": `{"zarr_format":3}`}).Path(), Options{})
	zarrtest.WantError(t, err, ".zgroup: zarr_format 3 is not supported; supported: 2 in a .zgroup document")
	_, err = Open(t.Context(), zarrtest.DirStore(t, map[string]string{".zgroup": `2`}).Path(), Options{})
	zarrtest.WantError(t, err, ".zgroup: want a JSON object, found 2")
}

// TestOpenFaults checks that no failing read is taken for a document that is not there.
func TestOpenFaults(t *testing.T) {
	broken := errors.New("broken cable")
	for _, key := range []string{meta.V2ConsolidatedDoc, meta.V2GroupDoc, meta.V2AttrsDoc} {
		faults := storetest.NewFaults(zarrtest.DirStore(t, tree()))
		faults.Set(key, storetest.Fault{Err: broken})
		_, err := OpenStore(t.Context(), faults, Options{})
		zarrtest.WantError(t, err, "zarrio: ", key, "broken cable")
	}
	faults := storetest.NewFaults(zarrtest.DirStore(t, tree()))
	g, err := OpenStore(t.Context(), faults, Options{})
	require.NoError(t, err)
	for _, key := range []string{"a/.zarray", "x/.zarray"} {
		faults.Set(key, storetest.Fault{Err: broken})
		if _, err := g.Members(t.Context()); !errors.Is(err, broken) {
			t.Errorf("Members: %v", err)
		}
		_, err := g.Array(t.Context(), key[:1])
		zarrtest.WantError(t, err, "zarrio: ", key, "broken cable")
		faults.Clear()
	}
	put := func(key, value string) { faults.Set(key, storetest.Fault{Value: []byte(value)}) }
	put(meta.V2ConsolidatedDoc, arraytest.Consolidate(described(tree())))
	if _, err := OpenStore(t.Context(), faults, Options{Consolidated: Verify}); err != nil {
		t.Error(err)
	}
	faults.Set("a/b/c/.zattrs", storetest.Fault{Err: broken})
	_, err = OpenStore(t.Context(), faults, Options{Consolidated: Verify})
	zarrtest.WantError(t, err, "zarrio: ", "a/b/c/.zattrs", "broken cable")
	_, err = g.Array(t.Context(), "a/b/c")
	zarrtest.WantError(t, err, "zarrio: ", "a/b/c/.zattrs", "broken cable")

	faults.Set("a/.zarray", storetest.Fault{Err: broken})
	faults.Set("a/.zgroup", storetest.Fault{Err: fs.ErrNotExist})
	if _, err := g.Group(t.Context(), "a"); !errors.Is(err, broken) {
		t.Errorf("Group: %v", err)
	}
}

// TestLoneArray checks a store whose root is an array.
func TestLoneArray(t *testing.T) {
	files := map[string]string{".zarray": zarrtest.ZArray(nil), ".zattrs": `{"units":"m"}`, "0": "01234567", "1": "89abcdef"}
	for _, consolidated := range []bool{false, true} {
		if consolidated {
			files[meta.V2ConsolidatedDoc] = arraytest.Consolidate(described(files))
		}
		g, err := OpenStore(t.Context(), zarrtest.DirStore(t, files), Options{Strict: true})
		require.NoError(t, err)
		checkMembers(t, g)
		a, err := g.Array(t.Context(), "")
		require.NoError(t, err)
		dst := make([]byte, 16)
		if _, err := a.ReadInto(t.Context(), nil, dst); err != nil || string(dst) != "0123456789abcdef" || a.Path() != "" || a.Attrs().Text("units") != "m" {
			t.Errorf("%q, %v", dst, err)
		}
	}
}

func TestConsolidated(t *testing.T) {
	stale := tree()
	stale["x/.zarray"] = zarrtest.ZArray(map[string]string{"shape": "[8]"})
	lacking := described(tree())
	delete(lacking, "a/b/c/.zarray")
	more := described(tree())
	more["gone/.zarray"] = zarrtest.ZArray(nil)
	outside := described(tree())
	outside["../y/.zarray"] = zarrtest.ZArray(nil)
	noAttrs := described(tree())
	noAttrs[".zattrs"] = `[]`
	tests := []struct {
		name  string
		files map[string]string // in the store
		docs  string            // its .zmetadata, if any
		want  [3][]string       // the error of opening it and reading the shapes of x and a/b/c: Auto, Never, Verify
		x     [3]int
	}{
		{"none", tree(), "", [3][]string{2: {".zmetadata: there are no consolidated metadata to verify"}}, [3]int{4, 4, 0}},
		{"right", tree(), arraytest.Consolidate(described(tree())), [3][]string{}, [3]int{4, 4, 4}},
		{"stale", stale, arraytest.Consolidate(described(tree())), [3][]string{2: {"x/.zarray: consolidated metadata are stale: shape is [4] there, [8] in the document itself; consolidate anew"}}, [3]int{4, 8, 0}},
		{"lacking", tree(), arraytest.Consolidate(lacking), [3][]string{
			0: {"a/b/c/.zarray: it is in the store but not in the consolidated metadata"},
			2: {"a/b/c/.zarray: consolidated metadata are stale: they lack it"}}, [3]int{4, 4, 0}},
		{"more", tree(), arraytest.Consolidate(more), [3][]string{2: {"gone/.zarray: consolidated metadata describe it, but it is not in the store"}}, [3]int{4, 4, 0}},
		{"outside", tree(), arraytest.Consolidate(outside), [3][]string{2: {`.zmetadata: entry "../y/.zarray": not a valid key`}}, [3]int{4, 4, 0}},
		{"not an object", tree(), arraytest.Consolidate(noAttrs), [3][]string{
			0: {".zattrs: want a JSON object, found []"},
			2: {`.zattrs: consolidated metadata are stale: the document is [] there, {"title":"root"} in the document itself`}}, [3]int{0, 4, 0}},
		{"not JSON", tree(), "{", [3][]string{0: {".zmetadata: not JSON"}, 2: {".zmetadata: not JSON"}}, [3]int{0, 4, 0}},
		{"other format", tree(), `{"zarr_consolidated_format":2,"metadata":{}}`, [3][]string{
			0: {".zmetadata: zarr_consolidated_format 2 is not supported; supported: 1"}, 2: {".zmetadata: "}}, [3]int{0, 4, 0}},
		{"no metadata", tree(), `{"zarr_consolidated_format":1}`, [3][]string{0: {".zmetadata: no metadata"}, 2: {".zmetadata: no metadata"}}, [3]int{0, 4, 0}},
		{"metadata a list", tree(), `{"zarr_consolidated_format":1,"metadata":[]}`, [3][]string{
			0: {".zmetadata: metadata: want an object, found []"}, 2: {".zmetadata: "}}, [3]int{0, 4, 0}},
		{"nothing in it", tree(), `{"zarr_consolidated_format":1,"metadata":{}}`, [3][]string{
			0: {".zgroup: it is in the store but not in the consolidated metadata"}, 2: {"lack it"}}, [3]int{0, 4, 0}},
	}
	for _, tt := range tests {
		for i, mode := range []Consolidated{Auto, Never, Verify} {
			t.Run(fmt.Sprint(tt.name, "/", mode), func(t *testing.T) {
				st := zarrtest.DirStore(t, tt.files)
				if tt.docs != "" {
					zarrtest.Put(t, st, meta.V2ConsolidatedDoc, []byte(tt.docs))
				}
				x, err := openBoth(t, st, Options{Consolidated: mode})
				if tt.want[i] == nil && err != nil {
					t.Errorf("error %v", err)
				} else if tt.want[i] != nil {
					zarrtest.WantError(t, err, append(tt.want[i], "zarrio: "+st.String()+": ")...)
				}
				if x != tt.x[i] {
					t.Errorf("shape of x: [%d], want [%d]", x, tt.x[i])
				}
			})
		}
	}
}

// openBoth returns the extent of x, and the first error of opening the hierarchy and its arrays.
func openBoth(t *testing.T, st store.Store, opt Options) (int, error) {
	g, err := OpenStore(t.Context(), st, opt)
	if err != nil {
		return 0, err
	}
	x, err := g.Array(t.Context(), "x")
	if err != nil {
		return 0, err
	}
	_, err = g.Array(t.Context(), "a/b/c")
	return x.Shape()[0], err
}

// closer is a store that counts how often it is closed.
type closer struct {
	store.Store
	closed int
}

func (c *closer) Close() error {
	c.closed++
	return io.ErrClosedPipe
}

func TestClose(t *testing.T) {
	c := &closer{Store: zarrtest.DirStore(t, tree())}
	g, err := OpenStore(t.Context(), c, Options{})
	require.NoError(t, err)
	if err := g.Close(); err != io.ErrClosedPipe || c.closed != 1 {
		t.Errorf("Close = %v, %d times", err, c.closed)
	}
}

// TestLyingMembers checks names that only consolidated metadata can have, and a node that is both.
func TestLyingMembers(t *testing.T) {
	docs := map[string]string{".zgroup": zarrtest.ZGroup, "/.zarray": zarrtest.ZArray(nil), "../y/.zarray": zarrtest.ZArray(nil), "../.zarray": zarrtest.ZArray(nil), "./.zgroup": zarrtest.ZGroup,
		"both/.zgroup": zarrtest.ZGroup, "both/.zarray": zarrtest.ZArray(nil), "x/.zattrs": "{}"}
	for range 10 { // of maps
		g, err := OpenStore(t.Context(), zarrtest.DirStore(t, map[string]string{meta.V2ConsolidatedDoc: arraytest.Consolidate(docs)}), Options{})
		require.NoError(t, err)
		checkMembers(t, g, Member{"both", true})
	}
}
