// Package gpu has the engines that fill batches in the memory of an NVIDIA GPU: [NewHost] reads by way of pinned host memory,
// [NewGDS] by cuFile, as GPUDirect Storage where the machine has it.
//
// It is empty but for builds with the tag gds for Linux on amd64 or arm64.
package gpu
