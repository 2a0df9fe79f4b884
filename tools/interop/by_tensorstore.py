"""Writes Zarr v2 and v3 arrays by tensorstore, and reads any. It has no groups, attributes, strings or times."""

import itertools, json, os, pathlib, re

import numpy as np, tensorstore as ts
import arrays_v3, manifest
from arrays_v2 import ORDERED, plain
from elements import noise, smooth

NAME = "tensorstore"


def create(store, path, driver, metadata, data, part=...):
    """Writes one array: all of data, or a part of it, so that other chunks stay missing."""
    kvstore = {"driver": "file", "path": os.path.join(store, path)}
    a = ts.open({"driver": driver, "kvstore": kvstore, "metadata": metadata, "create": True}).result()
    a[part].write(data[part]).result()


def v2():
    """Yields the path, the metadata and the elements of Zarr v2 arrays."""

    def array(path, dtype, data, chunks, order="C", separator=".", compressor=None, fill=None):
        return (
            path,
            {
                "zarr_format": 2,
                "shape": list(data.shape),
                "chunks": list(chunks),
                "dtype": dtype,
                "order": order,
                "fill_value": fill,
                "dimension_separator": separator,
                "compressor": compressor,
                "filters": None,
            },
            data,
        )

    for t in ["|b1", "|i1", "|u1"] + [e + t for e in "<>" for t in ORDERED]:
        yield array(f"types/{plain(t)}", t, noise(t, (7, 5)), (3, 2))
    yield array("refused/bfloat16", "bfloat16", noise("<f4", (7, 5)).astype(ts.bfloat16.numpy_dtype), (3, 2))
    compressors = {
        f"{c} {s}": {"id": "blosc", "cname": c, "clevel": 5, "shuffle": s, "blocksize": 0}
        for c in ("lz4", "lz4hc", "zstd", "zlib", "blosclz", "snappy")
        for s in (-1, 0, 1, 2)
    }
    compressors |= {
        "zlib": {"id": "zlib", "level": 1},
        "gzip": {"id": "gzip", "level": 1},
        "bz2": {"id": "bz2", "level": 1},
        "zstd": {"id": "zstd", "level": 1},
    }
    for (name, c), t in itertools.product(compressors.items(), ("<f4", ">i2", "|u1")):
        yield array(f"compressors/{name} {plain(t)}", t, smooth(t, (40, 33)), (16, 20), compressor=c)
    yield array("layouts/scalar", "<i4", noise("<i4", ()), ())
    for order, separator, shape in itertools.product("CF", "./", ((11, 7), (3, 4, 5))):
        name = f"layouts/{len(shape)} {order} {'dot' if separator == '.' else 'slash'}"
        yield array(name, "<i4", noise("<i4", shape), (2, 3, 4)[: len(shape)], order, separator)
    for fill in (1.5, "NaN", "-Infinity"):
        yield *array(f"fills/{fill}", "<f4", noise("<f4", (6, 6)), (2, 4), fill=fill), np.s_[2:4, :4]


def v3():
    """Yields the path, the metadata and the elements of Zarr v3 arrays."""
    for t in ("int4", "float8_e4m3fn", "bfloat16"):
        data = (smooth("<f4", (7, 5)) % 8).astype(ts.dtype(t).numpy_dtype)
        yield "types/" + t, metadata(data, (3, 2)), data
    specs = itertools.chain(
        arrays_v3.types((3, 0)), arrays_v3.codecs(), arrays_v3.shards((3, 4)), arrays_v3.layouts((3, 0)), arrays_v3.fills((3, 0))
    )
    for s in specs:
        sharded = s.get("serializer", {}).get("name") == "sharding_indexed"
        if s["dtype"] in ("text", "blobs") or sharded and s.get("compressors"):  # which it doesn't write
            continue
        yield s["path"], metadata(**s), s["data"], s.get("part", ...)
    data = noise("<i2", (5, 4, 7))
    for order in "CF":
        yield f"transpose/{order}", metadata(data, (2, 3, 4), filters=[arrays_v3.codec("transpose", order=order)]), data


def metadata(
    data, chunks, fill=0, filters=(), serializer=arrays_v3.LITTLE, compressors=(), keys=("default", "/"), names=None, **_
):
    """Makes the document of an array of arrays_v3.py."""
    m = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(data.shape),
        "chunk_grid": arrays_v3.codec("regular", chunk_shape=list(chunks)),
        "chunk_key_encoding": arrays_v3.codec(keys[0], separator=keys[1]),
        "fill_value": fill_json(data.dtype.type(fill)),
        "data_type": data.dtype.name,
        "codecs": [*filters, serializer, *compressors],
    }
    if names:
        m["dimension_names"] = names
    return m


def fill_json(fill):
    """Spells a NumPy scalar as documents do: floats by their bits."""
    if fill.dtype.kind == "c":
        return [fill_json(fill.real), fill_json(fill.imag)]
    if fill.dtype.kind == "f":
        return f"0x{int.from_bytes(fill.tobytes(), 'little'):0{2 * fill.itemsize}x}"
    return fill.item()


def write(out):
    """Writes stores below the folder out, and yields their names."""
    for name, driver, arrays in (("tensorstore-v2.zarr", "zarr", v2), ("tensorstore-v3.zarr", "zarr3", v3)):
        store = os.path.join(out, name)
        for path, document, *rest in arrays():
            create(store, path, driver, document, *rest)
        groups(store, driver)
        yield name


def groups(store, driver):
    """Makes a group of each folder on the way to an array."""
    name, text = (
        (".zgroup", '{"zarr_format": 2}') if driver == "zarr" else ("zarr.json", '{"zarr_format": 3, "node_type": "group"}')
    )
    for folder in [store, *(entry.path for entry in os.scandir(store) if entry.is_dir())]:
        pathlib.Path(folder, name).write_text(text)


def read(store):
    """Yields the path and the elements of each array that isn't to be refused, or why it can't be read."""
    for document in sorted([*pathlib.Path(store).rglob(".zarray"), *pathlib.Path(store).rglob("zarr.json")]):
        m = json.loads(document.read_text())
        path = document.parent.relative_to(store).as_posix()
        if m.get("node_type") == "group" or path.startswith("refused/"):
            continue
        if re.search(r"numpy\.|[<>][Mm]8", str(m.get("data_type") or m.get("dtype"))):
            yield path, manifest.Unread("times")
            continue
        spec = {
            "driver": "zarr" if m["zarr_format"] == 2 else "zarr3",
            "kvstore": {"driver": "file", "path": str(document.parent)},
        }
        yield path, ts.open(spec, read=True).result().read().result()
