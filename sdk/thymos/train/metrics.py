"""Moved to `thymos.evaluate.classification`; this name goes once the recipes import from there."""

from __future__ import annotations

from thymos.evaluate.classification import (
    Interval,
    accuracy,
    bootstrap,
    confusion,
    expected_calibration_error,
    f1_scores,
    fit_temperature,
    recalls,
    softmax,
    uar,
)

__all__ = [
    "Interval",
    "accuracy",
    "bootstrap",
    "confusion",
    "expected_calibration_error",
    "f1_scores",
    "fit_temperature",
    "recalls",
    "softmax",
    "uar",
]
