"""The Python side of the interoperability test: other software writes arrays for zarrio, and reads what zarrio writes.

usage: interop.py write DIR        stores below DIR, by all that this Python can write with; prints a line of JSON for each array
       interop.py digest STORE...  prints such lines for the arrays of stores, by all that this Python can read with

manifest.py says what a line holds.
"""

import importlib, os, sys

import zarr
import manifest


def modules():
    """What writes and reads here: modules with write(out), which yields names of stores, and read(store)."""
    names = ["by_zarr2"]
    if not zarr.__version__.startswith("2."):
        names = ["by_zarr3"] + ["by_" + peer for peer in ("tensorstore", "zarrs") if importlib.util.find_spec(peer)]
    return [importlib.import_module(name) for name in names]


def main(command, *paths):
    for m in modules():
        if command == "write":
            for store in m.write(paths[0]):
                for array in m.read(os.path.join(paths[0], store)):
                    print(manifest.line(m.NAME, store, *array))
        else:
            for path in paths:
                for array in m.read(path):
                    print(manifest.line(m.NAME, os.path.basename(path), *array))


if len(sys.argv) < 3 or sys.argv[1] not in ("write", "digest"):
    sys.exit(__doc__)
main(*sys.argv[1:])
