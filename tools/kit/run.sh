#!/bin/sh
# Proves and measures the GPU engines on this machine: run.sh -h says how.
KIT_DIR=$(cd "$(dirname "$0")" && pwd) || exit
export KIT_DIR
exec "$KIT_DIR/bin/kit" "$@"
