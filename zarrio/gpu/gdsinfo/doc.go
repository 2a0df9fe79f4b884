// Package gdsinfo says what a machine can do for GPUDirect Storage (GDS): whether a file of a directory reaches the memory of a GPU
// without passing through the host's, and if not, what is missing.
//
// [Check] collects what the kernel, the driver, the libraries and the file system tell, with the place where each is told, and
// then reads a file through cuFile into the memory of a GPU, compares it, and looks at what the counters of cuFile and of the
// nvidia-fs module counted meanwhile. Only that proves true GDS: cuFile reads any file, by the host's memory where it has to,
// and reports no error then.
//
// What needs CUDA is in builds for Linux on amd64 and arm64 with the tag gds; in other builds the report says so, and holds what
// can be told without. [Storage] is the label of a directory's storage, in every build.
package gdsinfo
