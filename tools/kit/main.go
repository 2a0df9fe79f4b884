// Kit proves and measures the GPU engines on a machine with an NVIDIA GPU, python3 with numpy, and
// neither Go nor a network. make kit builds it, and what it runs, into the folder .kit:
//
//	.kit/run.sh                  # all stages, over in 540 seconds
//	.kit/run.sh kernels same     # some of them
//
// docs/gpu.md says how to use it and how to read what it prints. It exits with status 0 if nothing
// failed and nothing was left out for want of time.
package main

import (
	"os"

	"zarrbench/tools/internal/cli"
)

func main() { os.Exit(cli.Run("kit", run)) }
