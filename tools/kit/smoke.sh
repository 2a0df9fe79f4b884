#!/usr/bin/env bash
# Builds a kit and runs its stages over the emulated driver, on small stores: that shows that the kit
# works, and nothing of a GPU. It is make kit-smoke.
set -euo pipefail
go=${GO:-go}
if ! command -v "$("$go" env CC)" >/dev/null; then
	echo 'kit-smoke: skipped: there is no C compiler for the emulated driver' && exit
fi
kit=.kit/smoke # on a disk, as files that cuFile reads must be
rm -rf "$kit"
trap 'rm -rf "$kit"' EXIT
GOARCH=$("$go" env GOARCH) KIT_WHEELS=no tools/kit/build.sh "$kit"
environment=$("$go" test -tags gds -count=1 -v -run='^TestPrintEnvironment$' ./internal/cudaemu)
LD_LIBRARY_PATH=$(sed -n 's/.*LD_LIBRARY_PATH=//p' <<<"$environment")
[ -n "$LD_LIBRARY_PATH" ] || { echo "kit-smoke: no emulated driver: $environment" >&2 && exit 1; }
mkdir "$kit/data"
export LD_LIBRARY_PATH EMU=poison=0,memory=17179869184 KIT_SMALL=1 KIT_DATA="$PWD/$kit/data" KIT_SECONDS=${KIT_SECONDS:-540}
unset OUT KIT_STEPS KIT_GRID KIT_CUFILE KIT_FLAGS
"$kit/run.sh" "$@"
