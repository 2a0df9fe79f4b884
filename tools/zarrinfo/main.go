// Zarrinfo describes what a Zarr store holds:
//
//	go run ./tools/zarrinfo PATH|URL
//
// prints its groups and arrays, how and how well they are stored, and how each engine of package zarrio can read them; -check
// reads all chunks, and lists those that are bad or missing; -stats computes statistics of channels, and -list-bad lists the steps
// that can't be used. The exit status is 2 for a wrong command line, and 1 for any
// other error: where something can't be described, or was not found to be whole.
package main

import (
	"os"

	"zarrbench/tools/internal/cli"
)

func main() { os.Exit(cli.Run("zarrinfo", run)) }
