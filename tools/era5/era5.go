package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"zarrbench/fixtures"
)

var (
	// errUsage is what errors.Is finds when the command line is wrong.
	errUsage = errors.New("see -help")

	errNoFetch = errors.New("fetching from WeatherBench2 isn't available in this version: " +
		"make a synthetic store with -synthetic, such as `go run ./tools/era5 -synthetic -steps 80`")
)

const usage = `usage: era5 -synthetic [flags]

Makes a synthetic Zarr store in the layout of WeatherBench2's ERA5: geopotential and two wind components. The forms, all of
the same fields:

  raw    no compressor              gzip   gzip, level 5
  lz4    Blosc, shuffle, LZ4        bzstd  Blosc, shuffle, Zstandard, level 3
  zstd   Zstandard, level 3         shard  shards of 8 chunks, each as in lz4

`

// run is the whole command. An error that is errUsage comes after the flags' description on stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var (
		s         fixtures.Synthetic
		synthetic bool
		out       string
		flags     = flag.NewFlagSet("era5", flag.ContinueOnError)
	)
	flags.SetOutput(io.Discard) // the caller prints errors, help prints the rest
	flags.Usage = func() {}
	flags.BoolVar(&synthetic, "synthetic", false, "make the store rather than fetch it")
	flags.IntVar(&s.Steps, "steps", 80, "number of 6-hourly `steps`; the study's year has 1464")
	flags.StringVar(&s.Form, "form", fixtures.FormRaw, "storage `form`: "+strings.Join(fixtures.Forms(), ", "))
	flags.IntVar(&s.Format, "format", 0, "Zarr `format`, 2 or 3 (default 2 for raw and lz4, 3 for the rest; shard has 3 only)")
	flags.StringVar(&out, "out", "", "`folder` of the store (default fixtures/data/synthetic-FORM-STEPS.zarr, with -format synthetic-FORM-vFORMAT-STEPS.zarr)")
	flags.Func("grid", "points as `LATxLON` (default 721x1440)", func(text string) error {
		lat, lon, _ := strings.Cut(text, "x")
		var err1, err2 error
		s.NLat, err1 = strconv.Atoi(lat)
		s.NLon, err2 = strconv.Atoi(lon)
		if err1 != nil || err2 != nil || s.NLat < 1 || s.NLon < 1 {
			return errors.New("want latitudes x longitudes, such as 121x240")
		}
		return nil
	})
	flags.IntVar(&s.Levels, "levels", 0, "number of pressure `levels`; 0 leaves the dimension out")
	flags.IntVar(&s.ChunkSteps, "chunk-steps", 1, "`steps` in a chunk")
	flags.Func("order", "`order` of the dimensions: latlon (as at 0.25 degrees) or lonlat (as on coarser grids) (default latlon)",
		func(text string) error {
			if text != "latlon" && text != "lonlat" {
				return errors.New("want latlon or lonlat")
			}
			s.LonLat = text == "lonlat"
			return nil
		})
	flags.Uint64Var(&s.Seed, "seed", 0, "another `seed` makes other fields")
	help := func(w io.Writer) {
		fmt.Fprint(w, usage)
		flags.SetOutput(w)
		flags.PrintDefaults()
	}

	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		help(stdout)
		return nil
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err == nil && synthetic {
		err = s.Validate()
	}
	if err != nil {
		help(stderr)
		return fmt.Errorf("%w (%w)", err, errUsage)
	}
	if !synthetic {
		return errNoFetch
	}
	if out == "" {
		form := s.Form
		if s.Format != 0 {
			form += fmt.Sprint("-v", s.Format)
		}
		out = filepath.Join(fixtures.Dir(), "data", fmt.Sprintf("synthetic-%s-%d.zarr", form, s.Steps))
	}
	return write(ctx, s, out, stdout, stderr)
}

// write makes the store and reports on it.
func write(ctx context.Context, s fixtures.Synthetic, out string, stdout, stderr io.Writer) error {
	show, finish := newProgress(stderr)
	var wrote bool
	s.Progress = func(done, total int64) {
		wrote = true
		show(done, total)
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

// diskSize returns the bytes of all files below dir.
func diskSize(dir string) (size int64, err error) {
	err = fs.WalkDir(os.DirFS(dir), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
