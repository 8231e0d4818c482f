"""What is left of a report when words shall not be recorded."""

from __future__ import annotations

from typing import Any

from thymos.contract import WindowReport

HIDDEN = "(words are not recorded)"
_FREE = {"text", "rationale", "why", "reason", "abstain_reason", "answer", "prompt", "fallback"}


def without_words(report: WindowReport) -> WindowReport:
    """The report without what people said, nor what a model or template may have quoted of it.

    Left out are the words cues themselves, all free text of the explanation and the answer, and
    what a model was asked. Labels, numbers, intents, gestures and dangers stay; so do cues about
    face, voice and smell: measurements, from which nobody can be heard.
    """
    data: dict[str, Any] = report.model_dump()
    said = {c["id"] for c in data["cues"] if c["modality"] == "words"}
    quotes = [str(c["value"]) for c in data["cues"] if c["modality"] == "words" or c["untrusted"]]
    for cue in data["cues"]:
        if cue["modality"] == "words":
            cue["value"] = "" if isinstance(cue["value"], str) else cue["value"]
            cue["text"] = HIDDEN
    for part in ("explanation", "response"):
        data[part]["asked"] = None
        data[part] = _hide_free_text(data[part])
    _hide_labels(data["explanation"]["tree"], said)
    for step in data["explanation"]["steps"]:
        step["text"] = HIDDEN if step["modality"] in ("words", "fusion") else step["text"]
    return WindowReport.model_validate(_hide_quotes(data, [q for q in quotes if q.strip()]))


def _hide_free_text(part: dict[str, Any]) -> dict[str, Any]:
    """Texts of an explanation or an answer that a person or a model worded."""
    kept = dict(part)
    for key, value in part.items():
        if isinstance(value, dict):
            kept[key] = _hide_free_text(value)
        elif isinstance(value, (list, tuple)) and key != "steps":
            kept[key] = [_hide_free_text(v) if isinstance(v, dict) else v for v in value]
        elif key in _FREE and isinstance(value, str) and value:
            kept[key] = HIDDEN
    return kept


def _hide_labels(nodes: Any, said: set[str]) -> None:
    for node in nodes:
        if said & set(node["cue_ids"]) and node["level"] == "attribute":
            node["label"] = HIDDEN
        _hide_labels(node["children"], said)


def _hide_quotes(value: Any, quotes: list[str]) -> Any:
    """Whatever else repeats the words, wherever it stands."""
    if isinstance(value, str):
        return HIDDEN if any(q.lower() in value.lower() for q in quotes) else value
    if isinstance(value, dict):
        return {k: _hide_quotes(v, quotes) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hide_quotes(v, quotes) for v in value]
    return value
