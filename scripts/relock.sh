#!/usr/bin/env bash
# Write constraints/lock.txt from what is installed in .venv (after trying newer versions there).
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/python - <<'PY' >constraints/lock.txt
import importlib.metadata as metadata

OURS = {"thymos", "thymos-nodes", "ros-thymos-msgs", "pip", "setuptools", "wheel", "linuxpy"}
print("# Every version that `make` installs and CI tests, for CPython 3.11 and 3.12 on x86-64 Linux.")
print("# Made with: scripts/relock.sh")
rows = set()
for dist in metadata.distributions():
    # ament installs egg-info folders beside the real distributions: only pip's own count
    name = dist.name.lower().replace("_", "-")
    if (dist.read_text("INSTALLER") or "").strip() == "pip" and name not in OURS:
        rows.add(f"{name}=={dist.version}")
print("\n".join(sorted(rows)))
PY
