#!/usr/bin/env bash
# Reads what this project writes with zarr-python, and what zarr-python writes with zarrio: the numbers must be the same.
# Python's packages go into a virtual environment in the user's cache, once.
set -euo pipefail
cd "$(dirname "$0")/../.."

# zarr-python 2 runs on Python 3.11 and 3.12.
find_python() {
	for p in python3 python3.12 python3.11; do
		if "$p" -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then
			echo "$p"
			return
		fi
	done
	return 1
}

if ! python=$(find_python); then
	if [ "${CI:-}" = true ] && command -v apt-get >/dev/null; then
		apt-get update -qq && apt-get install -y -qq python3 python3-venv
		python=$(find_python)
	else
		echo "interop: skipped: it needs Python 3.11 or 3.12 with venv"
		exit 0
	fi
fi
venv=${XDG_CACHE_HOME:-$HOME/.cache}/zarrbench/python-zarr2
if ! "$venv/bin/python" -c 'import zarr, numcodecs' 2>/dev/null; then
	rm -rf "$venv"
	"$python" -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check 'zarr==2.18.7' 'numcodecs==0.15.1'
fi
ZARRBENCH_PYTHON=$venv/bin/python go test -count=1 -run Interop .
