"""A hierarchy of names and attributes as people give them."""

from elements import noise


def write(zarr, group, array):
    """Makes groups within groups, with names and attributes as people give them. group(path, attributes) makes a group, and
    array(path, attributes, **spec) an array."""
    odd = {
        "text": 'né\n"quoted"',
        "number": 1.5,
        "big": 2**53,
        "none": None,
        "list": [1, [2, {"a": []}]],
        "nan": float("nan"),
        "inside": {"inf": [float("inf"), -float("inf")]},
        "NaN": "Infinity",
        "": "empty name",
        "true": True,
    }
    if zarr == (3, 0):  # which writes no attributes that aren't JSON
        del odd["nan"], odd["inside"]
    group("empty", {})
    group("attributes", odd)
    for path in (
        "a",
        "a/b/c",
        "a/b/c/d",
        "with space/in  it",
        "größe/温度/\U0001d11e",
        "a/.hidden",
        "dash-and_under.dot",
        "attributes/array",
        "UPPER",
        "upper",
    ):
        array(path + "/x", odd if path.startswith("a") else {}, dtype="<i2", data=noise("<i2", (5, 3)), chunks=(2, 2))
    for name in ("naïve x", "two words", "c", "0", "1.1"):  # the last as chunks are named
        array(name, {"_ARRAY_DIMENSIONS": ["y", "x"]}, dtype=">f4", data=noise(">f4", (5, 3)), chunks=(2, 2), separator="/")
