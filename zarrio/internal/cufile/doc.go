// Package cufile is a binding of NVIDIA's libcufile, which reads files into GPU memory. It needs the build tag gds, and Linux
// on amd64 or arm64; in other builds the package is empty. The library is looked for when a program runs, where the dynamic
// linker looks, and no program needs it, or cgo, to build.
//
// Versions 1.14 to 1.20 of the library are known to work as described here. What an older one lacks, such as batches
// ([ErrNoBatch]), parameters or statistics ([ErrNoStats]), is an error where it is asked for.
//
// # Opening
//
// The library's driver can be opened in vain in ways that a caller can't recover from: it spins for ever where the kernel has
// no /proc/modules, ends the process on some systems without udev, and closes descriptor 0 where the kernel module nvidia_fs
// is loaded but its device nodes are missing. [Open] therefore looks at the machine first, and then has a child process open
// the driver under a deadline. The child is this same executable, started with the environment variable
// ZARRBENCH_CUFILE_PROBE: an init function of this package sees it, and ends the process before main. On a GPU in the compute
// mode EXCLUSIVE_PROCESS a child can't tell anything (CUDA's error 46), and Open goes on without its answer.
//
// The library writes a file cufile.log into the working directory unless it is told otherwise. Where neither
// CUFILE_LOGFILE_PATH nor CUFILE_ENV_PATH_JSON is set, Open sets CUFILE_LOGFILE_PATH to os.DevNull, in the C environment of
// this process alone.
//
// # Threads
//
// CUDA's current context belongs to an operating system's thread. Open, [Driver.Close] and what only asks the driver for
// facts run on the device's own thread, and so may be called from anywhere. What registers, reads or batches runs on the caller's
// thread: the calling goroutine must be locked to it (runtime.LockOSThread) and the device bound (cuda.Device.Bind).
//
// A wait that is interrupted is a failed read to the library, after which it ends the process (1.14) or never tells of the reads in
// flight (1.20). This package holds signals back while it calls. The kernel also interrupts the threads on which an io_uring was used, even
// after that was closed: a batch must be waited for on others.
//
// A thread that has called the library must not end before the process does, and so must be kept, or be unlocked again after
// cuda.Device.Unbind: in version 1.14 its end writes to memory that closing the driver has freed.
package cufile
