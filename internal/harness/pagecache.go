package harness

import (
	"context"
	"errors"
	"fmt"
	"os"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/store"
)

// cacheLabel returns the value of the line "cache". For -cache cold it is cold if the files were seen to leave the page cache, and
// cold-unverified if the system doesn't tell. Files that exist only in memory are an error.
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

// warm reads s through the page cache, once for the process, if -cache is warm and the value of -io may bypass the page cache.
// Otherwise the untimed epoch fills it.
func (s *benchStore) warm(ctx context.Context, io engine.IO) error {
	if s.warmed || io == engine.IOBuffered || *cacheFlag != "warm" || *engineFlag == "gds" {
		return nil
	}
	se, err := newSession(ctx, engine.NewCPU(engine.CPUOptions{IO: engine.IOBuffered}), s, false)
	if err != nil {
		return err
	}
	_, err = se.loader.Ceiling(ctx)
	s.warmed = err == nil
	return errors.Join(err, se.Close())
}

// dropCache drops the chunks of s from the page cache if -cache is cold.
func (s *benchStore) dropCache() error {
	if *cacheFlag != "cold" {
		return nil
	}
	_, err := s.drop()
	return err
}

// drop writes the chunks of s to the disk, drops them from the page cache, and checks that they are gone. verified is false if the
// system doesn't tell.
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
