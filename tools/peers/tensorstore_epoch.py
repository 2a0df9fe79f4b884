"""Times epochs of minibatches by tensorstore, which writes into kept, page-aligned buffers, and prints rows for benchstat.

The windows are two steps, as in this project's benchmarks. A batch is [window, step, variable, (level,) y, x] of native float32
in C order. The next batch is read while one is in use. Before the timed epochs an untimed one computes the loss: the mean over
the batches of the mean squared difference of the windows' steps, as the benchmarks' own.
"""

import argparse, math, mmap, os, pathlib, random, sys, time

import numpy as np, tensorstore as ts
import normalization

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("store", help="a folder of Zarr arrays with the dimensions time, (level,) and two of space")
p.add_argument("--name", default="Epoch", help="of the benchmark, behind Benchmark")
p.add_argument("--vars", default="geopotential,u_component_of_wind,v_component_of_wind")
p.add_argument("--level", type=int, help="the one level that is read, by its coordinate; all without it")
p.add_argument("--normalize", metavar="FILE", help="statistics by tools/zarrinfo -stats, to make (x-mean)/std of each channel in place")
p.add_argument("--batch", type=int, default=32, help="windows a batch")
p.add_argument("--shuffle", type=int, metavar="SEED", help="read the windows in random order")
p.add_argument("--by", choices=("window", "batch"), default="window", help="a shuffled read is of a window or of a batch, of one variable")
p.add_argument("--pool", type=int, default=0, metavar="BYTES", help="of decoded chunks that are kept: tensorstore's cache_pool")
p.add_argument("--open", choices=("once", "epoch"), default="once", help="epoch empties the pool before each epoch")
p.add_argument("--cache", choices=("warm", "cold"), default="warm", help="cold drops the files from the page cache before each timed epoch")
p.add_argument("--files", type=int, help="files that are read at once; tensorstore's own choice without it")
p.add_argument("--ahead", type=int, default=1, help="batches that are read ahead of the one in use")
p.add_argument("--epochs", type=int, default=3, help="timed epochs")
args = p.parse_args()

# glibc gives large memory back to the system, and each chunk is decoded into new pages. Kept, huge pages are several times as fast.
MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(8 << 30), "MALLOC_TOP_PAD_": str(1 << 29)}
if "MALLOC_ARENA_MAX" not in os.environ:
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | MALLOC | {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"})

VARIABLES = args.vars.split(",")


def arrays():
    """Opens the variables; those of one level if that is asked for."""
    context = {"cache_pool": {"total_bytes_limit": args.pool}}
    if args.files:
        context["file_io_concurrency"] = {"limit": args.files}
    context = ts.Context(context)

    def opened(name):
        v3 = os.path.exists(os.path.join(args.store, name, "zarr.json"))
        spec = {
            "driver": "zarr3" if v3 else "zarr",
            "kvstore": {"driver": "file", "path": os.path.join(args.store, name)},
            "recheck_cached_data": "open",
            "recheck_cached_metadata": "open",
        }
        return ts.open(spec, read=True, open=True, context=context)

    found = [a.result() for a in [opened(name) for name in VARIABLES]]
    if args.level is None:
        return found
    level = np.flatnonzero(opened("level").result().read().result() == args.level).item()
    return [a[:, level] for a in found]


def kept(shape):
    """Makes a page-aligned array in huge pages, if the system has any."""
    memory = mmap.mmap(-1, 4 * math.prod(shape))
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, "f4").reshape(shape)


def start(found, buffer, windows):
    """Begins to read windows into the buffer; returns that part of it, and what is to be waited for."""
    n = len(windows)
    part = buffer[:n]
    steps = part.reshape(2 * n, *part.shape[2:])  # the same memory

    def into(target, source):
        return ts.array(target).write(source)

    if args.shuffle is None:
        first = 2 * windows[0]
        return part, [into(steps, ts.stack(found, axis=1)[first : first + 2 * n])]
    if args.by == "batch":
        index = np.add.outer(2 * np.array(windows), [0, 1]).ravel()
        return part, [into(steps[:, v], a[ts.d[0][index]]) for v, a in enumerate(found)]
    return part, [into(part[i, :, v], a[2 * w : 2 * w + 2]) for i, w in enumerate(windows) for v, a in enumerate(found)]


def epoch(found, buffers, use):
    """Reads all windows once, calls use with each batch, normalised if asked for, and returns how many bytes they had."""
    n = found[0].shape[0] // 2
    order = list(range(n))
    if args.shuffle is not None:
        random.Random(args.shuffle).shuffle(order)
    batches = [order[i : i + args.batch] for i in range(0, n, args.batch)]
    pending, size = [], 0
    for i in range(len(batches) + args.ahead):
        if i < len(batches):
            pending.append(start(found, buffers[i % len(buffers)], batches[i]))
        if i >= args.ahead:
            part, writes = pending.pop(0)
            for w in writes:
                w.result()
            if affine:
                np.subtract(part, affine[0], out=part)
                np.divide(part, affine[1], out=part)
            use(part)
            size += part.nbytes
    return size


def drop():
    """Drops the chunks from the page cache."""
    for name in VARIABLES:
        for path in pathlib.Path(args.store, name).rglob("*"):
            if path.is_file():
                f = os.open(path, os.O_RDONLY)
                os.fsync(f)
                os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(f)


found = arrays()
windows = min(args.batch, found[0].shape[0] // 2)
levels = found[0].shape[1] if found[0].ndim == 4 else None
affine = args.normalize and normalization.read(args.normalize, VARIABLES, levels, args.level)
buffers = [kept((windows, 2, len(found), *found[0].shape[1:])) for _ in range(1 + args.ahead)]
losses = []


def loss(part):
    difference = part[:, 0] - part[:, 1]
    losses.append(np.square(difference, dtype="f8").mean())


epoch(found, buffers, loss)
print("loss-by-numpy:", np.mean(losses))
print("cache:", args.cache)
for _ in range(args.epochs):
    if args.open == "epoch":
        found = arrays()
    if args.cache == "cold":
        drop()
    begin = time.perf_counter()
    size = epoch(found, buffers, lambda part: None)
    seconds = time.perf_counter() - begin
    print(f"Benchmark{args.name} 1 {seconds * 1e9:.0f} ns/op {size / seconds / 1e6:.2f} MB/s", flush=True)
