// Package cudaemu runs tests of what uses a GPU on machines that have none.
//
// It holds, as C sources in testdata, a libcuda.so.1 whose devices are the memory of the process, a libcufile.so.0 over it, and a small library to be
// preloaded where the kernel or the system lacks files that NVIDIA's libcufile reads. [Main] builds them with the C compiler of the machine into the user's
// cache folder and starts the test binary again so that it finds them. Without a compiler, and elsewhere than on linux/amd64 and linux/arm64 with the build
// tag gds, tests that [Need] the emulation are skipped. So they are where the environment variable ZARRBENCH_CUDAEMU is off, as it must be for programs
// that are to use a real GPU. ZARRBENCH_CUFILE names a folder whose libcufile.so.0, one of NVIDIA's, is put in place of the emulated one; libcuda stays
// emulated.
//
// # Without tests
//
// Benchmarks measure the GPU of the machine. With ZARRBENCH_EMULATE=1 those of the module's root run over the emulation too, so that one sees on any
// machine what they do; their output says that its timings mean nothing:
//
//	ZARRBENCH_EMULATE=1 go test -tags gds -bench=Epoch -benchtime=1x . -args -store STORE -engine gds
//
// ZARRBENCH_CUFILE works there as it does for tests. What any other program has to be started with is printed by
//
//	go test -tags gds -count=1 -v -run='^TestPrintEnvironment$' ./internal/cudaemu
//
// # What is emulated
//
// The emulation is strict rather than fast. It checks what a driver may leave unchecked, and takes what liberties a driver may take:
//
//   - Every copy is checked against the allocation that it touches. Between allocations nothing is mapped; the bytes from the end of one to the end of
//     its page hold a pattern, and the counter guard_damage tells how many were written over. New memory is filled with 0xA5, and addresses aren't used
//     again after a free.
//   - Pinned memory of less than 2 MiB begins 512 bytes behind the start of a page: the driver cuts it out of shared blocks. Registrations of host memory
//     share no page with each other, end by their own start alone, and end before the memory is unmapped.
//   - A module whose launches haven't ended can't be unloaded (error 401).
//   - Each thread has a stack of current contexts. A call without one gives 201, and memory of a device other than the current one is refused.
//   - Streams are queues that each have a thread, or, with the option lazy, that run nothing before a call has to wait for it. Copies of host memory that
//     isn't pinned are staged when they are queued, as by the driver.
//   - An error that a real context doesn't survive (700, 719 and others) is given by each later call that needs the device, until the emulation is reset.
//     Contexts can still be bound and released then.
//   - Kernels are PTX, which an interpreter runs. An access outside of the device's memory loses the device with error 700.
//
// The emulation says nothing of speed, of real transfers to a GPU, or of whether a driver accepts the PTX.
//
// # Options, faults and counters
//
// Options are set by [Set], and for a whole process by the environment variable EMU, as in EMU="devices=2,lazy=1;fail=cuInit:3:0:0:-1": fail is followed by
// the call, the error, a second error (for cuFile: CUDA's, or an errno), how many calls succeed before, and how often it fails (-1: always). They are:
//
//	devices         0 to 8, 1 at first
//	memory          bytes of each device
//	host_memory     bytes that can be pinned
//	lazy            1: queued work runs when somebody waits for it
//	delay_us        microseconds before each piece of queued work
//	poison          0: new memory isn't filled
//	lost            an error that all devices are lost with, 0: they are not
//	driver_version  12090 at first
//	rdma            what the attribute "GPUDirect RDMA supported" says
//	compute_mode    attribute 20 of every device: with 3, EXCLUSIVE_PROCESS, processes that this one starts can't retain the
//	                primary context of a device whose this one has (error 46), whatever their options; with 2 nobody can
//	bar             bytes that can be registered with libcufile
//	nvfs, p2p       1: the nvidia-fs driver, or PCI P2PDMA, is there
//	cufile.*        the options of the emulated libcufile
//
// A call is failed by [Fail] with its exported name, such as cuMemAlloc_v2. The name exec.cuMemcpyHtoDAsync_v2 fails the queued work of that call instead,
// when it is run; this loses the device.
//
// Counters, read by [Get], are those of live things (allocs, alloc_bytes, host_allocs, host_bytes, registered, streams, events, modules, contexts, and
// handles, buffers, batches, driver_opens, registered_bytes of libcufile), calls (all of libcuda), calls.NAME, guard_damage, leaked (what was alive when its
// context was destroyed), freed_in_use (memory that was freed while queued copies or fills had it, or unmapped while it was registered) and spins (waits that keep a core busy: calls that wait in
// a context of CU_CTX_SCHED_AUTO or _SPIN, but for events of CU_EVENT_BLOCKING_SYNC).
package cudaemu
