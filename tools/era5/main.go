// Era5 prepares the store that the benchmarks read:
//
//	go run ./tools/era5 -synthetic -steps 80 -form lz4
//
// makes a synthetic one in the layout of WeatherBench2's ERA5. Its progress goes to standard error, one line about the
// finished store to standard output. The exit status is 2 for a wrong command line and 1 for any other error.
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
		fmt.Fprintln(os.Stderr, "era5:", err)
	}
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		os.Exit(1)
	}
}
