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

const usage = `usage: zarrinfo [-json] [-check] PATH
       zarrinfo --array_path=DIR

Describes the groups and arrays of the Zarr store at PATH. PATH may be a group or an array inside a store too.

`

// run is the whole command. An error that is errUsage comes after the flags' description on stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var (
		asJSON, check bool
		arrayPath     string
		flags         = flag.NewFlagSet("zarrinfo", flag.ContinueOnError)
	)
	flags.SetOutput(io.Discard) // the caller prints errors, help prints the rest
	flags.Usage = func() {}
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	flags.BoolVar(&check, "check", false, "read every chunk, and list those that are bad or missing")
	flags.StringVar(&arrayPath, "array_path", "", "print the elements of the array in `DIR` as fill-value JSON, one a line, in C order")
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
	switch {
	case err != nil:
	case arrayPath != "" && (flags.NArg() > 0 || asJSON || check):
		err = errors.New("--array_path stands alone")
	case arrayPath == "" && flags.NArg() != 1:
		err = fmt.Errorf("want one PATH, found %d", flags.NArg())
	}
	if err != nil {
		help(stderr)
		return fmt.Errorf("%w (%w)", err, errUsage)
	}
	out := bufio.NewWriter(stdout)
	if arrayPath != "" {
		err = printElements(ctx, out, arrayPath)
	} else {
		err = describe(ctx, out, flags.Arg(0), asJSON, check)
	}
	return errors.Join(err, out.Flush())
}

// describe prints what is at path. Nodes that can't be read are described by their errors, and make describe fail in the end.
func describe(ctx context.Context, out io.Writer, path string, asJSON, check bool) (err error) {
	g, err := zarrio.Open(ctx, path, zarrio.Options{Strict: true}) // so that missing chunks can be told
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	nodes, err := walk(ctx, g)
	if err != nil {
		return err
	}
	faults := 0
	for _, n := range nodes {
		if check && n.array != nil {
			if err := n.check(ctx); err != nil {
				return err
			}
			faults += len(n.Faults)
		}
	}
	if asJSON {
		err = printJSON(out, nodes)
	} else {
		err = printTree(out, nodes, check)
	}
	if err != nil {
		return err
	}
	broken := 0
	for _, n := range nodes {
		if n.Error != "" {
			broken++
		}
	}
	switch {
	case broken > 0:
		return fmt.Errorf("%d of %d nodes can't be described", broken, len(nodes))
	case faults > 0:
		return fmt.Errorf("%d chunks are bad or missing", faults)
	}
	return nil
}
