"""Measures what the machine gives at most: copies to the GPU, and reads of files into memory that is copied from.

Rates are GB/s of bytes that are moved once. The kernels, and copies within the GPU, are benchmarks of the kit's kernels.test.
"""
import argparse
import ctypes
import functools
import os
import threading

from driver import HUGE, PAGEABLE, PINNED, READ_ONLY, CudaError, Driver, seconds

FIELD = 721 * 1440 * 4  # bytes
SLOT = 4 << 20  # of staging memory
READERS = 16
MAP_SHARED_POPULATE = 1 | 0x8000
PROT_READ = 1


def row(what, value, unit="GB/s"):
    print(f"  {what:66s} {value:10.2f} {unit}", flush=True)


class Ceilings:
    """The parts of the measurement. One that fails doesn't keep others from running."""

    def __init__(self, files, small):
        self.files = files
        self.slots = 4 if small else 40
        self.total = (16 << 20) if small else (16 << 30)
        self.driver = Driver()
        self.failed = 0

    def part(self, measure, *args):
        try:
            measure(*args)
        except (CudaError, OSError, ValueError) as e:
            self.failed += 1
            print(f"  {measure.__name__}{args}: {e}", flush=True)

    def addresses(self):
        """Prints where the driver puts pinned memory: pages can't be counted on."""
        for n in (768, 97536, 1 << 20, 4 << 20, 4 << 20):
            p = self.driver.out("cuMemHostAlloc", n, 1)
            print(f"  cuMemHostAlloc of {n:7d} bytes: {p:#x}, {p % 4096} bytes after the start of a page", flush=True)
            self.driver.call("cuMemFreeHost", p)

    @functools.cache
    def ring(self, kind):
        """Returns the address and a memoryview of each slot of a kind of memory."""
        slots = []
        took = seconds(lambda: slots.extend(self.driver.host(kind, SLOT) for _ in range(self.slots)))
        row(f"to make {self.slots} slots of {SLOT >> 20} MiB, {kind}", took * 1e3, "ms")
        return slots

    def copies(self, kind, streams):
        """Copies fields to the GPU, from the slots in turn."""
        d = self.driver
        src = [p for p, _ in self.ring(kind)]
        dst, queues = d.alloc(len(src) * SLOT), [d.stream() for _ in range(streams)]

        def run(total):
            for i in range(total // FIELD):
                slot = i % len(src)
                d.copy(dst + slot * SLOT, src[slot], FIELD, queues[i % streams])
            d.sync()

        total = max(self.total // 8, FIELD) if kind == PAGEABLE else self.total
        run(max(total // 8, FIELD))
        count = total // FIELD * FIELD
        row(f"copies of a field to the GPU, {kind}, {streams} streams", count / seconds(lambda: run(total)) / 1e9)
        d.free(dst)

    def reads(self, kind, direct):
        """Reads files into slots, through the page cache or around it. No GPU takes part, but its memory does."""
        readers = min(READERS, self.slots)
        views = [view[:(FIELD + 4095) & ~4095] for _, view in self.ring(kind)[:readers]]
        flags = os.O_RDONLY | (os.O_DIRECT if direct else 0)

        def read(i):
            for path in self.files[i::readers]:
                fd = os.open(path, flags)
                try:
                    os.preadv(fd, [views[i]], 0)
                finally:
                    os.close(fd)

        if not direct:
            together(readers, read)  # from now on the page cache has them
        took = min(together(readers, read) for _ in range(3))
        size = sum(os.path.getsize(p) for p in self.files)
        row(f"files {'around' if direct else 'out of'} the page cache, {readers} threads, {kind}", size / took / 1e9)

    def mapped(self):
        """Copies out of the page cache itself: files are mapped, and their pages registered. Drivers may refuse that."""
        d = self.driver
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_uint64
        dst, queues, maps = d.alloc(SLOT), [d.stream() for _ in range(4)], []
        for path in self.files[:128]:
            fd = os.open(path, os.O_RDONLY)
            n = os.fstat(fd).st_size
            p = libc.mmap(None, ctypes.c_size_t(n), PROT_READ, MAP_SHARED_POPULATE, fd, ctypes.c_long(0))
            os.close(fd)
            if p == 2**64 - 1:
                raise OSError(ctypes.get_errno(), f"mmap of {path}")
            maps.append((p, n))

        def register():
            for p, n in maps:
                d.call("cuMemHostRegister_v2", p, (n + 4095) & ~4095, READ_ONLY)

        def run():
            for i, (p, n) in enumerate(maps):
                d.copy(dst, p, min(n, SLOT), queues[i % 4])
            d.sync()

        try:
            took = seconds(register)
        except CudaError as e:
            print(f"  mapped files can't be registered here: {e}", flush=True)
            return
        row("to register a mapped file", took / len(maps) * 1e6, "us")
        run()
        row("copies of files to the GPU, mapped and registered", sum(min(n, SLOT) for _, n in maps) / seconds(run) / 1e9)
        for p, _ in maps:
            d.call("cuMemHostUnregister", p)

    def all(self):
        if self.driver.emulated:
            print("  Note: emulated: timings mean nothing")
        self.part(self.addresses)
        for kind, streams in ((PINNED, (1, 4, 16)), (HUGE, (1, 4, 16)), (PAGEABLE, (1,))):
            for n in streams:
                self.part(self.copies, kind, n)
        for direct in (False, True):
            for kind in (PINNED, HUGE):
                self.part(self.reads, kind, direct)
        self.part(self.mapped)


def together(n, work):
    """Runs work(i) for each i below n, in threads, and returns how long all take."""
    errors = []

    def one(i):
        try:
            work(i)
        except OSError as e:
            errors.append(e)

    def run():
        threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    took = seconds(run)
    if errors:
        raise errors[0]
    return took


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("files", nargs="+", help="chunks of a raw store")
    p.add_argument("--small", action="store_true", help="small sizes, to try the program")
    a = p.parse_args()
    c = Ceilings(a.files, a.small)
    c.all()
    raise SystemExit(c.failed > 0)


if __name__ == "__main__":
    main()
