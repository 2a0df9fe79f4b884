// Package ptx holds the kernels of the GPU engines, as PTX that every driver since that of CUDA 8 assembles for its GPU: the
// squared error of planes, their CRCs, copies of rows and of lists of boxes, and fill values. [Source] is the program; each
// function named for a kernel gives the grid, the block and the arguments of a launch.
//
// Addresses are those of device memory, strides and pitches count bytes, and every argument is eight bytes long. Nothing
// here checks them against memory: that is the caller's part. A launch of a grid of 0 blocks has nothing to do, and must be
// left out, since drivers refuse it.
package ptx

import _ "embed"

//go:generate ./generate.sh

//go:embed kernels.ptx
var source string

// Source returns the kernels' PTX: version 5.0, for sm_50 and later, 64-bit addresses.
func Source() string { return source }
