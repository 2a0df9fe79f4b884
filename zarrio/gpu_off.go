//go:build !(gds && linux && (amd64 || arm64))

package zarrio

import (
	"runtime"

	"zarrbench/zarrio/meta"
)

// Without the tag, or elsewhere, there are no GPUs: none of the others is ever called.

func openGPU(int) (gpuDevice, error) {
	return nil, &meta.UnsupportedError{What: "a GPU in", Found: "a build for " + runtime.GOOS + "/" + runtime.GOARCH + " without the tag gds", Supported: "-tags gds for linux/amd64 and linux/arm64"}
}

func newHost(gpuDevice, HostOptions) (gpuEngine, error) { return nil, errNoGPU }

func newGDS(gpuDevice, GDSOptions) (gpuEngine, error) { return nil, errNoGPU }
