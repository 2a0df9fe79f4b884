"""Writes Zarr v2 stores by zarr-python 2, and reads them back."""

import numcodecs, zarr
import arrays_v2, tree


NAME = "zarr"


def create(root, path, data, chunks, dtype, fill=0, order="C", separator=".", compressor=None, filters=None, part=...):
    """Writes one array: all of data, or a part of it, so that other chunks stay missing."""
    object_codec = None
    if dtype in ("text", "blobs"):
        object_codec = numcodecs.VLenUTF8() if dtype == "text" else numcodecs.VLenBytes()
        dtype = object
    a = root.create_dataset(
        path,
        shape=data.shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=fill,
        order=order,
        dimension_separator=separator,
        compressor=compressor,
        filters=filters,
        object_codec=object_codec,
    )
    a[part] = data[part]
    return a


def write(out):
    """Writes stores below the folder out, and yields their names."""
    root = zarr.open_group(f"{out}/zarr-v2.zarr", mode="w")
    for spec in arrays_v2.arrays((2,)):
        create(root, **spec)
    zarr.consolidate_metadata(root.store)
    yield "zarr-v2.zarr"
    for name in ("tree-v2.zarr", "tree-v2-consolidated.zarr"):
        root = zarr.open_group(f"{out}/{name}", mode="w")
        tree.write(
            (2,),
            lambda path, attributes: root.create_group(path).attrs.put(attributes),
            lambda path, attributes, **spec: create(root, path, **spec).attrs.put(attributes),
        )
        if "consolidated" in name:
            zarr.consolidate_metadata(root.store)
        yield name


def read(store):
    """Yields the path, the elements and the attributes of each array that isn't to be refused."""
    arrays = []
    zarr.open_group(store, mode="r").visititems(
        lambda path, node: arrays.append((path, node)) if isinstance(node, zarr.Array) else None
    )
    for path, a in arrays:
        if not path.startswith("refused/"):
            yield path, a[...], a.attrs.asdict()
