"""Times epochs of minibatches by xarray, zarr-python and NumPy, and prints rows for benchstat.

The windows are two steps, as in this project's benchmarks, and are read in order. A batch is [window, step, variable, (level,) y, x]
of float32. The next batch is read while one is in use, if asked for. Before the timed epochs an untimed one computes the loss: the
mean over the batches of the mean squared difference of the windows' steps, as the benchmarks' own.
"""

import argparse, concurrent.futures, os, time

import numpy as np, xarray as xr
import normalization

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("store", help="a folder of Zarr arrays with the dimensions time, (level,) and two of space")
p.add_argument("--name", default="Epoch", help="of the benchmark, behind Benchmark")
p.add_argument("--vars", default="geopotential,u_component_of_wind,v_component_of_wind")
p.add_argument("--level", type=int, help="the one level that is read, by its coordinate; all without it")
p.add_argument("--normalize", metavar="FILE", help="statistics by tools/zarrinfo -stats, to make (x-mean)/std of each channel")
p.add_argument("--batch", type=int, default=32, help="windows a batch")
p.add_argument("--ahead", type=int, default=1, help="batches that are read ahead of the one in use, by a thread each")
p.add_argument("--epochs", type=int, default=3, help="timed epochs")
args = p.parse_args()

VARIABLES = args.vars.split(",")
consolidated = os.path.exists(os.path.join(args.store, ".zmetadata")) or None
fields = xr.open_zarr(args.store, chunks=None, consolidated=consolidated)[VARIABLES]
if args.level is not None:
    fields = fields.sel(level=args.level)
affine = args.normalize and normalization.read(args.normalize, VARIABLES, fields.sizes.get("level"), args.level)


def batch(windows):
    """Reads windows that are next to each other."""
    steps = slice(2 * windows[0], 2 * windows[-1] + 2)
    part = np.stack([fields[v].isel(time=steps).values for v in VARIABLES], axis=1)
    if affine:
        part = (part - affine[0]) / affine[1]
    return part.reshape(len(windows), 2, *part.shape[1:])


def epoch(use):
    """Reads all windows once, calls use with each batch, and returns how many bytes they had."""
    n = fields.sizes["time"] // 2
    batches = [range(i, min(i + args.batch, n)) for i in range(0, n, args.batch)]
    if not args.ahead:
        return sum(use(batch(b)) for b in batches)
    pending, size = [], 0
    with concurrent.futures.ThreadPoolExecutor(args.ahead) as threads:
        for i in range(len(batches) + args.ahead):
            if i < len(batches):
                pending.append(threads.submit(batch, batches[i]))
            if i >= args.ahead:
                size += use(pending.pop(0).result())
    return size


losses = []


def loss(part):
    losses.append(np.square(part[:, 0] - part[:, 1], dtype="f8").mean())
    return part.nbytes


epoch(loss)
print("loss-by-numpy:", np.mean(losses))
print("cache: warm")
for _ in range(args.epochs):
    begin = time.perf_counter()
    size = epoch(lambda part: part.nbytes)
    seconds = time.perf_counter() - begin
    print(f"Benchmark{args.name} 1 {seconds * 1e9:.0f} ns/op {size / seconds / 1e6:.2f} MB/s", flush=True)
