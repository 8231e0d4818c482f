"""Whatever a calibration file holds: a result, or one clear error; never a crash."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thymos.errors import CalibrationError
from thymos.samples import Kind, StreamSpec
from thymos_calibration import clock, enose, enose_climate
from thymos_calibration.camera_report import camera_info
from thymos_calibration.store import Calibration, CalibrationStore, read

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = ("channels", "unit", "clock", "width", "height", "matrix", "distortion", "distortion_model",
        "temperature_degC", "absolute_humidity_g_m3")  # fmt: skip
KINDS = ("clock", "enose-clean-air", "enose-climate", "camera-intrinsics", "x")
SPEC = StreamSpec("enose", Kind.GAS, 1.0, (1,), "ohm", ("CO",), device="d")
QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def use(result: Calibration) -> None:
    """All that is ever done with a file."""
    for step in (
        lambda: enose.baseline(result, SPEC),
        lambda: enose_climate.load(result),
        lambda: camera_info(result),
        result.to_json,
        lambda: result.old,
    ):
        with contextlib.suppress(CalibrationError):
            step()


@QUICK
@given(data=st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()))
def test_any_bytes(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "any.json"
    path.write_bytes(data)
    with pytest.raises(CalibrationError):
        read(path)


@QUICK
@given(
    kind=st.sampled_from(KINDS),
    values=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6),
    quality=st.dictionaries(st.text(max_size=8), JSON, max_size=3),
    made_at=st.sampled_from(
        ["2026-01-01T00:00:00+00:00", "yesterday", "0001-01-01T00:00:00+23:59"]
    ),
)
def test_any_values(kind: str, values: dict, quality: dict, made_at: str, tmp_path: Path) -> None:
    facts = {"schema": "thymos.calibration/1", "kind": kind, "device": "d", "made_at": made_at}
    facts |= {"thymos_version": "1", "method": "m", "quality": quality}
    place = tmp_path / kind / "d"
    place.mkdir(parents=True, exist_ok=True)
    path = place / "2026-01-01T000000Z.json"
    path.write_text(json.dumps(values | facts))
    try:
        result = read(path)
    except CalibrationError:
        return
    use(result)
    if kind == "clock":
        with pytest.raises(CalibrationError):
            clock.load(CalibrationStore(tmp_path), SPEC)
