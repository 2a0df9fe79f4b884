"""Zarr v3 arrays, by zarr-python 3: every data type, codec, shard, layout and fill value."""

import itertools
import numpy as np
from elements import blobs, noise, smooth, texts
from arrays_v2 import FLAT_RECORD, ORDERED, UNITS, extents, plain


def codec(name, **configuration):
    return {"name": name, "configuration": configuration} if configuration else {"name": name}


LITTLE, BIG = codec("bytes", endian="little"), codec("bytes", endian="big")
ZSTD, GZIP, CRC32C = codec("zstd", level=1, checksum=False), codec("gzip", level=1), codec("crc32c")
BLOSC = codec("blosc", cname="lz4", clevel=5, shuffle="shuffle", typesize=4, blocksize=0)


def shard(chunk_shape, codecs=(LITTLE, ZSTD), index=(LITTLE, CRC32C), location="end"):
    return codec(
        "sharding_indexed", chunk_shape=list(chunk_shape), codecs=list(codecs), index_codecs=list(index), index_location=location
    )


def transpose(*order):
    return codec("transpose", order=list(order))


def arrays(zarr):
    """Yields the arguments of create for each array that zarr-python of the version zarr, as (3, 4), can write."""
    yield from types(zarr)
    yield from codecs()
    yield from numcodecs()
    yield from shards(zarr)
    yield from layouts(zarr)
    yield from fills(zarr)
    yield from conversions(zarr)


def types(zarr):
    for t, serializer in itertools.product(["|b1", "|i1", "|u1"] + ["<" + t for t in ORDERED], (LITTLE, BIG)):
        yield dict(
            path=f"types/{plain(t)} {serializer['configuration']['endian']}",
            dtype=t,
            data=noise(t, (7, 5)),
            chunks=(3, 2),
            serializer=serializer,
        )
    for end, chain in (("", []), (" zstd", [ZSTD])):
        yield dict(
            path="types/text" + end,
            dtype="text",
            data=texts((6, 4)),
            chunks=(2, 4),
            serializer=codec("vlen-utf8"),
            compressors=chain,
        )
        yield dict(
            path="types/blobs" + end,
            dtype="blobs",
            data=blobs((27,)),
            chunks=(9,),
            serializer=codec("vlen-bytes"),
            compressors=chain,
        )
    if zarr < (3, 1):
        return
    names = [f"<{k}8[{u}]" for k in "Mm" for u in UNITS] + ["|S1", "|S7", "<U1", "<U9", "|V1", "|V6", FLAT_RECORD]
    for t, serializer in itertools.product(names, (LITTLE, BIG)):
        name = plain(t) if isinstance(t, str) else "record"
        yield dict(
            path=f"types/{name} {serializer['configuration']['endian']}",
            dtype=t,
            data=noise(t, (7, 5)),
            chunks=(3, 2),
            serializer=serializer,
        )
    yield dict(
        path="types/text shard", dtype="text", data=texts((8,)), chunks=(4,), serializer=shard((2,), [codec("vlen-utf8"), ZSTD])
    )


def codecs():
    for cname, shuffle, t in itertools.product(
        ("lz4", "lz4hc", "zstd", "zlib", "blosclz"), ("noshuffle", "shuffle", "bitshuffle"), ("<f4", "<i2", "|u1")
    ):
        for clevel, blocksize in ((5, 0), (0, 0), (9, 512)):
            chain = [
                codec("blosc", cname=cname, clevel=clevel, shuffle=shuffle, typesize=np.dtype(t).itemsize, blocksize=blocksize)
            ]
            yield dict(
                path=f"blosc/{cname} {shuffle} {plain(t)} level {clevel}",
                dtype=t,
                data=smooth(t, (40, 33)),
                chunks=(16, 20),
                compressors=chain,
            )
    yield dict(path="blosc/other type size", dtype="<f8", data=smooth("<f8", (40, 33)), chunks=(16, 20), compressors=[BLOSC])
    others = {f"gzip {n}": [codec("gzip", level=n)] for n in (0, 1, 9)}
    others |= {f"zstd {n} checksum {c}": [codec("zstd", level=n, checksum=c)] for n in (-5, 0, 19) for c in (False, True)}
    others |= {
        "crc32c": [CRC32C],
        "zstd crc32c": [ZSTD, CRC32C],
        "crc32c gzip": [CRC32C, GZIP],
        "gzip zstd": [GZIP, ZSTD],
        "none": [],
        "blosc blosc": [BLOSC, BLOSC],
        "crc32c crc32c": [CRC32C, CRC32C],
    }
    for (name, chain), t in itertools.product(others.items(), ("<f4", "|u1")):
        for kind, values in (("smooth", smooth(t, (40, 33))), ("noise", noise(t, (40, 33)))):
            yield dict(path=f"compressors/{name} {plain(t)} {kind}", dtype=t, data=values, chunks=(16, 20), compressors=chain)
    orders = [o for n in (1, 2, 3) for o in itertools.permutations(range(n))] + [(3, 1, 0, 2), (1, 2, 3, 0)]
    for order, serializer in itertools.product(orders, (LITTLE, BIG)):
        shape = (5, 4, 7, 3)[: len(order)]
        yield dict(
            path=f"transpose/{'-'.join(map(str, order))} {serializer['configuration']['endian']}",
            dtype="<i2",
            data=noise("<i2", shape),
            chunks=(2, 3, 4, 2)[: len(order)],
            filters=[transpose(*order)],
            serializer=serializer,
        )
    yield dict(
        path="transpose/twice",
        dtype="<i4",
        data=noise("<i4", (5, 4, 7)),
        chunks=(2, 3, 4),
        filters=[transpose(1, 2, 0), transpose(0, 2, 1)],
    )
    yield dict(
        path="transpose/zstd",
        dtype="<i4",
        data=noise("<i4", (5, 4, 7)),
        chunks=(2, 3, 4),
        filters=[transpose(1, 2, 0)],
        compressors=[ZSTD],
    )
    yield dict(path="transpose/scalar", dtype="<i4", data=noise("<i4", ()), chunks=(), filters=[transpose()])


def numcodecs():
    """Codecs of Zarr v2 under their names in v3."""

    def n(name, **configuration):
        return {"name": "numcodecs." + name, "configuration": configuration}

    inner = {
        "blosc": n("blosc", cname="lz4", clevel=5, shuffle=1, blocksize=0),
        "bz2": n("bz2", level=1),
        "crc32": n("crc32"),
        "crc32c": n("crc32c"),
        "adler32": n("adler32"),
        "fletcher32": n("fletcher32"),
        "gzip": n("gzip", level=1),
        "lz4": n("lz4", acceleration=1),
        "lzma": n("lzma", format=1, check=-1, preset=1, filters=None),
        "shuffle": n("shuffle", elementsize=4),
        "zlib": n("zlib", level=1),
        "zstd": n("zstd", level=1),
        "jenkins_lookup3": n("jenkins_lookup3", initval=0),
    }
    for (name, c), serializer in itertools.product(inner.items(), (LITTLE, BIG)):
        yield dict(
            path=f"numcodecs/{name} {serializer['configuration']['endian']}",
            dtype="<f4",
            data=smooth("<f4", (30, 12)),
            chunks=(16, 5),
            serializer=serializer,
            compressors=[c],
        )
    yield dict(
        path="numcodecs/shuffle zlib crc32",
        dtype="<f4",
        data=smooth("<f4", (30,)),
        chunks=(16,),
        compressors=[inner["shuffle"], inner["zlib"], inner["crc32"]],
    )
    outer = [("delta", n("delta", dtype=t, astype=t), t) for t in ("|u1", "<i2", "<i8", "<f4")]
    outer += [("bitround", n("bitround", keepbits=k), t) for t, k in (("<f2", 4), ("<f4", 7), ("<f8", 20))]
    outer += [("quantize", n("quantize", digits=2, dtype=t, astype=t), t) for t in ("<f4", "<f8")]
    outer += [
        ("fixedscaleoffset", n("fixedscaleoffset", offset=10, scale=10, dtype="<f8", astype=a), "<f8")
        for a in ("<i2", "<f4", "<f8")
    ]
    outer += [("astype", n("astype", encode_dtype="<f4", decode_dtype="<f8"), "<f8"), ("packbits", n("packbits"), "|b1")]
    for i, (name, c, t) in enumerate(outer):
        for end, chain in (("", []), (" zstd", [ZSTD])):  # from big-endian elements zarr-python reads other numbers than it wrote
            yield dict(
                path=f"numcodecs/{i:02} {name} {plain(t)}{end}",
                dtype=t,
                data=smooth(t, (30, 12)),
                chunks=(16, 5),
                filters=[c],
                compressors=chain,
            )
    yield dict(
        path="numcodecs/delta in shards",
        dtype="<i4",
        data=smooth("<i4", (30, 12)),
        chunks=(16, 6),
        serializer=shard((4, 3), [n("delta", dtype="<i4", astype="<i4"), LITTLE, inner["zlib"]]),
    )


def conversions(zarr):
    """Codecs that change the type or the scale of elements."""
    if zarr < (3, 4):
        return
    scale, cast = (
        codec("scale_offset", offset=5, scale=0.5),
        codec("cast_value", data_type="int16", rounding="nearest-even", out_of_range="clamp"),
    )
    chains = {
        "scale": [scale],
        "cast": [cast],
        "scale cast": [scale, cast],
        "cast float32": [codec("cast_value", data_type="float32")],
        "cast transpose": [cast, transpose(1, 0)],
    }
    for (name, filters), serializer in itertools.product(chains.items(), (LITTLE, BIG)):
        yield dict(
            path=f"conversions/{name} {serializer['configuration']['endian']}",
            dtype="<f8",
            data=smooth("<f8", (30, 12)),
            chunks=(16, 5),
            filters=filters,
            serializer=serializer,
            compressors=[ZSTD],
        )


def shards(zarr):
    inner = {
        "raw": [LITTLE],
        "big": [BIG],
        "zstd": [LITTLE, ZSTD],
        "gzip": [LITTLE, GZIP],
        "blosc": [LITTLE, BLOSC],
        "crc32c": [LITTLE, CRC32C],
        "zstd crc32c": [LITTLE, ZSTD, CRC32C],
        "transposed": [transpose(1, 0), LITTLE],
        "transposed zstd": [transpose(1, 0), LITTLE, ZSTD],
    }
    indexes = {"": (LITTLE, CRC32C), " plain index": (LITTLE,), " big index": (BIG, CRC32C)}
    for (name, chain), location, (end, index) in itertools.product(inner.items(), ("start", "end"), indexes.items()):
        yield dict(
            path=f"shards/{name} {location}{end}",
            dtype="<i4",
            data=noise("<i4", (17, 14)),
            chunks=(8, 6),
            serializer=shard((4, 3), chain, index, location),
        )
    sparse = noise("<f4", (16, 12))
    sparse[:5, 2:7] = 2.5
    sparse[8:, 6:] = 2.5  # a whole shard
    for location in ("start", "end"):
        nested = shard((4, 6), [shard((2, 3), location=location)], location=location)
        cases = {
            "missing": dict(serializer=shard((4, 3), location=location)),
            "nested": dict(serializer=nested),
            "nested thrice": dict(serializer=shard((4, 6), [shard((4, 3), [shard((2, 1), [LITTLE])])], location=location)),
            "one inner chunk": dict(serializer=shard((8, 6), location=location)),
        }
        if zarr >= (3, 1):  # earlier ones write no shards beside other codecs
            cases |= {
                "transposed outside": dict(chunks=(8, 4), filters=[transpose(1, 0)], serializer=shard((2, 4), location=location)),
                "transposed both": dict(
                    chunks=(8, 4),
                    filters=[transpose(1, 0)],
                    serializer=shard((2, 4), [transpose(1, 0), LITTLE, ZSTD], location=location),
                ),
            }
            cases |= {
                f"{c['name']} outside": dict(serializer=shard((4, 3), location=location), compressors=[c]) for c in (GZIP, CRC32C)
            }
        for name, spec in cases.items():
            yield dict(path=f"shards/sparse {name} {location}", dtype="<f4", data=sparse, fill=2.5, **{"chunks": (8, 6)} | spec)
    yield dict(
        path="shards/partly written",
        dtype="<f4",
        data=sparse,
        chunks=(8, 6),
        fill=np.nan,
        serializer=shard((4, 3)),
        part=np.s_[3:9, 2:5],
    )
    yield dict(
        path="shards/never written",
        dtype="<f4",
        data=sparse,
        chunks=(8, 6),
        fill=np.nan,
        serializer=shard((4, 3)),
        part=np.s_[:0],
    )
    yield dict(path="shards/line", dtype="<i2", data=smooth("<i2", (1000,)), chunks=(256,), serializer=shard((16,)))
    yield dict(path="shards/volume", dtype="|u1", data=smooth("|u1", (9, 10, 11)), chunks=(4, 6, 8), serializer=shard((2, 3, 4)))


def layouts(zarr):
    shapes = [
        ((), ()),
        ((1,), (1,)),
        ((5,), (7,)),
        ((3, 4, 5), (2, 3, 4)),
        ((2, 3, 2, 2, 3), (1, 2, 2, 1, 2)),
        ((0,), (1,)),
        ((0, 3), (1, 3)),
        ((11, 7), (3, 7)),
    ]
    for (shape, chunks), keys, separator in itertools.product(shapes, ("default", "v2"), "./"):
        name = f"{extents(shape)} {keys} {'dot' if separator == '.' else 'slash'}"
        yield dict(path="layouts/" + name, dtype="<i4", data=noise("<i4", shape), chunks=chunks, keys=(keys, separator))
    yield dict(path="layouts/names", dtype="<i4", data=noise("<i4", (3, 4, 5)), chunks=(2, 3, 4), names=["time", None, "größe"])
    if zarr >= (3, 4):
        grids = {
            "rows": ((12, 7), [[3, 4, 5], [2, 5]]),
            "runs": ((14, 6), [[3, 3, 3, 5], [2, 2, 2]]),
            "line": ((10,), [[1, 2, 3, 4]]),
        }
        for (name, (shape, chunks)), chain in itertools.product(grids.items(), ([], [ZSTD])):
            yield dict(
                path=f"rectilinear/{name}{' zstd' if chain else ''}",
                dtype="<i4",
                data=noise("<i4", shape),
                chunks=chunks,
                compressors=chain,
            )
        for name, (shape, chunks, inner) in {
            "shards": ((10, 10), [[4, 2, 4], [6, 4]], (2, 2)),
            "runs of shards": ((12, 12), [[6, 3, 3], [4, 8]], (3, 4)),
        }.items():
            yield dict(
                path=f"rectilinear/{name}",
                dtype="<i4",
                data=noise("<i4", shape),
                chunks=chunks,
                serializer=shard(inner),
            )
        yield dict(
            path="rectilinear/missing",
            dtype="<i4",
            data=noise("<i4", (12, 7)),
            chunks=[[3, 4, 5], [2, 5]],
            fill=7,
            part=np.s_[3:7, 2:],
        )


def fills(zarr):
    payload = np.array([0x7FC00001], "u4").view("f4")[0]
    signalling = np.array([0x7FF0000000000001], "u8").view("f8")[0]
    cases = [(t, f) for t in ("<f2", "<f4", "<f8") for f in (0, 1.5, -0.0, 0.1, np.nan, np.inf, -np.inf)]
    cases += [
        ("<f4", payload),
        ("<f8", signalling),
        ("|b1", True),
        ("|b1", False),
        ("|u1", 255),
        ("|i1", -128),
        ("<i8", 2**63 - 1),
        ("<i8", -(2**63)),
        ("<u8", 2**64 - 1),
        ("<c8", 1 + 2j),
        ("<c16", complex(np.nan, -np.inf)),
        ("<c16", 0j),
    ]
    if zarr >= (3, 1):
        cases += [
            ("<M8[ns]", np.datetime64(5, "ns")),
            ("<M8[D]", np.datetime64("NaT", "D")),
            ("<m8[h]", np.timedelta64(-5, "h")),
            ("<m8[25s]", np.timedelta64("NaT", "s")),
            ("|S7", b"xyz"),
            ("<U9", "né\U0001d11e"),
            ("|V6", np.void(b"abcdef")),
            ("text", "né"),
            ("blobs", b"\0\xff"),
            (FLAT_RECORD, np.array((1, 2.5, b"abc"), FLAT_RECORD)[()]),
        ]
    for i, (t, fill) in enumerate(cases):
        data = texts((6, 6)) if t == "text" else blobs((6, 6)) if t == "blobs" else noise(t, (6, 6))
        name = plain(t) if isinstance(t, str) else "record"
        serializer = {"text": codec("vlen-utf8"), "blobs": codec("vlen-bytes")}.get(t if isinstance(t, str) else "", LITTLE)
        yield dict(
            path=f"fills/{i:02} {name}", dtype=t, data=data, chunks=(2, 3), fill=fill, part=np.s_[2:4, :3], serializer=serializer
        )
