package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"zarrbench/zarrio/store"
)

// lookers is the number of files that are asked for their sizes at once.
const lookers = 16

// stored counts the values under the array at path that hold its chunks, and their bytes.
func stored(ctx context.Context, l store.Lister, path string) (chunks int, bytes int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	keys := make(chan string, lookers)
	var (
		wg          sync.WaitGroup
		count, size atomic.Int64
	)
	for range lookers {
		wg.Go(func() {
			for key := range keys {
				_, n, err := l.ReadRange(ctx, key, nil, 0)
				if errors.Is(err, fs.ErrNotExist) { // gone since it was listed, or a link to nothing
					continue
				}
				if err != nil {
					cancel(err)
					continue
				}
				count.Add(1)
				size.Add(n)
			}
		})
	}
	err = listKeys(ctx, l, path, keys)
	close(keys)
	wg.Wait()
	if cause := context.Cause(ctx); err == nil && cause != nil {
		err = cause
	}
	return int(count.Load()), size.Load(), err
}

// listKeys sends the keys of the values under prefix, at any depth, but for documents, whose names begin with a dot or end in
// ".json".
func listKeys(ctx context.Context, l store.Lister, prefix string, keys chan<- string) error {
	names, err := l.List(ctx, prefix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".json") {
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
