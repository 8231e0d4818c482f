from __future__ import annotations

from pathlib import Path

import pytest

from thymos.config import Config, ReasonConfig
from thymos.errors import ModelError
from thymos.reason import build


class EmptyStore:
    def path(self, role: str) -> Path:
        raise ModelError(f"the model '{role}' is not here", hint=f"thymos models pull {role}")


def config(**reason) -> Config:
    return Config(reason=ReasonConfig(**reason))


def test_auto_without_weights_is_rules_and_says_so(cue, evidence_of):
    reasoner = build(config(), EmptyStore())
    assert reasoner.backend == "rules"
    made = reasoner.explain(evidence_of([cue("face", "a smile", "joy")]))
    assert "not here" in made.fallback
    assert "thymos models pull llm" in made.fallback
    assert made.parse_ok


def test_llama_without_weights_is_an_error_with_a_hint():
    with pytest.raises(ModelError) as caught:
        build(config(backend="llama"), EmptyStore())
    assert caught.value.hint == "thymos models pull llm"


def test_rules_by_name_need_no_note(cue, evidence_of):
    reasoner = build(config(backend="rules"), EmptyStore())
    assert reasoner.explain(evidence_of([cue("face", "a smile", "joy")])).fallback == ""


def test_a_gguf_path_that_is_not_there(tmp_path):
    with pytest.raises(ModelError) as caught:
        build(config(backend="llama", model=str(tmp_path / "no.gguf")), EmptyStore())
    assert "no.gguf" in str(caught.value)
    assert caught.value.hint


def test_a_gguf_that_is_none(tmp_path):
    pytest.importorskip("xllamacpp")
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + b"\0" * 400)
    with pytest.raises(ModelError):
        build(config(backend="llama", model=str(bad)), EmptyStore())
    assert build(config(model=str(bad)), EmptyStore()).backend == "rules"
