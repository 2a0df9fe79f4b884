//go:build !(gds && linux && (amd64 || arm64))

package zarrio

import "runtime"

// Without the tag, or elsewhere, there are no GPUs: none of the others is ever called.

func openGPU(int) (gpuDevice, error) {
	return nil, &UnsupportedError{What: "GPUs in", Found: "this build for " + runtime.GOOS + "/" + runtime.GOARCH, Supported: "builds with -tags gds for linux/amd64 and linux/arm64"}
}

func newHost(gpuDevice, HostOptions) (gpuEngine, error) { return nil, errNoGPU }

func newGDS(gpuDevice, GDSOptions) (gpuEngine, error) { return nil, errNoGPU }
