"""Writes Zarr v2 and v3 stores by zarr-python 3, and reads any."""

import warnings

import numcodecs, zarr
import arrays_v2, arrays_v3, manifest, tree

warnings.filterwarnings("ignore")  # of data types and codecs without a specification

zarr.config.set({"array.rectilinear_chunks": True})
NAME = "zarr"
VERSION = tuple(int(n) for n in zarr.__version__.split(".")[:2])


def create_v2(root, path, data, chunks, dtype, fill=0, order="C", separator=".", compressor=None, filters=None, part=...):
    """Writes one array: all of data, or a part of it, so that other chunks stay missing."""
    if dtype == "text":
        dtype, filters = str, [numcodecs.VLenUTF8()]
    elif dtype == "blobs":
        dtype, filters = object if VERSION == (3, 0) else zarr.dtype.VariableLengthBytes(), [numcodecs.VLenBytes()]
    a = zarr.create(
        store=root.store,
        path=path,
        zarr_format=2,
        shape=data.shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=fill,
        order=order,
        dimension_separator=separator,
        compressor=compressor,
        filters=filters,
    )
    a[part] = data[part]
    return a


def create_v3(
    root,
    path,
    data,
    chunks,
    dtype,
    fill=None,
    filters=(),
    serializer=arrays_v3.LITTLE,
    compressors=(),
    keys=("default", "/"),
    names=None,
    part=...,
):
    """As create_v2. Codecs are given as metadata have them."""
    if dtype == "text":
        dtype = str
    elif dtype == "blobs":
        dtype = bytes if VERSION == (3, 0) else zarr.dtype.VariableLengthBytes()
    a = zarr.create_array(
        root.store,
        name=path,
        shape=data.shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=fill,
        filters=filters,
        serializer=serializer,
        compressors=compressors,
        chunk_key_encoding={"name": keys[0], "separator": keys[1]},
        dimension_names=names,
    )
    a[part] = data[part]
    return a


def create_leaf(root, path, dtype, separator=".", **spec):
    """Writes an array of tree.py into a v3 hierarchy."""
    return create_v3(root, path, dtype=dtype.replace(">", "<"), keys=("default", separator), **spec)


def write(out):
    """Writes stores below the folder out, and yields their names."""
    for version, specs, create, leaf in ((2, arrays_v2, create_v2, create_v2), (3, arrays_v3, create_v3, create_leaf)):
        root = zarr.open_group(f"{out}/zarr-v{version}.zarr", mode="w", zarr_format=version)
        for spec in specs.arrays(VERSION):
            create(root, **spec)
        zarr.consolidate_metadata(root.store)
        yield f"zarr-v{version}.zarr"
        for name in (f"tree-v{version}.zarr", f"tree-v{version}-consolidated.zarr"):
            root = zarr.open_group(f"{out}/{name}", mode="w", zarr_format=version)
            tree.write(
                VERSION,
                lambda path, attributes: root.create_group(path, attributes=attributes),
                lambda path, attributes, **spec: leaf(root, path, **spec).attrs.put(attributes),
            )
            if "consolidated" in name:
                zarr.consolidate_metadata(root.store)
            yield name


def read(store, unread=lambda array: ""):
    """Yields the path, the elements and the attributes of each array that isn't to be refused, or the path and why it can't be
    read where unread says so."""
    # Version 3.0 can't read all that it consolidates.
    for path, node in zarr.open_group(store, mode="r", use_consolidated=False).members(max_depth=None):
        if not isinstance(node, zarr.Array) or path.startswith("refused/"):
            continue
        if why := unread(node):
            yield path, manifest.Unread(why)
        else:
            yield path, node[...], node.attrs.asdict()
