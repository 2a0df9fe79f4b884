#!/bin/sh
# Writes the PTX of kernels.cu to the file $1, or to kernels.ptx. It takes clang 16 and nothing of NVIDIA's. The lowest
# architecture and version are what the most drivers take; contraction is off, so that what is fused is what kernels.cu fuses.
set -eu
cd "$(dirname "$0")"
exec "${CLANG:-clang-16}" -x cuda --cuda-device-only --cuda-gpu-arch=sm_50 -nocudainc -nocudalib \
	-Xclang -target-feature -Xclang +ptx50 -ffp-contract=off -O2 -std=c++17 -Wall -Werror -S -o "${1:-kernels.ptx}" kernels.cu
