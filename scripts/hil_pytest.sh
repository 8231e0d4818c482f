#!/usr/bin/env bash
# Runs tests of `make hil`: hil_pytest.sh CACHE PATH...
# Real processes and an emulated machine on busy cores: what failed is asked once more, alone, and
# told; what fails again is red.
cd "$(dirname "$0")/.."
cache=$1
shift
tests=(.venv/bin/python -m pytest -v -rs -o "cache_dir=$cache" -o faulthandler_timeout=240 --durations=6)
"${tests[@]}" "$@"
rc=$?
if [ "$rc" = 1 ]; then
    echo "these failed; once more, by themselves:"
    "${tests[@]}" --last-failed --last-failed-no-failures none "$@"
    rc=$?
fi
[ "$rc" != 5 ] || rc=0 # -k left nothing
exit "$rc"
