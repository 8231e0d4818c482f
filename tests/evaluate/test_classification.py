"""Scores against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from thymos.evaluate.classification import (
    accuracy,
    bootstrap,
    confusion,
    expected_calibration_error,
    f1_scores,
    fit_temperature,
    macro_f1,
    precisions,
    reliability,
    softmax,
    uar,
    weighted_f1,
)


def test_recall_is_unweighted():
    truth, said = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
    assert accuracy(truth, said) == 0.75
    assert uar(truth, said) == 0.5
    assert confusion(truth, said, 2).tolist() == [[3, 0], [1, 0]]


def test_f1_by_hand():
    truth = np.array([[1, 0], [1, 0], [0, 0]], dtype=bool)
    said = np.array([[1, 0], [0, 0], [1, 0]], dtype=bool)
    assert f1_scores(truth, said).tolist() == [0.5, 0.0]


def test_f1_means_by_hand():
    truth, said = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 1, 0])
    # class 0: 2 hits, 3 true, 3 said: 2/3; class 1: 1 hit, 2 true, 1 said: 2/3; class 2: not held
    assert macro_f1(truth, said) == pytest.approx(2 / 3)
    assert weighted_f1(truth, np.array([0, 0, 0, 0, 0])) == pytest.approx(0.6 * 0.75)
    assert precisions(truth, said, range(3)).tolist() == pytest.approx([2 / 3, 1, 0])


def test_reliability_bins_hold_every_item_once():
    probs = np.array([[1.0, 0.0], [0.95, 0.05], [0.55, 0.45]])
    bars = reliability(probs, np.array([0, 1, 0]), bins=10)
    assert [(b.share, b.accuracy) for b in bars] == [(1 / 3, 1.0), (2 / 3, 0.5)]
    assert bars[1].confidence == pytest.approx(0.975)


def test_calibration_error_by_hand():
    probs = np.array([[0.9, 0.1]] * 4)
    assert expected_calibration_error(probs, np.array([0, 0, 1, 1])) == pytest.approx(0.4)


def test_temperature_is_found_again():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 5)) * 2
    truth = np.array([rng.choice(5, p=p) for p in softmax(logits)])
    assert fit_temperature(logits * 3, truth) == pytest.approx(3, rel=0.1)


def test_bootstrap_draws_whole_units():
    right = np.array([1.0] * 50 + [0.0] * 50)
    units = np.repeat([0, 1], 50)
    wide = bootstrap(lambda r: float(right[r].mean()), units)
    narrow = bootstrap(lambda r: float(right[r].mean()), np.arange(100))
    assert (wide.value, wide.low, wide.high) == (0.5, 0.0, 1.0)
    assert narrow.high - narrow.low < 0.3
