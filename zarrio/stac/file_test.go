package stac_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/stac"
	"zarrbench/zarrio/store"
)

// TestLocateNotAFile reads documents that are no regular files. Without care the FIFO would hang.
func TestLocateNotAFile(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o666))
	for _, tt := range []struct{ name, path, want string }{
		{"directory", t.TempDir(), "is a directory"},
		{"named pipe", fifo, "is a named pipe"},
		{"missing", fifo + "x", "no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := stac.Locate(t.Context(), tt.path+"#asset", store.Options{})
			require.EqualError(t, err, tt.path+": "+tt.want)
		})
	}
}
