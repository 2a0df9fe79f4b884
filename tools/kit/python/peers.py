"""Measures other readers on the same work: epochs of batches of 32 windows of two steps, loading only.

Each batch ends in two arrays of GPU memory, [32, 3, latitude, longitude] float32, that are kept. What a peer delivers is
compared with the files of a raw store of the same fields, in an epoch that isn't timed.

  preads            preadv by threads, each with two registered slots in huge pages and a stream: raw stores only
  kvikio            kvikIO's CuFile, opened once, one future a chunk, straight into place: raw stores only
  kvikio-open       the same, with each file opened anew in each epoch, as kvikio.zarr does
  gdsstore          zarr-python over kvikio.zarr.GDSStore, arrays on the GPU, as people use it (needs cupy)
  tensorstore-kept  tensorstore into kept, registered arrays: one is copied while the other is filled
  tensorstore       tensorstore into new arrays, copied from pageable memory
  torch             the same, copied by torch.from_numpy(x).to("cuda"), as people use it
  zarr              zarr-python with its fused pipeline, copied from pageable memory
"""
import argparse
import concurrent.futures
import json
import os
import threading
import time

import numpy as np

from driver import HUGE, Driver

VARS = ["geopotential", "u_component_of_wind", "v_component_of_wind"]
BATCH = 32
SLOT = 4 << 20


class WrongData(Exception):
    """A peer delivered other bytes than the store has."""


class Store:
    """A store, and the place of its fields: field (step, var) belongs to tensor step%2, sample step/2, channel var."""

    def __init__(self, path, raw):
        self.path, self.raw = path, raw
        document = os.path.join(path, VARS[0], "zarr.json")
        self.driver = "zarr3" if os.path.exists(document) else "zarr"
        if self.driver == "zarr":
            document = os.path.join(path, VARS[0], ".zarray")
        with open(document) as f:
            meta = json.load(f)
        self.steps, self.rows, self.cols = meta["shape"]
        self.plain = self.driver == "zarr" and meta["compressor"] is None and meta["chunks"] == [1, self.rows, self.cols]
        self.field = self.rows * self.cols * 4
        self.samples = self.steps // 2
        self.shape = (BATCH, len(VARS), self.rows, self.cols)
        self.tensor = BATCH * len(VARS) * self.field
        self.bytes = self.samples * 2 * len(VARS) * self.field

    def batches(self):
        """Returns the first sample of each batch, and the one after its last."""
        return [(b, min(b + BATCH, self.samples)) for b in range(0, self.samples, BATCH)]

    def fields(self, begin, end):
        """Yields the file of each field of a batch, its tensor, and its offset in the tensor."""
        if not self.plain:
            raise ValueError("this peer reads the chunk files of a raw store")
        for s in range(begin, end):
            for t in (0, 1):
                for v, name in enumerate(VARS):
                    yield f"{self.path}/{name}/{2 * s + t}.0.0", t, ((s - begin) * len(VARS) + v) * self.field

    def tensorstore(self):
        """Returns the module, and the variables as one array of [steps, 3, latitude, longitude]."""
        import tensorstore as ts
        specs = [{"driver": self.driver, "kvstore": {"driver": "file", "path": f"{self.path}/{v}"}} for v in VARS]
        return ts, ts.stack([ts.open(s, read=True, open=True).result() for s in specs], axis=1)


class GPUView:
    """A part of GPU memory as kvikIO takes it."""

    def __init__(self, p, n):
        self.__cuda_array_interface__ = {"shape": (n,), "typestr": "|u1", "data": (p, False), "version": 3, "strides": None}


class Peer:
    """A reader. epoch reads a store once, and calls done(begin, end) when a batch is in self.tensors."""

    def __init__(self, driver, store, threads):
        self.driver, self.store, self.threads = driver, store, threads
        self.tensors = self.make_tensors()

    def make_tensors(self):
        return [self.driver.alloc(self.store.tensor) for _ in range(2)]

    def close(self):
        for p in self.tensors:
            self.driver.free(p)

    def copy(self, arrays):
        """Copies the arrays of a batch from pageable memory, and waits."""
        for p, x in zip(self.tensors, arrays):
            self.driver.call("cuMemcpyHtoD_v2", p, x.ctypes.data, x.nbytes)


class Preads(Peer):
    def __init__(self, *args):
        super().__init__(*args)
        self.local = threading.local()
        self.pool = concurrent.futures.ThreadPoolExecutor(self.threads, initializer=self.start)

    def start(self):
        d, l = self.driver, self.local
        d.bind()
        l.stream, l.next = d.stream(), 0
        l.slots = [d.host(HUGE, SLOT) for _ in range(2)]
        l.events = [d.event() for _ in range(2)]

    def read(self, path, t, offset):
        d, l = self.driver, self.local
        k = l.next
        l.next = 1 - k
        d.call("cuEventSynchronize", l.events[k])
        p, view = l.slots[k]
        fd = os.open(path, os.O_RDONLY)
        n = os.preadv(fd, [view[:self.store.field]], 0)
        os.close(fd)
        if n != self.store.field:
            raise WrongData(f"{path}: {n} bytes, want {self.store.field}")
        d.copy(self.tensors[t] + offset, p, n, l.stream)
        d.call("cuEventRecord", l.events[k], l.stream)

    def epoch(self, done):
        for b in self.store.batches():
            for f in [self.pool.submit(self.read, *field) for field in self.store.fields(*b)]:
                f.result()
            self.driver.sync()
            done(*b)

    def close(self):
        self.pool.shutdown()
        super().close()


class KvikIO(Peer):
    keep = True

    def __init__(self, *args):
        super().__init__(*args)
        self.files = {}

    def epoch(self, done):
        import kvikio
        for b in self.store.batches():
            futures, opened = [], []
            for path, t, offset in self.store.fields(*b):
                f = self.files.get(path) or kvikio.CuFile(path)
                if self.keep:
                    self.files[path] = f
                else:
                    opened.append(f)
                futures.append(f.pread(GPUView(self.tensors[t] + offset, self.store.field)))
            for f in futures:
                f.get()
            for f in opened:
                f.close()
            done(*b)


class KvikIOOpen(KvikIO):
    keep = False


class GDSStore(Peer):
    def make_tensors(self):
        return []

    def close(self):
        self.tensors = []

    def epoch(self, done):
        import cupy
        import zarr
        from kvikio.zarr import GDSStore as Files
        zarr.config.enable_gpu()
        g = zarr.open_group(store=Files(self.store.path), mode="r")
        for begin, end in self.store.batches():
            arrays = [cupy.empty((end - begin, *self.store.shape[1:]), "f4") for _ in range(2)]
            for v, name in enumerate(VARS):
                x = g[name][2 * begin:2 * end]
                for t in (0, 1):
                    arrays[t][:, v] = x[t::2]
            cupy.cuda.runtime.deviceSynchronize()
            self.tensors = [x.data.ptr for x in arrays]
            done(begin, end)


class TensorStoreKept(Peer):
    def __init__(self, *args):
        super().__init__(*args)
        d, s = self.driver, self.store
        self.sets = []
        for _ in range(2):
            memory = [d.host(HUGE, s.tensor) for _ in range(2)]
            self.sets.append(([p for p, _ in memory], [np.frombuffer(v, "f4").reshape(s.shape) for _, v in memory], d.stream()))

    def epoch(self, done):
        d, s = self.driver, self.store
        ts, fields = s.tensorstore()
        for i, (begin, end) in enumerate(s.batches()):
            addresses, arrays, stream = self.sets[i % 2]
            d.call("cuStreamSynchronize", stream)
            writes = [ts.array(arrays[t][:end - begin]).write(fields[2 * begin + t:2 * end:2]) for t in (0, 1)]
            for w in writes:
                w.result()
            d.call("cuStreamSynchronize", self.sets[1 - i % 2][2])  # both copy to the same tensors
            for t in (0, 1):
                d.copy(self.tensors[t], addresses[t], (end - begin) * len(VARS) * s.field, stream)
            if done is not nothing:
                d.sync()
            done(begin, end)
        d.sync()


def new_arrays(store):
    """Yields batches that tensorstore allocates."""
    ts, fields = store.tensorstore()
    for begin, end in store.batches():
        reads = [fields[2 * begin + t:2 * end:2].read(order="C") for t in (0, 1)]
        yield begin, end, [r.result() for r in reads]


class TensorStore(Peer):
    def epoch(self, done):
        for begin, end, arrays in new_arrays(self.store):
            self.copy(arrays)
            done(begin, end)


class Torch(GDSStore):
    def epoch(self, done):
        import torch
        for begin, end, arrays in new_arrays(self.store):
            on_gpu = [torch.from_numpy(x).to("cuda") for x in arrays]
            torch.cuda.synchronize()
            self.tensors = [x.data_ptr() for x in on_gpu]
            done(begin, end)


class Zarr(Peer):
    def epoch(self, done):
        import zarr
        zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.FusedCodecPipeline"})
        g = zarr.open_group(self.store.path, mode="r")
        for begin, end in self.store.batches():
            arrays = [np.empty((end - begin, *self.store.shape[1:]), "f4") for _ in range(2)]
            for v, name in enumerate(VARS):
                x = g[name][2 * begin:2 * end]
                for t in (0, 1):
                    arrays[t][:, v] = x[t::2]
            self.copy(arrays)
            done(begin, end)


PEERS = {
    "preads": Preads, "kvikio": KvikIO, "kvikio-open": KvikIOOpen, "gdsstore": GDSStore, "tensorstore-kept": TensorStoreKept,
    "tensorstore": TensorStore, "torch": Torch, "zarr": Zarr,
}


def check(peer):
    """Returns a function that compares the first, the middle and the last sample of a batch with the raw store's files."""
    s = peer.store

    def done(begin, end):
        got = np.empty(s.field, "u1")
        for sample in sorted({begin, (begin + end) // 2, end - 1}):
            for t in (0, 1):
                for v, name in enumerate(VARS):
                    src = peer.tensors[t] + ((sample - begin) * len(VARS) + v) * s.field
                    peer.driver.call("cuMemcpyDtoH_v2", got.ctypes.data, src, s.field)
                    if not np.array_equal(got, np.fromfile(f"{s.raw}/{name}/{2 * sample + t}.0.0", "u1")):
                        raise WrongData(f"{name}, step {2 * sample + t}: other bytes than the raw store's")
    return done


def nothing(begin, end):
    """Is what is done with a batch of an epoch that is timed."""


def measure(name, driver, store, threads, epochs):
    """Returns the seconds of each epoch, sorted."""
    peer = PEERS[name](driver, store, threads)
    try:
        peer.epoch(check(peer))
        times = []
        for _ in range(epochs):
            begin = time.perf_counter()
            peer.epoch(nothing)
            times.append(time.perf_counter() - begin)
        return sorted(times)
    finally:
        peer.close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("store")
    p.add_argument("peers", nargs="+", metavar="PEER", choices=PEERS)
    p.add_argument("--epochs", type=int, default=3, help="timed epochs of each")
    p.add_argument("--threads", type=int, default=16)
    p.add_argument("--raw", help="the raw store of the same fields; without it, STORE")
    a = p.parse_args()
    os.environ.setdefault("KVIKIO_NTHREADS", str(a.threads))
    store = Store(a.store, a.raw or a.store)
    driver = Driver()
    wrong = False
    for name in a.peers:
        label = f"  {os.path.basename(a.store):12s} {name:18s}"
        try:
            times = measure(name, driver, store, a.threads, a.epochs)
        except WrongData as e:
            wrong = True
            print(f"{label} wrong: {e}", flush=True)
        except Exception as e:  # a peer, or what it needs, may be missing or fail in any way
            print(f"{label} not measured: {type(e).__name__}: {e}", flush=True)
        else:
            t = times[len(times) // 2]
            print(f"{label} {store.bytes / t / 1e9:8.2f} GB/s   {t:.3f} s, median of {a.epochs}, {times[0]:.3f} to {times[-1]:.3f}", flush=True)
    raise SystemExit(wrong)


if __name__ == "__main__":
    main()
