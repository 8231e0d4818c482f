"""Facial expression of a cropped face: seven classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import ConfigError
from thymos.perceive.learned.session import WEIGHTS, Floats, open_session, softmax, to_emotions

_LABELS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
_SIDE = 48
_LIFT = 0.08
_DIMS_GREY, _DIMS_COLOUR = 3, 4


class FaceExpression:
    """Expression probabilities of face crops.

    The crop: a square about the face from above the brows to the chin with a little margin, grey
    or RGB, any size (brought to 48 x 48 by area). Brightness and contrast do not matter.
    """

    def __init__(self, path: Path | None = None, threads: int = 1) -> None:
        self._session: Any = open_session(path or WEIGHTS / "face.onnx", threads)

    @staticmethod
    def crop(
        frame: NDArray[np.uint8], box: tuple[float, float, float, float], margin: float = 0.1
    ) -> NDArray[np.uint8]:
        """Cut the square around a face out of a picture; what lies outside repeats the edge.

        Made for boxes of MediaPipe's face detector: on pictures of the training data its box is
        0.84 as wide as the picture and lies lower than it by 0.08 box heights (median of 148).

        Args:
            frame: [h, w] or [h, w, 3].
            box: Left, top, width, height in pixels, as a detector gives it.
            margin: Added on each side, as a share of the longer side.

        Returns:
            A square picture, at least 1 pixel wide.
        """
        left, top, width, height = box
        half = max(width, height) * (0.5 + margin)
        side = max(1, round(2 * half))
        x = round(left + width / 2 - half) + np.arange(side)
        y = round(top + (0.5 - _LIFT) * height - half) + np.arange(side)
        rows = np.clip(y, 0, frame.shape[0] - 1)
        return np.asarray(frame[rows[:, None], np.clip(x, 0, frame.shape[1] - 1)[None]])

    def predict(self, crops: NDArray[np.uint8]) -> Floats:
        """Return probabilities [n, 7], columns in the order of `thymos.contract.EMOTIONS`.

        Each answer is the mean over the picture and its mirror image.

        Args:
            crops: [n, h, w] grey or [n, h, w, 3] RGB, uint8; n may be 0.

        Raises:
            ConfigError: Another shape or type.
        """
        grey = _grey(np.asarray(crops))
        if not len(grey):
            return np.zeros((0, len(_LABELS)), dtype=np.float32)
        x = np.stack([_resize(g) for g in grey])[:, None]
        logits = self._session.run(None, {"faces": np.concatenate([x, x[..., ::-1]])})[0]
        return to_emotions(softmax((logits[: len(x)] + logits[len(x) :]) / 2), _LABELS)


def _grey(crops: NDArray[Any]) -> NDArray[np.float32]:
    if crops.dtype == np.uint8 and crops.ndim == _DIMS_GREY and crops.size:
        return crops.astype(np.float32)
    if crops.dtype == np.uint8 and crops.ndim == _DIMS_COLOUR and crops.shape[3] == 3:
        weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
        # einsum sums in one order; BLAS in another one for each number of processors.
        return np.asarray(np.einsum("...c,c->...", crops.astype(np.float32), weights))
    if crops.size == 0:
        return np.zeros((0, 1, 1), dtype=np.float32)
    raise ConfigError(
        f"face crops are uint8 [n, h, w] or [n, h, w, 3], not {crops.dtype} {crops.shape}"
    )


def _resize(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring a grey picture to 48 x 48: means over areas when shrinking, linear when growing."""
    for axis in (0, 1):
        picture = np.moveaxis(_resize_axis(np.moveaxis(picture, axis, 0)), 0, axis)
    return picture


def _resize_axis(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    size = picture.shape[0]
    if size == _SIDE:
        return picture
    centre = (np.arange(_SIDE, dtype=np.float32) + 0.5) * size / _SIDE - 0.5
    reach = max(1.0, size / _SIDE)  # a triangle that covers two target pixels
    weight = np.maximum(0, 1 - np.abs(np.arange(size)[None] - centre[:, None]) / reach)
    weight = weight / np.maximum(weight.sum(1, keepdims=True), 1e-9)
    made = np.einsum("ij,j...->i...", weight.astype(np.float32), picture)
    return np.asarray(made, dtype=np.float32)
