"""Every URI that docs/cameras-and-microphones.md shows makes a source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from thymos.devices import StreamRole, open_uri, schemes

PAGE = Path(__file__).parents[2] / "docs/cameras-and-microphones.md"
CAMERA, MICROPHONE = PAGE.read_text(encoding="utf-8").split("## Microphones")


def uris(text: str) -> list[str]:
    rows = re.findall(r"^\| (`[a-z0-9]+:.*?) \|", text, re.MULTILINE)
    return [uri for row in rows for uri in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize(("role", "text"), [("camera", CAMERA), ("microphone", MICROPHONE)])
def test_they_open(role: StreamRole, text: str) -> None:
    found = uris(text)
    assert {uri.partition(":")[0] for uri in found} >= set(schemes(role)) - {"https"}
    for uri in found:
        source = open_uri(role, uri)
        assert source is not None
        assert "password" not in source.spec.device
