// Package cuda calls NVIDIA's driver library, libcuda.so.1, which is looked for when [Load] is called: no program needs it to
// build or to run. It has what a reader of arrays needs of a GPU: memory, copies, streams, events, and kernels given as PTX.
//
// Everything but this text is built with the tag gds on Linux, amd64 or arm64, with cgo or without.
//
// # Threads
//
// CUDA's current context belongs to an operating system thread. Except where it says otherwise, a method of a Device is called
// either within [Device.Do], or by a goroutine that is locked to its thread (runtime.LockOSThread) and has called
// [Device.Bind]. Any number of goroutines may call methods of one Device at a time.
//
// # Memory
//
// The driver goes on with asynchronous copies after the call has returned, and nothing tells the garbage collector. Host memory
// of such copies must come from [Device.HostAlloc]; the calls that wait for their copy take any memory.
//
// # Errors
//
// What the driver refuses is an [*Error] with CUDA's number and name for it, and what is refused here, before the driver is
// asked, is another error. Some errors, such as 700 and 719, stick: every later call that uses the context returns them, and
// only a new process can use the GPU again.
//
// Signatures, constants and layouts are those of cuda.h of CUDA 12, and calls are of the versions (_v2) that it maps to.
package cuda
