#!/usr/bin/env bash
# Prepares what benchmarks are compared with, and prints a line for each that there is: its name, a tab and the program. Messages,
# such as why there is none, go to standard error.
set -euo pipefail
cd "$(dirname "$0")/../.."
tool=peers
# shellcheck source=tools/interop/environment.sh
. tools/interop/environment.sh

if python=$(find_python 12 13) && (environment tensorstore-0.1.86 "$python" tensorstore==0.1.86 numpy==2.5.5) >&2 &&
	"$cache/tensorstore-0.1.86/bin/python" -c 'import tensorstore' >&2; then
	printf 'tensorstore\t%s\n' "$cache/tensorstore-0.1.86/bin/python"
else
	echo 'peers: skipped tensorstore 0.1.86: it needs Python 3.12 or 3.13 with venv, and the package from PyPI' >&2
fi

# shellcheck disable=SC2086 # a list of packages
if python=$(find_python 12 13) && (environment xarray-2026.9 "$python" $with_xarray) >&2 &&
	"$cache/xarray-2026.9/bin/python" -c 'import xarray, zarr' >&2; then
	printf 'xarray\t%s\n' "$cache/xarray-2026.9/bin/python"
else
	echo 'peers: skipped xarray 2026.9: it needs Python 3.12 or 3.13 with venv, and the packages from PyPI' >&2
fi

limit=${cache%/python}/blosc_limit
if ! ${CC:-cc} -O2 -pthread tools/peers/blosc_limit.c -o "$limit" -ldl >&2; then
	echo 'peers: skipped C-Blosc: there is no C compiler' >&2
elif ! "$limit" >&2; then
	echo 'peers: skipped C-Blosc: libblosc.so.1 could not be loaded, which the package libblosc1 has' >&2
else
	printf 'limit\t%s\n' "$limit"
fi
