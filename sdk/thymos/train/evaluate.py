"""Scores the shipped weights on data they were not trained on: the numbers of `docs/models/`.

python -m thymos.train.evaluate DATA [face] [speech] [text] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.contract import EMOTIONS
from thymos.perceive.learned import FaceExpression, SpeechEmotion, TextEmotion
from thymos.train.data import (
    EKMAN,
    FACE_LABELS,
    RAVDESS_LABELS,
    Clip,
    emodb,
    fer2013,
    goemotions,
    ravdess,
    read_pcm,
)
from thymos.train.metrics import (
    accuracy,
    bootstrap,
    confusion,
    expected_calibration_error,
    f1_scores,
    recalls,
    uar,
)
from thymos.train.speech import FOLDS, SHARED, fold_of, shared_probs

Report = dict[str, Any]


def _single_label(truth: NDArray[Any], probs: NDArray[Any], units: Any, names: Any) -> Report:
    """Return the scores of a one-label task; probs' columns and truth count alike."""
    said = probs.argmax(1)
    trivial = np.full_like(truth, np.bincount(truth).argmax())
    return {
        "n": len(truth),
        "accuracy": str(bootstrap(lambda r: accuracy(truth[r], said[r]), units)),
        "uar": str(bootstrap(lambda r: uar(truth[r], said[r]), units)),
        "ece": round(expected_calibration_error(probs, truth), 3),
        "majority_accuracy": round(accuracy(truth, trivial), 3),
        "chance_uar": round(1 / len(np.unique(truth)), 3),
        "recall": dict(zip(names, recalls(truth, said, range(len(names))).round(3), strict=True)),
        "confusion": confusion(truth, said, len(names)).tolist(),
    }


def face(data: Path, limit: int = 0) -> Report:
    """Score the expression model on the test groups of FER2013."""
    part = fer2013(data).part("test")
    rows = slice(0, limit or None)
    images, labels = part.images[rows], part.labels[rows]
    model = FaceExpression()
    probs = np.concatenate([model.predict(images[i : i + 64]) for i in range(0, len(images), 64)])
    order = [EMOTIONS.index(name) for name in FACE_LABELS]
    return _single_label(labels, probs[:, order], part.groups[rows], FACE_LABELS)


def _speech(clips: list[Clip], change: Callable[[Any], Any] = lambda x: x) -> NDArray[Any]:
    model = SpeechEmotion()
    return np.stack([model.predict(change(read_pcm(c.path))).probs for c in clips])


def _noisy(pcm: NDArray[Any]) -> NDArray[Any]:
    noise = np.random.default_rng(0).standard_normal(len(pcm)).astype(np.float32)
    return np.asarray(pcm + noise * np.sqrt(np.mean(pcm**2)) * 10 ** (-10 / 20))


def _telephone(pcm: NDArray[Any]) -> NDArray[Any]:
    spectrum = np.fft.rfft(pcm)
    hz = np.fft.rfftfreq(len(pcm), 1 / 16000)
    return np.fft.irfft(spectrum * ((hz > 200) & (hz < 3600)), len(pcm)).astype(np.float32)


def _middle(pcm: NDArray[Any]) -> NDArray[Any]:
    loud = int(np.argmax(np.convolve(pcm**2, np.ones(1600), "same")))
    start = max(0, min(loud - 8000, len(pcm) - 16000))
    return pcm[start : start + 16000]


CONDITIONS: dict[str, Callable[[Any], Any]] = {
    "30 dB lower": lambda x: x * 10 ** (-30 / 20),
    "white noise, 10 dB": _noisy,
    "band 200-3600 Hz": _telephone,
    "loudest second only": _middle,
}


def speech(data: Path, limit: int = 0) -> Report:
    """Score the speech model on RAVDESS speakers it never heard and on EMO-DB (zero-shot)."""
    step = max(1, 180 // limit) if limit else 1
    clips = [c for c in ravdess(data) if fold_of(c.speaker) == FOLDS - 1][::step]
    truth = np.array([RAVDESS_LABELS.index(c.label) for c in clips])
    probs = _speech(clips)
    female = np.array([c.female for c in clips])
    out: Report = {
        "ravdess": _single_label(truth, probs, [c.path.stem for c in clips], RAVDESS_LABELS),
        "ravdess_women_uar": round(uar(truth[female], probs[female].argmax(1)), 3),
        "ravdess_men_uar": round(uar(truth[~female], probs[~female].argmax(1)), 3),
    }
    if not limit:
        for name, change in CONDITIONS.items():
            out[f"ravdess, {name}"] = round(uar(truth, _speech(clips, change).argmax(1)), 3)
    foreign = [c for c in emodb(data) if c.label in SHARED]
    foreign = foreign[:: max(1, len(foreign) // limit)] if limit else foreign
    truth = np.array([SHARED.index(c.label) for c in foreign])
    probs = shared_probs(_speech(foreign))
    female = np.array([c.female for c in foreign])
    out["emodb"] = _single_label(truth, probs, [c.speaker for c in foreign], SHARED)
    out["emodb_women_uar"] = round(uar(truth[female], probs[female].argmax(1)), 3)
    out["emodb_men_uar"] = round(uar(truth[~female], probs[~female].argmax(1)), 3)
    return out


def text(data: Path, limit: int = 0) -> Report:
    """Score the text model on the official test part of GoEmotions."""
    part = goemotions(data, "test")
    texts, truth = part.texts[: limit or None], part.ekman[: limit or None]
    reading = TextEmotion().predict(texts)
    order = [EMOTIONS.index(name) for name in EKMAN]
    found, probs = reading.found[:, order], reading.emotion[:, order]
    everything = f1_scores(truth, np.ones_like(truth)).mean()
    one = truth.sum(1) == 1
    single = _single_label(truth[one].argmax(1), probs[one], np.flatnonzero(one), EKMAN)
    fine = f1_scores(part.table[: limit or None], reading.labels > 0.3)
    return {
        "n": len(texts),
        "ekman_macro_f1": str(
            bootstrap(lambda r: float(f1_scores(truth[r], found[r]).mean()), np.arange(len(texts)))
        ),
        "f1": dict(zip(EKMAN, f1_scores(truth, found).round(3), strict=True)),
        "all_yes_macro_f1": round(float(everything), 3),
        "fine28_macro_f1_at_0.3": round(float(fine.mean()), 3),
        "one_label_only": single,
    }


PARTS: dict[str, Callable[[Path], Report]] = {"face": face, "speech": speech, "text": text}


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("parts", nargs="*", default=[], metavar="face|speech|text")
    parser.add_argument("--json", type=Path, help="write the report here too")
    args = parser.parse_args(argv)
    for name in args.parts:
        if name not in PARTS:
            parser.error(f"no such part: {name}")
    report = {name: PARTS[name](args.data) for name in args.parts or PARTS}
    content = json.dumps(report, indent=1, default=float)
    print(content)
    if args.json:
        args.json.write_text(content + "\n", "utf-8")


if __name__ == "__main__":
    main()
