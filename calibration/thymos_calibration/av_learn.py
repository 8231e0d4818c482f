"""Recipe of `av_speech.json`: the weights by which `av-sync` reads lips.

    python -m thymos_calibration.av_learn CLIP… [--out av_speech.json]

The first clip must be in step: it sets the zero. The others may be off by any constant; their
offsets are found in turns with the weights: first by each clip alone (most information shared),
then weights from the clips as aligned so far, offsets from weights that never saw the clip.
Ridge-regularised canonical correlation analysis, four pairs; 40 s of speech are enough for 112
numbers, and every clip is judged by weights that never saw it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.errors import CalibrationError
from thymos_calibration.av_observe import observe
from thymos_calibration.av_signals import GRID_HZ, Series, unit_rows
from thymos_calibration.av_talking import SpeechModel, find_peak
from thymos_drivers.media import AudioFile, VideoFile

F64 = NDArray[np.float64]

PAIRS = 4
RIDGE = 0.3
ROUNDS = 4
MIN_AGREEMENT = 0.8
"""A clip with a less certain peak teaches nothing: its voice may not be this face's."""
GUESS_GRID = 20  # ± 400 ms

Clip = tuple[Series, Series]


def learn(clips: Sequence[Clip], offsets_s: Sequence[float], zero_s: float = 0.0) -> SpeechModel:
    """Weights from clips whose offsets are known."""
    pairs = [
        _overlap(face, voice, round(offset * GRID_HZ))
        for (face, voice), offset in zip(clips, offsets_s, strict=True)
    ]
    x, y = np.vstack([x for x, _ in pairs]), np.vstack([y for _, y in pairs])
    mouth, strength, sound = _canonical(x, y)
    return SpeechModel(mouth[:, :PAIRS], sound[:, :PAIRS], strength[:PAIRS], zero_s)


def align(clips: Mapping[str, Clip]) -> tuple[dict[str, float], list[str]]:
    """Peaks of all clips, and the clips that can teach."""
    offsets = {name: _guess(*clip) for name, clip in clips.items()}
    good = list(clips)
    for _ in range(ROUNDS):
        found: dict[str, float] = {}
        kept = []
        for name, clip in clips.items():
            others = [n for n in good if n != name]
            model = learn([clips[n] for n in others], [offsets[n] for n in others])
            peak = find_peak(*clip, model)
            found[name] = peak.offset_s if peak is not None else offsets[name]
            if peak is not None and not peak.beyond and peak.agreement >= MIN_AGREEMENT:
                kept.append(name)
        offsets, good = found, kept if len(kept) > 2 else list(clips)
    return offsets, good


def _guess(face: Series, voice: Series) -> float:
    """Offset of one clip by itself: the shift at which mouth and voice share most information."""
    best = (-np.inf, 0.0)
    for shift in range(-GUESS_GRID, GUESS_GRID + 1):
        _, strength, _ = _canonical(*_overlap(face, voice, shift))
        information = float(-0.5 * np.log1p(-(np.minimum(strength, 0.99) ** 2)).sum())
        best = max(best, (information, shift / GRID_HZ))
    return best[1]


def _canonical(x: F64, y: F64) -> tuple[F64, F64, F64]:
    """Ridge-regularised canonical correlation: weights of x, correlations, weights of y."""
    xx = x.T @ x / len(x) + RIDGE * np.eye(x.shape[1])
    yy = y.T @ y / len(y) + RIDGE * np.eye(y.shape[1])
    half_x, half_y = (np.linalg.inv(np.linalg.cholesky(m)) for m in (xx, yy))
    u, strength, vt = np.linalg.svd(half_x @ (x.T @ y / len(x)) @ half_y.T, full_matrices=False)
    return half_x.T @ u, strength, half_y.T @ vt.T


def train(clips: Mapping[str, Clip], without: str = "") -> SpeechModel:
    """Weights from all clips but one; the first clip (of those left) is the zero."""
    offsets, good = align({n: c for n, c in clips.items() if n != without})
    zero = offsets[next(iter(offsets))]
    return learn([clips[n] for n in good], [offsets[n] for n in good], zero)


def _overlap(face: Series, voice: Series, shift: int) -> tuple[F64, F64]:
    at = np.arange(len(face.rows)) + face.first - voice.first + shift
    inside = np.flatnonzero((at >= 0) & (at < len(voice.rows)))
    both = inside[face.valid[inside] & voice.valid[at[inside]]]
    every = np.ones(len(both), dtype=bool)
    return unit_rows(face.rows[both], every), unit_rows(voice.rows[at[both]], every)


def clip(path: Path) -> Clip:
    """Mouth and voice of a media file with one talking face.

    Raises:
        CalibrationError: There is no face or no voice.
    """
    seen = observe(VideoFile(path), AudioFile(path))
    if not seen.mouths or seen.voice is None:
        raise CalibrationError(f"'{path}' has no face or no voice")
    return seen.mouths[0], seen.voice


def main() -> None:
    """Learn from the clips named on the command line and write the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("clips", nargs="+", type=Path, help="the first sets the zero")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("av_speech.json"))
    args = parser.parse_args()
    clips = {path.name: clip(path) for path in args.clips}
    offsets, good = align(clips)
    zero = offsets[args.clips[0].name]
    model = learn([clips[n] for n in good], [offsets[n] for n in good], zero)
    data = {
        "zero_s": round(model.zero_s, 4),
        "strength": model.strength.round(4).tolist(),
        "mouth": model.mouth.round(4).tolist(),
        "sound": model.sound.round(4).tolist(),
        "learnt_from": {n: {"offset_ms": round((offsets[n] - zero) * 1000)} for n in good},
        "recipe": "python -m thymos_calibration.av_learn",
    }
    lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in data.items())
    args.out.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(good)} of {len(clips)} clips taught: {', '.join(good)}")


if __name__ == "__main__":
    main()
