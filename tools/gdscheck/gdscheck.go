package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"zarrbench/tools/internal/cli"
	"zarrbench/zarrio/gpu/gdsinfo"
)

// errNotGDS is what errors.Is finds behind a report of anything else, whose last line says why.
var errNotGDS = fmt.Errorf("it is not true GDS: %w", cli.ErrPrinted)

const usage = `usage: gdscheck [-json] [-gpu N] [-file F] [DIR]

Says whether files of DIR (by default the working directory) reach the memory of a GPU by GPUDirect Storage, and what is
missing. It makes a file of 8 MiB in DIR, reads it through cuFile, and removes it; with -file it reads that one instead.

The exit status is 0 only if true GDS works for DIR, as that read proved; an emulated driver proves nothing. It is 2 if the
command line is wrong, and else 1: then the last line is the first thing to mend.

`

const examples = `
Examples:
  gdscheck /data                                       the whole report, and at its end the verdict
  gdscheck -json /data | jq -r .verdict                the verdict alone
  gdscheck -json /data | jq '.steps[] | select(.ok|not)'  what is missing
  gdscheck -file /data/era5.zarr/t2m/0.0.0             a directory that can't be written to
`

// A command is what the command line asks for.
type command struct {
	dir  string
	json bool
	opt  gdsinfo.Options
}

// run is the whole command. It returns errNotGDS behind a whole report whose verdict isn't true GDS.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, flags := newCommand()
	if done, err := cli.Parse(flags, cli.Usage{Before: usage, After: examples}, args, c.resolve, stdout, stderr); done {
		return err
	}
	rep, err := gdsinfo.Check(ctx, c.dir, c.opt)
	if err != nil {
		return err
	}
	return c.print(rep, stdout, stderr)
}

// print prints a report. What to mend first is the last line of the text; beside JSON it goes to stderr.
func (c *command) print(rep *gdsinfo.Report, stdout, stderr io.Writer) error {
	var out bytes.Buffer
	if c.json {
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(rep); err != nil {
			return err
		}
	} else {
		printReport(&out, rep)
	}
	if _, err := stdout.Write(out.Bytes()); err != nil {
		return err
	}
	if rep.Verdict == gdsinfo.TrueGDS {
		return nil
	}
	if c.json {
		printFirst(stderr, rep)
	}
	return errNotGDS
}

func newCommand() (*command, *flag.FlagSet) {
	c := &command{opt: gdsinfo.Options{Strict: true}} // nothing else in this process uses cuFile
	f := flag.NewFlagSet("gdscheck", flag.ContinueOnError)
	f.BoolVar(&c.json, "json", false, "print one JSON document")
	f.IntVar(&c.opt.GPU, "gpu", 0, "the `number` that CUDA gives the GPU to read into")
	f.StringVar(&c.opt.File, "file", "", "read the `file` of DIR's file system rather than make one; without DIR, of its own directory")
	return c, f
}

// resolve checks what was parsed.
func (c *command) resolve(flags *flag.FlagSet) error {
	switch {
	case flags.NArg() > 1:
		return fmt.Errorf("want one DIR at most, found %d", flags.NArg())
	case c.opt.GPU < 0:
		return fmt.Errorf("-gpu %d: want 0 or more", c.opt.GPU)
	case flags.NArg() == 1:
		c.dir = flags.Arg(0)
	case c.opt.File != "":
		c.dir = filepath.Dir(c.opt.File)
	default:
		c.dir = "."
	}
	return nil
}
