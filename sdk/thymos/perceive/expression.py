"""From a face crop to probabilities over the seven emotions of the contract."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import numpy as np

from thymos.contract import EMOTIONS, Emotion
from thymos.errors import MissingExtraError, ModelError
from thymos.models import ModelStore
from thymos.perceive.facemesh import LEFT_EYE, RIGHT_EYE, U8, Mesh, Roi, cut
from thymos.perceive.tflite import F32, TfLite

# Where the face sits in the pictures of FER2013, the usual training set: medians over 286 of them
# of eye distance, height of the eyes and height of the mesh, as shares of the picture's side.
_EYE_SHARE, _EYE_HEIGHT, _MESH_SHARE = 0.529, 0.389, 0.905


class ExpressionModel(Protocol):
    """A classifier of facial expression.

    Attributes:
        name: For people.
        reliability: Share of right answers on labelled faces, 0 … 1; caps a cue's confidence.
    """

    name: str
    reliability: float

    def probabilities(self, face: F32) -> F32:
        """Classify.

        Args:
            face: float32 [200, 200, 3], 0 … 255, upright, cut as `face_crop` does.

        Returns:
            Calibrated probabilities [7] in the order of `EMOTIONS`.
        """


CROP = 200


def face_crop(image: U8, mesh: Mesh) -> F32:
    """Cut a face upright, placed as in the training pictures: float32 [200, 200, 3]."""
    roi = mesh.roi
    eyes = (mesh.points[RIGHT_EYE, :2] + mesh.points[LEFT_EYE, :2]) / 2
    height = float(np.ptp(mesh.points[:, 1]))
    side = max(mesh.eye_distance / _EYE_SHARE, height / _MESH_SHARE)
    drop = (0.5 - _EYE_HEIGHT) * side
    x = float(eyes[0]) - math.sin(roi.angle) * drop
    y = float(eyes[1]) + math.cos(roi.angle) * drop
    return cut(image, Roi(x, y, side, roi.angle), CROP)


class Facex:
    """The packaged `facex` network.

    It is right for 44 % of FER2013 pictures (600 drawn at random) and says 0.95 where it is right
    half the time, so its output is flattened: of the temperatures 1 … 10 this one has the lowest
    negative log-likelihood on those pictures (1.58, against 3.33 as it comes).
    """

    name = "facex"
    reliability = 0.44
    temperature = 4.0
    _ORDER: tuple[Emotion, ...] = (
        "anger",
        "disgust",
        "fear",
        "joy",
        "neutral",
        "sadness",
        "surprise",
    )

    def __init__(self, path: Path) -> None:
        self._net = TfLite(path)
        self._columns = [self._ORDER.index(name) for name in EMOTIONS]

    def probabilities(self, face: F32) -> F32:
        """See `ExpressionModel`."""
        weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
        # einsum sums in one order; BLAS in another one for each number of processors.
        grey = np.einsum("...c,c->...", face, weights) / np.float32(255.0)
        raw = self._net(np.repeat(grey[None, :, :, None], 3, axis=3))[0][0]
        flat = np.maximum(raw[self._columns], 1e-4) ** (1.0 / self.temperature)
        shares: F32 = (flat / flat.sum()).astype(np.float32)
        return shares


class Learned:
    """The network trained for Thymos: right for 66 % of held-out FER2013 pictures, calibrated."""

    name = "thymos face expression"
    reliability = 0.66

    def __init__(self) -> None:
        from thymos.perceive.learned import FaceExpression

        self._net = FaceExpression()

    def probabilities(self, face: F32) -> F32:
        """See `ExpressionModel`."""
        found: F32 = self._net.predict(face[None].astype(np.uint8))[0]
        return found


def load(store: ModelStore) -> ExpressionModel:
    """The network trained for Thymos; where its file or runtime lacks, the packaged one.

    Raises:
        ModelError: The weights of both are missing.
        MissingExtraError: The runtimes are.
    """
    try:
        return Learned()
    except (ModelError, MissingExtraError):
        return Facex(store.path("face_expression"))
