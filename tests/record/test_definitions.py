"""Where the message definitions come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from thymos.errors import RecordingError
from thymos.record import definitions


def test_an_installed_package_comes_before_the_source_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "sdk" / "thymos" / "record"
    tree = tmp_path / "interfaces" / "thymos_msgs" / "msg"
    for folder in (package / "msg", tree):
        folder.mkdir(parents=True)
        (folder / "AudioFrame.msg").write_text("uint8 x")
    monkeypatch.setattr(definitions, "__file__", str(package / "definitions.py"))
    assert definitions.message_folder() == package / "msg"
    (package / "msg" / "AudioFrame.msg").unlink()
    assert definitions.message_folder() == tree
    (tree / "AudioFrame.msg").unlink()
    with pytest.raises(RecordingError, match="not installed") as caught:
        definitions.message_folder()
    assert caught.value.hint


def test_every_message_that_is_written_has_the_fields_that_are_filled() -> None:
    types = definitions.typestore().types
    assert "sequence" in types["thymos_msgs/msg/AudioFrame"].__dataclass_fields__
    assert "info_id" in types["thymos_msgs/msg/SmellFrame"].__dataclass_fields__


def test_the_two_families_of_audio_common_msgs_are_kept_apart() -> None:
    name = "audio_common_msgs/msg/AudioData"
    ours = definitions.typestore().types[name].__dataclass_fields__
    other = definitions.typestore(mgonzs13=True).types[name].__dataclass_fields__
    assert "data" in ours
    assert "int16_data" in other
