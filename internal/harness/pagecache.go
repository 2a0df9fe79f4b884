package harness

import (
	"context"
	"errors"
	"fmt"
	"os"

	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
)

// cacheLabel is the value of the line "cache": cold where files can be dropped from the page cache and are seen to be gone,
// cold-unverified where the system doesn't tell. A file system whose files are nowhere else is an error.
func cacheLabel() (string, error) {
	if *cacheFlag != "cold" {
		return *cacheFlag, nil
	}
	label := "cold"
	for i := range stores {
		known, err := stores[i].drop()
		if err != nil {
			return "", err
		}
		if !known {
			label = "cold-unverified"
		}
	}
	return label, nil
}

// warm reads a store by way of the page cache, once for the process, where epochs are to be warm and are read in a way that may go
// around it, and so leave it as cold as it was. The others warm it by their untimed epoch.
func (s *benchStore) warm(ctx context.Context, io zarrio.IO) error {
	if s.warmed || io == zarrio.IOBuffered || *cacheFlag != "warm" || *engineFlag == "gds" {
		return nil
	}
	se, err := newSession(ctx, zarrio.NewCPU(zarrio.CPUOptions{IO: zarrio.IOBuffered}), s, false)
	if err != nil {
		return err
	}
	_, err = se.loader.Ceiling(ctx)
	s.warmed = err == nil
	return errors.Join(err, se.Close())
}

// dropCache drops a store's chunks from the page cache for -cache cold.
func (s *benchStore) dropCache() error {
	if *cacheFlag != "cold" {
		return nil
	}
	_, err := s.drop()
	return err
}

// drop drops a store's chunks from the page cache, once they are on the disk, and checks that they are gone. It returns
// false where the system will not tell.
func (s *benchStore) drop() (verified bool, err error) {
	verified = true
	var stay, files int64
	err = s.chunkFiles(func(f *os.File) error {
		if err := store.Evict(f); err != nil {
			return fmt.Errorf("-cache cold: %s: %w", f.Name(), err)
		}
		n, _, known, err := store.Resident(f)
		if err != nil {
			return fmt.Errorf("-cache cold: %s: %w", f.Name(), err)
		}
		verified = verified && known
		if known && n > 0 {
			stay += n
			files++
		}
		return nil
	})
	if err == nil && stay > 0 {
		err = fmt.Errorf("-cache cold: %s: %d bytes of %d files stay in the page cache: a file system in memory, or another program that has them mapped", s.path, stay, files)
	}
	return verified, err
}
