package main

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
)

// Sizes are those of the values that hold an array's chunks, or its shards where it has any.
type sizes struct {
	Values       int    `json:"values_total"`
	ValuesStored *int   `json:"values_stored"` // null where it isn't known
	StoredBytes  *int64 `json:"stored_bytes"`
	Others       int    `json:"other_values,omitempty"` // under the array's path that are no chunks of it, nor hidden
	// Bytes are those of the whole array, decoded; null where elements vary in length. Ratio is that of the elements in the
	// values that are stored to StoredBytes.
	Bytes        *int64  `json:"decoded_bytes"`
	Ratio        float64 `json:"ratio,omitempty"`
	SizesUnknown string  `json:"sizes_unknown,omitempty"` // why
}

// newSizes has what the metadata alone say.
func newSizes(m *zarrio.Metadata) sizes {
	s := sizes{Values: volume(counts(m, m.Chunks))}
	if m.DType.Size > 0 {
		n := int64(volume(m.Shape)) * int64(m.DType.Size)
		s.Bytes = &n
	}
	return s
}

// counts returns the number of chunks along each dimension, where they have these extents if the grid is regular.
func counts(m *zarrio.Metadata, chunks []int) []int {
	n := make([]int, len(m.Shape))
	for i, s := range m.Shape {
		if m.Extents != nil {
			n[i] = len(m.Extents[i])
		} else if n[i] = s / chunks[i]; s%chunks[i] > 0 {
			n[i]++
		}
	}
	return n
}

func volume(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// lookers is the number of values that are asked for their sizes at once.
const lookers = 16

// stored adds up the values under the array at path.
func stored(ctx context.Context, l store.Lister, path string, m *zarrio.Metadata) (sizes, error) {
	s := newSizes(m)
	g := newGridKeys(m)
	if path != "" {
		path += "/"
	}
	keys := make(chan string, lookers)
	lookup, inner := errgroup.WithContext(ctx)
	var (
		mu              sync.Mutex
		values          int
		bytes, elements int64
	)
	for range lookers {
		lookup.Go(func() error {
			for key := range keys {
				_, size, err := l.ReadRange(inner, key, nil, 0)
				if errors.Is(err, fs.ErrNotExist) { // gone since it was listed, or a link to nothing
					continue
				}
				if err != nil {
					return err
				}
				n, chunk := g.elements(strings.TrimPrefix(key, path))
				mu.Lock()
				if chunk {
					values++
					bytes += size
					elements += int64(n)
				} else {
					s.Others++
				}
				mu.Unlock()
			}
			return nil
		})
	}
	err := listKeys(inner, l, strings.TrimSuffix(path, "/"), keys)
	close(keys)
	if lookupErr := lookup.Wait(); err == nil {
		err = lookupErr
	}
	s.ValuesStored, s.StoredBytes = &values, &bytes
	if bytes > 0 {
		s.Ratio = float64(elements*int64(m.DType.Size)) / float64(bytes)
	}
	return s, err
}

// listKeys sends the keys of the values under prefix, at any depth, but for documents and what is hidden, such as the manifest of
// a fetched store: no chunk's name begins with a dot, and what does was put beside the chunks on purpose.
func listKeys(ctx context.Context, l store.Lister, prefix string, keys chan<- string) error {
	names, err := l.List(ctx, prefix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, ".") || name == "zarr.json" {
			continue
		}
		key := name
		if prefix != "" {
			key = prefix + "/" + name
		}
		if dir, ok := strings.CutSuffix(key, "/"); ok {
			if err := listKeys(ctx, l, dir, keys); err != nil {
				return err
			}
			continue
		}
		select {
		case keys <- key:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// gridKeys tell the keys of an array's chunks, or shards, from others.
type gridKeys struct {
	m      *zarrio.Metadata
	counts []int
	starts [][]int // by dimension, where each chunk of a rectilinear grid begins, and the last one ends
}

func newGridKeys(m *zarrio.Metadata) gridKeys {
	g := gridKeys{m: m, counts: counts(m, m.Chunks)}
	for _, extents := range m.Extents {
		starts := make([]int, 1, len(extents)+1)
		for i, n := range extents {
			starts = append(starts, starts[i]+n)
		}
		g.starts = append(g.starts, starts)
	}
	return g
}

// elements returns how many elements of the array a value holds by its key below the array's path, and false for one that
// is not the array's.
func (g gridKeys) elements(key string) (n int, ok bool) {
	k := g.m.Keys
	if len(g.counts) == 0 {
		return 1, key == k.Prefix || k.Prefix == "" && key == "0"
	}
	if k.Prefix != "" {
		if key, ok = strings.CutPrefix(key, k.Prefix+string(rune(k.Separator))); !ok {
			return 0, false
		}
	}
	n = 1
	for d, count := range g.counts {
		part, rest, more := strings.Cut(key, string(rune(k.Separator)))
		c, err := strconv.Atoi(part)
		if err != nil || c < 0 || c >= count || strconv.Itoa(c) != part || more != (d < len(g.counts)-1) {
			return 0, false
		}
		lo, hi := c*g.m.Chunks[d], (c+1)*g.m.Chunks[d]
		if g.starts != nil {
			lo, hi = g.starts[d][c], g.starts[d][c+1]
		}
		n *= min(hi, g.m.Shape[d]) - lo
		key = rest
	}
	return n, true
}
