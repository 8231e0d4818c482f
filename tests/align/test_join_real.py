"""Joins of real stamps: cameras, depth, inertial units, and every bag there is."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from thymos.align import Attach, Interpolator, Join, Joined, last_before, linear, nearest
from thymos.errors import ThymosError
from thymos.record.bags import open_bag
from thymos.samples import Sample

pytestmark = pytest.mark.data

MS = 1_000_000
I64 = NDArray[np.int64]


def column(path: Path, name: str, run: str = "") -> list[int]:
    with gzip.open(path, "rt", newline="") as file:
        return [int(r[name]) for r in csv.DictReader(file) if not run or r["run"] == run]


def samples(name: str, stamps: Sequence[int]) -> list[Sample]:
    return [Sample(name, i, t, t, np.array([t % 1000 / 1.0])) for i, t in enumerate(sorted(stamps))]


def arrivals(rng: np.random.Generator, streams: Sequence[list[Sample]]) -> list[Sample]:
    """Each stream has a delay of its own; each sample comes up to 90 ms later than that."""
    late: list[tuple[int, int, int, Sample]] = []
    for k, stream in enumerate(streams):
        base = int(rng.integers(0, 800 * MS))
        for i, sample in enumerate(stream):
            late.append((sample.t_ns + base + int(rng.integers(0, 90 * MS)), k, i, sample))
    return [entry[3] for entry in sorted(late, key=lambda e: e[:3])]


def joined(
    streams: Sequence[list[Sample]], rule: Interpolator, order: Sequence[Sample]
) -> list[Joined]:
    names = [s[0].stream for s in streams]
    join = Join(names[0], {n: Attach(rule) for n in names[1:]})
    rows: list[Joined] = []
    for sample in order:
        join.push(sample)
        rows += join.ready()
    rows += join.flush()
    assert join.unmatched == {}
    return rows


# -- oracles over all pairs: no order is used, no state kept


def plain_nearest(primary: I64, other: I64, tolerance: int) -> list[tuple[int, ...]]:
    out: list[tuple[int, ...]] = []
    for t in primary:
        distance = np.abs(other - t)
        best = int(distance.argmin())  # the first, which is the earlier, of equals
        out.append((best,) if distance[best] <= tolerance else ())
    return out


def plain_last(primary: I64, other: I64, tolerance: int) -> list[tuple[int, ...]]:
    out: list[tuple[int, ...]] = []
    for t in primary:
        age = np.where(other <= t, t - other, np.iinfo(np.int64).max)
        best = int(age.argmin())
        out.append((best,) if age[best] <= tolerance else ())
    return out


RULES = {"nearest": (nearest, plain_nearest), "last_before": (last_before, plain_last)}


def check(streams: Sequence[list[Sample]], kind: str, tolerance: int, seed: int) -> int:
    """All results equal the oracle's, in order of time and as they come; how many matched."""
    make, plain = RULES[kind]
    stamps = [np.array([s.t_ns for s in stream], np.int64) for stream in streams]
    wanted = [plain(stamps[0], other, tolerance) for other in stamps[1:]]
    in_order = sorted((s for stream in streams for s in stream), key=lambda s: (s.t_ns, s.stream))
    for order in (in_order, arrivals(np.random.default_rng(seed), streams)):
        rows = joined(streams, make(tolerance), order)
        assert [r.primary.seq for r in rows] == list(range(len(streams[0])))
        for stream, expected in zip(streams[1:], wanted, strict=True):
            name = stream[0].stream
            assert [tuple(s.seq for s in r.streams[name].samples) for r in rows] == expected
    return sum(bool(w) for expected in wanted for w in expected)


@pytest.mark.parametrize("kind", RULES)
def test_colour_and_depth_of_a_depth_camera(data_dir: Path, kind: str) -> None:
    path = data_dir / "timing" / "tum_rgbd_pairs.csv.gz"
    with gzip.open(path, "rt", newline="") as file:
        runs = sorted({row["run"] for row in csv.DictReader(file)})
    assert len(runs) == 11
    matched = 0
    for seed, run in enumerate(runs):
        colour = sorted(set(column(path, "rgb_stamp_ns", run)))
        depth = sorted(set(column(path, "depth_stamp_ns", run)))
        streams = [samples("colour", colour), samples("depth", depth)]
        matched += check(streams, kind, 20 * MS, seed)
    assert matched > 5000


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize(
    ("camera", "run", "imu"),
    [
        ("euroc_camera.csv.gz", "V101", "euroc_imu_V101.csv.gz"),
        ("tumvi_camera.csv.gz", "room1_512", "tumvi_imu_room1_512.csv.gz"),
    ],
)
def test_cameras_and_their_inertial_units(
    data_dir: Path, camera: str, run: str, imu: str, kind: str
) -> None:
    frames = column(data_dir / "timing" / camera, "stamp_ns", run)
    readings = column(data_dir / "timing" / imu, "stamp_ns")
    streams = [samples("camera", frames), samples("imu", readings)]
    assert check(streams, kind, 5 * MS, seed=1) > 1000


def test_readings_are_interpolated_to_the_frames(data_dir: Path) -> None:
    path = data_dir / "timing" / "euroc_imu_V101.csv.gz"
    stamps = column(path, "stamp_ns")
    with gzip.open(path, "rt", newline="") as file:
        gyro = [float(r["gyro_x_rad_s"]) for r in csv.DictReader(file)]
    frames = column(data_dir / "timing" / "euroc_camera.csv.gz", "stamp_ns", "V101")
    shifted = [t + 2 * MS for t in frames]  # between the readings
    imu = [
        Sample("imu", i, t, t, np.array([v]))
        for i, (t, v) in enumerate(zip(stamps, gyro, strict=True))
    ]
    streams = [samples("camera", shifted), imu]
    rows = joined(streams, linear(10 * MS), arrivals(np.random.default_rng(3), streams))
    got = [(r.t_ns, m.sample.payload[0]) for r in rows if (m := r.streams["imu"]).sample]
    assert len(got) > 2500
    start = stamps[0]
    wanted = np.interp([t - start for t, _ in got], [t - start for t in stamps], gyro)
    np.testing.assert_allclose([v for _, v in got], wanted, atol=1e-9)


def test_all_bags(data_dir: Path) -> None:
    """The busiest topic with all others, in each bag with two topics or more."""
    bags = matched = 0
    for path in sorted((data_dir / "bags").rglob("*")):
        if path.suffix not in (".bag", ".mcap", ".db3"):
            continue
        try:
            bag = open_bag(path)
        except ThymosError:
            continue  # pointers and empty files
        stamps = {t.name: [m.log_ns for m in bag.messages(t.name)] for t in bag.topics}
        bag.close()
        streams = [samples(n, s) for n, s in sorted(stamps.items(), key=lambda e: -len(e[1])) if s]
        if len(streams) < 2:
            continue
        bags += 1
        for kind in RULES:
            matched += check(streams, kind, 10 * MS, seed=bags)
    assert bags >= 30
    assert matched > 5000


@pytest.mark.parametrize("name", ["tumvi_camera.csv.gz", "euroc_camera.csv.gz"])
def test_two_real_clocks_that_share_nothing(data_dir: Path, name: str) -> None:
    """Stamps of two different recordings, laid over each other: beats, holes, no common period."""
    path = data_dir / "timing" / name
    with gzip.open(path, "rt", newline="") as file:
        runs: dict[str, list[int]] = {}
        for row in csv.DictReader(file):
            runs.setdefault(row["run"], []).append(int(row["stamp_ns"]))
    matched = 0
    for (_, a), (_, b) in list(pairwise(runs.items()))[:5]:
        streams = [
            samples("a", [t - a[0] for t in a[:2000]]),
            samples("b", [t - b[0] for t in b[:2000]]),
        ]
        matched += check(streams, "nearest", 12 * MS, seed=len(a))
    assert matched > 1000
