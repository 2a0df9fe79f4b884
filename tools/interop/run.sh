#!/usr/bin/env bash
# Reads with zarrio what other software writes, and with other software what this project writes: the numbers must be the
# same. The Python packages go into virtual environments in the user's cache, once.
set -euo pipefail
cd "$(dirname "$0")/../.."
tool=interop
# shellcheck source=tools/interop/environment.sh
. tools/interop/environment.sh

if ! old=$(find_python 11 12) && [ "${CI:-}" = true ] && command -v apt-get >/dev/null; then
	apt-get update -qq && apt-get install -y -qq python3 python3-venv
	old=$(find_python 11 12) || true
fi
if [ -n "$old" ]; then # NumPy 1 has no binaries for later ones
	environment zarr-2.16 "$old" zarr==2.16.1 numcodecs==0.15.1 crc32c==2.8 numpy==1.26.4
	environment zarr-2.18 "$old" zarr==2.18.7 numcodecs==0.15.1 crc32c==2.8 numpy==2.3.5
	environment zarr-3.0 "$old" zarr==3.0.8 numcodecs==0.15.1 crc32c==2.8 numpy==2.3.5
else
	echo 'interop: skipped zarr 2.16, 2.18 and 3.0: they need Python 3.11 or 3.12 with venv'
fi
if new=$(find_python 12 13); then
	environment zarr-3.4 "$new" zarr==3.4.2 numcodecs==0.17.1 tensorstore==0.1.86 zarrs==0.2.3 cast-value-rs==0.5.1 numpy==2.5.5
elif [ -n "$old" ]; then
	echo 'interop: skipped zarr 3.4: it needs Python 3.12 or later with venv; zarr 3.1 takes its place'
	environment zarr-3.1 "$old" zarr==3.1.6 numcodecs==0.16.6 tensorstore==0.1.86 zarrs==0.2.3 numpy==2.3.5
else
	echo 'interop: skipped zarr 3.4: it needs Python 3.12 or later with venv'
fi
# xarray and xbatcher say what samples are. Their environment isn't one of those that read and write arrays.
if [ -n "$new" ]; then
	listed=$pythons
	# shellcheck disable=SC2086 # a list of packages
	environment xarray-2026.9 "$new" $with_xarray
	pythons=$listed
	export ZARRBENCH_XARRAY=$cache/xarray-2026.9/bin/python
else
	echo 'interop: skipped xarray 2026.9: it needs Python 3.12 or later with venv'
fi
# A server that speaks as the object store of the public data does. It is a tool of the tests and no dependency of the module.
gcs=${cache%/python}/fake-gcs-server-1.52.3
if [ ! -x "$gcs/fake-gcs-server" ]; then
	echo 'interop: installing fake-gcs-server 1.52.3'
	(cd / && GOBIN=$gcs GOFLAGS= "${GO:-go}" install github.com/fsouza/fake-gcs-server@v1.52.3) >/dev/null 2>&1 ||
		echo 'interop: skipped the fetch from a bucket: fake-gcs-server 1.52.3 could not be installed'
fi
[ ! -x "$gcs/fake-gcs-server" ] || export ZARRBENCH_GCS=$gcs/fake-gcs-server

[ -z "$pythons" ] || ZARRBENCH_PYTHON=$pythons "${GO:-go}" test -count=1 -run Interop ./tools/interop
