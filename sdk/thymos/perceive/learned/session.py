"""Opens the weights, and what all three models share."""

from __future__ import annotations

import contextlib
import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.contract import EMOTIONS
from thymos.errors import MissingExtraError, ModelError

WEIGHTS = Path(__file__).with_name("weights")

Floats = NDArray[np.float32]

_PLANE: dict[str, tuple[float, float]] = {
    "neutral": (0.0, 0.0),
    "calm": (0.3, -0.6),
    "joy": (0.8, 0.5),
    "sadness": (-0.7, -0.4),
    "anger": (-0.6, 0.7),
    "fear": (-0.6, 0.6),
    "disgust": (-0.6, 0.35),
    "surprise": (0.15, 0.7),
}
"""Valence and arousal of the classes: a convention after Russell (1980), not learned."""


def open_session(path: Path, threads: int = 1) -> Any:
    """Return an onnxruntime session on the CPU.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        ModelError: The file is missing or damaged.
    """
    try:
        import onnxruntime
    except ImportError as err:
        raise MissingExtraError("onnxruntime", "perceive") from err
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    hint = "install thymos again: its weights are part of the package"
    if not path.is_file():
        raise ModelError(f"no weights at {path}", hint=hint)
    try:
        made = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as err:  # onnxruntime has no common error class
        raise ModelError(f"{path.name} cannot be loaded: {err}", hint=hint) from err
    _trim()
    return made


def _trim() -> None:
    """Give back what unpacking the weights took: 290 MiB for speech, which glibc would keep."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def softmax(logits: Floats) -> Floats:
    """Return the softmax over the last axis."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True), dtype=np.float32)


def to_emotions(probs: Floats, labels: tuple[str, ...]) -> Floats:
    """Sum columns named by `labels` into columns EMOTIONS; calm counts as neutral."""
    out = np.zeros((*probs.shape[:-1], len(EMOTIONS)), dtype=np.float32)
    for i, label in enumerate(labels):
        name = "neutral" if label == "calm" else label
        out[..., EMOTIONS.index(name)] += probs[..., i]
    return out


def on_plane(probs: Floats, labels: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Return valence and arousal, the mean of the classes' places weighted by probability."""
    places = np.array([_PLANE[label] for label in labels], dtype=np.float32)
    both = probs @ places
    return both[..., 0], both[..., 1]
