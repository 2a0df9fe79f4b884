"""The Python side of the interoperability test: zarr-python 2 writes arrays for zarrio, and reads what this project writes.

usage: interop.py write DIR      many small arrays under DIR/store.zarr; prints a line of JSON for each, with the SHA-256 of
                                 its elements, C order, little-endian
       interop.py digest STORE   prints the same for every array of a store
"""
import hashlib, itertools, json, sys
import numcodecs, numpy as np, zarr


def describe(name, array):
    v = np.asarray(array[...])
    v = v.astype(v.dtype.newbyteorder("<"))
    return json.dumps({"name": name, "shape": list(array.shape), "sha256": hashlib.sha256(v.tobytes("C")).hexdigest()})


def write(out):
    rng = np.random.default_rng(7)
    g = zarr.open_group(out + "/store.zarr", mode="w")
    n = 0

    def add(shape, chunks, dtype, fill=0, order="C", separator=".", compressor=None, filters=None, part=None):
        nonlocal n
        n += 1
        name = f"a{n:03}"
        a = g.create_dataset(name, shape=shape, chunks=chunks, dtype=dtype, fill_value=fill, order=order,
                             dimension_separator=separator, compressor=compressor, filters=filters)
        size = int(np.prod(shape))
        v = (rng.normal(size=size) * 100).reshape(shape)
        kind = np.dtype(dtype).kind
        if kind == "c":
            v = v + 1j * rng.normal(size=shape)
        elif kind == "u":
            v = np.abs(v)
        elif kind == "b":
            v = v > 0
        v = v.astype("i8").astype(dtype) if kind in "Mm" else v.astype(dtype)
        if part is None:
            a[...] = v
        else:  # the other chunks stay missing
            a[part] = v[part]

    types = ["|b1", "|i1", "|u1"] + [e + t for e in "<>" for t in ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", "M8[ns]", "m8[h]")]
    for t in types:
        add((7, 5), (3, 2), t, fill=None)
    compressors = [numcodecs.Blosc(cname=c, clevel=l, shuffle=s, blocksize=b)
                   for c in ("lz4", "lz4hc", "zstd", "zlib", "blosclz") for l, s, b in ((5, 1, 0), (1, 0, 0), (9, 2, 0), (5, 1, 512))]
    compressors += [numcodecs.Zlib(4), numcodecs.GZip(6), numcodecs.Zstd(3), numcodecs.LZ4(), None]
    for c, order, t in itertools.product(compressors, "CF", ("<f4", ">i8", "|u1")):
        add((40, 33), (16, 20), t, order=order, compressor=c)
    for fill in (0, 1.5, -3, np.nan, np.inf, -np.inf):
        add((6, 6), (2, 4), "<f4", fill=fill, part=np.s_[2:4, :4])
    for fill, t in ((True, "|b1"), (False, "|b1"), (255, "|u1"), (-128, "|i1"), (2**63 - 1, ">i8"), (2**64 - 1, "<u8"), (0, "<M8[ns]"), (1 + 2j, "<c16")):
        add((6,), (4,), t, fill=fill, part=np.s_[:4])
    for shape, chunks in (((), ()), ((1,), (1,)), ((5,), (7,)), ((3, 4, 5), (2, 3, 4)), ((3, 4, 5, 2), (5, 1, 2, 2)), ((2, 3, 2, 2, 3), (1, 2, 2, 1, 2)), ((0, 3), (1, 3))):
        for separator, order in itertools.product("./", "CF"):
            add(shape, chunks, "<i4", order=order, separator=separator, compressor=numcodecs.Blosc())
    for size in (1, 2, 4, 8):
        add((50,), (50,), "<f8", filters=[numcodecs.Shuffle(size)], compressor=numcodecs.Zstd(1))
    zarr.consolidate_metadata(out + "/store.zarr")
    digest(out + "/store.zarr")


def digest(store):
    g = zarr.open_group(store, mode="r")
    for name, a in sorted(g.arrays()):
        print(describe(name, a))


{"write": write, "digest": digest}[sys.argv[1]](sys.argv[2])
