"""The published contract: schema file, strictness, round trip."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from thymos.contract import INTENTS, SCHEMA_VERSION, StreamState, WindowReport, json_schema

ROOT = Path(__file__).resolve().parents[1]


def test_schema_file_is_generated_from_the_models() -> None:
    stored = (ROOT / "docs/schema/window-report.json").read_text(encoding="utf-8")
    assert stored == json_schema(), "python -m thymos.contract > docs/schema/window-report.json"


def test_schema_is_a_valid_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(json_schema()))


def test_every_field_of_the_report_is_documented() -> None:
    text = (ROOT / "docs/contract.md").read_text(encoding="utf-8")
    for name in WindowReport.model_fields:
        assert f"`{name}" in text, name
    assert SCHEMA_VERSION in text


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        StreamState(state="present", age_ms=0.0, samples=1, gaps=0, dropped=0, colour="red")  # type: ignore[call-arg]


def test_nine_intents() -> None:
    assert len(set(INTENTS)) == 9


def test_what_version_1_0_wrote_still_validates() -> None:
    """Fields that came later may be missing; the one that became optional may be there."""
    old = {
        "schema_version": "1.0.0",
        "window": {"id": "w000000", "t0_ns": 0, "t1_ns": 4_000_000_000, "streams": {}},
        "cues": [],
        "explanation": {
            "emotions": [],
            "valence": None,
            "arousal": None,
            "steps": [],
            "conflict": {"degree": 0.0, "modalities": []},
            "modality_weights": {},
            "rationale": "Nothing was perceived.",
            "abstained": True,
            "backend": "rules",
            "model": "rules-1",
            "parse_ok": True,
        },
        "response": {
            "intent": "neutral",
            "candidates": [],
            "text": "",
            "text_source": "none",
            "gesture": "none",
            "guard": {"action": "none"},
        },
        "latency_ms": {"total": 12.5},
    }
    report = WindowReport.model_validate(old)
    jsonschema.validate(old, json.loads(json_schema()))
    assert report.latency_ms == {"total": 12.5}
    line = json.loads(report.line())
    jsonschema.validate(line, json.loads(json_schema()))
    assert "latency_ms" not in line
    assert WindowReport.model_validate(line).model_copy(update={"latency_ms": {"total": 12.5}}) == (
        report
    )
