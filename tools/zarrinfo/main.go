// Zarrinfo describes what a Zarr store holds:
//
//	go run ./tools/zarrinfo PATH
//
// prints its groups and arrays, how and how well they are stored, and how each engine of package zarrio can read them. The
// exit status is 2 for a wrong command line, and 1 for any other error, or where -check finds a bad or a missing chunk.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "zarrinfo:", err)
	}
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		os.Exit(1)
	}
}
