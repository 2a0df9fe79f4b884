"""What samples are by xarray, NumPy and xbatcher: the oracle of zarrio/loader.

usage: samples.py write DIR          writes stores below DIR, and prints their names
       samples.py compute CASES OUT  computes the samples of CASES, and writes them below OUT

CASES is a file of JSON, a list of objects with a name and a store. Such a case has the description of its samples, a path, or
window and channels as the benchmarks' flags -window and -vars have them. For each there is a folder OUT/NAME. It holds
samples.json, with the numbers of the samples' windows and the shape, the type and the times of each tensor, and TENSOR.bin,
with its elements in C order, by sample.
"""

import itertools, json, os, re, sys

import ml_dtypes, numpy as np, pandas as pd, xarray as xr, xbatcher
import sample_stores

GRID = ("latitude", "longitude")
TYPES = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


class Store:
    """A store as it is, and as xarray decodes it."""

    def __init__(self, path):
        consolidated = os.path.exists(os.path.join(path, ".zmetadata"))
        self.raw = xr.open_zarr(path, mask_and_scale=False, consolidated=consolidated, chunks=None).load()
        self.decoded = xr.decode_cf(self.raw)


def step(text):
    """Parses an offset: a number of indices, or a time, which becomes a Timedelta."""
    if re.fullmatch(r"[+-]?\d+", str(text)):
        return int(text)
    time = pd.Timedelta(text.lstrip("+-").replace("d", "D"))
    return -time if text[0] == "-" else time


def period(text):
    """Parses a range of times: its first and its last nanosecond."""
    start, slash, end = text.replace("Z", "").partition("/")
    if not slash:
        end = start
    first, last = pd.Timestamp.min.value, pd.Timestamp.max.value
    if start:
        first = pd.Timestamp(start).value
    if len(end) > len("2000-01-01"):
        last = pd.Timestamp(end).value
    elif end:  # a Period's own end_time is that of its last microsecond
        last = (pd.Period(end) + 1).start_time.value - 1
    return first, last


def range_of(texts, times):
    """Finds the range that each time is in, of those that are left where ranges that touch are one; -1 if it is in none."""
    merged = []
    for first, last in sorted(map(period, texts)):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(last, merged[-1][1])
        else:
            merged.append([first, last])
    found = np.full(np.shape(times), -1)
    for i, (first, last) in enumerate(merged):
        found[(times >= first) & (times <= last)] = i
    return found


def steps_of(times, origin, offsets):
    """Finds the indices of a sample's steps, or None if one doesn't exist."""
    found = []
    for o in offsets:
        index = origin + o if isinstance(o, int) else np.flatnonzero(times == times[origin] + o.value)
        if not isinstance(o, int):
            index = index[0] if len(index) else -1
        if not 0 <= index < len(times):
            return None
        found.append(index)
    return found


def choose(times, stride, offsets, select, beside):
    """Finds the samples: by the number of its window, the index of each one's origin. There are none if the selection asks for
    what there isn't."""
    intervals = np.diff(times)
    gaps = intervals > 1.5 * np.median(intervals)
    reach = [o if isinstance(o, int) else 0 for o in offsets]
    samples = {}
    for origin in range(0, len(times), stride):
        steps = steps_of(times, origin, offsets)
        if steps is not None:
            samples[origin // stride] = origin, times[steps]

    def keep(rule):
        for number, sample in list(samples.items()):
            if not rule(number, *sample):
                del samples[number]

    def keep_in_one(texts):
        keep(lambda number, origin, at: len(set(range_of(texts, at))) == 1 and range_of(texts, at)[0] >= 0)

    if "windows" in select:
        listed = {p for p in select["windows"] if isinstance(p, int)}
        begun = [set(np.flatnonzero(range_of([p], times[::stride]) >= 0)) for p in select["windows"] if isinstance(p, str)]
        if not listed <= samples.keys() or not all(begun):
            return {}
        listed = listed.union(*begun)
        keep(lambda number, origin, at: number in listed)
    if "stride" in select:
        every = step(select["stride"])
        if isinstance(every, int):
            keep(lambda number, origin, at: origin % every == 0)
        else:
            keep(lambda number, origin, at: (times[origin] - times[0]) % every.value == 0)
    if "time" in select:
        keep_in_one(select["time"])
    if "split" in select:
        with open(beside(select["split"]["file"])) as f:
            keep_in_one(json.load(f)["splits"][select["split"]["name"]])
    if "except" in select:
        days = [p for p in select["except"] if isinstance(p, str)]
        keep(lambda number, origin, at: number not in select["except"] and (range_of(days, at) < 0).all())
    if select.get("gaps") == "drop":
        keep(lambda number, origin, at: not gaps[origin + min(reach) : origin + max(reach)].any())
    return {number: origin for number, (origin, at) in samples.items()}


def expand(data, names, along):
    """Yields the names and the fields of channels."""
    for name in names:
        array, *fixed = name.split("@")
        fixed = [re.fullmatch(r"(\w+)([=#])(.*)", f).groups() for f in fixed]
        for values in itertools.product(*(f[2].split(",") for f in fixed)):
            field, label = data[array], array
            for (dim, how, _), value in zip(fixed, values):
                label += f"@{dim}{how}{value}"
                field = field.sel({dim: float(value)}) if how == "=" else field.isel({dim: int(value)})
            free = [d for d in field.dims if d not in (along, *GRID)]
            for at in itertools.product(*(range(field.sizes[d]) for d in free)):
                yield label + "".join(f"@{d}#{i}" for d, i in zip(free, at)), field.isel(dict(zip(free, at)))


def crop(field, limits):
    """Cuts a range of latitudes, and one of longitudes that goes east from its first."""
    for dim, text in limits.items():
        start, end = map(float, text.split("/"))
        if dim == "latitude":
            inside = (field[dim] >= min(start, end)) & (field[dim] <= max(start, end))
            field = field.isel({dim: np.flatnonzero(inside)})
            continue
        width = (end - start) % 360
        if start != end and width == 0:
            width = 360
        west_to_east = field[dim].values[1] > field[dim].values[0]
        turned = field.assign_coords({dim: (field[dim] - start) % 360}).sortby(dim)
        field = turned.sel({dim: slice(0, width)}).sortby(dim, ascending=bool(west_to_east))
    return field


def convert(field, spec, label):
    """Makes a channel's elements those of its tensor."""
    to = spec.get("type") or ("float32" if spec.get("unpack") or "normalize" in spec else None)
    values = field.values
    if to is None:
        return values.astype(values.dtype.newbyteorder("="))
    if to != "float64":
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
    values = values.astype(np.float64 if to == "float64" else np.float32)
    if "normalize" in spec:
        affine = spec["normalize"][label]
        values = (values - np.float32(affine["mean"])) / np.float32(affine["std"])
    with np.errstate(over="ignore"):
        return values.astype(TYPES[to])


def patches(extent, axis):
    """Lists the beginnings of an axis's patches."""
    return range(0, extent - axis["size"] + 1, axis.get("stride") or axis["size"])


def described(store, path):
    """Computes the samples of a description."""
    with open(path) as f:
        d = json.load(f)
    beside = lambda file: os.path.join(os.path.dirname(path), file)
    along, *cuts = d["along"]
    dim = along["dim"]
    times = store.raw[dim].values
    timed = times.dtype.kind == "M"
    times = times.astype("datetime64[ns]").astype(np.int64) if timed else times
    offsets = [step(s) for t in d["tensors"] for s in t.get("steps", [])]
    chosen = choose(times, along.get("stride") or 1, offsets, d.get("select", {}), beside)
    if not chosen:
        return [], {}
    starts = [patches(store.raw.sizes[c["dim"]], c) for c in cuts]
    numbers = np.array(list(chosen))
    for begins in starts:
        numbers = np.add.outer(numbers * len(begins), np.arange(len(begins))).ravel()
    tensors = {}
    for t in d["tensors"]:
        channels = []
        if isinstance(t.get("normalize"), str):
            with open(beside(t["normalize"])) as f:
                t["normalize"] = {c["name"]: c for c in json.load(f)["channels"]}
        data = store.decoded if t.get("unpack") else store.raw
        steps = [step(s) for s in t.get("steps", [])]
        at = np.array([steps_of(times, o, steps) for o in chosen.values()], int).reshape(len(chosen), len(steps))
        for label, field in expand(data, t["channels"], dim):
            field = crop(field, t.get("crop", {}))
            field = field.copy(data=convert(field, t, label))
            if not t.get("static"):
                if dim not in field.dims:  # it is the same at each step
                    field = field.expand_dims({dim: len(times)})
                field = field.isel({dim: xr.DataArray(at, dims=("sample", "step"))})
            elif cuts:
                field = field.expand_dims(sample=len(chosen))
            for c, begins in zip(cuts, starts):
                index = np.add.outer(np.array(begins, int), np.arange(c["size"]))
                field = field.isel({c["dim"]: xr.DataArray(index, dims=("patch " + c["dim"], c["dim"]))})
            channels.append(field.drop_vars(list(field.coords)))
        whole = xr.concat(channels, "channel")
        heads = [h for h in ("sample", *("patch " + c["dim"] for c in cuts)) if h in whole.dims]
        dims = (*heads, *(["step"] if "step" in whole.dims else []), "channel", *GRID)
        values = whole.transpose(*dims).values
        if not values.size:  # a crop in which there is nothing
            return [], {}
        shape = list(values.shape[len(heads) :])
        squeezed = t.get("squeeze", [])
        if "step" in whole.dims and dim in squeezed:
            shape.pop(0)
        if "channel" in squeezed:
            shape.pop(-3)
        when = np.repeat(times[at], len(numbers) // len(chosen), axis=0) if steps and timed else None
        tensors[t["name"]] = values, shape, when
    return numbers, tensors


def windowed(store, window, names):
    """Computes the samples of the benchmarks' windows by xbatcher."""
    axes = [re.fullmatch(r"(\w+)=(\d+)(?::(\d+))?", w).groups() for w in window.split(",")]
    size = {dim: int(n) for dim, n, _ in axes}
    overlap = {dim: int(o) for dim, _, o in axes if o}
    fields = [f for _, f in expand(store.raw, names, "time")]
    whole = xr.concat([f.drop_vars([c for c in f.coords if c not in f.dims]) for f in fields], "channel")
    whole = whole.transpose("time", "channel", *GRID)
    places = {dim: pd.Index(whole[dim].values) for dim in size}
    by = {dim: (len(places[dim]) - n) // (n - overlap.get(dim, 0)) + 1 for dim, n in size.items()}
    samples = {}
    # Dimensions that it isn't told of it would stack.
    for batch in xbatcher.BatchGenerator(whole, dict(whole.sizes) | size, overlap, preload_batch=False):
        number = 0
        for dim, n in size.items():
            number = number * by[dim] + places[dim].get_loc(batch[dim].values[0]) // (n - overlap.get(dim, 0))
        samples[number] = batch
    numbers = sorted(samples)
    values = np.stack([samples[n].values for n in numbers])
    when = np.stack([samples[n]["time"].values.astype("datetime64[ns]").astype("i8") for n in numbers])
    n = values.shape[1]
    labels = ["input"] + [f"step{i}" for i in range(1, n - 1)] + ["target"] * (n > 1)
    return numbers, {label: (values[:, i], list(values.shape[2:]), when[:, i : i + 1]) for i, label in enumerate(labels)}


def compute(cases, out):
    """Writes the samples of cases."""
    with open(cases) as f:
        cases = json.load(f)
    stores = {}
    for case in cases:
        path = case["store"]
        store = stores[path] = stores.get(path) or Store(path)
        if "window" in case:
            numbers, tensors = windowed(store, case["window"], case["channels"])
        else:
            numbers, tensors = described(store, case["description"])
        folder = os.path.join(out, case["name"])
        os.makedirs(folder)
        document = {"samples": [int(n) for n in numbers], "tensors": []}
        for name, (values, shape, when) in tensors.items():
            np.ascontiguousarray(values).tofile(os.path.join(folder, name + ".bin"))
            times = None if when is None else when.tolist()
            document["tensors"].append({"name": name, "shape": shape, "type": values.dtype.name, "times": times})
        with open(os.path.join(folder, "samples.json"), "w") as f:
            json.dump(document, f)


if len(sys.argv) == 3 and sys.argv[1] == "write":
    for name in sample_stores.write(sys.argv[2]):
        print(name)
elif len(sys.argv) == 4 and sys.argv[1] == "compute":
    compute(*sys.argv[2:])
else:
    sys.exit(__doc__)
