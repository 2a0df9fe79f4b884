package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"zarrbench/zarrio"
)

// errUsage is what errors.Is finds when the command line is wrong.
var errUsage = errors.New("see -help")

const usage = `usage: zarrinfo [-json] [-sizes] PATH
       zarrinfo -check [-json] [-missing=ok] PATH
       zarrinfo --array_path=PATH

Describes the groups and arrays of the Zarr store at PATH: a directory, a zip file, or a URL (https, gs, s3). It may also
be a group or an array inside a store, or a STAC Item or Collection that leads to one, of which #asset=KEY chooses an asset.

The exit status is 0 if all is well, 2 if the command line is wrong, and else 1: where a group or an array can't be
described, where a chunk is bad or missing or can't be checked, or where an element can't be read.

`

const examples = `
Examples:
  zarrinfo era5.zarr                              what is there, how it is stored, and which engines read it directly
  zarrinfo -json era5.zarr | jq '.nodes[].path'   the same as JSON, whole attributes and all
  zarrinfo -check era5.zip                        read everything: one line for each bad or missing chunk
  zarrinfo -check -missing=ok era5.zarr           chunks that were left out on purpose are no fault
  zarrinfo gs://BUCKET/era5.zarr                  what a public bucket holds
  zarrinfo https://HOST/item.json                 what the Zarr asset of a STAC Item holds
  zarrinfo --array_path=era5.zarr/time            each element of an array, one a line
`

// A command is what the command line asks for.
type command struct {
	place     string
	json      bool
	sizes     bool
	check     bool
	missingOK bool
	elements  bool
}

// run is the whole command. An error that is errUsage comes after the flags' description on stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, help, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		help(stdout)
		return nil
	}
	if err != nil {
		help(stderr)
		return fmt.Errorf("%w (%w)", err, errUsage)
	}
	g, err := zarrio.Open(ctx, c.place, zarrio.Options{})
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(stdout, 1<<16)
	switch {
	case c.elements:
		err = printElements(ctx, out, g)
	case c.json:
		err = c.printJSON(ctx, out, g)
	case c.check:
		err = c.printCheck(ctx, out, g)
	default:
		err = c.printTree(ctx, out, g)
	}
	if flushed := out.Flush(); err == nil || errors.Is(err, flushed) { // what a write failed with, Flush repeats
		err = flushed
	}
	return errors.Join(err, g.Close())
}

// parse reads the command line. help describes it.
func parse(args []string) (c command, help func(io.Writer), err error) {
	var missing, arrayPath string
	flags := flag.NewFlagSet("zarrinfo", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints errors, help prints the rest
	flags.Usage = func() {}
	flags.BoolVar(&c.json, "json", false, "print one JSON document")
	flags.BoolVar(&c.sizes, "sizes", false, "ask a bucket for the size of each chunk, which takes a request each; other stores are always asked")
	flags.BoolVar(&c.check, "check", false, "read every chunk, and list those that are bad or missing")
	flags.StringVar(&missing, "missing", "bad", "what -check makes of missing chunks, which read as the fill value: bad or ok")
	flags.StringVar(&arrayPath, "array_path", "", "print the elements of the array at `PATH` as fill-value JSON, one a line, in C order")
	help = func(w io.Writer) {
		fmt.Fprint(w, usage)
		flags.SetOutput(w)
		flags.PrintDefaults()
		fmt.Fprint(w, examples)
	}
	if err := flags.Parse(args); err != nil {
		return c, help, err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	c.elements, c.missingOK = given["array_path"], missing == "ok"
	switch {
	case c.elements && (flags.NArg() > 0 || len(given) > 1):
		return c, help, errors.New("--array_path stands alone")
	case c.elements:
		c.place = arrayPath
	case flags.NArg() != 1:
		return c, help, fmt.Errorf("want one PATH, found %d", flags.NArg())
	case missing != "ok" && missing != "bad":
		return c, help, fmt.Errorf("-missing=%s: want bad or ok", missing)
	case given["missing"] && !c.check:
		return c, help, errors.New("-missing is for -check")
	default:
		c.place = flags.Arg(0)
	}
	return c, help, nil
}

// printElements prints the array at g, one element a line: what the command lines of Zarr implementations share for
// conformance tests.
func printElements(ctx context.Context, out *bufio.Writer, g *zarrio.Group) error {
	a, err := g.Array(ctx, "")
	if err != nil {
		return err
	}
	for e, err := range a.ElementsJSON(ctx) {
		if err != nil {
			return err
		}
		if _, err := out.Write(e); err != nil {
			return err
		}
		if err := out.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}
