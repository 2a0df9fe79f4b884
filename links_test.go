package zarrbench

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
)

// TestOpenFlags opens a store of links, and drops from the page cache what they lead to.
func TestOpenFlags(t *testing.T) {
	defer func(was bool) { openFlags.FollowLinks = was }(openFlags.FollowLinks)
	from := synthetic(t, fixtures.Synthetic{Steps: 2, Form: fixtures.FormRaw, Format: 2, NLat: 3, NLon: 4})
	dir := t.TempDir()
	names, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, e := range names {
		require.NoError(t, os.Symlink(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name())))
	}
	_, err = openStore(t.Context(), dir, true)
	require.ErrorContains(t, err, "leads outside the store")

	openFlags.FollowLinks = true
	g, err := openStore(t.Context(), dir, true)
	require.NoError(t, err)
	require.NoError(t, g.Close())
	count := func(path string) (files int) {
		s := benchStore{path: path}
		require.NoError(t, s.chunkFiles(func(*os.File) error { files++; return nil }))
		return files
	}
	require.Equal(t, count(from), count(dir))
	require.NotZero(t, count(dir))
}
