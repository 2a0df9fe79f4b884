// Fuzz runs every fuzz target of the module, one after the other:
//
//	go run ./tools/fuzz -time 1000x
//	go run ./tools/fuzz -time 60s ./zarrio/codec
//
// go test takes one target at a time, and builds the test anew for each. Fuzz builds each package once, with the tag gds, which
// leaves out no target. The exit status is 1 if a target fails; what it printed says how to run the input again.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"zarrbench/tools/internal/cli"
)

func main() { os.Exit(cli.Run("fuzz", run)) }

// A pkg is what go list says of a package.
type pkg struct {
	Dir, ImportPath           string
	TestGoFiles, XTestGoFiles []string
}

// run is the whole command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	limit := flags.String("time", "1000x", "fuzz each target for this `TIME`, such as 60s, or number of inputs, such as 1000x")
	tags := flags.String("tags", "gds", "build `TAGS`")
	usage := cli.Usage{Before: "usage: fuzz [-time TIME] [-tags TAGS] [PACKAGE]...\n\nRuns every fuzz target of the packages, or of the whole module.\n\n"}
	check := func(*flag.FlagSet) error { return nil }
	if done, err := cli.Parse(flags, usage, args, check, stdout, stderr); done {
		return err
	}
	patterns := flags.Args()
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	packages, err := list(ctx, *tags, patterns)
	if err != nil {
		return err
	}
	cache, err := output(ctx, "go", "env", "GOCACHE")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	n := 0
	for _, p := range packages {
		targets, err := p.targets()
		if err != nil {
			return err
		}
		if len(targets) == 0 {
			continue
		}
		binary := filepath.Join(dir, "fuzz.test")
		// With -fuzz the compiler adds the counters that guide the search.
		if _, err := output(ctx, "go", "test", "-c", "-tags", *tags, "-fuzz=.", "-o", binary, p.ImportPath); err != nil {
			return err
		}
		// go test keeps the inputs that it finds interesting at the same place.
		interesting := filepath.Join(strings.TrimSpace(string(cache)), "fuzz", filepath.FromSlash(p.ImportPath))
		for _, target := range targets {
			start := time.Now()
			cmd := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.fuzz=^"+target+"$", "-test.fuzztime="+*limit, "-test.fuzzcachedir="+interesting)
			cmd.Dir = p.Dir
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // its workers end with it
			cmd.WaitDelay = 10 * time.Second
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s in %s: %w\n%s", target, p.ImportPath, errors.Join(err, ctx.Err()), out)
			}
			fmt.Fprintf(stdout, "fuzz %s in %s: %v\n", target, p.ImportPath, time.Since(start).Round(10*time.Millisecond))
			n++
		}
	}
	if n == 0 {
		return fmt.Errorf("no fuzz target in %s", strings.Join(patterns, " "))
	}
	fmt.Fprintf(stdout, "%d fuzz targets\n", n)
	return nil
}

// list returns the packages of patterns.
func list(ctx context.Context, tags string, patterns []string) ([]pkg, error) {
	out, err := output(ctx, "go", append([]string{"list", "-json=Dir,ImportPath,TestGoFiles,XTestGoFiles", "-tags", tags}, patterns...)...)
	if err != nil {
		return nil, err
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// output returns what a command prints to standard output.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, exit.Stderr, out)
	}
	return out, err
}

// targets returns the names of the package's fuzz targets.
func (p pkg) targets() ([]string, error) {
	var names []string
	for _, files := range [][]string{p.TestGoFiles, p.XTestGoFiles} {
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			for _, d := range f.Decls {
				if d, ok := d.(*ast.FuncDecl); ok && d.Recv == nil && strings.HasPrefix(d.Name.Name, "Fuzz") {
					names = append(names, d.Name.Name)
				}
			}
		}
	}
	return names, nil
}
