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
	"os"

	"zarrbench/tools/internal/cli"
)

func main() { os.Exit(cli.Run("gdscheck", run)) }
