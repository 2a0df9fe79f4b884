// Report says what benchmark output means:
//
//	go run ./tools/report [flags] BASE.txt [NEW.txt]
//
// Of one file it prints, for each row, the total, the median, the mean and the standard deviation of an op's seconds, the rate, and
// every metric's median with its confidence interval. Of two files it prints both, what changed and whether that is significant, and
// for each row of BenchmarkEpoch one sentence: "gds uses 25.98% less time than host".
//
// Rows are compared as benchstat does: where their names and the lines in lower case above them are equal. Rows whose data-crc32
// or loss differ had different data, and files whose Endpoint: differs end in different memory: these are refused. What limits a
// comparison otherwise is said in warnings.
//
// The exit status is 0 for a report without a refusal, and 2 where anything was refused, where a file can't be read or has no
// usable results, and for a wrong command line. The report of a refused comparison is printed all the same: without what was
// refused.
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
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
	}
	return exitStatus(err)
}

// The errors that have a meaning besides their text.
var (
	errUsage   = errors.New("see -help")                 // the command line is wrong
	errRefused = errors.New("the comparison is refused") // the report says why
)

// exitStatus is 0 without an error, and 2 for all others: neither unusable input nor a refusal is a verdict on what was measured.
func exitStatus(err error) int {
	if err == nil {
		return 0
	}
	return 2
}
