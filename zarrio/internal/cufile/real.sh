#!/usr/bin/env bash
# Runs the tests of the packages given, or of this one, over NVIDIA's own libcufile in place of the
# emulated one. Flags of go test, such as -short, may stand before the packages. The versions are the
# oldest and the newest that this project knows. The one that PyTorch's wheels for CUDA 13 bring runs
# those that it may fail alone: batches, statistics, and epochs by the engine gds. The libraries come
# from the Python package index, once, into the user's cache. They are NVIDIA's, under its licence,
# and no part of this project.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/zarrbench/wheels
go=${GO:-go}
packages=("$@")
case ${*: -1} in
'' | -*)
	cd "$here"
	packages+=(.)
	;;
esac
# A process over NVIDIA's library has many threads that wait for others: packages are tested one at a time.

skip() { echo "cufile: skipped NVIDIA's libcufile: $*"; }

# library prints the folder of libcufile.so.0 of the package $1, such as nvidia-cufile==1.20.0.107, which it downloads unless
# it is there. The index's own client is what downloads; it also picks the machine's architecture.
library() {
	local dir=$cache/$1-$(uname -m) tmp found
	if [ ! -d "$dir" ]; then
		mkdir -p "$cache"
		tmp=$(mktemp -d "$cache/download-XXXXXX")
		if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$tmp" "$1" >&2 ||
			! (cd "$tmp" && python3 -m zipfile -e ./*.whl . && rm ./*.whl); then
			rm -rf "$tmp"
			return 1
		fi
		mv -T "$tmp" "$dir" 2>/dev/null || rm -rf "$tmp" # another process may have been first
	fi
	found=$(find "$dir" -name libcufile.so.0 -print -quit)
	[ -n "$found" ] && dirname "$found"
}

case $(uname -s)/$(uname -m) in
Linux/x86_64 | Linux/aarch64) ;;
*) skip "there is none for $(uname -s) on $(uname -m)" && exit ;;
esac
if ! command -v "$($go env CC)" >/dev/null; then
	skip 'it needs the emulated libcuda, and there is no C compiler to build that' && exit
fi
if ! python3 -m pip --version >/dev/null 2>&1; then
	skip 'there is no python3 with pip to download it' && exit
fi
# The library takes files of block devices alone.
memory() { case $(stat -f -c %T "$1") in tmpfs | ramfs) true ;; *) false ;; esac; }
if memory "${TMPDIR:-/tmp}"; then
	mkdir -p "$cache"
	if memory "$cache"; then
		skip "${TMPDIR:-/tmp} and $cache are in memory, and it needs files on a disk" && exit
	fi
	TMPDIR=$(mktemp -d "$cache/tmp-XXXXXX")
	export TMPDIR
	trap 'rm -rf "$TMPDIR"' EXIT
fi
some='^Test(Stats|Batch(|End|Refused|RefusedLater|Cancel|Close|Size|Large|Signals|Allocs|Stats)|GDS(Missing|Steady|StraightRows|FewSlots|Honest))$'
for package in nvidia-cufile-cu12==1.14.1.1 nvidia-cufile==1.20.0.107 nvidia-cufile==1.15.1.6; do
	if ! dir=$(library "$package"); then
		skip "$package can't be downloaded"
		continue
	fi
	echo "cufile: over $package"
	case $package in *==1.15.*) tests=$some ;; *) tests=. ;; esac
	ZARRBENCH_CUFILE=$dir "$go" test -count=1 -p=1 -timeout=10m -tags gds -run "$tests" "${packages[@]}"
done
