package atomicfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/atomicfile"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	for _, want := range []string{"one", "another, longer", ""} {
		require.NoError(t, atomicfile.Write(path, []byte(want)))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	require.Error(t, atomicfile.Write(filepath.Join(dir, "none", "a.json"), nil))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "b"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b", "x"), nil, 0o666))
	require.Error(t, atomicfile.Write(filepath.Join(dir, "b"), []byte("x")), "a folder is not replaced")
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 2, "temporary files are left")
}
