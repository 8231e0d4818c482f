"""Feeds every parser of noses with damaged and random input, and checks what comes out.

    python tests/fuzz/fuzz_noses.py                       all targets, 1,000,000 inputs each
    python tests/fuzz/fuzz_noses.py --only text --inputs 10000 --seed 7
    python tests/fuzz/fuzz_noses.py --atheris --only wire  guided by coverage, where it is installed

An input that breaks something is written to tests/fuzz/cases as TARGET-HASH.bin, and from then on
the test suite tries it. Breaking is: any exception that is not a ThymosError from opening a file,
more than three seconds for one input, more than 200 MB of growth, or a sample that contradicts
itself.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
CASES = HERE / "cases"
sys.path[:0] = [str(HERE), str(HERE.parent / "drivers"), str(HERE.parent / "helpers")]

GUIDED = "--atheris" in sys.argv
if GUIDED:
    import atheris

    hook = atheris.instrument_imports(include=["thymos_drivers.enose", "thymos.smell.formats"])
else:
    hook = contextlib.nullcontext()

with hook:  # libFuzzer follows the coverage of what is imported here
    import numpy as np
    from fuzz_formats import CORPORA, NAMES, Formats
    from helpers_noses import ALL, BOOT, Cyranose, Firmware, Tue

    from thymos.errors import ThymosError
    from thymos.samples import Counters, EndOfStream, Sample
    from thymos_drivers.enose.bme_log import BmeLog
    from thymos_drivers.enose.cyranose import QUESTION, CyranoseDecoder
    from thymos_drivers.enose.decoder import Decoder
    from thymos_drivers.enose.file import NoseFile
    from thymos_drivers.enose.intake import Intake
    from thymos_drivers.enose.text import TextDecoder
    from thymos_drivers.enose.tue import TueDecoder
    from thymos_drivers.enose.wire import SYNC, WireDecoder, frame

MAX_GROWTH_KB = 200 * 1024
MAX_SECONDS = 3.0
HANG_SECONDS = 30.0
"""Generous, as the machine may be shared; parsing takes less than a millisecond."""
LIFE = 64
"""So many inputs go into one decoder before a new one is taken."""
DEEP = 8
"""In one of so many lives the readings go on to become samples (clock, losses, health)."""
MAX_CHANNELS = 512
TOKENS = (
    b"nan", b"inf", b"-1", b"1e999", b"4294967295", b"9" * 60, b",", b",,,", b"\n", b"\r\n", b"\r",
    b"OSM,", b"INFO,", b"ERR,", b"CAL,", b"Ms|", b"|", b": ", b"{", b'{"type":"data",', b'"tick":',
    b'{"type":"ack","id":1,"tick_ms":', b"[" * 50, b"Timestamp [ms]", b"Status", b"Gas index",
    b"status,gas index,gas", b"\xff\xfe", b"\x00", b"\xaa\x55", b"\xaa\x55\x01D", b"\xaa\x55\x01H",
    b"ready", b"error:", b"SD ", b"FFFFFFFF", b"RSD\r", "°".encode(), b"temperature", BOOT,
    b'"dataBlock":[', b'"key":', b"null", b"true", b"1e400", b"{}", b'"label_tag"', b"timestamp",
)  # fmt: skip


class Stream:
    """A decoder and what makes samples of it, living for `LIFE` inputs."""

    def __init__(self, make: Callable[[], Decoder]) -> None:
        self._make = make
        self._age = LIFE
        self._lives = -1
        self.history: list[bytes] = []

    def __call__(self, data: bytes) -> None:
        if self._age >= LIFE:
            self._age, self._now_ns = 0, 10**12
            self._decoder, self._intake = self._make(), None
            self._last: Sample | None = None
            self.history = []
            self._lives += 1
        self._age += 1
        self.history.append(data)
        decoder = self._decoder
        for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
            self._now_ns += 50_000_000
            decoder.due(self._now_ns)
            if self._intake is None:
                readings = decoder.feed(piece, self._now_ns)
                width = len(decoder.names) + len(decoder.climate)
                assert all(r.values.shape == (width,) for r in readings)
                if decoder.learnt and self._lives % DEEP == 0:
                    assert width <= MAX_CHANNELS
                    self._intake = Intake("n", decoder, Counters(), climate=decoder.climate)
                continue
            names = decoder.names
            for sample in self._intake.feed(piece, self._now_ns):
                self._check(sample, len(names) + len(decoder.climate))
            assert decoder.names == names, "channels are fixed once they are known"
            assert len(self._intake.health().reason) < 1000
        assert len(decoder.info) <= 80
        if self._age == LIFE:
            decoder.again()

    def _check(self, sample: Sample, width: int) -> None:
        last = self._last
        assert sample.payload.shape == (width,)
        assert not np.isinf(sample.payload).any()
        assert sample.t_ns <= sample.t_recv_ns <= self._now_ns
        assert last is None or sample.seq > last.seq
        assert last is None or sample.t_ns >= last.t_ns
        assert len(sample.note) < 20_000
        self._last = sample


class File:
    """A file of noses: opened and read to its end."""

    def __init__(self, make: Callable[[Path], NoseFile | BmeLog], suffix: str) -> None:
        folder = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self._folder = tempfile.TemporaryDirectory(dir=folder)
        self._path = Path(self._folder.name) / f"case{suffix}"
        self._make = make
        self.history: list[bytes] = []

    def __call__(self, data: bytes) -> None:
        self.history = [data]
        self._path.write_bytes(data)
        try:
            with self._make(self._path) as source:
                width, last = len(source.spec.channels), -(10**19)  # time begins anywhere
                while True:
                    sample = source.read()
                    assert sample is not None
                    assert sample.payload.shape == (width,)
                    assert sample.t_ns >= last
                    last = sample.t_ns
        except (EndOfStream, ThymosError):
            return  # read to its end, or refused in words


def pack(history: list[bytes]) -> bytes:
    """Inputs of one decoder's life as one file."""
    return b"".join(len(data).to_bytes(4, "little") + data for data in history)


def unpack(case: bytes) -> list[bytes]:
    """The inputs of a case."""
    found, at = [], 0
    while at < len(case):
        length = int.from_bytes(case[at : at + 4], "little")
        found.append(case[at + 4 : at + 4 + length])
        at += 4 + length
    return found


TARGETS: dict[str, Callable[[], Stream | File | Formats]] = {
    "text": lambda: Stream(TextDecoder),
    "named": lambda: Stream(lambda: TextDecoder(("NO2", "CO", "temperature", "t"))),
    "wire": lambda: Stream(WireDecoder),
    "tue": lambda: Stream(TueDecoder),
    "cyranose": lambda: Stream(lambda: CyranoseDecoder(10_000_000)),
    "csv": lambda: File(NoseFile, ".csv"),
    "bmerawdata": lambda: File(BmeLog, ".bmerawdata"),
    **{name: partial(Formats, name) for name in NAMES},
}
DEAR = frozenset(NAMES)
"""Targets that read and write whole files: the test suite tries fewer inputs of them."""


def corpus(target: str) -> list[bytes]:
    """Good inputs, from the firmware of real noses."""
    if target == "csv":
        own = b"t_s,NO2 [ohm],CO [ohm]\n0,1,2\n0.1,3,4\n"
        exchange = b"timestamp,MQ2,MQ3,humidity\n0,1,2,40\n500,3,4,41\n"
        return [own, exchange, *(kind().boot + rows(kind()) for kind in ALL if kind().boot)]
    if target in CORPORA:
        return CORPORA[target]
    if target in ("bmerawdata", "logs"):
        return [bme_log(2, 3, 4), bme_log(1, 10, 1)]
    kinds = {"tue": (Tue,), "cyranose": (Cyranose,)}.get(target, ALL)
    found = [kind().boot + rows(kind()) for kind in kinds]
    return found + [rows(kind(), first=n) for kind in kinds for n in (1, 7)]


def rows(firmware: Firmware, first: int = 0) -> bytes:
    if isinstance(firmware, Tue):
        firmware.runs = True
    if isinstance(firmware, Cyranose):
        return firmware.told(QUESTION, 100 * first)
    return b"".join(firmware.row(n, 100 * n) for n in range(first, first + 5))[:2000]


def bme_log(sensors: int, steps: int, cycles: int) -> bytes:
    keys = (
        "sensor_index", "sensor_id", "timestamp_since_poweron", "real_time_clock", "temperature",
        "pressure", "relative_humidity", "resistance_gassensor", "heater_profile_step_index",
        "scanning_enabled", "scanning_cycle_index", "label_tag", "error_code",
    )  # fmt: skip
    block = [
        [s, 7, 1000 * c + 100 * h + s, 0, 25.1, 1012.3, 40.5, 1e5 + c, h, 1, c, 1, 0]
        for c in range(cycles)
        for h in range(steps)
        for s in range(sensors)
    ]
    body = {"dataColumns": [{"name": k, "key": k} for k in keys], "dataBlock": block}
    return json.dumps({"rawDataHeader": {"boardId": "A"}, "rawDataBody": body}).encode()


def mutate(data: bytes, pool: list[bytes], rng: random.Random) -> bytes:
    """One to five changes, as cables, bootloaders and strangers make them."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(out) + 1)
        end = min(len(out), at + rng.choice((1, 1, 2, 4, 16, 64)))
        change = rng.randrange(9)
        if change == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            out[at:end] = rng.randbytes(end - at)
        elif change == 2:
            del out[at:end]
        elif change == 3:
            out[at:at] = out[at:end] * rng.choice((1, 2, 8))
        elif change == 4:
            out[at:at] = rng.choice(TOKENS)
        elif change == 5:
            del out[at:]
        elif change == 6:
            other = rng.choice(pool)
            out[at:] = other[rng.randrange(len(other) + 1) :]
        elif change == 7:
            out[at:end] = b"%d" % rng.choice((0, -1, 255, 1023, 2**31, 2**32 - 1, 2**53, 10**30))
        else:
            out[at:at] = rng.randbytes(rng.randint(1, 40))
    if out[:2] == SYNC and rng.random() < 0.3:  # damage behind a checksum that fits
        return frame(rng.choice((b"D", b"H", b"T")), bytes(out[6:-2][:1024]))
    return bytes(out[:8192])


class TooLongError(Exception):
    """One input never came back."""


def _ring(*_: object) -> None:
    raise TooLongError


def shortest(target: str, history: list[bytes]) -> list[bytes]:
    """Leave out inputs that are not needed to break it."""

    def breaks(inputs: list[bytes]) -> bool:
        parse = TARGETS[target]()
        try:
            for data in inputs:
                parse(data)
        except Exception:
            return True
        return False

    for n in range(len(history) - 2, -1, -1):
        fewer = history[:n] + history[n + 1 :]
        if breaks(fewer):
            history = fewer
    return history


def run(target: str, inputs: int, seed: int, *, keep: bool = True) -> dict[str, float]:
    """Try so many inputs; the first that breaks something is kept and raised."""
    rng, pool = random.Random(seed), corpus(target)
    parse = TARGETS[target]()
    signal.signal(signal.SIGALRM, _ring)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, slowest = time.monotonic(), 0.0
    for n in range(inputs):
        share = rng.random()
        if share < 0.1:
            data = rng.randbytes(rng.randint(0, 300))
        else:
            data = mutate(rng.choice(pool), pool, rng) if share < 0.95 else rng.choice(pool)
        if n % LIFE == 0:  # setting it for each input would cost more than parsing
            signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
        start = time.monotonic()
        try:
            parse(data)
        except BaseException as err:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if keep and not isinstance(err, KeyboardInterrupt):
                case = pack(shortest(target, parse.history))
                name = f"{target}-{hashlib.sha256(case).hexdigest()[:12]}.bin"
                CASES.mkdir(exist_ok=True)
                (CASES / name).write_bytes(case)
                print(f"{target}: broken by cases/{name}: {err!r}", file=sys.stderr)
            raise
        slowest = max(slowest, time.monotonic() - start)
    signal.setitimer(signal.ITIMER_REAL, 0)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    if slowest > MAX_SECONDS or grown > MAX_GROWTH_KB:
        raise AssertionError(f"{target}: slowest {slowest:.2f} s, grown by {grown} kB")
    seconds = time.monotonic() - began
    return {"inputs": inputs, "seconds": seconds, "slowest_ms": 1e3 * slowest, "grown_kb": grown}


def guided(target: str, inputs: int) -> None:
    """The same by libFuzzer, which follows the coverage of our parsers; ends the process."""
    parse = TARGETS[target]()
    with tempfile.TemporaryDirectory() as folder:
        for n, data in enumerate(corpus(target)):
            (Path(folder) / f"{n}").write_bytes(data)
        limits = ["-max_len=4096", "-timeout=30", "-rss_limit_mb=1024", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], f"-runs={inputs}", *limits, folder], parse)
        atheris.Fuzz()


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(TARGETS), action="append")
    parser.add_argument("--atheris", action="store_true")
    told = parser.parse_args()
    for target in told.only or TARGETS:
        if GUIDED:
            guided(target, told.inputs)
        found = run(target, told.inputs, told.seed)
        print(
            f"{target}: {found['inputs']:,} inputs in {found['seconds']:.0f} s, slowest "
            f"{found['slowest_ms']:.1f} ms, grown by {found['grown_kb'] / 1024:.0f} MB, no fault",
            flush=True,
        )


if __name__ == "__main__":
    main()
