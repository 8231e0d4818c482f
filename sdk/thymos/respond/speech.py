"""Speaking: Hibari (small Kokoro-distilled voice, 24 kHz, CPU) to a WAV file or sound card."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
import unicodedata
import wave
from pathlib import Path
from typing import Any

import numpy as np

from thymos.errors import MissingExtraError, ModelError, RecordingError
from thymos.respond.base import Speech

MAX_CHARS = 400
SEED = 7
_BLOCK_S = 0.05
_UNSPEAKABLE = re.compile(r"[^\w\s.,!?;:'’%&+()-]|_")


def speakable(text: str) -> str:
    """Text a voice can read: NFKC, plain punctuation, one space, cut at `MAX_CHARS` on a word."""
    plain = unicodedata.normalize("NFKC", text[: MAX_CHARS * 4]).replace("’", "'")
    plain = " ".join(_UNSPEAKABLE.sub(" ", plain).split())
    if len(plain) <= MAX_CHARS:
        return plain
    return plain[:MAX_CHARS].rsplit(" ", 1)[0] + "."


class HibariSpeaker:
    """Text to speech. The voice is loaded at the first sentence.

    Args:
        voice: A voice that the package carries; others would need a download and are refused.
        threads: ONNX Runtime threads.
    """

    def __init__(self, voice: str = "heart", *, threads: int = 1) -> None:
        self._voice = voice
        self._threads = max(1, min(2, threads))
        self._tts: Any = None
        self._load_lock = threading.Lock()
        self._stop = threading.Event()

    def synthesise(self, text: str) -> Speech:
        """Make sound of text, the same samples for the same text.

        Returns:
            int16 mono at 24 kHz; no frames if nothing in the text can be read aloud.

        Raises:
            ModelError: The voice is missing or broken.
            MissingExtraError: hibari-tts is not installed.
        """
        said = speakable(text)
        tts = self._loaded()
        if not any(ch.isalnum() for ch in said):
            return Speech(np.zeros(0, dtype=np.int16), int(tts.sample_rate), said)
        try:
            sound = tts(said, seed=SEED)
        except Exception as err:  # the runtime raises its own, undocumented types
            raise ModelError(f"the voice cannot say this: {err}") from err
        sound = np.nan_to_num(np.asarray(sound, dtype=np.float32))
        pcm = np.round(np.clip(sound, -1.0, 1.0) * 32767.0).astype(np.int16)
        return Speech(pcm, int(tts.sample_rate), said)

    def save(self, speech: Speech, path: Path) -> None:
        """Write a WAV file (16 bit, mono), whole or not at all.

        Raises:
            RecordingError: The folder cannot be written or the disk is full.
        """
        temporary: Path | None = None
        try:
            handle, name = tempfile.mkstemp(
                suffix=".part", prefix=f".{path.name}.", dir=path.parent
            )
            temporary = Path(name)
            with os.fdopen(handle, "wb") as raw:
                with wave.open(raw, "wb") as out:
                    out.setnchannels(1)
                    out.setsampwidth(2)
                    out.setframerate(speech.rate_hz)
                    out.writeframes(speech.pcm.astype("<i2").tobytes())
                raw.flush()
                os.fsync(raw.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except OSError as err:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    temporary.unlink()
            raise RecordingError(
                f"cannot write the spoken answer to '{path}': {err.strerror or err}",
                hint="check that the folder exists, is writable and has room",
            ) from err

    def play(self, speech: Speech) -> bool:
        """Play and wait until the end; False if it was cancelled or there is no sound card."""
        self._stop.clear()
        try:
            import sounddevice
        except (ImportError, OSError):  # OSError: PortAudio itself is missing
            return False
        try:
            with sounddevice.OutputStream(
                samplerate=speech.rate_hz, channels=1, dtype="int16"
            ) as stream:
                block = max(1, int(speech.rate_hz * _BLOCK_S))
                for start in range(0, len(speech.pcm), block):
                    if self._stop.is_set():
                        stream.abort()
                        return False
                    stream.write(speech.pcm[start : start + block].reshape(-1, 1))
        except (sounddevice.PortAudioError, ValueError):
            return False
        return not self._stop.is_set()

    def cancel(self) -> None:
        """Stop playing within 50 ms, from any thread."""
        self._stop.set()

    def _loaded(self) -> Any:
        with self._load_lock:
            if self._tts is None:
                self._tts = _load(self._voice, self._threads)
            return self._tts


def _load(voice: str, threads: int) -> Any:
    try:
        from hibari import Hibari
        from hibari.voices import VOICES, voice_path
    except ImportError as err:
        raise MissingExtraError("hibari-tts", "speech") from err
    if voice not in VOICES:
        raise ModelError(f"there is no voice '{voice}'", hint=f"known: {', '.join(sorted(VOICES))}")
    try:
        path = voice_path(voice, download_missing=False)
        return Hibari(voice=voice, model=path, threads=threads)
    except FileNotFoundError as err:
        raise ModelError(
            f"the voice '{voice}' is not on this machine", hint="use 'heart', which the package has"
        ) from err
    except Exception as err:  # ONNX Runtime raises its own types for a broken model
        raise ModelError(
            f"the voice '{voice}' cannot be loaded: {err}",
            hint="pip install --force-reinstall hibari-tts",
        ) from err
