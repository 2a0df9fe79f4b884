// Zarrinfo describes what a Zarr store holds:
//
//	go run ./tools/zarrinfo PATH|URL
//
// prints its groups and arrays, how and how well they are stored, and how each engine of package zarrio can read them; -check
// reads all chunks, and lists those that are bad or missing. The exit status is 2 for a wrong command line, and 1 for any
// other error: where something can't be described, or was not found to be whole.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(status()) }

// status runs the command and returns its exit status.
func status() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "zarrinfo:", err)
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}
