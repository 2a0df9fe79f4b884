package zarrio

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/zarrtest"
)

// TestOpenSTAC opens the group that an asset of a STAC Collection stands for, in the store's own consolidated metadata.
func TestOpenSTAC(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{
		"c.json": `{"type": "Collection", "stac_version": "1.0.0", "id": "c", "assets": {
			"g": {"href": "x.zarr", "type": "application/vnd+zarr", "xarray:open_kwargs": {"group": "g"}},
			"h": {"href": "x.zarr", "type": "application/vnd+zarr", "xarray:open_kwargs": {"group": "h"}},
			"azure": {"href": "abfs://container/x.zarr", "type": "application/vnd+zarr"}}}`,
		"x.zarr/.zmetadata": `{"zarr_consolidated_format": 1, "metadata": {".zgroup": {"zarr_format": 2}, "g/.zgroup": {"zarr_format": 2}}}`,
		"x.zarr/.zgroup":    `{"zarr_format": 2}`,
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(value), 0o666)))
	}
	place := filepath.Join(dir, "c.json")
	g, err := Open(t.Context(), place+"#asset=g", Options{})
	require.NoError(t, err)
	if g.Path() != "g" {
		t.Errorf("opened the group %q, want g", g.Path())
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	_, err = Open(t.Context(), place+"#asset=h", Options{})
	zarrtest.WantError(t, err, "zarrio: ", "h/.zgroup")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a group that isn't there: %v, want fs.ErrNotExist", err)
	}
	_, err = Open(t.Context(), place, Options{})
	zarrtest.WantError(t, err, "zarrio: "+place+": STAC Collection \"c\": 2 Zarr assets")
	_, err = Open(t.Context(), place+"#asset=azure", Options{})
	zarrtest.WantError(t, err, "zarrio: "+place, "scheme abfs: is not supported")
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v is not ErrUnsupported", err)
	}
}
