"""Elements to write: for each data type, its ordinary values and those at its edges."""

import numpy as np

TEXTS = ["", "a", "zonal wind", "é", "日本語", "\U0001d11e clef", "tab\tnew\nline", '"quoted\\"', "x" * 40]


def noise(dtype, shape, seed=1):
    """Values of any data type that compress badly, with NaN, infinities, extremes and NaT among them."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    n = int(np.prod(shape))
    if dtype.names:
        v = np.zeros(n, dtype)
        for i, name in enumerate(dtype.names):
            field = dtype[name]
            v[name] = noise(field.base, (n, *field.shape), seed + i)
    elif dtype.kind == "b":
        v = rng.random(n) < 0.4
    elif dtype.kind in "iu":
        info = np.iinfo(dtype)
        v = rng.integers(info.min, info.max, n, info.dtype.newbyteorder("="), endpoint=True)
        v[:4] = np.array([info.min, info.max, 0, 1], v.dtype)[: v[:4].size]
    elif dtype.kind == "f":
        v = edges(rng.normal(size=n) * 100)
    elif dtype.kind == "c":
        v = edges(rng.normal(size=n)) + 1j * rng.normal(size=n)
    elif dtype.kind in "Mm":
        v = rng.integers(-50_000, 50_000, n)
        v[1:2] = np.iinfo("i8").min  # NaT
    elif dtype.kind == "S":
        v = np.array([bytes(rng.integers(1, 256, i % (dtype.itemsize + 1), "u1")) for i in range(n)], dtype)
    elif dtype.kind == "U":
        v = np.array([TEXTS[i % len(TEXTS)] for i in range(n)], dtype)
    elif dtype.kind == "V":
        v = np.frombuffer(rng.bytes(n * dtype.itemsize), dtype)
    else:
        raise TypeError(f"no values of {dtype}")
    with np.errstate(over="ignore"):
        return v.astype(dtype).reshape(shape)


def edges(v):
    """Puts the numbers that are no ordinary floats among v."""
    special = [np.nan, np.inf, -np.inf, -0.0, 1e-7, 65504.0]
    if v.size > 2 * len(special):
        v[3 : 3 + len(special)] = special
    return v


def smooth(dtype, shape):
    """Whole numbers of 0 to 199, as floats with a fraction, that lie along a wave: they compress well."""
    dtype = np.dtype(dtype)
    v = 100 + 99 * np.sin(np.arange(int(np.prod(shape))) / 50)
    if dtype.kind in "iu":
        v = np.minimum(v, np.iinfo(dtype).max)
    if dtype.kind == "b":
        v = v > 100
    if dtype.kind in "Mm":
        v = v.astype("i8")
    return v.astype(dtype).reshape(shape)


def texts(shape):
    """Strings of varying length, as objects."""
    n = int(np.prod(shape))
    v = np.empty(n, object)
    v[:] = [TEXTS[i % len(TEXTS)] for i in range(n)]
    return v.reshape(shape)


def blobs(shape):
    """Bytes of varying length, as objects."""
    v = np.empty(int(np.prod(shape)), object)
    v[:] = [bytes(range(i % 7)) + b"\xff" * (i % 3) for i in range(v.size)]
    return v.reshape(shape)
