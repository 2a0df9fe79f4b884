package store_test

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/store"
)

// linked makes a store in/ with links of every kind.
func linked(t *testing.T) string {
	tmp := t.TempDir()
	in, out := filepath.Join(tmp, "in"), filepath.Join(tmp, "out")
	write(t, "inside", in, "a/value")
	write(t, "outside", out, "deep/value")
	for name, target := range map[string]string{
		"dirlink":  "a",
		"gone":     "a/nosuch",
		"nodir":    "a/value/x",
		"out":      "../out",
		"abs":      out,
		"outfile":  "../out/deep/value",
		"chain":    "out",
		"itself":   "itself",
		"one":      "two",
		"two":      "one",
		"a/parent": "..",
		"a/self":   ".",
		"root":     ".",
		"around":   "../in",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(in, name)))
	}
	require.NoError(t, os.Symlink("../../in", filepath.Join(out, "deep/home")))
	require.NoError(t, os.WriteFile(filepath.Join(in, "bad\xffname"), nil, 0o666))
	return in
}

// walk lists all values of a store, with the directories that they are in.
func walk(t *testing.T, s store.Lister, prefix string) (keys []string) {
	names, err := s.List(t.Context(), prefix)
	require.NoError(t, err)
	for _, name := range names {
		key := path.Join(prefix, name)
		if strings.HasSuffix(name, "/") {
			keys = append(keys, walk(t, s, key)...)
		} else if _, _, err := s.ReadRange(t.Context(), key, nil, 0); err == nil {
			keys = append(keys, key)
		}
		require.Less(t, len(keys), 100, "the walk doesn't end")
	}
	return keys
}

func TestDirLinks(t *testing.T) {
	in := linked(t)
	outside := "leads outside the store by a symbolic link"
	for _, tt := range []struct {
		name     string
		follow   bool
		root     bool
		values   []string
		unusable map[string]string
		nested   map[string]string // of a
	}{
		{"beneath", false, false, []string{"a/value", "dirlink/value"}, map[string]string{"gone": "to nothing", "nodir": "to nothing", "out": outside, "abs": outside, "outfile": outside,
			"chain": outside, "around": outside, "itself": "leads to itself", "one": "leads to itself", "two": "leads to itself", "root": `leads back to "."`, "bad\xffname": "not a valid key"},
			map[string]string{"parent": `leads back to "."`, "self": `leads back to "a"`}},
		{"follow", true, false, []string{"a/value", "abs/deep/value", "chain/deep/value", "dirlink/value", "out/deep/value", "outfile"},
			map[string]string{"gone": "to nothing", "nodir": "to nothing", "around": `leads back to "."`,
				"itself": "leads to itself", "one": "leads to itself", "two": "leads to itself", "root": `leads back to "."`, "bad\xffname": "not a valid key"},
			map[string]string{"parent": `leads back to "."`, "self": `leads back to "a"`}},
	} {
		for _, opener := range []string{"direct", "root"} {
			t.Run(tt.name+" "+opener, func(t *testing.T) {
				d, err := store.OpenDirWith(in, store.DirOptions{FollowLinks: tt.follow})
				require.NoError(t, err)
				defer d.Close()
				if opener == "root" {
					d.UseRoot()
				}
				require.Equal(t, tt.values, walk(t, d, ""))
				for prefix, want := range map[string]map[string]string{"": tt.unusable, "a": tt.nested} {
					list, err := d.Unusable(t.Context(), prefix)
					require.NoError(t, err)
					got := map[string]string{}
					for _, u := range list {
						got[u.Name] = u.Err.Error()
					}
					require.Len(t, got, len(want), "%v", got)
					for name, reason := range want {
						require.Contains(t, got[name], reason, name)
					}
				}
				if !tt.follow {
					return
				}
				for _, key := range tt.values {
					f, err := d.OpenFile(key, 0)
					require.NoError(t, err)
					require.NoError(t, f.Close())
					v, err := d.OpenValue(context.Background(), key)
					require.NoError(t, err)
					require.NoError(t, v.Close())
				}
				// A key may lead around all the same, but not for ever.
				loop := strings.Repeat("around/", 60) + "a/value"
				_, _, err = d.ReadRange(t.Context(), loop, nil, 0)
				require.ErrorContains(t, err, "too many levels of symbolic links")
			})
		}
	}
}
