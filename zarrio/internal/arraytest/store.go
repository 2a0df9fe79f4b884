package arraytest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"zarrbench/zarrio/store"
)

// A Store is a store in memory that counts the reads of chunks. Nothing in it blocks, which package
// synctest needs.
type Store struct {
	mu     sync.Mutex
	Values map[string][]byte
	reads  map[string]int         // of chunks, by key
	Hook   func(key string) error // if not nil, is called for each read of a chunk, and can fail it
}

// NewStore returns a store with an empty group of Zarr v2.

func NewStore() *Store {
	return &Store{Values: map[string][]byte{".zgroup": []byte(`{"zarr_format":2}`)}, reads: map[string]int{}}
}

// String returns the name of the store in errors.
func (s *Store) String() string { return "mem" }

// ReadRange implements store.Store.
func (s *Store) ReadRange(ctx context.Context, key string, dst []byte, off int64) (int, int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	key = strings.Clone(key)
	s.mu.Lock()
	value, ok := s.Values[key]
	hook := s.Hook
	if !strings.Contains(key, "/.") && !strings.HasPrefix(key, ".") && !strings.HasSuffix(key, ".json") {
		s.reads[key]++
	} else {
		hook = nil
	}
	s.mu.Unlock()
	if hook != nil {
		if err := hook(key); err != nil {
			return 0, 0, err
		}
	}
	if !ok {
		return 0, 0, &store.KeyError{Store: "mem", Op: "read", Key: key, Err: fs.ErrNotExist}
	}
	if off < 0 {
		off = max(0, int64(len(value))+off)
	}
	return copy(dst, value[min(off, int64(len(value))):]), int64(len(value)), nil
}

// WriteDir writes the store's values into a temporary directory, and returns its path.
func (s *Store) WriteDir(tb testing.TB) string {
	dir := tb.TempDir()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, value := range s.Values {
		path := filepath.Join(dir, filepath.FromSlash(key))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, value, 0o666)); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// Counts returns the number of reads of each chunk since the last call.
func (s *Store) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.reads
	s.reads = map[string]int{}
	return c
}

// Steps returns a store with one array "t" of n steps, on a grid of 4 x 6, in chunks of chunk
// steps.
func Steps(tb testing.TB, n, chunk int, blosc bool) *Store {
	s := NewStore()
	s.Put(tb, &Array{
		Name:   "t",
		Dims:   []string{"time", "y", "x"},
		Shape:  []int{n, 4, 6},
		Chunks: []int{chunk, 4, 6},
		Blosc:  blosc,
	})
	return s
}
