#!/usr/bin/env bash
# Build the message package and the nodes into .venv (ROS 2 wheels, x86-64), each only when its
# files changed. The messages take a minute.
set -euo pipefail
cd "$(dirname "$0")/.."

# install NAME FOLDER MORE_INPUT...
install() {
    local stamp=.venv/thymos-$1 folder=$2 want
    shift
    want=$(find "$@" -type f -not -path '*/build/*' -not -path '*.egg-info/*' -not -name '*.pyc' \
        -print0 | sort -z | xargs -0 sha256sum | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || return 0
    echo "building $folder" >&2
    rm -rf "$folder/build" "$folder"/*.egg-info # setuptools would pack deleted modules again
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --force-reinstall \
        --build-constraint constraints/build.txt "./$folder"
    echo "$want" >"$stamp"
}

install msgs interfaces/thymos_msgs
install nodes nodes launch
