"""What peers normalise by: a file of statistics that tools/zarrinfo -stats wrote."""

import json

import numpy as np


def read(path, variables, levels, level):
    """Returns the means and the standard deviations as float32 of the shape [variable, (level,) 1, 1], for arrays of so many
    levels, of the level of one coordinate, or without levels if both are None."""
    with open(path) as f:
        channels = {c["name"]: c for c in json.load(f)["channels"]}

    def names(variable):
        if level is not None:
            return [f"{variable}@level={level}"]
        return [f"{variable}@level#{i}" for i in range(levels)] if levels else [variable]

    missing = [n for v in variables for n in names(v) if n not in channels]
    if missing:
        raise SystemExit(f"{path}: there are no statistics of {', '.join(missing)}: there are those of {', '.join(channels)}")

    def numbers(key):
        table = np.array([[channels[n][key] for n in names(v)] for v in variables], "f4")
        return table[..., None, None] if levels else table[:, 0, None, None]

    return numbers("mean"), numbers("std")
