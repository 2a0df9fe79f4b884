package zarrio

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// group3 makes a group's zarr.json with attributes.
func group3(attrs string) string {
	return `{"zarr_format":3,"node_type":"group","attributes":` + attrs + `}`
}

// consolidate3 returns the files with those below the group at path repeated in its document.
func consolidate3(files map[string]string, at string) map[string]string {
	docs := map[string]json.RawMessage{}
	for key, doc := range files {
		rest, inside := strings.CutPrefix(key, meta.Prefix(at))
		if dir, base := path.Split(rest); inside && base == meta.V3Doc && dir != "" {
			docs[path.Clean(dir)] = json.RawMessage(doc)
		}
	}
	b, err := json.Marshal(docs)
	if err != nil {
		panic(err)
	}
	files = maps.Clone(files)
	doc := files[meta.Prefix(at)+meta.V3Doc]
	files[meta.Prefix(at)+meta.V3Doc] = doc[:len(doc)-1] + `,"consolidated_metadata":{"kind":"inline","must_understand":false,"metadata":` + string(b) + `}}`
	return files
}

// tree3 is tree in Zarr v3, with names that are not only of letters.
func tree3() map[string]string {
	return map[string]string{
		"zarr.json":            group3(`{"title":"root"}`),
		"x/zarr.json":          zarrtest.ZArray3(nil),
		"a/zarr.json":          zarrtest.ZGroup3,
		"a/b/zarr.json":        group3(`{"title":"inner"}`),
		"a/b/c/zarr.json":      zarrtest.ZArray3(map[string]string{"shape": "[7]", "attributes": `{"units":"K"}`}),
		"a/b/c/c/0":            "01234567",
		"sea ice/zarr.json":    zarrtest.ZGroup3,
		"sea ice/é😀/zarr.json": zarrtest.ZArray3(map[string]string{"shape": "[5]"}),
		"notes/text":           "no node",
		"ordinary":             "no node either",
	}
}

func TestGroupsV3(t *testing.T) {
	for _, consolidated := range []bool{false, true} {
		t.Run(fmt.Sprint("consolidated=", consolidated), func(t *testing.T) {
			files := tree3()
			if consolidated {
				files = consolidate3(files, "")
			}
			faults := storetest.NewFaults(zarrtest.DirStore(t, files))
			g, err := OpenStore(t.Context(), faults, Options{})
			require.NoError(t, err)
			if g.Path() != "" || g.Format() != 3 || g.Attrs().Text("title") != "root" || faults.Total() != 1 {
				t.Errorf("root: path %q, format %d, attributes %s, %d reads", g.Path(), g.Format(), g.Attrs(), faults.Total())
			}
			checkMembers(t, g, Member{"a", false}, Member{"sea ice", false}, Member{"x", true})
			faults.Clear()
			before := faults.Total()
			a, err := g.Group(t.Context(), "a")
			require.NoError(t, err)
			if _, err := a.Array(t.Context(), "b/c"); err != nil {
				t.Fatal(err)
			}
			if n := faults.Total() - before; !consolidated && n != 2 || consolidated && n != 0 {
				t.Errorf("%d reads for two nodes: %v", n, faults.Counts())
			}
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
			ice, err := g.Group(t.Context(), "sea ice")
			require.NoError(t, err)
			checkMembers(t, ice, Member{"é😀", true})
			if c, err := g.Array(t.Context(), "sea ice/é😀"); err != nil || c.Shape()[0] != 5 {
				t.Errorf("é😀: %v", err)
			}
		})
	}
}

// TestMixedFormats checks hierarchies that have nodes of both formats.
func TestMixedFormats(t *testing.T) {
	files := map[string]string{
		"zarr.json":        zarrtest.ZGroup3,
		"new/zarr.json":    zarrtest.ZArray3(nil),
		"old/.zarray":      zarrtest.ZArray(map[string]string{"shape": "[9]"}),
		"oldg/.zgroup":     zarrtest.ZGroup,
		"oldg/.zattrs":     `{"title":"old"}`,
		"oldg/x/.zarray":   zarrtest.ZArray(nil),
		"oldg/n/zarr.json": zarrtest.ZArray3(map[string]string{"shape": "[8]"}),
		"oldg/g/zarr.json": zarrtest.ZGroup3,
		// Written anew in v3, with the old documents left behind.
		"both/zarr.json":      zarrtest.ZArray3(map[string]string{"shape": "[3]"}),
		"both/.zarray":        zarrtest.ZArray(map[string]string{"shape": "[2]"}),
		"oldg/both/zarr.json": zarrtest.ZArray3(map[string]string{"shape": "[3]"}),
		"oldg/both/.zarray":   zarrtest.ZArray(map[string]string{"shape": "[2]"}),
		".zgroup":             zarrtest.ZGroup,
		".zmetadata":          arraytest.Consolidate(map[string]string{"x/.zarray": zarrtest.ZArray(nil)}), // not looked at: the root is of v3
	}
	faults := storetest.NewFaults(zarrtest.DirStore(t, files))
	g, err := OpenStore(t.Context(), faults, Options{})
	require.NoError(t, err)
	checkMembers(t, g, Member{"both", true}, Member{"new", true}, Member{"old", true}, Member{"oldg", false})
	old, err := g.Group(t.Context(), "oldg")
	if err != nil || old.Format() != 2 || old.Attrs().Text("title") != "old" {
		t.Fatalf("oldg: %+v, %v", old, err)
	}
	checkMembers(t, old, Member{"both", true}, Member{"g", false}, Member{"n", true}, Member{"x", true})
	if gg, err := old.Group(t.Context(), "g"); err != nil || gg.Format() != 3 {
		t.Errorf("oldg/g: %+v, %v", gg, err)
	}
	for _, tt := range []struct {
		g             *Group
		name          string
		format, shape int
		reads         int
	}{{g, "new", 3, 4, 1}, {g, "old", 2, 9, 3}, {g, "both", 3, 3, 1}, {old, "x", 2, 4, 2}, {old, "n", 3, 8, 2}, {old, "both", 2, 2, 2}, {g, "oldg/x", 2, 4, 3}} {
		before := faults.Total()
		a, err := tt.g.Array(t.Context(), tt.name)
		if err != nil {
			t.Error(err)
			continue
		}
		if n := faults.Total() - before; a.Metadata().Format != tt.format || a.Shape()[0] != tt.shape || n != tt.reads {
			t.Errorf("%s: format %d, shape %v, %d reads; want %+v", tt.name, a.Metadata().Format, a.Shape(), n, tt)
		}
	}
}

func TestNodeMissingV3(t *testing.T) {
	files := tree3()
	files["old/.zgroup"] = zarrtest.ZGroup
	st := zarrtest.DirStore(t, files)
	late := consolidate3(tree3(), "")
	late["late/zarr.json"] = zarrtest.ZArray3(nil)
	late["older/.zarray"] = zarrtest.ZArray(nil)
	known := zarrtest.DirStore(t, late)
	tests := []struct {
		name  string
		st    *store.Dir
		array bool
		want  string
	}{
		{"none", st, true, "none/zarr.json: no array here, and no .zarray: file does not exist"},
		{"a/none", st, false, "a/none/zarr.json: no group here, and no .zgroup: file does not exist"},
		{"notes", st, false, "notes/zarr.json: no group here"}, // a folder alone is no group
		{"a", st, true, "a/zarr.json: no array here, but a group"},
		{"old", st, true, "old/.zarray: no array here, but a group"},
		{"x", st, false, "x/zarr.json: no group here, but an array"},
		{"ordinary", st, true, "ordinary/zarr.json"},
		{"none", known, true, "none/zarr.json: no array here, and no .zarray"},
		{"a", known, true, "a/zarr.json: no array here, but a group"},
		{"late", known, true, "late/zarr.json: it is in the store but not in the consolidated metadata, which are stale: open without them"},
		{"older", known, true, "older/.zarray: it is in the store but not in the consolidated metadata"},
	}
	for _, tt := range tests {
		g, err := OpenStore(t.Context(), tt.st, Options{})
		require.NoError(t, err)
		if tt.array {
			_, err = g.Array(t.Context(), tt.name)
		} else {
			_, err = g.Group(t.Context(), tt.name)
		}
		zarrtest.WantError(t, err, tt.want, "zarrio: "+tt.st.String()+": ")
		kind := fs.ErrNotExist
		if strings.Contains(tt.want, ", but a") {
			kind = meta.ErrNodeType
		}
		if !errors.Is(err, kind) {
			t.Errorf("%v is not %v", err, kind)
		}
	}
}

func TestGroupsV3Refused(t *testing.T) {
	with := func(consolidated string) string {
		return `{"zarr_format":3,"node_type":"group","consolidated_metadata":` + consolidated + `}`
	}
	for doc, want := range map[string]string{
		``:                                "zarr.json: the document is empty",
		`[]`:                              "zarr.json: want a JSON object, found []",
		`{`:                               "zarr.json: not JSON",
		`{"zarr_format":2}`:               "zarr.json: zarr_format 2 is not supported; supported: 3 in a zarr.json document",
		`{"zarr_format":3}`:               `zarr.json: node_type "(none)": want "group"`,
		`{"zarr_format":3,"node_type":5}`: `zarr.json: node_type "5": want "group"`,
		group3(`5`):                       "zarr.json: attributes: want a JSON object, found 5",
		`{"zarr_format":3,"node_type":"group","shape":[4]}`: `zarr.json: field "shape" is not supported; supported: zarr_format, node_type, attributes, consolidated_metadata, and objects with`,
		with(`[]`):                             "zarr.json: consolidated_metadata: want a JSON object, found []",
		with(`{"kind":"file","metadata":{}}`):  `zarr.json: consolidated_metadata: kind "file" is not supported; supported: "inline"`,
		with(`{"kind":"inline"}`):              "zarr.json: consolidated_metadata: no metadata",
		with(`{"kind":"inline","metadata":5}`): "zarr.json: consolidated_metadata: metadata: want an object, found 5",
	} {
		st := zarrtest.DirStore(t, map[string]string{"zarr.json": doc})
		_, err := OpenStore(t.Context(), st, Options{})
		zarrtest.WantError(t, err, "zarrio: "+st.String()+": ", want)
		if _, err := OpenStore(t.Context(), st, Options{Consolidated: Never}); (err == nil) != strings.Contains(want, "consolidated_metadata: ") {
			t.Errorf("%s, without consolidated metadata: %v", doc, err)
		}
	}
	for _, doc := range []string{with(`null`), with(`{"kind":"file","must_understand":false}`), `{"zarr_format":3,"node_type":"group","x":{"must_understand":false}}`} {
		g, err := OpenStore(t.Context(), zarrtest.DirStore(t, map[string]string{"zarr.json": doc, "x/zarr.json": zarrtest.ZArray3(nil)}), Options{})
		if err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		checkMembers(t, g, Member{"x", true})
	}
}

// TestLoneArrayV3 checks a store whose root is an array.
func TestLoneArrayV3(t *testing.T) {
	for _, mode := range []Consolidated{Auto, Never, Verify} {
		g, err := OpenStore(t.Context(), zarrtest.DirStore(t, map[string]string{"zarr.json": zarrtest.ZArray3(nil), "c/0": "01234567", "c/zarr.json": "{}"}), Options{Consolidated: mode})
		require.NoError(t, err)
		checkMembers(t, g)
		a, err := g.Array(t.Context(), "")
		if err != nil || a.Path() != "" || g.Format() != 3 || a.Shape()[0] != 4 {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

// TestOpenFaultsV3 checks that no failing read is taken for a document that is not there, and that damage is no gap in a list.
func TestOpenFaultsV3(t *testing.T) {
	broken := errors.New("broken cable")
	faults := storetest.NewFaults(zarrtest.DirStore(t, tree3()))
	faults.Set(meta.V3Doc, storetest.Fault{Err: broken})
	_, err := OpenStore(t.Context(), faults, Options{})
	zarrtest.WantError(t, err, "zarrio: ", meta.V3Doc, "broken cable")
	faults.Clear()
	g, err := OpenStore(t.Context(), faults, Options{})
	require.NoError(t, err)
	faults.Set("x/zarr.json", storetest.Fault{Err: broken})
	if _, err := g.Members(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Members: %v", err)
	}
	_, err = g.Array(t.Context(), "x")
	zarrtest.WantError(t, err, "zarrio: ", "x/zarr.json", "broken cable")
	_, err = g.Group(t.Context(), "x")
	zarrtest.WantError(t, err, "zarrio: ", "x/zarr.json", "broken cable")
	for _, doc := range []string{"", "{", `{"node_type":"table"}`} {
		faults.Set("x/zarr.json", storetest.Fault{Value: []byte(doc)})
		checkMembers(t, g, Member{"a", false}, Member{"sea ice", false}, Member{"x", false})
		_, err = g.Group(t.Context(), "x")
		zarrtest.WantError(t, err, "zarrio: ", "x/zarr.json: ")
	}
}

func TestConsolidatedV3(t *testing.T) {
	right := consolidate3(tree3(), "")
	edit := func(key, doc string) map[string]string {
		files := maps.Clone(right)
		if files[key] = doc; doc == "" {
			delete(files, key)
		}
		return files
	}
	outside := tree3()
	outside["../y/zarr.json"] = zarrtest.ZArray3(nil)
	outside = consolidate3(outside, "")
	delete(outside, "../y/zarr.json")
	empty := tree3()
	empty["zarr.json"] = `{"zarr_format":3,"node_type":"group","consolidated_metadata":{"kind":"inline","must_understand":false,"metadata":{}}}`
	// zarr-python writes an empty field of its own in the members of a group.
	nested := consolidate3(edit("a/zarr.json", empty["zarr.json"]), "")
	nested["a/zarr.json"] = zarrtest.ZGroup3
	tests := []struct {
		name  string
		files map[string]string
		want  [3][]string // the error of opening it and reading the shapes of x and a/b/c: Auto, Never, Verify
		x     [3]int
	}{
		{"none", tree3(), [3][]string{2: {"zarr.json: there are no consolidated metadata to verify"}}, [3]int{4, 4, 0}},
		{"right", right, [3][]string{}, [3]int{4, 4, 4}},
		{"nested", nested, [3][]string{}, [3]int{4, 4, 4}},
		{"stale", edit("x/zarr.json", zarrtest.ZArray3(map[string]string{"shape": "[8]"})), [3][]string{
			2: {"x/zarr.json: consolidated metadata are stale: shape is [4] there, [8] in the document itself; consolidate anew"}}, [3]int{4, 8, 0}},
		{"new", edit("new/zarr.json", zarrtest.ZGroup3), [3][]string{2: {"new/zarr.json: consolidated metadata are stale: they lack it"}}, [3]int{4, 4, 0}},
		{"new of v2", edit("a/b/new/.zarray", zarrtest.ZArray(nil)), [3][]string{2: {"a/b/new/.zarray: consolidated metadata are stale: they lack it"}}, [3]int{4, 4, 0}},
		{"gone", edit("a/b/c/zarr.json", ""), [3][]string{
			1: {"a/b/c/zarr.json: no array here"}, 2: {"a/b/c/zarr.json: consolidated metadata describe it, but it is not in the store"}}, [3]int{4, 4, 0}},
		{"outside", outside, [3][]string{2: {`zarr.json: entry "../y/zarr.json": not a valid key`}}, [3]int{4, 4, 0}},
		{"nothing in it", empty, [3][]string{0: {"x/zarr.json: it is in the store but not in the consolidated metadata"}, 2: {"they lack it"}}, [3]int{0, 4, 0}},
	}
	for _, tt := range tests {
		for i, mode := range []Consolidated{Auto, Never, Verify} {
			t.Run(fmt.Sprint(tt.name, "/", mode), func(t *testing.T) {
				st := zarrtest.DirStore(t, tt.files)
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

// TestConsolidatedBelow checks consolidated metadata of a group within others, which hold for what is beneath it.
func TestConsolidatedBelow(t *testing.T) {
	faults := storetest.NewFaults(zarrtest.DirStore(t, consolidate3(tree3(), "a")))
	for _, mode := range []Consolidated{Auto, Never} {
		g, err := OpenStore(t.Context(), faults, Options{Consolidated: mode})
		require.NoError(t, err)
		checkMembers(t, g, Member{"a", false}, Member{"sea ice", false}, Member{"x", true})
		a, err := g.Group(t.Context(), "a")
		require.NoError(t, err)
		before := faults.Total()
		checkMembers(t, a, Member{"b", false})
		c, err := a.Array(t.Context(), "b/c")
		if err != nil || c.Path() != "a/b/c" {
			t.Fatal(err)
		}
		if n := faults.Total() - before; (mode == Auto) != (n == 0) {
			t.Errorf("%d reads", n)
		}
	}
}

func FuzzConsolidatedV3(f *testing.F) {
	files := consolidate3(tree3(), "")
	f.Add([]byte(files["zarr.json"]), "a")
	f.Add([]byte(`{"zarr_format":3,"node_type":"group","consolidated_metadata":{"kind":"inline","metadata":{"../x":null,"":{},"a//b":{},"é":5}}}`), "é")
	f.Fuzz(func(t *testing.T, doc []byte, name string) {
		h := newHierarchy(nothing{}, Options{})
		g, err := h.groupV3(t.Context(), nil, "", meta.PlainJSON(doc))
		if err != nil || g.docs == nil {
			return
		}
		members, err := g.Members(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range members {
			if _, err := g.child(m.Name); err != nil {
				t.Errorf("member %q: %v", m.Name, err)
			}
		}
		if _, err := g.Array(t.Context(), name); err == nil && !slices.ContainsFunc(members, func(m Member) bool {
			return m.Name == name && m.Array
		}) && name != "" && !strings.Contains(name, "/") {
			t.Errorf("%q is an array, but not among %v", name, members)
		}
	})
}
