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
// The first run's output replaces what its file holds, unless -append says that more runs are added. A file is kept, and
// the command ends, if it holds anything but runs of the same kind: of the same rows, with the same lines above them that
// benchstat compares, by the same engine. The runs of a round are written when all of its sides have run. A run that fails, or
// that prints no result, as skipped benchmarks do, ends the command: the files keep the rounds before it. Progress, and what the binaries print to standard error, goes to standard error.
//
// Three protocols have names, which the Makefile's targets of the same names use: compare, study and gate.
//
//	go run ./tools/bench compare -count 10 -- -test.bench=Epoch -test.benchtime=1x -store ERA5.zarr
//
// chooses binaries, files and flags, measures, and runs the report. Compare and study measure the CPU engine alone if no GPU
// can be used. Gate refuses to measure if so few runs can't show anything.
//
// Layouts compares bench.test with an older one and with other software, row by row, on stores of other layouts than the study's,
// which it makes.
//
// The exit status is 2 for a wrong command line, and 1 for any other error.
package main

import (
	"os"

	"zarrbench/tools/internal/cli"
)

func main() { os.Exit(cli.Run("bench", run)) }
