// Gdscheck says what this machine can do for GPUDirect Storage with the files of a directory, and why not:
//
//	go run -tags gds ./tools/gdscheck [-json] [-gpu N] [-file F] [DIR]
//
// It prints what the kernel, the driver, the libraries and the file system tell, each with its source, and the conditions of
// true GDS in the order in which a person would mend them. It proves its verdict by reading a file of the directory into the
// memory of the GPU, comparing it, and looking at what was counted meanwhile. The exit status is 0 only for true GDS on a real
// GPU, 2 for a wrong command line, and else 1.
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
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNotGDS): // said by the report's last line
		return 1
	}
	fmt.Fprintln(os.Stderr, "gdscheck:", err)
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}
