"""Feeds what is read from files, networks and people, noses apart, with damaged and random input.

    python tests/fuzz/fuzz_rest.py                        all targets, 1.5 million inputs
    python tests/fuzz/fuzz_rest.py --only payload --inputs 10000 --seed 7

An input that breaks something is written to tests/fuzz/cases/rest as TARGET-HASH.bin, and from then
on the test suite tries it. Breaking is: any exception but those that the parser promises, more than
three seconds for one input, more than 300 MB of growth, or a result that contradicts itself. The
targets of ROS messages need the messages to be built.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
CASES = HERE / "cases" / "rest"
sys.path[:0] = [str(HERE), str(HERE.parent / "drivers"), str(HERE.parent / "helpers")]

from fuzz_noses import HANG_SECONDS, MAX_SECONDS, TooLongError, mutate
from rest_targets import TARGETS

MAX_GROWTH_KB = 300 * 1024
TOKENS = (
    b"null", b"true", b"[]", b"{}", b'""', b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1",
    b"0", b"[" * 60, b'{"a":' * 60, b'"\\ud800"', b"\x00", b"\xff\xfe", b"\n", b"9" * 400, b"1e400",
    b"&a [*a]", b"*a", b"!!python/object:os.system x", b"2026-99-99", b"0b", b"0x", b"1_000",
    b"!!int x", b"!!float y", b"!!timestamp z", b"<<: 1", b"- ", b": ", b"{a: {a: ", b"? ",
    b"?a=1&a=2", b"%00", b"file:", b"sim:", b"~", b"..", b"\xe2\x80\xa8", b"2026-11-23T00:00:00",
)  # fmt: skip


def change(data: bytes, pool: list[bytes], rng: random.Random) -> bytes:
    """Damage as cables make it, or as somebody would who knows the format."""
    if rng.random() < 0.4:
        return bytes([*data[:1]]) + mutate(data[1:], pool, rng)
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            out[at:at] = rng.choice(TOKENS)
        elif kind == 1:  # a value of a text, or four bytes of a binary format
            end = next((i for i in range(at, len(out)) if out[i] in b",}]\n&"), at + 4)
            out[at:end] = rng.choice(TOKENS)
        elif kind == 2 and at + 4 <= len(out):
            number = rng.choice((0, 1, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1))
            out[at : at + 4] = number.to_bytes(4, "little")
        else:
            end = at + rng.randint(1, 12)
            out[at:end] = b""
    return bytes(out)


def _ring(*_: object) -> None:
    raise TooLongError


def run(name: str, inputs: int, seed: int, *, keep: bool = True) -> dict[str, float]:
    """Try so many inputs; the first that breaks something is kept and raised."""
    target, rng = TARGETS[name], random.Random(seed)
    pool = target.corpus()
    for good in pool:
        target.parse(good)
    before = signal.signal(signal.SIGALRM, _ring)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, slowest = time.monotonic(), 0.0
    try:
        for n in range(inputs):
            random_bytes = rng.random() < 0.05
            data = rng.randbytes(rng.randint(0, 300)) if random_bytes else rng.choice(pool)
            data = data if random_bytes else change(data, pool, rng)
            if n % 16 == 0:
                signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
            start = time.monotonic()
            try:
                target.parse(data)
            except BaseException as err:
                if keep and not isinstance(err, KeyboardInterrupt):
                    CASES.mkdir(parents=True, exist_ok=True)
                    case = CASES / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}.bin"
                    case.write_bytes(data)
                    print(f"{name}: broken by {case.name}: {err!r}", file=sys.stderr)
                raise
            slowest = max(slowest, time.monotonic() - start)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    if slowest > MAX_SECONDS or grown > MAX_GROWTH_KB:
        raise AssertionError(f"{name}: slowest {slowest:.2f} s, grown by {grown} kB")
    seconds = time.monotonic() - began
    return {"inputs": inputs, "seconds": seconds, "slowest_ms": 1e3 * slowest, "grown_kb": grown}


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, help="for each target, instead of what it is worth")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(TARGETS), action="append")
    told = parser.parse_args()
    os.nice(5)
    total = 0
    for name in told.only or TARGETS:
        found = run(name, told.inputs or TARGETS[name].inputs, told.seed)
        total += int(found["inputs"])
        print(
            f"{name}: {found['inputs']:,} inputs in {found['seconds']:.0f} s, slowest "
            f"{found['slowest_ms']:.1f} ms, grown by {found['grown_kb'] / 1024:.0f} MB, no fault",
            flush=True,
        )
    print(f"{total:,} inputs in all")


if __name__ == "__main__":
    main()
