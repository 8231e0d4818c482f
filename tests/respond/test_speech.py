from __future__ import annotations

import sys
import threading
import types
import wave

import numpy as np
import pytest

from thymos.errors import ModelError, RecordingError
from thymos.respond.base import Speech
from thymos.respond.speech import MAX_CHARS, HibariSpeaker, speakable

TONE = Speech(np.arange(-500, 500, dtype=np.int16), 24_000, "tone")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  Hello\n\tthere ", "Hello there"),
        ("I’m here", "I'm here"),
        ("<b>Hi</b> {x}", "b Hi /b x".replace("/", " ").replace("  ", " ")),
        ("ﬁne \x00 \u202e", "fine"),
    ],
)
def test_text_is_made_speakable(text, said):
    assert speakable(text) == said


def test_long_text_is_cut_at_a_word():
    cut = speakable("word " * 500)
    assert len(cut) <= MAX_CHARS
    assert cut.endswith("word.")


def test_a_wav_is_written_whole(tmp_path):
    HibariSpeaker().save(TONE, tmp_path / "a.wav")
    with wave.open(str(tmp_path / "a.wav")) as read:
        assert (read.getnchannels(), read.getsampwidth(), read.getframerate()) == (1, 2, 24_000)
        pcm = np.frombuffer(read.readframes(10_000), dtype="<i2")
    np.testing.assert_array_equal(pcm, TONE.pcm)
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_a_missing_folder_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(RecordingError) as caught:
        HibariSpeaker().save(TONE, tmp_path / "no" / "a.wav")
    assert caught.value.hint


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    (tmp_path / "a.wav").write_bytes(b"old")
    monkeypatch.setattr("thymos.respond.speech.os.fsync", full)
    with pytest.raises(RecordingError, match="No space left"):
        HibariSpeaker().save(TONE, tmp_path / "a.wav")
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
    assert (tmp_path / "a.wav").read_bytes() == b"old"


def fake_card(monkeypatch, write):
    """A sound card that is a function; `write` gets each block."""

    class Stream:
        def __init__(self, **_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def write(self, block):
            write(block)

        def abort(self):
            pass

    card = types.SimpleNamespace(OutputStream=Stream, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", card)


def test_play_plays_every_frame(monkeypatch):
    heard = []
    fake_card(monkeypatch, heard.append)
    long = Speech(np.arange(5_000, dtype=np.int16), 24_000, "x")
    assert HibariSpeaker().play(long) is True
    np.testing.assert_array_equal(np.concatenate(heard)[:, 0], long.pcm)


def test_cancel_stops_playing(monkeypatch):
    speaker, heard, started = HibariSpeaker(), [], threading.Event()

    def write(block):
        heard.append(block)
        started.set()
        if len(heard) == 2:
            threading.Thread(target=speaker.cancel).start()
        speaker._stop.wait(0.05)

    fake_card(monkeypatch, write)
    long = Speech(np.zeros(24_000 * 60, dtype=np.int16), 24_000, "x")
    assert speaker.play(long) is False
    assert len(heard) < 100


def test_no_sound_card_is_no_fault(monkeypatch):
    def broken(_):
        raise RuntimeError("no device")

    fake_card(monkeypatch, broken)
    assert HibariSpeaker().play(TONE) is False
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert HibariSpeaker().play(TONE) is False


def test_an_unknown_voice_is_an_error():
    pytest.importorskip("hibari")
    with pytest.raises(ModelError, match="no voice 'nobody'"):
        HibariSpeaker("nobody").synthesise("Hello")


def test_a_voice_that_would_be_downloaded_is_refused(monkeypatch, tmp_path):
    pytest.importorskip("hibari")
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="not on this machine"):
        HibariSpeaker("emma").synthesise("Hello")


@pytest.mark.models
def test_the_real_voice_speaks_the_same_every_time():
    pytest.importorskip("hibari")
    speaker = HibariSpeaker()
    first = speaker.synthesise("I am here if you need something.")
    assert first.pcm.dtype == np.int16
    assert first.rate_hz == 24_000
    assert 1.0 < first.seconds < 6.0
    assert np.abs(first.pcm).max() > 2_000
    again = HibariSpeaker().synthesise("I am here if you need something.")
    np.testing.assert_array_equal(first.pcm, again.pcm)
    assert len(speaker.synthesise(" … ").pcm) == 0
