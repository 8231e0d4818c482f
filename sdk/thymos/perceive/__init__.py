"""From samples to cues: face, voice, words and smell, one file a modality."""

from __future__ import annotations

from thymos.config import Config
from thymos.models import ModelStore
from thymos.perceive.base import Perceiver


def build(config: Config, store: ModelStore) -> list[Perceiver]:
    """Make the perceivers of `config`; nothing is loaded before their `start`.

    Voice and words share one ear, so sound is resampled and searched for speech once; the face
    asks it who speaks.
    """
    from thymos.perceive.face import FacePerceiver
    from thymos.perceive.hearing import Ear
    from thymos.perceive.smell import SmellPerceiver
    from thymos.perceive.sudden import SuddenMovement, SuddenSound
    from thymos.perceive.voice import VoicePerceiver
    from thymos.perceive.words import WordsPerceiver

    ear = Ear()
    made: list[Perceiver] = [
        FacePerceiver(config.perceive, store, ear),
        VoicePerceiver(config.perceive, store, ear),
        SmellPerceiver(config.perceive),
        SuddenMovement(),
        SuddenSound(),
    ]
    if config.perceive.words:
        made.append(WordsPerceiver(config.perceive, store, ear))
    return made


__all__ = ["Perceiver", "build"]
