//go:build gds

package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Raw reads the chunk files of each store whole by cuFile and discards them: the most that this machine can give an epoch. Rows
// differ in the number of threads, the size of the reads, and whether the memory is registered.
func Raw(b *testing.B) {
	skipUnsupported(b)
	if activeGPU == nil {
		skip(b, fmt.Errorf("-engine %s reads into no GPU", *engineFlag))
	}
	for i := range stores {
		s := &stores[i]
		paths, bytes, err := s.rawFiles()
		if err != nil {
			b.Fatal(err)
		}
		for _, threads := range []int{1, 2, 4, 8, 16} {
			for _, mib := range []int{1, 4, 16} {
				for _, registered := range []bool{true, false} {
					name := fmt.Sprintf("store=%s/threads=%d/size=%dMiB/registered=%t", s.name, threads, mib, registered)
					b.Run(name, func(b *testing.B) { s.raw(b, paths, bytes, threads, mib<<20, registered) })
				}
			}
		}
	}
}

// raw is the body of a row: one op reads all files once. As many files as possible stay open between ops.
func (s *benchStore) raw(b *testing.B, paths []string, bytes int64, threads, size int, registered bool) {
	r, err := activeGPU.openRaw(paths, threads, size, registered)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		skip(b, err)
	case err != nil && registered:
		// The BAR of many GPUs is too small to register the largest buffers. Any other error also occurs, and fails, in the row
		// without registration.
		skipLoud(b, err)
	case err != nil:
		b.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			b.Error(err)
		}
	}()
	read := func() {
		n, err := r.Read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if n != bytes {
			b.Fatalf("%d bytes were read of files that have %d", n, bytes)
		}
	}
	read() // the first read, untimed, fills the caches
	b.SetBytes(bytes)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		s.evict(b)
		b.StartTimer()
		read()
	}
}

// rawFiles returns the chunk and shard files of the arrays that the flags name, and their total size.
func (s *benchStore) rawFiles() (paths []string, bytes int64, err error) {
	err = s.chunkFiles(func(f *os.File) error {
		if name := filepath.Base(f.Name()); strings.HasPrefix(name, ".z") || name == "zarr.json" {
			return nil
		}
		info, err := f.Stat()
		if err == nil {
			paths, bytes = append(paths, f.Name()), bytes+info.Size()
		}
		return err
	})
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%s: the arrays have no chunk files", s.path)
	}
	return paths, bytes, err
}
