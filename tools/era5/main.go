// Era5 prepares the store that the benchmarks read:
//
//	go run ./tools/era5
//
// fetches the study's variables at 500 hPa, 64 steps of them, from WeatherBench2's public bucket, and
//
//	go run ./tools/era5 -synthetic -steps 80 -form lz4
//
// makes a synthetic store in the same layout. -help lists what else can be asked for.
//
// A fetch begins with its plan: which objects, by how many requests, and how many bytes, which are estimated. What comes of it
// appears whole or not at all; until then it is in a folder beside, .NAME.fetch, from which the same command goes on, whatever
// ended the last one. A store that is finished is left alone.
//
// Plans and progress go to standard error, one line about the finished store to standard output; so do, alone, the plan of
// -plan and the findings of -verify. The exit status is 2 for a wrong command line and 1 for any other error.
package main

import (
	"os"

	"zarrbench/tools/internal/cli"
)

func main() { os.Exit(cli.Run("era5", run)) }
