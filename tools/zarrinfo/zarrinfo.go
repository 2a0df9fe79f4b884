package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"zarrbench/tools/internal/cli"
	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
)

const usage = `usage: zarrinfo [-json] [-sizes] [-follow-links] [-consolidated=never] PATH
       zarrinfo -check [-json] [-missing=ok] [-follow-links] [-consolidated=never] PATH
       zarrinfo -stats FILE.json [-list-bad BAD.json] [-vars LIST] [-time FIRST/LAST] [-diff 6h,24h] [-area] PATH
       zarrinfo -list-bad BAD.json [-bad-share 0.01] [-vars LIST] [-time FIRST/LAST] PATH
       zarrinfo --array_path=PATH

Describes the groups and arrays of the Zarr store at PATH: a directory, a zip file, or a URL (https, gs, s3). It may also
be a group or an array inside a store, or a STAC Item or Collection that leads to one, of which #asset=KEY chooses an asset.

The exit status is 0 if all is well, 2 if the command line is wrong, and else 1: if a group or an array can't be described, if
the store has a name that can't be used, such as a link that leads outside, if consolidated metadata differ from the documents
themselves (which -check compares), if a chunk is bad or missing or can't be checked, or if an element can't be read.

`

const examples = `
Examples:
  zarrinfo era5.zarr                              what is there, how it is stored, and which engines read it directly
  zarrinfo -json era5.zarr | jq '.nodes[].path'   the same as JSON, whole attributes and all
  zarrinfo -check era5.zip                        read everything: one line for each bad or missing chunk
  zarrinfo -check -missing=ok era5.zarr           chunks that were left out on purpose are no fault
  zarrinfo gs://BUCKET/era5.zarr                  what a public bucket holds
  zarrinfo https://HOST/item.json                 what the Zarr asset of a STAC Item holds
  zarrinfo -stats stats.json -time 1979-01-01/2015-12-31 -diff 6h era5.zarr
                                                  statistics of the training years, and of the changes within 6 hours
  zarrinfo -list-bad bad.json era5.zarr           which steps a loader should leave out, and why
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
	open      zarrio.Options
	store     store.Store // what was opened
	stats     statsCommand

	missing, arrayPath string
}

// run is the whole command. An error that is [cli.ErrUsage] comes after the flags' description on stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, flags := newCommand()
	if done, err := cli.Parse(flags, cli.Usage{Before: usage, After: examples}, args, c.resolve, stdout, stderr); done {
		return err
	}
	g, err := zarrio.Open(ctx, c.place, c.open)
	if err != nil {
		return err
	}
	c.store = g.Store()
	out := bufio.NewWriterSize(stdout, 1<<16)
	switch {
	case c.elements:
		err = printElements(ctx, out, g)
	case c.stats.wanted():
		err = c.surveyStore(ctx, out, stderr, g)
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

func newCommand() (*command, *flag.FlagSet) {
	c := new(command)
	f := flag.NewFlagSet("zarrinfo", flag.ContinueOnError)
	f.BoolVar(&c.json, "json", false, "print one JSON document")
	f.BoolVar(&c.sizes, "sizes", false, "ask a bucket for the size of each chunk, which takes a request each; other stores are always asked")
	f.BoolVar(&c.check, "check", false, "read every chunk and compare consolidated metadata with the documents; list what is bad or missing")
	f.BoolVar(&c.open.FollowLinks, "follow-links", false, "follow symbolic links that lead outside a local store")
	f.TextVar(&c.open.Consolidated, "consolidated", zarrio.Auto, "consolidated metadata: auto uses them if there are any, never reads each document by itself, verify refuses a store whose differ from it: `USE`")
	f.StringVar(&c.missing, "missing", "bad", "what -check, -stats and -list-bad make of missing chunks, which read as the fill value: bad or ok")
	c.stats.define(f)
	f.StringVar(&c.arrayPath, "array_path", "", "print the elements of the array at `PATH` as fill-value JSON, one a line, in C order")
	return c, f
}

// resolve checks what was parsed.
func (c *command) resolve(flags *flag.FlagSet) error {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	c.elements, c.missingOK = given["array_path"], c.missing == "ok"
	switch {
	case c.elements && (flags.NArg() > 0 || len(given) > 1):
		return errors.New("--array_path stands alone")
	case c.elements:
		c.place = c.arrayPath
	case flags.NArg() != 1:
		return fmt.Errorf("want one PATH, found %d", flags.NArg())
	case c.missing != "ok" && c.missing != "bad":
		return fmt.Errorf("-missing=%s: want bad or ok", c.missing)
	case given["missing"] && !c.check && !c.stats.wanted():
		return errors.New("-missing is for -check, -stats and -list-bad")
	default:
		c.place = flags.Arg(0)
	}
	c.open.Strict = c.stats.wanted() && !c.missingOK
	return c.stats.resolve(given)
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
