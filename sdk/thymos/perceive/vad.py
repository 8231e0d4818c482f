"""Whether somebody speaks: Silero's detector (MIT), as faster-whisper carries it.

One session of onnxruntime on one thread; what it costs is in `benchmarks perceive`. Its state
goes from chunk to chunk, so sound is heard as a stream.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thymos.errors import MissingExtraError, ModelError
from thymos.perceive.hearing import CHUNK, F32

_CONTEXT = 64  # samples of the chunk before, in front of each chunk
_STATE = (1, 1, 128)


class SpeechDetector:
    """Probability of speech, chunk after chunk.

    Raises:
        MissingExtraError: faster-whisper is not installed.
        ModelError: Its detector does not load, or is not the one we know.
    """

    def __init__(self) -> None:
        try:
            from faster_whisper.vad import get_vad_model
        except ImportError as err:
            raise MissingExtraError("faster-whisper", "perceive") from err
        hint = "pip install 'thymos[perceive]' again"
        try:
            self._session: Any = get_vad_model().session
        except Exception as err:  # onnxruntime has no common error class
            message = f"the voice activity detector does not load: {err}"
            raise ModelError(message, hint=hint) from err
        if [i.name for i in self._session.get_inputs()] != ["input", "h", "c"]:
            raise ModelError("this faster-whisper has another voice activity detector", hint=hint)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard; the next chunk begins anew."""
        self._h = self._c = np.zeros(_STATE, np.float32)
        self._before = np.zeros(_CONTEXT, np.float32)

    def speech(self, pcm: F32) -> float:
        """Return the probability that somebody speaks.

        Args:
            pcm: float32 [512] at 16 kHz, full scale ±1: the chunk after the one given last.
        """
        if pcm.shape != (CHUNK,):
            raise ValueError(f"a chunk has {CHUNK} samples, this one {pcm.shape}")
        sound = np.concatenate([self._before, pcm])[None]
        self._before = pcm[-_CONTEXT:]
        found, self._h, self._c = self._session.run(
            None, {"input": sound, "h": self._h, "c": self._c}
        )
        return float(found[0])
