// Package gpu has the engines that fill batches in the memory of an NVIDIA GPU.
//
// [Open] opens a GPU. [NewHost] reads and decodes chunks on the CPU, into pinned host memory, and
// copies them to the GPU. It works for every array and store. [NewGDS] reads uncompressed chunks of
// local files with cuFile, which uses GPUDirect Storage if the machine supports it, and reads all
// other chunks as NewHost does. [Transfers] reports which path the bytes really took.
//
// Copies are queued on streams of the GPU: when Fill returns, they may still be running. Wait for
// the batch's Ready event, or call Sync, before using the batch.
//
// Close the engines and free their batches before you close the GPU.
//
// The package needs a build for Linux on amd64 or arm64 with the tag gds; in other builds it is
// empty. CUDA's driver and cuFile are loaded at run time: neither they nor cgo are needed to build.
package gpu
