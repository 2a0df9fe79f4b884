// Mutate plants faults of one line in Go code, one at a time, and runs tests to see if they are caught. It has two forms:
//
//	go run ./tools/mutate -draw 30 -seed 1 -tags gds FILE|DIR... > faults.jsonl
//	go run ./tools/mutate -run faults.jsonl -tests '-short ./zarrio' -tests '-tags gds ./zarrio'
//
// With -draw it draws functions of the files, and in each function one place that can be altered: a condition is negated, an
// operator exchanged (< and <=, + and -, && and ||, == and !=), a call or assignment dropped, an integer or the bound of a slice
// moved by one. It draws again if the altered package doesn't compile. The same seed draws the same faults.
//
// A fault is a line of JSON. It names its function and the text of its line, not their positions, so that the same fault can be
// planted after the code has moved to another file or package. -map old=new renames identifiers in all faults; a line that has
// changed in other ways is edited by hand. A fault that changes nothing a test could see has the reason as its "equivalent", by
// hand too, and isn't planted.
//
// With -run it first runs the tests without a fault: they must pass. Then it plants one fault after the other and runs
// `go test -failfast` with the arguments of each -tests in turn, until one fails. The altered file exists in a temporary
// folder alone, from where the go command takes it (-overlay): the module's files are not written. They must not change
// meanwhile, so a long run has a git worktree of its own. Without -tests it only says where it finds each fault.
//
// The faults that the module's tests are measured by, testdata/faults.jsonl, were drawn at commit ff6dc41 from those files of
// package zarrio that read chunks, plan, fill and load batches:
//
//	go run ./tools/mutate -draw 30 -seed 1 -tags gds $(cat tools/mutate/testdata/drawn.txt) > tools/mutate/testdata/faults.jsonl
//
// make mutate plants them.
//
// The exit status is 1 if a fault survived or wasn't found, or for any other error, and 2 for a wrong command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"zarrbench/tools/internal/cli"
)

func main() { os.Exit(cli.Run("mutate", run)) }

// run is the whole command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	count := flags.Int("draw", 0, "draw `N` faults")
	seed := flags.Uint64("seed", 1, "seed of -draw")
	tags := flags.String("tags", "", "build `TAGS` that a drawn fault must compile with")
	file := flags.String("run", "", "plant the faults of this `FILE`")
	timeout := flags.Duration("timeout", 10*time.Minute, "a test that runs longer has caught its fault")
	trust := flags.Bool("trust", false, "don't run the tests without a fault first")
	var stages [][]string
	flags.Func("tests", "`ARGUMENTS` of go test, such as '-short ./zarrio'; several are run in turn", func(s string) error {
		stages = append(stages, strings.Fields(s))
		return nil
	})
	var names []string
	flags.Func("map", "`OLD=NEW`: the identifier of the faults that has another name now; may be repeated", func(s string) error {
		old, name, ok := strings.Cut(s, "=")
		if !ok || old == "" || name == "" {
			return errors.New("want OLD=NEW")
		}
		names = append(names, old, name)
		return nil
	})
	check := func(*flag.FlagSet) error {
		switch {
		case (*count > 0) == (*file != ""):
			return errors.New("want one of -draw and -run")
		case *count > 0 && flags.NArg() == 0:
			return errors.New("-draw: want FILE or DIR")
		case *file != "" && flags.NArg() > 0:
			return fmt.Errorf("-run: unexpected argument %q", flags.Arg(0))
		}
		return nil
	}
	usage := cli.Usage{Before: "usage: mutate -draw N [-seed S] [-tags TAGS] FILE|DIR...\n" +
		"       mutate -run FILE [-tests ARGUMENTS]... [-map OLD=NEW]... [-timeout D] [-trust]\n\n" +
		"Plants faults of one line in Go code, one at a time, and runs tests to see if they are caught.\n\n"}
	if done, err := cli.Parse(flags, usage, args, check, stdout, stderr); done {
		return err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o := overlay{dir}
	if *count > 0 {
		return draw(ctx, o, flags.Args(), *count, *seed, *tags, stdout)
	}
	faults, err := readFaults(*file, names)
	if err != nil {
		return err
	}
	return plantAll(ctx, tester{o, stages, *timeout, *trust}, faults, stdout, stderr)
}
