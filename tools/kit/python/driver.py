"""Calls of NVIDIA's driver library, by ctypes, for ceilings.py and peers.py.

Host memory is of one of three kinds: PINNED (cuMemHostAlloc), HUGE (huge pages, registered with the
driver) or PAGEABLE (huge pages that the driver doesn't know).
"""
import ctypes
import mmap
import time

PINNED, HUGE, PAGEABLE = "pinned", "registered", "pageable"

PORTABLE = 1  # CU_MEMHOSTALLOC_PORTABLE, CU_MEMHOSTREGISTER_PORTABLE
READ_ONLY = 8  # CU_MEMHOSTREGISTER_READ_ONLY
NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING
BLOCKING_SYNC_NO_TIMING = 3  # CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING
HUGE_PAGE = 2 << 20


class CudaError(RuntimeError):
    """An error that the driver returned."""


class Driver:
    """The primary context of a GPU, current on the thread that made it. Other threads call bind."""

    def __init__(self, ordinal=0):
        self.lib = ctypes.CDLL("libcuda.so.1")
        self.emulated = hasattr(self.lib, "zarrbench_emulated")
        self._mapped = []  # memory that is registered must stay mapped: it does as long as the Driver
        self.call("cuInit", 0)
        device = self.out("cuDeviceGet", ordinal, kind=ctypes.c_int)
        self.context = self.out("cuDevicePrimaryCtxRetain", device)
        self.bind()

    def call(self, name, *args):
        """Calls a function. Numbers are passed as 64 bits, as x86-64 and arm64 allow for all types."""
        code = getattr(self.lib, name)(*[ctypes.c_uint64(a) if isinstance(a, int) else a for a in args])
        if code:
            raise CudaError(f"{name}: CUDA error {code}")

    def out(self, name, *args, kind=ctypes.c_uint64):
        """Calls a function and returns what it stores at its first argument."""
        value = kind()
        self.call(name, ctypes.byref(value), *args)
        return value.value

    def bind(self):
        self.call("cuCtxSetCurrent", self.context)

    def sync(self):
        self.call("cuCtxSynchronize")

    def alloc(self, n):
        return self.out("cuMemAlloc_v2", n)

    def free(self, p):
        self.call("cuMemFree_v2", p)

    def stream(self):
        return self.out("cuStreamCreate", NON_BLOCKING)

    def event(self):
        return self.out("cuEventCreate", BLOCKING_SYNC_NO_TIMING)

    def copy(self, dst, src, n, stream):
        """Begins a copy of n bytes to the GPU."""
        self.call("cuMemcpyHtoDAsync_v2", dst, src, n, stream)

    def host(self, kind, n):
        """Returns the address of n bytes of host memory of a kind, and a memoryview of them. All pages are present."""
        if kind == PINNED:
            p = self.out("cuMemHostAlloc", n, PORTABLE)
            ctypes.memset(p, 1, n)
            return p, memoryview((ctypes.c_char * n).from_address(p)).cast("B")
        m = mmap.mmap(-1, n + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._mapped.append(m)
        start = ctypes.addressof(ctypes.c_char.from_buffer(m))
        skip = -start % HUGE_PAGE
        m.madvise(mmap.MADV_HUGEPAGE)
        ctypes.memset(start + skip, 1, n)
        if kind == HUGE:
            self.call("cuMemHostRegister_v2", start + skip, n, PORTABLE)
        return start + skip, memoryview(m)[skip:skip + n]


def seconds(work):
    """Returns how long work takes by the clock of the host."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
