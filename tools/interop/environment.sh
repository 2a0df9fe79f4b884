# What scripts that need Python packages share: virtual environments in the user's cache, made once. tool is the name in messages.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/zarrbench/python

# with_xarray lists the packages of the environment xarray-2026.9.
with_xarray='xarray==2026.9.0 xbatcher==0.4.0 zarr==3.4.2 numcodecs==0.17.1 ml_dtypes==0.7.0 pandas==3.1.1 numpy==2.5.5'

# find_python prints the path of the newest Python that can make virtual environments and is of version 3.$1 to 3.$2.
find_python() {
	local minor p
	for ((minor = $2; minor >= $1; minor--)); do
		for p in "python3.$minor" python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3."$minor".*/bin/python3; do
			if "$p" -c "import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, $minor))" 2>/dev/null; then
				command -v "$p"
				return
			fi
		done
	done
	return 1
}

# environment makes the virtual environment $1 of the Python $2 and the packages that follow, unless it is there, and adds its
# Python to the list pythons.
pythons=
environment() {
	local dir=$cache/$1 python=$2
	shift 2
	if [ "$(cat "$dir/packages" 2>/dev/null)" != "$*" ] || ! "$dir/bin/python" -c 'import numpy' 2>/dev/null; then
		echo "$tool: installing $*"
		rm -rf "$dir"
		"$python" -m venv "$dir"
		"$dir/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
		echo "$*" >"$dir/packages"
	fi
	echo "$tool: with $*"
	pythons=${pythons:+$pythons:}$dir/bin/python
}
