"""Simulated devices and the fault injector: deterministic, labelled, breakable."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import numpy as np
import pytest

from reading import all_of
from thymos.devices import StreamRole, open_uri
from thymos.errors import ConfigError, DeviceError, DeviceLostError
from thymos.samples import (
    EndOfStream,
    Flag,
    Health,
    Kind,
    Origin,
    Sample,
    Source,
    StreamSpec,
)
from thymos_drivers.sim_nose import CHANNELS, ODOURS, parse_events
from thymos_drivers.testing import FaultInjector, FaultPlan, ListSource

SPEC = StreamSpec("enose", Kind.GAS, 10.0, (1,), "ohm", ("a",))


def run(role: StreamRole, uri: str) -> tuple[Source, list[Sample]]:
    source = open_uri(role, uri)
    assert source is not None
    with source:
        return source, all_of(source)


def readings(count: int, step_ns: int = 100_000_000) -> list[Sample]:
    return [
        Sample("enose", n, n * step_ns, n * step_ns, np.array([float(n)])) for n in range(count)
    ]


@pytest.mark.parametrize(
    ("role", "count", "shape"),
    [("camera", 30, (480, 640, 3)), ("microphone", 31, (512, 1)), ("enose", 10, (6,))],
)
def test_same_seed_same_bytes(role: StreamRole, count: int, shape: tuple[int, ...]) -> None:
    runs = []
    for seed in (3, 3, 4):
        source, samples = run(role, f"sim:?pace=0&seconds=1&seed={seed}")
        assert source.spec.origin is Origin.SIMULATED
        assert len(samples) == count
        assert samples[0].t_ns == 0
        assert all(s.payload.shape == shape and s.t_recv_ns == s.t_ns for s in samples)
        runs.append(b"".join(s.payload.tobytes() for s in samples))
    assert runs[0] == runs[1] != runs[2]
    assert not source.live


def test_options_of_camera_and_microphone() -> None:
    source, frames = run("camera", "sim:?pace=0&seconds=1&size=320x200&rate=12")
    assert len(frames) == 12
    assert frames[1].t_ns == 83_333_333
    assert source.spec.shape == (200, 320, 3)
    assert not np.array_equal(frames[0].payload, frames[5].payload)
    _, blocks = run("microphone", "sim:?pace=0&seconds=1&rate=48000&channels=2&sound=tone")
    sound = np.concatenate([b.payload for b in blocks])
    spectrum = np.abs(np.fft.rfft(sound[:48000, 0]))
    assert int(spectrum.argmax()) * 48000 / min(48000, len(sound)) == pytest.approx(440, abs=2)
    _, quiet = run("microphone", "sim:?pace=0&seconds=1&sound=silence")
    assert not np.concatenate([b.payload for b in quiet]).any()


def test_the_nose_smells_what_it_is_told() -> None:
    _, clean = run("enose", "sim:?pace=0&seconds=120")
    _, smoky = run("enose", "sim:?pace=0&seconds=120&events=smoke@30-50")
    air = np.stack([s.payload for s in clean])
    smoke = np.stack([s.payload for s in smoky])
    np.testing.assert_array_equal(air[:300], smoke[:300])
    ratio = smoke[450:500].mean(axis=0) / smoke[:300].mean(axis=0)
    assert ratio[CHANNELS.index("CO")] < 0.6
    assert ratio[CHANNELS.index("NO2")] > 1.5  # an oxidising gas raises it
    late = smoke[-50:].mean(axis=0) / smoke[:300].mean(axis=0)
    assert ratio[CHANNELS.index("CO")] < late[CHANNELS.index("CO")] < 1.0  # slow recovery
    assert air.std(axis=0).max() / air.mean() < 0.02


def test_events_are_read_strictly() -> None:
    assert [e.odour for e in parse_events("coffee@10-20, smoke@30-40.5")] == ["coffee", "smoke"]
    for wrong in ("coffee", "coffee@10", "perfume@1-2", "coffee@20-10", "coffee@a-b"):
        with pytest.raises(ConfigError) as bad:
            parse_events(wrong)
        assert bad.value.hint
    assert len({tuple(v) for v in ODOURS.values()}) == len(ODOURS)


@pytest.mark.parametrize(
    "uri", ["sim:?sed=3", "sim:?seconds=-1", "sim:front", "sim:?drop=2", "sim:?rate=x"]
)
def test_wrong_options_are_refused(uri: str) -> None:
    with pytest.raises(ConfigError):
        open_uri("enose", uri)


def test_paced_simulations_keep_robot_time() -> None:
    source = open_uri("enose", "sim:?rate=50&seconds=0.4")
    assert source is not None
    with source:
        began = time.monotonic_ns()
        samples = all_of(source)
    assert source.live
    assert len(samples) == 20
    assert samples[-1].t_ns - samples[0].t_ns == 19 * 20_000_000
    assert all(s.t_ns <= s.t_recv_ns for s in samples)
    assert samples[-1].t_recv_ns - began >= 350_000_000


def test_a_paced_simulation_waits_and_can_be_closed() -> None:
    source = open_uri("enose", "sim:?rate=0.01")
    assert source is not None
    source.open()
    assert source.read(1.0) is not None
    assert source.read(0.01) is None
    closer = threading.Timer(0.05, source.close)
    closer.start()
    with pytest.raises(EndOfStream):
        source.read(30.0)
    closer.join()


def test_loss_and_return() -> None:
    source = open_uri("enose", "sim:?pace=0&seconds=10&lose=2")
    assert source is not None
    source.open()
    for _ in range(20):
        assert source.read() is not None
    with pytest.raises(DeviceLostError) as lost:
        source.read()
    assert lost.value.hint
    assert source.health.health is Health.LOST
    source.open()
    assert source.read() is not None
    assert source.health.health is Health.OK
    source.close()


def test_the_world_goes_on_while_a_paced_device_is_away() -> None:
    source = open_uri("enose", "sim:?rate=100&seconds=2&lose=0.1")
    assert source is not None
    source.open()
    seen = []
    try:
        while True:
            seen.append(source.read())
    except DeviceLostError:
        time.sleep(0.3)
    source.open()
    back = source.read()
    assert back is not None
    assert back.flags & Flag.GAP_BEFORE
    assert back.seq >= len(seen) + 25
    assert back.latency_ns < 200_000_000
    assert len(seen) + source.counters.dropped == back.seq
    source.close()


# The fault injector


def test_drops_are_counted_and_leave_a_gap() -> None:
    source = FaultInjector(ListSource(SPEC, readings(200)), FaultPlan(drop=0.2, seed=5))
    with source:
        got = all_of(source)
    assert 20 < source.counters.dropped < 60
    assert len(got) + source.counters.dropped == 200
    for one, two in pairwise(got):
        assert (two.seq > one.seq + 1) == bool(two.flags & Flag.GAP_BEFORE)


def test_corruption_reordering_and_delay() -> None:
    plan = FaultPlan(corrupt=0.2, reorder=0.2, delay_ms=40, seed=5)
    source = FaultInjector(ListSource(SPEC, readings(200)), plan)
    with source:
        got = all_of(source)
    assert sorted(s.seq for s in got) == list(range(200))
    assert [s.seq for s in got] != list(range(200))
    bad = [s for s in got if s.flags & Flag.INVALID]
    assert len(bad) == source.counters.corrupt > 10
    assert all(np.isnan(s.payload).all() and s.note for s in bad)
    assert all(s.latency_ns == 40_000_000 for s in got)


def test_a_stall_swallows_a_stretch() -> None:
    source = FaultInjector(ListSource(SPEC, readings(50)), FaultPlan(stall_s=(1.0, 2.0)))
    with source:
        seqs = [s.seq for s in all_of(source)]
    assert seqs == [*range(10), *range(20, 50)]
    assert source.counters.dropped == 10


def test_pictures_and_sound_can_be_ruined_too() -> None:
    for role in ("camera", "microphone"):
        _, samples = run(role, "sim:?pace=0&seconds=1&corrupt=1")
        assert all(s.flags & Flag.INVALID and s.note for s in samples)


def test_a_plan_must_make_sense() -> None:
    with pytest.raises(ConfigError):
        FaultPlan(drop=1.5)


def test_list_source() -> None:
    items = [readings(1)[0], None, DeviceError("broken")]
    source = ListSource(SPEC, items)
    with pytest.raises(DeviceError, match="not open"):
        source.read()
    for _ in range(2):
        with source:
            assert source.read() is items[0]
            assert source.read() is None
            with pytest.raises(DeviceError, match="broken"):
                source.read()
            with pytest.raises(EndOfStream):
                source.read()
    assert isinstance(source, Source)
