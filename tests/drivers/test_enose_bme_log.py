"""Recordings of BME688 boards (`.bmerawdata`)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reading import all_of
from thymos.devices import open_uri
from thymos.errors import MediaError
from thymos.samples import Flag, Health, gas_channels
from thymos.smell.frame import Fault
from thymos_drivers.enose import BmeLog
from thymos_drivers.enose.bme_log import read_log

KEYS = (
    "label_tag",
    "sensor_index",
    "timestamp_since_poweron",
    "temperature",
    "pressure",
    "relative_humidity",
    "resistance_gassensor",
    "heater_profile_step_index",
    "error_code",
)  # fmt: skip  (in another order than the board writes them)


def row(
    sensor: int, step: int, ms: float, ohm: object = 1e5, tag: int = 1, error: int = 0
) -> list[Any]:
    return [tag, sensor, ms, 20.0 + sensor, 1010.0, 40.0, ohm, step, error]


def write(path: Path, block: list[Any], keys: tuple[str, ...] = KEYS) -> Path:
    columns = [{"name": key, "unit": "", "format": "", "key": key} for key in keys]
    header = {"boardId": "84CC", "firmwareVersion": "2.1.5", "dateCreated_ISO": "2024-08-10"}
    body = {"dataColumns": columns, "dataBlock": block}
    path.write_text(json.dumps({"rawDataHeader": header, "rawDataBody": body}))
    return path


def cycle(n: int) -> list[list[Any]]:
    """Two sensors that step at other times, as on the board."""
    return [
        row(s, h, 1000 * n + 100 * h + 7 * s, 1e5 + n + h + 10 * s)
        for h in range(3)
        for s in (0, 1)
    ]


def test_rows_become_one_reading_a_cycle(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bmerawdata", [r for n in range(4) for r in cycle(n)])
    source = open_uri("enose", f"file:{path}")
    assert isinstance(source, BmeLog)
    with source:
        spec = source.spec
        assert spec.channels[:6] == ("s0_h0", "s0_h1", "s0_h2", "s1_h0", "s1_h1", "s1_h2")
        assert spec.channels[6:] == ("temperature", "humidity", "pressure")
        assert gas_channels(spec) == tuple(range(6))
        assert spec.rate_hz == pytest.approx(1.0)
        assert spec.extra["serial_number"] == "84CC"
        samples = all_of(source)
    assert [s.t_ns for s in samples] == [n * 10**9 for n in range(4)]
    expected = [1e5 + 1, 1e5 + 2, 1e5 + 3, 1e5 + 11, 1e5 + 12, 1e5 + 13, 20.5, 40.0, 1010.0]
    np.testing.assert_array_equal(samples[1].payload, expected)
    assert all(s.flags == Flag.OK for s in samples)


def test_a_missing_row_an_error_code_and_damaged_rows(tmp_path: Path) -> None:
    rows = [r for n in range(4) for r in cycle(n)]
    del rows[8]  # cycle 1: sensor 0, step 1
    rows[13] = row(0, 1, 2100, error=1)
    rows += [["x"], None, row(0, 0, math.nan), row(99, 0, 1), [1, 2], row(0, 0, 9e99)]  # type: ignore[list-item]
    path = write(tmp_path / "a.bmerawdata", rows)
    with BmeLog(path) as source:
        assert source.counters.corrupt == 6
        assert source.health.health is Health.DEGRADED
        samples = all_of(source)
    assert [s.note.split(":")[0] for s in samples] == ["", "s0_h1", "s0_h1", ""]
    assert len(samples) == 4
    assert samples[1].flags == Flag.OK


def test_a_board_that_was_switched_off_goes_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bmerawdata", cycle(5) + cycle(6) + cycle(0) + cycle(1))
    with BmeLog(path) as source:
        samples = all_of(source)
    assert [s.t_ns for s in samples] == sorted(s.t_ns for s in samples)
    assert [bool(s.flags & Flag.TIME_JUMP) for s in samples] == [False, False, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "{}", "[" * 9999, '{"rawDataBody": 5}',
        '{"rawDataBody": {"dataColumns": []}}',
        '{"rawDataBody": {"dataColumns": [{"key": "sensor_index"}], "dataBlock": []}}', "\x00",
    ],
)  # fmt: skip
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.bmerawdata"
    path.write_text(text)
    with pytest.raises(MediaError) as wrong:
        BmeLog(path).open()
    assert wrong.value.hint


def test_no_reading_in_it(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no reading"):
        BmeLog(write(tmp_path / "a.bmerawdata", [])).open()


@pytest.mark.data
def test_real_boards(data_dir: Path) -> None:
    """Every row of the six logs is in a cycle, each label is known by name."""
    paths = sorted((data_dir / "enose/bme688/rawdata").glob("*.bmerawdata"))
    assert len(paths) == 7
    used = 0
    for path in paths:
        if path.stat().st_size == 0:
            with pytest.raises(MediaError, match="empty"):
                BmeLog(path).open()
            continue
        log = read_log(path)
        block = json.loads(path.read_text())["rawDataBody"]["dataBlock"]
        assert sum(len(cycle.ohm) for cycle in log.cycles) == len(block)
        assert log.corrupt == 0
        assert sum(len(cycle.faulty) for cycle in log.cycles) == sum(r[-1] != 0 for r in block)
        used += len(block)
        with BmeLog(path) as source:
            samples, labels = [], set()
            while len(samples) < len(log.cycles):
                sample = source.read()
                assert sample is not None
                samples.append(sample)
                labels.add(source.label)
        assert [s.t_ns for s in samples] == sorted(s.t_ns for s in samples)
        if len(samples) > 5:
            assert 10.0 < np.median(np.diff([s.t_ns for s in samples])) / 1e9 < 12.0
        if "7qmkm04abame1u4h" in path.name:
            assert {"Button 1", "Button 2"} <= labels
    assert used == 44_200


def test_frames_tell_what_the_board_said_step_by_step(tmp_path: Path) -> None:
    rows = [r for n in range(4) for r in cycle(n)]
    rows[14] = row(0, 1, 2100, 1e5 + 3, error=1)
    path = write(tmp_path / "a.bmerawdata", rows)
    with BmeLog(path) as source:
        samples = all_of(source)
    frames = [s.smell for s in samples if s.smell is not None]
    assert len(frames) == 4
    second, odd = frames[1], frames[2]
    assert (second.nose.serial, second.nose.tick_hz) == ("84CC", 1000.0)
    assert [c.heater_step for c in second.nose.channels] == [0, 1, 2, 0, 1, 2]
    assert second.offset_ns[0] == -207_000_000  # the last row is at 207 ms
    assert second.tick == 1207
    assert second.on_for_ns == 1_207_000_000
    assert odd.faults[1] is Fault.UNSTABLE
    assert odd.values[1] == 1e5 + 3
    assert np.isnan(samples[2].payload[1])
    for frame, sample in zip(frames, samples, strict=True):
        assert np.array_equal(frame.usable, sample.payload[:6], equal_nan=True)


def test_a_real_recording_knows_its_heaters(data_dir: Path) -> None:
    paths = (data_dir / "enose/bme688/rawdata").glob("*.bmerawdata")
    path = min((p for p in paths if p.stat().st_size), key=lambda p: p.stat().st_size)
    with BmeLog(path) as source:
        sample = source.read()
    assert sample is not None
    assert sample.smell is not None
    nose = sample.smell.nose
    assert nose.model.startswith("BME688")
    assert {c.sensor_model for c in nose.channels} == {"BME688"}
    assert all(100 <= c.heater_celsius <= 400 for c in nose.channels)
    assert all(c.heater_profile and c.heater_ns > 0 for c in nose.channels)
