package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"

	"zarrbench/tools/internal/cli"
)

const usage = `usage: bench [-count N] [-append] -o FILE BINARY [FLAG...] [-o FILE BINARY [FLAG...]]... [-- FLAG...]
       bench compare|study|gate|layouts -help

Runs the binaries in turn, N times each, and writes what each run prints to the side's file. The flags behind -- are passed to
every binary, before the side's own. A file that holds another kind of run is never replaced.

`

// A side is what is run again and again, and where its output goes.
type side struct {
	path   string // of the output
	binary string
	args   []string
	runs   int // that path has of this command
	file   *os.File
	info   os.FileInfo // of file, before anything was run
	size   int64       // of file, whole runs only
	old    int         // results that file holds, and that the first run replaces
	open   bool        // the last line of file has no end
}

// String is the command, for people.
func (s *side) String() string { return strings.Join(append([]string{s.binary}, s.args...), " ") }

// A command is a parsed command line.
type command struct {
	count int
	more  bool // add to the files
	sides []*side
}

// run is the whole command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "layouts" {
		return compareLayouts(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 && protocols[args[0]] != nil {
		return follow(ctx, args[0], args[1:], stdout, stderr)
	}
	c, help, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		help(stdout)
		return nil
	}
	if err == nil {
		err = c.find()
	}
	if err != nil {
		help(stderr)
		return fmt.Errorf("%w (%w)", err, cli.ErrUsage)
	}
	return c.run(ctx, stderr)
}

// run runs the sides and closes their files.
func (c *command) run(ctx context.Context, stderr io.Writer) error {
	err := c.open()
	if err == nil {
		err = c.measure(ctx, stderr)
	}
	for _, s := range c.sides {
		if s.file != nil {
			err = errors.Join(err, s.file.Close())
		}
	}
	return err
}

// parse reads the command line. help describes it.
func parse(args []string) (c *command, help func(io.Writer), err error) {
	c = new(command)
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints errors, help prints the rest
	flags.Usage = func() {}
	flags.IntVar(&c.count, "count", 1, "how often each side is `run`")
	flags.BoolVar(&c.more, "append", false, "add to the files rather than replace what they hold")
	help = func(w io.Writer) {
		fmt.Fprint(w, usage)
		flags.SetOutput(w)
		flags.PrintDefaults()
	}
	first := slices.IndexFunc(args, beginsSide)
	if first < 0 {
		first = len(args)
	}
	if err := flags.Parse(args[:first]); err != nil {
		return c, help, err
	}
	switch {
	case flags.NArg() > 0:
		return c, help, fmt.Errorf("%q stands before the first -o FILE", flags.Arg(0))
	case c.count < 1:
		return c, help, fmt.Errorf("-count %d: want 1 or more", c.count)
	}
	rest := args[first:]
	var common []string
	if i := slices.Index(rest, "--"); i >= 0 {
		rest, common = rest[:i], rest[i+1:]
	}
	if len(rest) == 0 {
		return c, help, errors.New("want -o FILE BINARY at least once")
	}
	for len(rest) > 0 {
		words := rest[1:]
		if _, file, ok := strings.Cut(rest[0], "="); ok {
			words = append([]string{file}, words...)
		}
		n := slices.IndexFunc(words, beginsSide)
		if n < 0 {
			n = len(words)
		}
		if n < 2 || words[0] == "" || words[1] == "" {
			return c, help, fmt.Errorf("-o %s: want a file and a binary behind it", strings.Join(words[:n], " "))
		}
		c.sides = append(c.sides, &side{path: words[0], binary: words[1], args: slices.Concat(common, words[2:n])})
		rest = words[n:]
	}
	return c, help, nil
}

// beginsSide reports whether a word of the command line is the -o that begins a side.
func beginsSide(word string) bool {
	name, _, _ := strings.Cut(word, "=")
	return name == "-o" || name == "--o"
}

// find sees that every side's binary is there, before any file is emptied.
func (c *command) find() error {
	for _, s := range c.sides {
		// A name alone is first that of a file here: a shell that completes names doesn't put ./ before them.
		if _, err := os.Stat(s.binary); err == nil && filepath.Base(s.binary) == s.binary {
			s.binary = "." + string(filepath.Separator) + s.binary
		}
		if _, err := exec.LookPath(s.binary); err != nil {
			return err
		}
	}
	return nil
}

// open opens the files.
func (c *command) open() error {
	var infos []os.FileInfo
	for _, s := range c.sides {
		// The first run empties it: see replace.
		f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
		if err != nil {
			return err
		}
		s.file = f
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if same := slices.IndexFunc(infos, func(other os.FileInfo) bool { return os.SameFile(info, other) }); same >= 0 {
			return fmt.Errorf("-o %s and -o %s are one file (%w)", c.sides[same].path, s.path, cli.ErrUsage)
		}
		infos = append(infos, info)
		s.info, s.size = info, info.Size()
		if c.more {
			if err := s.mayAppend(); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure runs the sides in turn. The files get the runs of a round when it is over: all have the same number, and those of
// last time are kept until every side has run once.
func (c *command) measure(ctx context.Context, stderr io.Writer) error {
	start, done := time.Now(), 0
	texts := make([][]byte, len(c.sides))
	for i := range c.count {
		fail := func(s *side, err error) error {
			return fmt.Errorf("run %d of %d of %s, %v: %w\n%s", i+1, c.count, s.path, s, err, c.kept())
		}
		for k, s := range c.sides {
			left := ""
			if done > 0 {
				each := time.Since(start) / time.Duration(done)
				left = fmt.Sprintf(", about %v left", (each * time.Duration(c.count*len(c.sides)-done)).Round(time.Second))
			}
			fmt.Fprintf(stderr, "run %d of %d: %s%s\n", i+1, c.count, s.path, left)
			var err error
			if texts[k], err = s.run(ctx, stderr); err == nil && i == 0 && !c.more {
				err = s.mayReplace(texts[k])
			}
			if err != nil {
				return fail(s, err)
			}
			done++
		}
		for k, s := range c.sides {
			if err := s.append(texts[k], stderr); err != nil {
				return fail(s, err)
			}
		}
	}
	return nil
}

// kept says what there is after a failure.
func (c *command) kept() string {
	var parts []string
	for _, s := range c.sides {
		parts = append(parts, fmt.Sprintf("%d of %d runs in %s", s.runs, c.count, s.path))
	}
	return "kept: " + strings.Join(parts, ", ")
}

// run runs the side's binary once and returns its output.
func (s *side) run(ctx context.Context, stderr io.Writer) ([]byte, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, s.binary, s.args...)
	cmd.Stdout, cmd.Stderr = &out, stderr
	// The benchmark may have files to remove, and a GPU to close.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, errors.New("interrupted")
	}
	if err == nil && results(out.Bytes()) == 0 {
		err = errors.New("it printed no result: a benchmark that is skipped prints none, and flags may have chosen none")
	}
	if err != nil {
		return nil, withEnd(err, out.Bytes())
	}
	return out.Bytes(), nil
}

// results counts the benchmark results in a run's output.
func results(text []byte) int {
	n := 0
	r := benchfmt.NewReader(bytes.NewReader(text), "")
	for r.Scan() {
		if _, ok := r.Result().(*benchfmt.Result); ok {
			n++
		}
	}
	return n
}

// append adds a whole run to the side's file, or nothing. The first one replaces what mayReplace found.
func (s *side) append(text []byte, stderr io.Writer) error {
	if s.old > 0 {
		if err := s.file.Truncate(0); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "%s: replaced %d results of %s\n", s.path, s.old, s.info.ModTime().Format(time.DateTime))
		s.size, s.old = 0, 0
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		text = append(text, '\n') // or the next run's first line would not be one
	}
	if s.open { // or this run's first line would be a part of the last one there
		text = append([]byte("\n"), text...)
		s.open = false
	}
	n, err := s.file.Write(text)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, s.file.Truncate(s.size))
		}
		return err
	}
	s.size += int64(n)
	s.runs++
	return nil
}

// withEnd adds the last lines of a run's output to an error.
func withEnd(err error, text []byte) error {
	const most = 20
	lines := slices.Collect(strings.Lines(string(text)))
	if len(lines) == 0 {
		return fmt.Errorf("%w; it wrote nothing to standard output", err)
	}
	lines = lines[max(0, len(lines)-most):]
	return fmt.Errorf("%w; its output ends:\n\t%s", err, strings.TrimRight(strings.Join(lines, "\t"), "\n"))
}
