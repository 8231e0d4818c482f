"""Nothing of faces and voices is in a recording that shall not have them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thymos.config import RecordConfig
from thymos.contract import WindowReport
from thymos.record import Recorder, open_recording
from thymos.record.private import HIDDEN, without_words
from thymos.samples import Flag, Kind, Sample, StreamSpec


def everything(path: Path) -> dict[str, list[Any]]:
    """All messages of a file by topic, read by rosbags."""
    from rosbags.highlevel import AnyReader

    found: dict[str, list[Any]] = {}
    with AnyReader([path]) as reader:
        for c, _, raw in reader.messages():
            found.setdefault(c.topic, []).append(reader.deserialize(raw, c.msgtype))
    return found


@pytest.mark.parametrize("video", ["raw", "mjpeg", "h264"])
def test_no_picture_of_any_camera_nor_a_remark_on_one_is_left(
    tmp_path: Path, report: WindowReport, video: str
) -> None:
    cameras = [
        StreamSpec(name, Kind.VIDEO, 30.0, (16, 16, 3), "rgb8", device="D435 of Ann")
        for name in ("camera", "camera.left", "camera.infra1", "thermal")
    ]
    nose = StreamSpec("enose", Kind.GAS, 1.0, (1,), "ohm")
    path = tmp_path / "a.mcap"
    with Recorder(path, RecordConfig(faces=False, video=video)) as recorder:  # type: ignore[arg-type]
        for spec in (*cameras, nose):
            recorder.on_stream(spec)
        for spec in cameras:
            picture = np.full((16, 16, 3), 200, np.uint8)
            recorder.on_sample(Sample(spec.name, 0, 1, 2, picture, Flag.CLIPPED, "a face, close"))
        recorder.on_sample(Sample("enose", 0, 1, 2, np.array([1.0])))
        recorder.on_report(report)
    assert sum("is not recorded" in note for note in recorder.notes) == 4
    found = everything(path)
    assert set(found) == {
        "/enose/data",
        "/enose/info",
        "/thymos/stream_spec",
        "/thymos/window_report",
    }
    assert len(found["/thymos/stream_spec"]) == 1
    texts = " ".join(m.data for m in found["/thymos/window_report"])
    assert "close" not in texts
    assert "smile" in texts  # what was measured on a face is a number or a label and stays
    assert set(open_recording(path).sources) == {"enose"}


def test_no_sound_nor_word_is_left(tmp_path: Path, report: WindowReport) -> None:
    path = tmp_path / "a.mcap"
    with Recorder(path, RecordConfig(voices=False)) as recorder:
        recorder.on_stream(StreamSpec("microphone", Kind.AUDIO, 16_000.0, (-1, 1), "s16"))
        recorder.on_sample(Sample("microphone", 0, 1, 2, np.ones((320, 1), np.int16)))
        recorder.on_report(report)
    found = everything(path)
    assert set(found) == {"/thymos/window_report"}
    text = found["/thymos/window_report"][0].data
    assert "4711" not in text
    assert "alarm" not in text
    WindowReport.model_validate_json(text)  # still a report


def test_every_text_of_a_report_that_may_repeat_words_is_hidden(report: WindowReport) -> None:
    assert report.model_dump_json().count("4711") >= 12
    hidden = without_words(report)
    assert "4711" not in hidden.model_dump_json()
    assert hidden.explanation.asked is None
    assert hidden.response.asked is None
    assert hidden.explanation.rationale == HIDDEN
    face, words = hidden.cues[0], hidden.cues[1]
    assert face == report.cues[0]  # numbers and labels about faces and voices stay
    assert (words.value, words.text) == ("", HIDDEN)
    assert hidden.explanation.emotions == report.explanation.emotions
    assert hidden.response.guard.danger == "harm"
    assert hidden.window == report.window


def test_a_report_without_words_keeps_what_it_measured(report: WindowReport) -> None:
    silent = report.model_copy(update={"cues": report.cues[:1]})
    assert without_words(silent).cues == silent.cues


def test_settings_that_leave_faces_out_hold_without_the_option(tmp_path: Path) -> None:
    settings = tmp_path / "thymos.yaml"
    settings.write_text("record: {faces: false}\n")
    out = tmp_path / "a.mcap"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "thymos", "record", str(out), "--config", str(settings)),
            *("--camera", "sim:", "--enose", "sim:", "--seconds", "1"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(open_recording(out).sources) == {"enose"}
