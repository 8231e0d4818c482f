"""Face: the expression in each picture or video.

Pictures in an npz, and with `crops` single pictures too, are taken as faces already cut out. In
other pictures and in videos faces are looked for as the street does; the largest share of
evidence decides where there are several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import thymos
from thymos.contract import EMOTIONS
from thymos.errors import MediaError, RecordingError
from thymos.evaluate.runs.items import Answer, Item
from thymos.evaluate.runs.media import read_archive, read_picture
from thymos.evaluate.runs.shared import named, shipped

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
NO_FACE = "no face was found"
_STILL_NS = 125_000_000  # a still picture is shown four times, as a camera at 8 Hz would
_STILLS = 4


class Face:
    """Reads expressions: of crops by `FaceExpression`, else with detection as in the street.

    Args:
        crops: Single pictures are face crops.
    """

    def __init__(self, crops: bool = False) -> None:
        from thymos.perceive.learned import FaceExpression

        self._model = FaceExpression()
        self._crops = crops
        self.identity: Mapping[str, Any] = {
            "task": "face",
            "weights": shipped(),
            "crops": crops,
            "thymos": thymos.__version__,
        }

    def answer(self, items: Sequence[Item]) -> list[Answer]:
        """Answer pictures and videos, in order."""
        out: list[Answer] = []
        for path, same in groupby(items, key=lambda item: item.path):
            own = list(same)
            try:
                out += self._file(Path(path), own)
            except (MediaError, RecordingError) as err:
                out += [Answer(item.key, error=str(err)) for item in own]
        return out

    def _file(self, path: Path, items: Sequence[Item]) -> list[Answer]:
        suffix = path.suffix.lower()
        if suffix == ".npz":
            return self._archive(path, items)
        if suffix not in PICTURES:
            return [self._video(path, item) for item in items]
        picture = read_picture(path)
        if self._crops:
            rows = self._model.predict(picture[None])
            facts = _light(picture)
            return [Answer(item.key, named(EMOTIONS, rows[0]), facts=facts) for item in items]
        return [self._picture(picture, item) for item in items]

    def _archive(self, path: Path, items: Sequence[Item]) -> list[Answer]:
        images = read_archive(path)
        inside = [item for item in items if 0 <= item.index < len(images)]
        rows = self._model.predict(images[[item.index for item in inside]])
        found = {
            item.key: Answer(item.key, named(EMOTIONS, row), facts=_light(images[item.index]))
            for item, row in zip(inside, rows, strict=True)
        }
        lack = f"{path.name} holds pictures 0 to {len(images) - 1}"
        return [
            found.get(item.key) or Answer(item.key, error=f"no picture {item.index}: {lack}")
            for item in items
        ]

    def _picture(self, picture: NDArray[np.uint8], item: Item) -> Answer:
        from thymos.align.window import Window
        from thymos.config import PerceiveConfig
        from thymos.models import ModelStore
        from thymos.perceive.face import FacePerceiver
        from thymos.reason.fusion import fuse
        from thymos.samples import Kind, Sample, StreamSpec

        perceiver = FacePerceiver(PerceiveConfig(), ModelStore())
        perceiver.start(StreamSpec("camera", Kind.VIDEO, 8.0, picture.shape, "rgb8"))
        try:
            for n in range(_STILLS):
                t = n * _STILL_NS
                perceiver.observe(Sample("camera", n, t, t, picture))
            window = Window("w000000", 0, _STILLS * _STILL_NS, {})
            reading = fuse(perceiver.cues(window)).unimodal.get("face")
        finally:
            perceiver.close()
        if not reading:
            return Answer(item.key, why=NO_FACE)
        return Answer(item.key, named(EMOTIONS, (reading[e] for e in EMOTIONS)))

    def _video(self, path: Path, item: Item) -> Answer:
        from thymos.config import Config, PerceiveConfig, ReasonConfig, RespondConfig
        from thymos.evaluate.runs.street import tell

        told = tell(
            path,
            Config(
                perceive=PerceiveConfig(words=False),
                reason=ReasonConfig(backend="rules"),
                respond=RespondConfig(speak=False, use_model=False),
            ),
        )
        reading = told.unimodal.get("face")
        if not reading:
            notes = "; ".join(told.facts["notes"])
            return Answer(item.key, why=f"{NO_FACE} ({notes})" if notes else NO_FACE)
        return Answer(item.key, reading, why=told.why)

    def close(self) -> None:
        """Nothing to let go."""


def _light(picture: NDArray[np.uint8]) -> dict[str, float]:
    """What may explain an error in a crop: too dark, too bright, flat."""
    return {
        "brightness": round(float(picture.mean()), 1),
        "contrast": round(float(picture.std()), 1),
    }
