"""The Python side of the interoperability test: other software writes arrays for zarrio, and reads what zarrio writes.

usage: interop.py write DIR      stores below DIR, by all that this Python can write with; prints a line of JSON for each array
       interop.py digest STORE   prints such lines for the arrays of a store, by all that this Python can read with

manifest.py says what a line holds.
"""
import importlib.util, os, sys

import zarr
import manifest


def modules():
    """What writes and reads here: modules with write(out), which yields names of stores, and read(store)."""
    if zarr.__version__.startswith("2."):
        import write_zarr2

        return [write_zarr2]
    import write_zarr3

    return [write_zarr3]


command, where = sys.argv[1:]
if command == "write":
    for m in modules():
        for name in m.write(where):
            for array in m.read(os.path.join(where, name)):
                print(manifest.line(name, *array))
elif command == "digest":
    for m in modules():
        for array in m.read(where):
            print(manifest.line(m.__name__, *array))
else:
    sys.exit(__doc__)
