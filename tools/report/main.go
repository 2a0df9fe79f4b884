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
// The same report is drawn by -svg and -png, and is a web page by -html. With -gate it ends in a verdict on NEW.txt. With
// -history the newer file is kept, and the page shows each row over the commits; without a file a history is only shown.
//
// The exit status is 0 for a report without a refusal, and 2 where anything was refused, where a file can't be read or has no
// usable results, and for a wrong command line. The report of a refused comparison is printed all the same: without what was
// refused. With -gate it is the verdict's: 0 for a pass, 1 for a failure, 2 where the samples can't tell.
package main

import (
	"os"

	"zarrbench/tools/internal/cli"
)

func main() { os.Exit(cli.Run("report", run)) }
