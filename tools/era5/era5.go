package main

import (
	"context"
	"io"
	"io/fs"
	"os"

	"zarrbench/tools/internal/cli"
)

const usage = `usage: era5 [flags]
       era5 -verify [-out folder]
       era5 -synthetic [flags]

Fetches a subset of ERA5 from WeatherBench2's public bucket, or from another store of its kind, into a Zarr store on the local
disk. Of objects that hold many levels, only the blocks that hold the wanted one are moved, where the server has byte ranges. An
interrupted fetch goes on where it stopped when the same command is run again. With -synthetic it makes fields up instead.

The forms, all of the same fields:

  raw    no compressor              gzip   gzip, level 5
  lz4    Blosc, shuffle, LZ4        bzstd  Blosc, shuffle, Zstandard, level 3
  zstd   Zstandard, level 3         shard  shards of 8 chunks, each as in lz4

`

// run is the whole command. An error that is [cli.ErrUsage] comes after the flags' description on stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, flags := newCommand()
	if done, err := cli.Parse(flags, cli.Usage{Before: usage}, args, c.resolve, stdout, stderr); done {
		return err
	}
	switch {
	case c.synthetic:
		return writeSynthetic(ctx, c.fields, c.out, stdout, stderr)
	case c.verify:
		return verify(ctx, c.out, stdout, stderr)
	}
	return fetch(ctx, c.options, stdout, stderr)
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
