"""Speech: the emotion of each clip from how it sounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.contract import EMOTIONS
from thymos.errors import ConfigError, ThymosError
from thymos.evaluate.runs.items import Answer, Item
from thymos.evaluate.runs.media import RATE, read_audio
from thymos.evaluate.runs.shared import digest, named

Wave = NDArray[np.float32]
CLASSES = (*EMOTIONS, "calm")
FOLD_TAG = "_fold"
"""Tag that names the fold of RAVDESS whose head never heard the speaker; `_` gets no scores."""
_MILLI_DB = 1e-5  # below it the level is that of digital silence


def _noisy(pcm: Wave) -> Wave:
    noise = np.random.default_rng(0).standard_normal(len(pcm)).astype(np.float32)
    return np.asarray(pcm + noise * np.sqrt(np.mean(pcm**2)) * 10 ** (-10 / 20), dtype=np.float32)


def _telephone(pcm: Wave) -> Wave:
    spectrum = np.fft.rfft(pcm)
    hz = np.fft.rfftfreq(len(pcm), 1 / RATE)
    return np.fft.irfft(spectrum * ((hz > 200) & (hz < 3600)), len(pcm)).astype(np.float32)


def _second(pcm: Wave) -> Wave:
    loud = int(np.argmax(np.convolve(pcm**2, np.ones(RATE // 10), "same")))
    start = max(0, min(loud - RATE // 2, len(pcm) - RATE))
    return pcm[start : start + RATE]


CONDITIONS: Mapping[str, Callable[[Wave], Wave]] = {
    "quiet": lambda pcm: np.asarray(pcm * 10 ** (-30 / 20), dtype=np.float32),
    "noise": _noisy,
    "telephone": _telephone,
    "second": _second,
}
"""What is done to each clip: 30 dB lower; white noise at 10 dB; 200-3600 Hz; its loudest second."""


class Speech:
    """Reads each clip with `thymos.perceive.learned.SpeechEmotion`.

    Args:
        condition: One of `CONDITIONS`, or empty for the clip as it is.

    Raises:
        ConfigError: No such condition.
    """

    def __init__(self, condition: str = "") -> None:
        from thymos.perceive.learned import SpeechEmotion
        from thymos.perceive.learned.session import WEIGHTS

        if condition and condition not in CONDITIONS:
            raise ConfigError(
                f"no such condition: {condition}", hint=f"one of {', '.join(CONDITIONS)}"
            )
        self._model = SpeechEmotion()
        self._change = CONDITIONS.get(condition)
        self.identity: Mapping[str, Any] = {
            "task": "speech",
            "weights": digest(*sorted(WEIGHTS.glob("speech*"))),
            "condition": condition,
        }

    def answer(self, items: Sequence[Item]) -> list[Answer]:
        """Answer clips, in order."""
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Answer:
        try:
            pcm = read_audio(Path(item.path))
        except ThymosError as err:
            return Answer(item.key, error=str(err))
        level = 20 * np.log10(max(float(np.sqrt(np.mean(pcm**2))), _MILLI_DB))
        facts = {"seconds": round(len(pcm) / RATE, 2), "level_dbfs": round(float(level), 1)}
        try:
            heard = pcm if self._change is None else self._change(pcm)
            fold = item.tags.get(FOLD_TAG)
            reading = self._model.predict(heard, None if fold is None else int(fold))
        except ConfigError as err:  # silent or too short: it can be read, and says nothing
            return Answer(item.key, why=str(err), facts=facts)
        return Answer(item.key, named(self._model.labels, reading.probs), facts=facts)

    def close(self) -> None:
        """Nothing to let go."""
