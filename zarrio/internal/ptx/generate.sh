#!/bin/sh
# Writes the PTX of kernels.cu to the file $1, or to kernels.ptx. It takes clang 16 and nothing of NVIDIA's. The lowest
# architecture and version are what the most drivers take; contraction is off, so that what is fused is what kernels.cu fuses.
set -eu
cd "$(dirname "$0")"
# kernels.ptx is versioned: who has no clang 16, and asked for nothing of it, is as well off with that.
if [ $# -eq 0 ] && [ -z "${CLANG-}" ] && ! command -v clang-16 >/dev/null; then
	echo 'ptx: there is no clang-16 here, so that kernels.ptx stays as it is' >&2
	exit
fi
exec "${CLANG:-clang-16}" -x cuda --cuda-device-only --cuda-gpu-arch=sm_50 -nocudainc -nocudalib \
	-Xclang -target-feature -Xclang +ptx50 -ffp-contract=off -O2 -std=c++17 -Wall -Werror -S -o "${1:-kernels.ptx}" kernels.cu
