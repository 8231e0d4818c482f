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
