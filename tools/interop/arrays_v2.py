"""Zarr v2 arrays, by zarr-python 2 and 3: every data type, compressor, filter, layout and fill value."""

import itertools, lzma
import numcodecs, numpy as np
from elements import blobs, noise, smooth, texts

RECORD = [("time", "<i8"), ("level", ">i2"), ("wind", "<f4", (2,)), ("name", "S5"), ("place", [("lat", "<f4"), ("lon", ">f8")])]
FLAT_RECORD = [("a", "<i4"), ("b", "<f8"), ("c", "S3")]

ORDERED = ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "25s")


def arrays(zarr):
    """Yields the arguments of create for each array that zarr-python of the version zarr, as (2, 18), can write."""
    for s in itertools.chain(types(zarr), compressors(), filters(), layouts(), fills(zarr), refused(zarr)):
        raw = s["dtype"] not in ("text", "blobs") and np.dtype(s["dtype"]).kind == "V"
        if zarr == (3, 0) and (raw or s["dtype"][1:] in UNWRITTEN):
            continue
        if s["dtype"] not in ("text", "blobs") and np.dtype(s["dtype"]).kind in "SUV":
            s.setdefault("fill", np.zeros((), s["dtype"])[()])
        yield s


# zarr-python 3.0 writes metadata of these, and of raw bits and records, that it can't read, or none.
UNWRITTEN = [f"m8[{u}]" for u in ("W", "D", "h", "m", "s", "ms", "us", "25s")]


def types(zarr):
    names = ["|b1", "|i1", "|u1"] + [e + t for e in "<>" for t in ORDERED]
    names += [f"{e}{k}8[{u}]" for e in "<>" for k in "Mm" for u in UNITS]
    names += ["|S1", "|S7", "<U1", "<U9", ">U9", "|V1", "|V6"]
    for t in names:
        yield dict(path="types/" + plain(t), dtype=t, data=noise(t, (7, 5)), chunks=(3, 2))
    yield dict(path="types/record", dtype=FLAT_RECORD, data=noise(FLAT_RECORD, (7,)), chunks=(3,), fill=None)
    if zarr < (3,):
        yield dict(path="types/nested record", dtype=RECORD, data=noise(RECORD, (7,)), chunks=(3,), fill=None)
    for compressor in (None, numcodecs.Zstd(1)):
        end = "" if compressor is None else " zstd"
        yield dict(path="types/text" + end, dtype="text", data=texts((5, 4)), chunks=(2, 4), compressor=compressor, fill="")
        yield dict(
            path="types/blobs" + end,
            dtype="blobs",
            data=blobs((27,)),
            chunks=(9,),
            compressor=compressor,
            fill=None if zarr < (3, 1) else b"",
        )
    yield dict(path="types/text missing", dtype="text", data=texts((9,)), chunks=(3,), fill="nö", part=np.s_[3:6])
    yield dict(path="types/text scalar", dtype="text", data=texts(()), chunks=(), fill="")


def compressors():
    for cname, shuffle in itertools.product(("lz4", "lz4hc", "zstd", "zlib", "blosclz"), (-1, 0, 1, 2)):
        for t in ("<f4", ">i8", "|u1", "<f2", "<c16"):
            codec = numcodecs.Blosc(cname, clevel=5, shuffle=shuffle)
            yield dict(
                path=f"blosc/{cname} {shuffle} {plain(t)}", dtype=t, data=smooth(t, (40, 33)), chunks=(16, 20), compressor=codec
            )
        for clevel, blocksize in ((0, 0), (1, 512), (9, 0), (9, 4096)):
            codec = numcodecs.Blosc(cname, clevel, shuffle, blocksize)
            yield dict(
                path=f"blosc/{cname} {shuffle} level {clevel} block {blocksize}",
                dtype="<f4",
                data=smooth("<f4", (9001,)),
                chunks=(4000,),
                compressor=codec,
            )
        yield dict(
            path=f"blosc/{cname} {shuffle} noise",
            dtype="<f8",
            data=noise("<f8", (3000,)),
            chunks=(1001,),
            compressor=numcodecs.Blosc(cname, 5, shuffle),
        )
    for t in ("<f4", "|S7", "|V6"):
        yield dict(
            path=f"blosc/long {plain(t)}",
            dtype=t,
            data=noise(t, (150_000,) if t == "<f4" else (20_000,)),
            chunks=(100_000,),
            compressor=numcodecs.Blosc("lz4", 5, 1),
        )
    others = {f"zlib {n}": numcodecs.Zlib(n) for n in (0, 1, 9)} | {f"gzip {n}": numcodecs.GZip(n) for n in (0, 1, 9)}
    others |= {f"bz2 {n}": numcodecs.BZ2(n) for n in (1, 9)} | {f"zstd {n}": numcodecs.Zstd(n) for n in (-5, 0, 1, 19)}
    others |= {
        "zstd checksum": numcodecs.Zstd(3, checksum=True),
        "lz4 1": numcodecs.LZ4(1),
        "lz4 50": numcodecs.LZ4(50),
        "none": None,
    }
    others |= {
        f"xz check {c}": numcodecs.LZMA(lzma.FORMAT_XZ, c, 1)
        for c in (lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256)
    }
    others |= {
        "xz": numcodecs.LZMA(),
        "lzma alone": numcodecs.LZMA(lzma.FORMAT_ALONE, preset=1),
        "lzma raw": numcodecs.LZMA(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 1}]),
        "lzma raw 1": numcodecs.LZMA(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "preset": 1}]),
    }
    for name, codec in others.items():
        for t in ("<f4", ">i2", "|u1"):
            for kind, values in (("smooth", smooth(t, (40, 33))), ("noise", noise(t, (40, 33)))):
                yield dict(path=f"compressors/{name} {plain(t)} {kind}", dtype=t, data=values, chunks=(16, 20), compressor=codec)
    yield dict(
        path="compressors/shuffled zstd",
        dtype="<f4",
        data=smooth("<f4", (64, 64)),
        chunks=(16, 64),
        filters=[numcodecs.Blosc("lz4", 5, 1)],
        compressor=numcodecs.Zstd(1),
    )


def filters():
    n = numcodecs
    f4, f8 = "<f4", "<f8"
    cases = (
        [("delta", [n.Delta(t)], t) for t in ("|u1", "|i1", "<i2", ">i4", "<i8", "<u4", "<f4", ">f8")]
        + [
            ("delta to i2", [n.Delta("<i4", "<i2")], "<i4"),
            ("delta to big", [n.Delta("<i4", ">i8")], "<i4"),
            ("scale to u1", [n.FixedScaleOffset(10, 1, f8, "|u1")], f8),
            ("scale to i2", [n.FixedScaleOffset(100, 10, f4, "<i2")], f4),
            ("scale to big", [n.FixedScaleOffset(-5, 100, f8, ">i4")], f8),
            ("scale to f4", [n.FixedScaleOffset(1000, 0.1, f8, f4)], f8),
            ("scale integers", [n.FixedScaleOffset(7, 1, "<i8", "|u1")], "<i8"),
            ("scale same", [n.FixedScaleOffset(3, 2, f4)], f4),
            ("quantize f4", [n.Quantize(2, f4)], f4),
            ("quantize f8", [n.Quantize(1, f8)], f8),
            ("quantize to f4", [n.Quantize(3, f8, f4)], f8),
            ("quantize big", [n.Quantize(1, ">f8", ">f4")], ">f8"),
            ("quantize f2", [n.Quantize(1, "<f2")], "<f2"),
            ("bitround f2", [n.BitRound(4)], "<f2"),
            ("bitround f4", [n.BitRound(7)], f4),
            ("bitround f8", [n.BitRound(20)], f8),
            ("packbits", [n.PackBits()], "|b1"),
            ("astype", [n.AsType("<i2", "<i8")], "<i8"),
            ("astype float", [n.AsType("<f4", "<f8")], f8),
            ("astype big", [n.AsType(">i4", "<f8")], f8),
            ("crc32", [n.CRC32()], f4),
            ("adler32", [n.Adler32()], f4),
            ("fletcher32", [n.Fletcher32()], f4),
            ("crc32c", [n.CRC32C()], f4),
            ("jenkins_lookup3", [n.JenkinsLookup3()], f4),
            ("crc32 end", [n.CRC32("end")], f4),
            ("adler32 end", [n.Adler32("end")], f4),
            ("crc32c start", [n.CRC32C("start")], f4),
            ("delta shuffle fletcher32", [n.Delta("<i4"), n.Shuffle(4), n.Fletcher32()], "<i4"),
            ("scale delta", [n.FixedScaleOffset(0, 10, f8, "<i4"), n.Delta("<i4", "<i2")], f8),
            ("quantize shuffle", [n.Quantize(2, f4), n.Shuffle(4)], f4),
            ("bitround shuffle crc32", [n.BitRound(5), n.Shuffle(4), n.CRC32()], f4),
            ("astype delta scale", [n.AsType("<f8", "<i4"), n.FixedScaleOffset(0, 1, f8, "<i4"), n.Delta("<i4", "<i2")], "<i4"),
            ("crc32 twice", [n.CRC32(), n.CRC32()], f4),
        ]
        + [(f"shuffle {s}", [n.Shuffle(s)], f8) for s in (1, 2, 4, 8, 16)]
    )
    for name, chain, t in cases:
        for end, compressor in (("", None), (" zlib", n.Zlib(1)), (" blosc", n.Blosc())):
            for order in "CF" if compressor is None else "C":
                yield dict(
                    path=f"filters/{name} {plain(t)}{end}{order.replace('C', '')}",
                    dtype=t,
                    data=smooth(t, (30, 12)),
                    chunks=(16, 5),
                    filters=chain,
                    compressor=compressor,
                    order=order,
                )
    for name, codec in (("crc32", n.CRC32()), ("adler32", n.Adler32()), ("shuffle", n.Shuffle(4))):
        yield dict(path="filters/compressor " + name, dtype=f4, data=noise(f4, (30,)), chunks=(16,), compressor=codec)


def layouts():
    shapes = [
        ((), ()),
        ((1,), (1,)),
        ((5,), (7,)),
        ((3, 4, 5), (2, 3, 4)),
        ((3, 4, 5, 2), (5, 1, 2, 2)),
        ((2, 3, 2, 2, 3), (1, 2, 2, 1, 2)),
        ((0,), (1,)),
        ((0, 3), (1, 3)),
        ((3, 0), (2, 1)),
        ((11, 7), (11, 7)),
        ((11, 7), (3, 7)),
        ((11, 7), (11, 2)),
    ]
    for (shape, chunks), separator, order in itertools.product(shapes, "./", "CF"):
        for t, compressor in (("<i4", numcodecs.Blosc()), (">f8", None)):
            key = "dot" if separator == "." else "slash"
            yield dict(
                path=f"layouts/{extents(shape)} by {extents(chunks)} {order} {key} {plain(t)}",
                dtype=t,
                data=noise(t, shape),
                chunks=chunks,
                order=order,
                separator=separator,
                compressor=compressor,
            )


def fills(zarr):
    cases = [(t, f) for t in ("<f2", "<f4", ">f8") for f in (0, 1.5, -3, 0.1, np.nan, np.inf, -np.inf, None)]
    cases += [
        ("|b1", True),
        ("|b1", False),
        ("|b1", None),
        ("|u1", 255),
        ("|i1", -128),
        ("<i4", None),
        (">i8", 2**63 - 1),
        (">i8", -(2**63)),
        ("<u8", 2**64 - 1),
        ("<i2", 0),
        ("<c8", 1 + 2j),
        ("<c16", complex(np.nan, 1.5)),
        ("<c16", 0),
        ("<c16", None),
    ]
    for t in ("<M8[ns]", ">M8[D]", "<m8[h]"):
        kind = np.datetime64 if "M" in t else np.timedelta64
        unit = np.datetime_data(t)[0]
        cases += [(t, kind(5, unit)), (t, kind("NaT", unit)), (t, kind(0, unit))]
    cases += [
        ("|S7", b"xyz"),
        ("|S7", b""),
        ("<U9", "né\U0001d11e"),
        (">U9", "big"),
        ("|V6", b"abcdef"),
        ("|S7", None),
        ("<U9", None),
    ]
    if zarr >= (3,):  # which refuses null for some types
        cases = [(t, f) for t, f in cases if f is not None or t not in ("|S7", "<U9")]
    for i, (t, fill) in enumerate(cases):
        if fill is None:  # which leaves open what missing chunks hold
            yield dict(path=f"fills/{i:02} {plain(t)} null", dtype=t, data=noise(t, (6, 6)), chunks=(2, 4), fill=fill)
            continue
        yield dict(path=f"fills/{i:02} {plain(t)}", dtype=t, data=noise(t, (6, 6)), chunks=(2, 4), fill=fill, part=np.s_[2:4, :4])
        yield dict(path=f"fills/{i:02} {plain(t)} empty", dtype=t, data=noise(t, (3,)), chunks=(2,), fill=fill, part=np.s_[:0])
    record = np.array((1, 2.5, b"abc"), FLAT_RECORD)[()]
    yield dict(path="fills/record", dtype=FLAT_RECORD, data=noise(FLAT_RECORD, (6,)), chunks=(2,), fill=record, part=np.s_[2:4])


def refused(zarr):
    """Arrays of codecs that zarrio refuses by name: the last part of their path."""
    yield dict(path="refused/base64", dtype="|u1", data=smooth("|u1", (9,)), chunks=(5,), compressor=numcodecs.Base64())
    delta = [{"id": lzma.FILTER_DELTA, "dist": 4}, {"id": lzma.FILTER_LZMA2, "preset": 1}]
    yield dict(
        path="refused/lzma delta",
        dtype="<f4",
        data=smooth("<f4", (9,)),
        chunks=(5,),
        compressor=numcodecs.LZMA(lzma.FORMAT_RAW, filters=delta),
    )
    if zarr >= (3,):  # which writes objects in its own ways only
        return
    yield dict(
        path="refused/categorize",
        dtype="<U9",
        data=noise("<U9", (9,)),
        chunks=(5,),
        filters=[numcodecs.Categorize(["a", "é"], "<U9")],
    )
    for name, codec in (("json2", numcodecs.JSON()), ("pickle", numcodecs.Pickle())):
        yield dict(path="refused/" + name, dtype="|O", data=texts((5,)), chunks=(5,), filters=[codec])
    lists = np.empty(2, object)
    lists[:] = [np.arange(2, dtype="i4"), np.arange(3, dtype="i4")]
    yield dict(path="refused/vlen-array", dtype="|O", data=lists, chunks=(2,), filters=[numcodecs.VLenArray("<i4")])


def plain(t):
    """Spells a NumPy type string so that it can stand in a file's name anywhere."""
    return t.replace("<", "le-").replace(">", "be-").replace("|", "").replace("[", "-").replace("]", "")


def extents(shape):
    """Spells a shape for a name."""
    return "x".join(map(str, shape)) or "scalar"
