"""Writes Zarr v2 and v3 stores by zarr-python 3, and reads any."""
import warnings

import numcodecs, zarr
import v2

warnings.filterwarnings("ignore")  # of data types and codecs without a specification

VERSION = tuple(int(n) for n in zarr.__version__.split(".")[:2])


def create_v2(root, path, data, chunks, dtype, fill=0, order="C", separator=".", compressor=None, filters=None, part=None):
    """Writes one array: all of data, or a part of it, so that other chunks stay missing."""
    if dtype == "text":
        dtype, filters = str, [numcodecs.VLenUTF8()]
    elif dtype == "blobs":
        dtype, filters = object if VERSION == (3, 0) else zarr.dtype.VariableLengthBytes(), [numcodecs.VLenBytes()]
    a = zarr.create(store=root.store, path=path, zarr_format=2, shape=data.shape, chunks=chunks, dtype=dtype, fill_value=fill, order=order,
                    dimension_separator=separator, compressor=compressor, filters=filters)
    part = ... if part is None else part
    a[part] = data[part]
    return a


def write(out):
    """Writes stores below the folder out, and yields their names."""
    root = zarr.open_group(f"{out}/zarr-v2.zarr", mode="w", zarr_format=2)
    for spec in v2.arrays(VERSION):
        create_v2(root, **spec)
    zarr.consolidate_metadata(root.store)
    yield "zarr-v2.zarr"
    for name in ("tree-v2.zarr", "tree-v2-consolidated.zarr"):
        root = zarr.open_group(f"{out}/{name}", mode="w", zarr_format=2)
        v2.hierarchy(VERSION, lambda path, attributes: root.create_group(path, attributes=attributes),
                     lambda path, attributes, **spec: create_v2(root, path, **spec).attrs.put(attributes))
        if "consolidated" in name:
            zarr.consolidate_metadata(root.store)
        yield name


def read(store):
    """Yields the path, the elements and the attributes of each array that isn't to be refused."""
    # Version 3.0 can't read all that it consolidates.
    for path, node in zarr.open_group(store, mode="r", use_consolidated=False).members(max_depth=None):
        if isinstance(node, zarr.Array) and not path.startswith("refused/"):
            yield path, node[...], node.attrs.asdict()
