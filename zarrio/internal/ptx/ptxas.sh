#!/usr/bin/env bash
# Assembles kernels.ptx with NVIDIA's ptxas for every architecture from sm_50 on, as a driver would for its GPU. ptxas comes out of
# Python wheels, which pip puts into the user's cache, once; nothing of them stays here. It needs an x86-64 or arm64 Linux.
set -euo pipefail
cd "$(dirname "$0")"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/zarrbench/wheels

skip() { echo "ptxas: skipped NVIDIA's assembler: $*"; }

case $(uname -s)/$(uname -m) in
Linux/x86_64 | Linux/aarch64) ;;
*) skip "there is none for $(uname -s) on $(uname -m)" && exit ;;
esac
if ! python3 -m pip --version >/dev/null 2>&1; then
	skip 'there is no python3 with pip to download it' && exit
fi

# assemble takes a wheel, as pip names it, and architectures.
assemble() {
	local wheel=$1 dir=$cache/$1 ptxas arch
	shift
	if [ ! -e "$dir/complete" ]; then
		echo "ptxas: downloading $wheel"
		rm -rf "$dir"
		mkdir -p "$dir"
		if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$dir" "$wheel"; then
			skip "$wheel can't be downloaded"
			return
		fi
		python3 -m zipfile -e "$dir"/*.whl "$dir"
		rm "$dir"/*.whl
		touch "$dir/complete"
	fi
	ptxas=$(find "$dir" -type f -name ptxas -print -quit)
	[ -n "$ptxas" ] || { echo "ptxas: there is none in $wheel" >&2; exit 1; }
	chmod +x "$ptxas" # a zip file has no modes here
	for arch; do
		# A spill means that registers did not suffice: memory is used in their place.
		out=$("$ptxas" --verbose --warning-as-error --gpu-name "$arch" --output-file "$tmp/$arch" kernels.ptx 2>&1) || { echo "$out"; echo "ptxas: $wheel, $arch: refused" >&2; exit 1; }
		if grep -Eq '[1-9][0-9]* bytes spill' <<<"$out"; then
			echo "$out"
			echo "ptxas: $wheel, $arch: registers are spilled" >&2
			exit 1
		fi
		echo "ptxas: $wheel, $arch: $(grep -c 'Compiling entry function' <<<"$out") kernels, at most $(grep -o 'Used [0-9]* registers' <<<"$out" | sort -k2n | tail -1 | cut -d' ' -f2) registers"
	done
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
assemble nvidia-cuda-nvcc-cu12==12.9.86 sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_89 sm_90 sm_100 sm_103 sm_120 sm_121
assemble nvidia-cuda-nvcc==13.5.37 sm_75 sm_80 sm_86 sm_89 sm_90 sm_100 sm_103 sm_110 sm_120 sm_121
