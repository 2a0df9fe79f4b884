#!/usr/bin/env bash
# Builds the kit into .kit, or the folder $1. Call it in the root of the module, or by make kit.
#
# GOARCH=arm64 makes a kit for machines with Arm processors. KIT_PYTHON is the Python version of the
# machine with the GPU (3.12). KIT_WHEELS=no leaves out the Python packages, which pip downloads.
set -euo pipefail
kit=${1:-.kit}
here=tools/kit
[ -d "$here" ] || { echo 'kit: call it in the root of the module' >&2; exit 2; }
export CGO_ENABLED=0 GOOS=linux GOARCH=${GOARCH:-amd64}
go=${GO:-go}
python=${KIT_PYTHON:-3.12}

# What pip downloads, with the size of each in MB: kvikIO and zarr-python, which peers are measured
# with, what they need beyond numpy and cupy, and NVIDIA's libcufile for machines without one. They
# keep their own licences, and aren't part of this project.
wheels='kvikio-cu13==26.10.0 0.7
libkvikio-cu13==26.10.0 3.2
rapids-logger==0.3.0 0.3
zarr==3.4.2 0.4
numcodecs==0.17.1 1.4
donfig==0.8.1.post1 0.1
google-crc32c==1.9.0 0.1
msgspec==0.23.0 0.2
cuda-pathfinder==1.9.1 0.1
packaging==26.4 0.1
pyyaml==6.0.4 0.8
typing-extensions==4.16.0 0.1
nvidia-cufile==1.20.0.107 1.5'

case $GOARCH in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
*) echo "kit: GPU engines aren't built for $GOARCH: want amd64 or arm64" >&2 && exit 2 ;;
esac
mkdir -p "$kit"
# A kit for another machine, or another Python, is begun anew.
target="$GOARCH, Python $python"
if [ "$(cat "$kit/target" 2>/dev/null)" != "$target" ]; then
	rm -rf "$kit/bin" "$kit/whl" "$kit/site" "$kit/shim.so"
	echo "$target" >"$kit/target"
fi
rm -rf "$kit/python" "$kit/site" # which runs unpack
mkdir -p "$kit/bin" "$kit/whl" "$kit/python"

flags=(-tags gds -trimpath -ldflags '-s -w')
"$go" build "${flags[@]}" -o "$kit/bin/" ./tools/kit ./tools/gdscheck
"$go" test -c "${flags[@]}" -o "$kit/bin/zarrbench.test" .
"$go" test -c "${flags[@]}" -o "$kit/bin/kernels.test" ./zarrio/internal/ptx
cp "$here/run.sh" "$kit/"
cp "$here"/python/*.py "$kit/python/"

# libcufile reads /proc/modules and udev's records: shim.c stands in for what a small machine lacks.
# The machine with the GPU compiles it if it has a compiler, since this machine's glibc may be newer.
cp internal/cudaemu/testdata/shim.c "$kit/"
cc=${CC:-cc}
[ "$machine" = "$(uname -m)" ] || cc=$machine-linux-gnu-gcc
if ! command -v "$cc" >/dev/null || ! "$cc" -O2 -shared -fPIC -o "$kit/shim.so" "$kit/shim.c" -ldl; then
	echo "kit: no $cc to build shim.so: the machine with the GPU needs a C compiler, or /proc/modules and udev"
fi

# missing prints the lines of wheels that aren't there.
missing() {
	local wheel size name
	while read -r wheel size; do
		name=${wheel%%==*}
		compgen -G "$kit/whl/${name//-/_}-*.whl" >/dev/null || echo "$wheel $size"
	done <<<"$wheels"
}

# download gets the wheels that are missing.
download() {
	local wheel size platforms=() p
	for p in manylinux_2_28 manylinux_2_27 manylinux_2_24 manylinux_2_17 manylinux2014; do platforms+=(--platform "${p}_$machine"); done
	missing | awk '{ n += $2; list = list sep $1; sep = ", " } END { if (NR) printf "kit: pip downloads about %.1f MB: %s\n", n, list }'
	missing | while read -r wheel size; do
		python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --python-version "$python" \
			--implementation cp "${platforms[@]}" -d "$kit/whl" "$wheel" </dev/null ||
			echo "kit: no $wheel of $size MB: what needs it will be left out" >&2
	done
}
if [ "${KIT_WHEELS:-yes}" = no ]; then
	echo 'kit: KIT_WHEELS=no: no Python packages, so most peers will be left out'
elif python3 -m pip --version >/dev/null 2>&1; then
	download
else
	echo 'kit: python3 has no pip, so most peers will be left out'
fi
echo "kit: $kit has $(du -sm "$kit" | cut -f 1) MB, for $target: carry it to the machine with the GPU, and start run.sh there"
