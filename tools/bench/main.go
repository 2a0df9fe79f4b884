// Bench runs benchmark binaries in turn, so that what drifts meanwhile, a machine's clocks or its other users, hits all of them:
//
//	go run ./tools/bench -count 10 -o old.txt ./old.test -o new.txt ./new.test -- -test.bench=Epoch -test.benchtime=1x
//
// runs old, new, old, new and so on, each ten times in a process of its own. Each -o begins a side: the file that its runs are
// written to, its binary, and flags of its own; the flags behind -- are those of all sides, and come first, so that a side's
// own win. Two sides may have the same binary:
//
//	go run ./tools/bench -o cpu.txt ./gds.test -engine host -o gpu.txt ./gds.test -engine gds -- -test.bench=Epoch
//
// The files begin empty, unless -append says that more runs are added. A run's output is appended to its file when the run is
// over and was a success. A run that fails, or that prints no result, as skipped benchmarks do, ends the command: the files
// keep the runs before it. Progress, and what the binaries print to standard error, goes to standard error.
//
// The exit status is 2 for a wrong command line, and 1 for any other error.
package main

import (
	"os"

	"zarrbench/tools/internal/cli"
)

func main() { os.Exit(cli.Run("bench", run)) }
