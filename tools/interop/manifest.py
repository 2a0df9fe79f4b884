"""What a store holds, as lines of JSON: the Go test compares them with what zarrio reads."""

import base64, hashlib, json, math
import numpy as np


class Unread(str):
    """Stands for the elements of an array that a reader is known not to read, and says why."""


def line(software, store, path, elements, attributes=None):
    """Describes one array by its elements, as the software that wrote or read them has them.

    sha256 is of the elements in C order, little-endian, of records as they are; elements that vary in length have none.
    values lists elements that are not numbers, in C order: text as it is, all others as base64; bytes and text of fixed
    length without the NULs that fill them up.
    """
    if isinstance(elements, Unread):
        return json.dumps({"software": software, "store": store, "path": path, "unread": elements})
    # Strings of varying length come in several ways, and the only one of an array as itself.
    v = np.asarray(elements, object if type(elements) in (str, bytes) or elements.dtype.kind == "T" else None)
    out = {"software": software, "store": store, "path": path, "shape": list(v.shape), "dtype": type_name(v.dtype)}
    if out["dtype"] != "object":  # whose elements have no bytes of their own
        if is_numpy(v.dtype) and not v.dtype.names:  # records are told as they are stored
            v = v.astype(v.dtype.newbyteorder("<"))
        out["sha256"] = hashlib.sha256(v.tobytes("C")).hexdigest()
    if v.dtype.kind in "SUVO" and is_numpy(v.dtype):
        out["values"] = [value(e) for e in v.reshape(-1)]
    if attributes is not None:
        out["attributes"] = {k: finite(a) for k, a in attributes.items()}
    return json.dumps(out, ensure_ascii=True, allow_nan=False)


def is_numpy(dtype):
    """Types of other packages, as bfloat16, are of kind V too."""
    return dtype.type.__module__.partition(".")[0] == "numpy"


def type_name(dtype):
    """Spells a data type as zarrio does."""
    if not is_numpy(dtype) or dtype.kind in "iufcb":
        return dtype.name
    if dtype.kind in "Mm":
        unit, count = np.datetime_data(dtype)
        name = "datetime64" if dtype.kind == "M" else "timedelta64"
        return f"{name}[{unit if count == 1 else str(count) + unit}]"
    if dtype.kind == "O":
        return "object"
    if dtype.names:
        return "struct"
    return {"S": "bytes", "U": "unicode", "V": "raw"}[dtype.kind] + str(8 * dtype.itemsize)


def value(e):
    if isinstance(e, str):
        return str(e)
    return base64.standard_b64encode(bytes(e)).decode()


def finite(a):
    """Attributes with what JSON has no numbers for within quotes, as zarrio gives them."""
    if isinstance(a, dict):
        return {k: finite(v) for k, v in a.items()}
    if isinstance(a, list):
        return [finite(v) for v in a]
    if isinstance(a, float) and not math.isfinite(a):
        return "NaN" if math.isnan(a) else "Infinity" if a > 0 else "-Infinity"
    return a
