"""Stores of WeatherBench2's shape for tools/era5 to fetch from, and the comparison of what it makes of them.

usage: era5.py write DIR EXACT                                  stores below DIR; EXACT is a folder of objects that are known
       era5.py compare SOURCE STORE LEVEL START STEPS NAME...  fails unless STORE is that selection of SOURCE's arrays
"""

import os, shutil, struct, sys

import numcodecs, numpy as np, zarr

LEVELS = {
    13: [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000],
    37: [1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 125, 150, 175, 200, 225, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700]
    + list(range(750, 901, 25)) + [925, 950, 975, 1000],
}
SCALE = {"geopotential": (54000, 3000), "u_component_of_wind": (6, 11), "v_component_of_wind": (0, 9), "2m_temperature": (280, 9)}


def blosc(blocksize=0):
    return numcodecs.Blosc("lz4", 5, 1, blocksize)


def create(root, name, shape, chunks, dtype, dims, fill=np.nan, attrs={}, compressor=blosc()):
    a = zarr.create(store=root, path=name, zarr_format=2, shape=shape, chunks=chunks, dtype=dtype, fill_value=fill,
                    dimension_separator=".", filters=None, compressor=compressor)
    a.attrs.update({"_ARRAY_DIMENSIONS": list(dims)} | attrs)
    return a


def coordinate(root, name, values, dtype, **attrs):
    fill = None if dtype == "<i8" else np.nan
    create(root, name, (len(values),), (len(values),), dtype, [name], fill, attrs)[:] = np.asarray(values, dtype)


def fields(name, shape, rng):
    """Fields with the values and the entropy of weather: smooth, with a mantissa that is half noise."""
    mean, std = SCALE[name]
    noise = rng.standard_normal(shape[-2:], np.float32)
    wave = np.sin(np.linspace(0, 9, shape[-2], dtype="f4"))[:, None] * np.cos(np.linspace(0, 7, shape[-1], dtype="f4"))
    out = np.empty(shape, "<f4")
    for i, index in enumerate(np.ndindex(shape[:-2])):
        out[index] = mean + std * (wave * np.float32(1 + i / 100) + np.float32(0.01) * np.roll(noise, i, axis=1))
    return out


def reorder(path, rng, window):
    """Moves the blocks of a Blosc frame about, each at most as far as a window goes: threads finish them in any order."""
    with open(path, "rb") as f:
        frame = f.read()
    decoded, blocksize, encoded = struct.unpack_from("<III", frame, 4)
    n = -(-decoded // blocksize)
    starts = struct.unpack_from(f"<{n}I", frame, 16)
    ends = dict(zip(sorted(starts), sorted(starts)[1:] + [encoded]))
    order = sorted(range(n), key=lambda i: i + rng.uniform(0, window))
    table, at, body = [0] * n, 16 + 4 * n, []
    for i in order:
        table[i] = at
        body.append(frame[starts[i]:ends[starts[i]]])
        at += len(body[-1])
    assert table != sorted(table) and at == encoded
    with open(path, "wb") as f:
        f.writelines([frame[:16], struct.pack(f"<{n}I", *table), *body])


def real_blocks(root, rng):
    """Two steps of one variable at 0.25 degrees, with the blocks that c-blosc chooses for such chunks."""
    zarr.open_group(root, mode="w", zarr_format=2)
    shape = (2, 37, 721, 1440)
    a = create(root, "u_component_of_wind", shape, (1,) + shape[1:], "<f4", ["time", "level", "latitude", "longitude"])
    for t in range(2):
        a[t] = fields(a.name.strip("/"), shape[1:], rng)
        reorder(f"{root}/u_component_of_wind/{t}.0.0.0", rng, 4)
    coordinate(root, "time", [59900 * 6, 59901 * 6], "<i8", units="hours since 1959-01-01", calendar="proleptic_gregorian")
    coordinate(root, "level", LEVELS[37], "<i8")
    coordinate(root, "latitude", np.linspace(90, -90, 721), "<f4", units="degrees_north", long_name="latitude")
    coordinate(root, "longitude", np.arange(1440) / 4, "<f4", units="degrees_east", long_name="longitude")
    zarr.consolidate_metadata(root, zarr_format=2)


def low_resolution(root, rng, exact):
    """The layout of the store of 240x121 points: longitude before latitude, which ascends, and eight steps a chunk. Of its
    93,544 steps sixteen are there."""
    zarr.open_group(root, mode="w", zarr_format=2)
    steps, lo = 93544, 59896
    for name in ("geopotential", "v_component_of_wind"):
        a = create(root, name, (steps, 13, 240, 121), (8, 13, 240, 121), "<f4", ["time", "level", "longitude", "latitude"])
        a[lo:lo + 16] = fields(name, (16, 13, 240, 121), rng)
    a = create(root, "2m_temperature", (steps, 240, 121), (8, 240, 121), "<f4", ["time", "longitude", "latitude"])
    a[lo:lo + 16] = fields("2m_temperature", (16, 240, 121), rng)
    a = create(root, "land_sea_mask", (240, 121), (240, 121), "<f4", ["longitude", "latitude"])
    a[:] = rng.uniform(0, 1, (240, 121)).astype("f4")
    coordinate(root, "time", 6 * np.arange(steps), "<i8", units="hours since 1959-01-01", calendar="proleptic_gregorian")
    coordinate(root, "level", LEVELS[13], "<i8")
    coordinate(root, "latitude", np.linspace(-90, 90, 121), "<f8")
    coordinate(root, "longitude", 1.5 * np.arange(240), "<f8")
    shutil.copytree(exact, root, dirs_exist_ok=True)
    shutil.copy(f"{exact}/geopotential/.zarray", f"{root}/v_component_of_wind/.zarray")
    zarr.consolidate_metadata(root, zarr_format=2)


def hourly(root, rng):
    """Many small blocks in an order of their own, in a store without consolidated metadata that counts from 1900."""
    zarr.open_group(root, mode="w", zarr_format=2)
    shape = (24, 37, 73, 144)
    for name in ("geopotential", "u_component_of_wind", "v_component_of_wind"):
        a = create(root, name, shape, (1,) + shape[1:], "<f4", ["time", "level", "latitude", "longitude"],
                   attrs={"short_name": name[0]}, compressor=blosc(8192))
        a[:] = fields(name, shape, rng)
        for t in range(shape[0]):
            reorder(f"{root}/{name}/{t}.0.0.0", rng, 1000)
    first = (np.datetime64("1999-12-31T20") - np.datetime64("1900-01-01T00")).astype(int)
    coordinate(root, "time", first + np.arange(shape[0]), "<i8", units="hours since 1900-01-01 00:00:00", calendar="proleptic_gregorian")
    coordinate(root, "level", LEVELS[37], "<i8")
    coordinate(root, "latitude", np.linspace(90, -90, 73), "<f4", units="degrees_north")
    coordinate(root, "longitude", 2.5 * np.arange(144), "<f4", units="degrees_east")


def write(out, exact):
    rng = np.random.default_rng(1959)
    real_blocks(f"{out}/blocks.zarr", rng)
    low_resolution(f"{out}/1959-2023_01_10-6h-240x121_equiangular_with_poles_conservative.zarr", rng, exact)
    hourly(f"{out}/hourly.zarr", rng)


def dims(a):
    return list(a.attrs.get("_ARRAY_DIMENSIONS") or a.metadata.dimension_names)


def same(name, got, want, index, got_dims, want_dims):
    want = want[index]
    if got.dtype != want.dtype or got.shape != want.shape or got[...].tobytes() != want.tobytes():
        sys.exit(f"{name}: {got.dtype}{got.shape} is not the {want.dtype}{want.shape} of the source")
    if got_dims != want_dims:
        sys.exit(f"{name}: dimensions {got_dims}, want {want_dims}")


def compare(source, store, level, start, steps, *names):
    source, store = zarr.open_group(source, mode="r"), zarr.open_group(store, mode="r")
    unit, epoch = source["time"].attrs["units"].split(" since ")
    times = np.datetime64(epoch) + source["time"][:].astype(f"timedelta64[{unit[0]}]")
    lo = np.flatnonzero(times == np.datetime64(start))[0]
    taken = {"time": slice(lo, lo + int(steps)), "level": np.flatnonzero(source["level"][:] == int(level))[0]}
    have = set(names)
    for name in names:
        have |= set(dims(source[name])) - {"level"}
    if have != set(store.array_keys()):
        sys.exit(f"there are {sorted(store.array_keys())}, want {sorted(have)}")
    for name in have:
        d = dims(source[name])
        index = tuple(taken.get(dim, slice(None)) for dim in d)
        same(name, store[name], source[name], index, dims(store[name]), [dim for dim in d if dim != "level"])


if sys.argv[1:2] == ["write"]:
    write(*sys.argv[2:])
elif sys.argv[1:2] == ["compare"]:
    compare(*sys.argv[2:])
else:
    sys.exit(__doc__)
