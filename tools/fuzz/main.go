// Fuzz runs every fuzz target of the module, one a processor at a time:
//
//	go run ./tools/fuzz -time 60s ./zarrio/codec
//	go run ./tools/fuzz -smoke -time 100x
//
// go test takes one target at a time, and builds the test anew for each. Fuzz builds each package
// once, with the tag gds, which leaves out no target. With -smoke the search has no counters to
// guide it, and the builds share what go test has compiled. The exit status is 1 if a target fails;
// what it printed says how to run the input again.
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
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"zarrbench/tools/internal/cli"
)

func main() { os.Exit(cli.Run("fuzz", run)) }

// A pkg is what go list says of a package.
type pkg struct {
	Dir, ImportPath           string
	TestGoFiles, XTestGoFiles []string

	targets []string
}

// binary returns the path of the package's test in dir, which go test -c gives it too.
func (p pkg) binary(dir string) string { return filepath.Join(dir, path.Base(p.ImportPath)+".test") }

// run is the whole command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	limit := flags.String("time", "1000x", "fuzz each target for this `TIME`, such as 60s, or number of inputs, such as 1000x")
	tags := flags.String("tags", "gds", "build `TAGS`")
	smoke := flags.Bool("smoke", false, "build without the counters that guide the search, for few inputs")
	usage := cli.Usage{Before: "usage: fuzz [-smoke] [-time TIME] [-tags TAGS] [PACKAGE]...\n\nRuns every fuzz target of the packages, or of the whole module.\n\n"}
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
	if len(packages) == 0 {
		return fmt.Errorf("no fuzz target in %s", strings.Join(patterns, " "))
	}
	dir, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(ctx, dir, *tags, *smoke, packages); err != nil {
		return err
	}
	cache, err := output(ctx, "go", "env", "GOCACHE")
	if err != nil {
		return err
	}
	// go test keeps the inputs that it finds interesting at the same place.
	interesting := filepath.Join(strings.TrimSpace(string(cache)), "fuzz")
	var (
		g    errgroup.Group
		mu   sync.Mutex // guards stdout and errs
		errs []error    // a target that fails stops no other
		n    int
	)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range packages {
		n += len(p.targets)
		for _, target := range p.targets {
			g.Go(func() error {
				start := time.Now()
				cmd := exec.CommandContext(ctx, p.binary(dir), "-test.run=^$", "-test.fuzz=^"+target+"$", "-test.parallel=1",
					"-test.fuzztime="+*limit, "-test.fuzzcachedir="+filepath.Join(interesting, filepath.FromSlash(p.ImportPath)))
				cmd.Dir = p.Dir
				cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // its worker ends with it
				cmd.WaitDelay = 10 * time.Second
				out, err := cmd.CombinedOutput()
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					errs = append(errs, fmt.Errorf("%s in %s: %w\n%s", target, p.ImportPath, errors.Join(err, ctx.Err()), out))
				} else {
					fmt.Fprintf(stdout, "fuzz %s in %s: %v\n", target, p.ImportPath, time.Since(start).Round(10*time.Millisecond))
				}
				return nil
			})
		}
	}
	g.Wait()
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	fmt.Fprintf(stdout, "%d fuzz targets\n", n)
	return nil
}

// build builds the test of each package into dir.
func build(ctx context.Context, dir, tags string, smoke bool, packages []pkg) error {
	if smoke {
		args := []string{"test", "-c", "-tags", tags, "-o", dir + string(filepath.Separator)}
		for _, p := range packages {
			args = append(args, p.ImportPath)
		}
		_, err := output(ctx, "go", args...)
		return err
	}
	for _, p := range packages { // -fuzz, which adds the counters, takes one package
		if _, err := output(ctx, "go", "test", "-c", "-tags", tags, "-fuzz=.", "-o", p.binary(dir), p.ImportPath); err != nil {
			return err
		}
	}
	return nil
}

// list returns the packages of patterns that have fuzz targets.
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
		if p.targets, err = p.findTargets(); err != nil {
			return nil, err
		}
		if len(p.targets) > 0 {
			all = append(all, p)
		}
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

// findTargets returns the names of the package's fuzz targets.
func (p pkg) findTargets() ([]string, error) {
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
