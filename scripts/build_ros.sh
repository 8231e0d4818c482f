#!/usr/bin/env bash
# Build the message package and the nodes into .venv (ROS 2 wheels, x86-64). The messages take a
# minute; they are built again only when their files changed.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/thymos-msgs
want=$(find interfaces/thymos_msgs -type f -not -path '*/build/*' -print0 | sort -z | xargs -0 cat |
    sha256sum | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --force-reinstall \
        ./interfaces/thymos_msgs
    echo "$want" >"$stamp"
fi
.venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --force-reinstall ./nodes
