"""Writes Zarr v3 arrays by zarrs, as zarr-python's codecs, and reads any."""

import zarr
import arrays_v3, by_zarr3

NAME = "zarrs"
PIPELINE = {"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}


def write(out):
    """Writes a store below the folder out, and yields its name."""
    with zarr.config.set(PIPELINE):
        root = zarr.open_group(f"{out}/zarrs-v3.zarr", mode="w", zarr_format=3)
        for spec in [*arrays_v3.codecs(), *arrays_v3.shards(by_zarr3.VERSION), *arrays_v3.layouts((3, 0))]:
            if "blosc blosc" not in spec["path"]:  # which it can't read itself
                by_zarr3.create_v3(root, **spec)
        zarr.consolidate_metadata(root.store)
    yield "zarrs-v3.zarr"


def read(store):
    """Yields the path, the elements and the attributes of each array that isn't to be refused."""
    with zarr.config.set(PIPELINE):
        yield from by_zarr3.read(store, unread)


def unread(a):
    """Says why zarrs can't read an array, if it can't."""
    if a.metadata.zarr_format == 2:
        return "" if a.dtype.isnative else "big-endian elements of v2"
    # It takes the two parts of a complex number for one, whose bytes it turns around.
    big = {"name": "bytes", "configuration": {"endian": "big"}} in [c.to_dict() for c in a.metadata.codecs]
    return "big-endian complex numbers" if big and a.dtype.kind == "c" else ""
