"""Writes small stores of weather by xarray, with gaps in time, packed and missing values, and grids in all directions."""

import pathlib

import numpy as np, xarray as xr

HOUR = np.timedelta64(1, "h")
LEVELS = [300, 500, 700, 850]


def noise(rng, dtype, shape):
    """Makes numbers of the size of temperatures: all the bits of a fraction, and a few zeros of both signs."""
    data = rng.normal(250, 30, shape).astype(dtype)
    data[rng.random(shape) < 0.01] = -0.0
    return data


def holes(rng, data):
    """Makes some elements NaN."""
    data[rng.random(data.shape) < 0.05] = np.nan
    return data


def fields(seed, hours, latitude, longitude):
    """Makes the fields of a store. Packed ones are as they are stored, with their attributes."""
    rng = np.random.default_rng(seed)
    time = np.datetime64("2000-01-01", "ns") + hours * HOUR
    grid = ("latitude", "longitude")
    n, size = len(time), (len(latitude), len(longitude))

    def integers(dtype, *shape):
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        return rng.integers(low, high, shape + size, np.dtype(dtype).newbyteorder("="), endpoint=True).astype(dtype)

    def packed(dims, data, missing=None, **attributes):
        if missing is not None:
            data[rng.random(data.shape) < 0.1] = missing
        return xr.Variable(dims + grid, data, attributes)

    steps = ("time",)
    return xr.Dataset(
        {
            "z": (steps + ("level",) + grid, noise(rng, "f4", (n, len(LEVELS)) + size)),
            "t2m": (steps + grid, holes(rng, noise(rng, "f4", (n,) + size))),
            "tp": (steps + grid, holes(rng, noise(rng, "f8", (n,) + size))),
            "half": (steps + grid, noise(rng, "f2", (n,) + size)),
            "sst": packed(steps, integers("i2", n), -32767, scale_factor=0.0013, add_offset=271.46, _FillValue=np.int16(-32767)),
            "msl": packed(steps, integers("i2", n), scale_factor=0.3, add_offset=98765.4),
            "cloud": packed(steps, integers("u1", n), 255, scale_factor=1 / 250, _FillValue=np.uint8(255)),
            "count": packed(steps, integers("i4", n), 7, _FillValue=np.int32(7)),
            "wind": packed(
                steps + ("level",), integers(">i2", n, len(LEVELS)), -1, scale_factor=0.01, missing_value=np.int16(-1)
            ),
            "rain": packed(steps, integers("i1", n), -1, scale_factor=0.7, _FillValue=np.int8(-1), _Unsigned="true"),
            "snow": packed(steps, integers("u2", n), scale_factor=3),
            "ozone": packed(steps, integers("i2", n) // 8192, add_offset=7, _FillValue=np.int16(-1), missing_value=np.int16(2)),
            "dust": packed(steps, integers("i4", n), 5, scale_factor=0.001, add_offset=-17.3, _FillValue=np.int32(5)),
            "huge": packed(steps, 2**53 + integers("i8", n) // 2**61, _FillValue=np.int64(2**53)),
            "flux": packed(steps, holes(rng, noise(rng, "f4", (n,) + size)), scale_factor=0.1, add_offset=0.3),
            "heat": packed(
                steps, holes(rng, noise(rng, "f4", (n,) + size)), scale_factor=0.1, add_offset=0.3, _FillValue=np.float32("nan")
            ),
            "dew": packed(steps, noise(rng, "f2", (n,) + size), scale_factor=0.1, add_offset=-20.0),
            "ens": (("time", "number") + grid, noise(rng, "f4", (n, 3) + size)),
            "fc": (("init", "lead", "number") + grid, noise(rng, "f4", (9, 2, 3) + size)),
            "mask": (grid, noise(rng, "f4", size)),
            "soil": packed((), integers("i2"), -9, scale_factor=0.5, add_offset=1.0, _FillValue=np.int16(-9)),
        },
        {
            "time": time,
            "init": time[:36:4],
            "level": np.array(LEVELS, "i4"),
            "number": np.arange(3),
            "lead": [0, 6],
            "latitude": ("latitude", latitude, {"units": "degrees_north"}),
            "longitude": ("longitude", longitude, {"units": "degrees_east"}),
        },
    )


def hours(n, **gaps):
    """Makes n times six hours apart. gaps has more hours before an index, as h20=30."""
    by = np.full(n, 6)
    by[0] = 0
    for index, more in gaps.items():
        by[int(index[1:])] += more
    return np.cumsum(by)


CHUNKS = {"time": 7, "init": 2, "level": 3, "number": 2, "lead": 1, "latitude": 5, "longitude": 7}


def write(out):
    """Writes stores below the folder out, and yields their names."""
    degrees = np.arange(12) * 30.0
    for name, data, how, shards in (
        ("v2", fields(1, hours(50, h20=30), 60 - 5.0 * np.arange(9), degrees), {"zarr_format": 2}, None),
        ("v3", fields(2, hours(41, h7=6, h30=60), np.float32(-20 + 5 * np.arange(10)), degrees - 180), {"zarr_format": 3}, None),
        ("shards", fields(3, hours(36, h33=12), 90 - 22.5 * np.arange(9), degrees[::-1]), {"zarr_format": 3}, 2),
    ):
        encoding = {t: {"units": "hours since 1999-12-31 12:00", "dtype": "i8"} for t in ("time", "init")}
        for v in data.data_vars:
            chunks = tuple(CHUNKS[d] for d in data[v].dims)
            encoding[v] = {"chunks": chunks}
            if data[v].dtype.kind == "f" and "_FillValue" not in data[v].attrs:
                encoding[v]["_FillValue"] = None if v in ("half", "flux", "dew") else np.nan
            if shards:
                encoding[v] |= {"shards": tuple(c * shards for c in chunks)}
            if how["zarr_format"] == 3 and v in ("z", "mask"):
                encoding[v]["compressors"] = None
        data.to_zarr(f"{out}/{name}", mode="w", encoding=encoding, consolidated=how["zarr_format"] == 2, **how)
        for v in ("sst", "cloud", "z", "soil"):
            chunks = [p for p in pathlib.Path(out, name, v).rglob("*0") if p.is_file()]
            min(chunks).unlink()  # a chunk that isn't stored is of fill values
        yield name
