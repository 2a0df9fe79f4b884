package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"zarrbench/fixtures"
	"zarrbench/tools/internal/progress"
)

// syntheticDir is where a synthetic store goes that no folder was named for.
func syntheticDir(s fixtures.Synthetic) string {
	form := s.Form
	if s.Format != 0 {
		form += fmt.Sprint("-v", s.Format)
	}
	return filepath.Join(fixtures.Dir(), "data", fmt.Sprintf("synthetic-%s-%d.zarr", form, s.Steps))
}

// writeSynthetic makes the store and reports on it.
func writeSynthetic(ctx context.Context, s fixtures.Synthetic, out string, stdout, stderr io.Writer) error {
	show, finish := progress.New(stderr, "synthetic store")
	var wrote bool
	s.Progress = func(done, total int64) {
		wrote = true
		show(progress.State{Done: done, Total: total})
	}
	start := time.Now()
	err := s.Write(ctx, out)
	took := time.Since(start)
	finish()
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
		return fmt.Errorf("%s: stopped before the end, nothing is left of it: %w", out, err)
	}
	if err != nil {
		return err
	}
	size, err := diskSize(out)
	if err != nil {
		return err
	}
	if !wrote {
		_, err = fmt.Fprintf(stdout, "%s: %d bytes, was there already\n", out, size)
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s: %d bytes in %.2f s\n", out, size, took.Seconds())
	return err
}
