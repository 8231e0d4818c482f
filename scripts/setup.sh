#!/usr/bin/env bash
# Set up .venv: exact versions, the message package, the embedded models. Run by `make`.
# What the system lacks is installed when we may (root, or sudo without a password); else the one
# line to type is printed. A second run finds its stamps and does next to nothing.
set -euo pipefail
cd -P "$(dirname "$0")/.."

# Another venv's or a sourced ROS installation's paths must not leak into this one.
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH PYTHONPATH PYTHONHOME

PIP_VERSION=26.3

say() { printf '%s\n' "$*" >&2; }
stop() { say "$@"; exit 1; }

# A shim of a version manager may exist and not run: ask it.
fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' >/dev/null 2>&1; }

# The interpreter itself, also where a venv is active.
find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" || stop "PYTHON=$PYTHON is not a Python 3.11 or 3.12 that runs. Type: unset PYTHON"
        "$PYTHON" -c 'import sys; print(sys._base_executable)'
        return
    fi
    for candidate in python3 python3.12 python3.11 /usr/bin/python3 /usr/bin/python3.12 /usr/bin/python3.11; do
        if fits "$candidate"; then
            "$candidate" -c 'import sys; print(sys._base_executable)'
            return
        fi
    done
}

# The version this system's own packages offer: Ubuntu 24.04 has 3.12 only; Debian 12 has 3.11,
# and Ubuntu 22.04 has it beside its 3.10.
system_version() { grep -qs '^VERSION_ID="24' /etc/os-release && echo 3.12 || echo 3.11; }

# No `| grep -q`: it closes the pipe early, which pipefail then takes for a failure.
has_library() { [[ $(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null) == *"$1 "* ]]; }

# The system packages that are missing, by their Debian and Ubuntu names.
missing_packages() {
    local python=$1 version
    if [ -z "$python" ]; then
        version=$(system_version)
        echo "python$version python$version-venv python$version-dev"
    else
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 || echo "python$version-venv"
        # For the Python half of the messages.
        [ "$ros" = no ] || "$python" -c 'import pathlib, sys, sysconfig
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' || echo "python$version-dev"
    fi
    [ "$ros" = no ] || command -v g++ >/dev/null || echo "g++" # the messages
    has_library libgomp.so.1 || echo "libgomp1"                # llama.cpp
    has_library libportaudio.so.2 || echo "libportaudio2"      # sounddevice
    has_library libusb-1.0.so.0 || echo "libusb-1.0-0"         # pyrealsense2
    has_library libudev.so.1 || echo "libudev1"                # pyrealsense2
}

install_packages() {
    local packages=$* sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo"
    local line="apt-get install -y --no-install-recommends $packages"
    command -v apt-get >/dev/null ||
        stop "missing: $packages. Install what your system calls these, then run make again."
    if [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; then
        say "installing system packages: $packages"
        # Updating may fail for a source that has nothing to do with us: the installation decides.
        $sudo apt-get update -q >&2 || true
        # shellcheck disable=SC2086
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
            $packages >&2 </dev/null ||
            stop "apt-get could not install: $packages (why: see above; supported systems: docs/install.md)"
    else
        say "missing system packages: $packages. Type this, then run make again:"
        stop "  $(command -v sudo >/dev/null && echo sudo sh || echo su) -c 'apt-get update && $line'"
    fi
}

# A venv knows its own path; one that was moved, or of another Python, or half made, is made anew.
venv_is_whole() {
    grep -qsF -e "#!$PWD/.venv/" -e "\"$PWD/.venv/" .venv/bin/pip &&
        [ "$(.venv/bin/python --version 2>/dev/null)" = "$("$python" --version)" ]
}

ros=no
extras="all,dev"
# The ROS 2 wheels exist for x86-64 only; elsewhere ROS comes from apt (docs/ros2.md).
if [ "$(uname -sm)" = "Linux x86_64" ]; then
    ros=yes
    extras="all,ros,dev"
fi

# More extras for those who want them, as the CI does: THYMOS_EXTRAS=transformers,train make test
extras="$extras${THYMOS_EXTRAS:+,$THYMOS_EXTRAS}"

python=$(find_python)
[ -n "$python" ] || say "Thymos needs Python 3.11 or 3.12; here is $(python3 --version 2>/dev/null ||
    echo none) (what 3.10 can do: docs/install.md)."
packages=$(missing_packages "$python" | xargs)
if [ -n "$packages" ]; then
    install_packages "$packages"
    python=$(find_python)
fi
[ -n "$python" ] || stop "If you have one elsewhere, type: make demo PYTHON=/path/to/python3.11"

want=$({ "$python" --version; pwd; echo "$extras"; cat pyproject.toml constraints/*.txt scripts/setup.sh; } | sha256sum)
stamp=.venv/thymos-setup
if ! venv_is_whole || [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
    if ! venv_is_whole; then
        say "creating .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    say "installing exact versions (constraints/lock.txt); the first time takes a few minutes"
    export PIP_DISABLE_PIP_VERSION_CHECK=1
    .venv/bin/python -m pip install -q "pip==$PIP_VERSION"
    .venv/bin/python -m pip install -q -c constraints/lock.txt \
        --build-constraint constraints/build.txt -e ".[$extras]"
    echo "$want" >"$stamp"
fi
[ "$ros" = no ] || scripts/build_ros.sh
.venv/bin/thymos models pull
