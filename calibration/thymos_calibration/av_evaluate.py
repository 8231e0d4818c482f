"""How well `av-sync` finds offsets: a table of clips by planted shifts.

    python -m thymos_calibration.av_evaluate --learn CLIP… [--other CLIP…] [--noise-db 10]

The sound of every clip is stamped later or earlier by known amounts and its offset measured again;
what is judged is the difference to the clip's own offset, as nobody knows that exactly. Clips of
`--learn` are judged by weights learnt from the others, never by their own; clips of `--other` by
weights from all.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from thymos.samples import NS_PER_S, Sample, frozen
from thymos_calibration.av_learn import train
from thymos_calibration.av_observe import Observed, observe
from thymos_calibration.av_sync import AvOffset, offset
from thymos_calibration.av_talking import SpeechModel
from thymos_drivers.media import AudioFile, VideoFile

SHIFTS_MS = (-400, -333, -200, -120, -77, -40, 40, 77, 120, 200, 333, 400)
NOISE_SEED = 7


class Shifted(AudioFile):
    """The sound of a file, stamped later, and with white noise if wanted.

    Args:
        path: The file.
        later_ms: By how much.
        noise_db: Ratio of voice to noise, dB (noise against −26 dBFS speech); None for none.
    """

    def __init__(self, path: Path, later_ms: float, noise_db: float | None = None) -> None:
        super().__init__(path)
        self._later_ns = round(later_ms * NS_PER_S / 1000)
        self._noise = 0.0 if noise_db is None else 32768 * 10 ** ((-26 - noise_db) / 20)
        self._rng = np.random.default_rng(NOISE_SEED)

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """See `Source`."""
        sample = super().read(timeout_s)
        if sample is None:
            return None
        pcm = sample.payload
        if self._noise:
            noisy = pcm + self._rng.normal(0, self._noise, pcm.shape)
            pcm = frozen(np.clip(noisy, -32768, 32767).astype(np.int16))
        return replace(sample, t_ns=sample.t_ns + self._later_ns, payload=pcm)


def again(seen: Observed, path: Path, later_ms: float, noise_db: float | None = None) -> Observed:
    """The same clip with its sound shifted; the faces need not be looked for again."""
    heard = observe(VideoFile(path), Shifted(path, later_ms, noise_db), faces=False)
    return replace(heard, mouths=seen.mouths)


@dataclass(frozen=True, slots=True)
class Row:
    """One clip.

    Attributes:
        clip: Its name.
        own: What was found without a shift.
        errors_ms: By shift: found less own less planted; None where there was no answer.
    """

    clip: str
    own: AvOffset
    errors_ms: dict[int, float | None]

    def line(self) -> str:
        """One row of the table (Markdown)."""
        own = f"{self.own.offset_ms:+.0f} ms" if self.own.offset_ms is not None else "—"
        cells = ["—" if e is None else f"{e:+.1f}" for e in self.errors_ms.values()]
        why = "" if self.own.answered else f" {self.own.reason}"
        return f"| {self.clip} | {own} | {self.own.confidence:.2f} | {' | '.join(cells)} |{why}"


def judge(
    path: Path,
    seen: Observed,
    model: SpeechModel | None,
    shifts: Sequence[int] = SHIFTS_MS,
    noise_db: float | None = None,
) -> Row:
    """Plant shifts in one clip and find them."""
    start = seen if noise_db is None else again(seen, path, 0, noise_db)
    own = offset(start, method="talking", model=model)
    errors: dict[int, float | None] = {}
    for shift in shifts:
        found = offset(again(seen, path, shift, noise_db), method="talking", model=model)
        both = own.offset_ms is not None and found.offset_ms is not None
        errors[shift] = (found.offset_ms or 0) - (own.offset_ms or 0) - shift if both else None
    return Row(path.name, own, errors)


def models(seen: Mapping[Path, Observed]) -> dict[Path, SpeechModel]:
    """For every clip the weights learnt from the others."""
    clips = {
        str(path): (one.mouths[0], one.voice)
        for path, one in seen.items()
        if one.mouths and one.voice is not None
    }
    return {path: train(clips, without=str(path)) for path in seen}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--learn", nargs="+", type=Path, default=[])
    parser.add_argument("--other", nargs="*", type=Path, default=[])
    parser.add_argument("--noise-db", type=float)
    args = parser.parse_args()
    seen = {path: observe(VideoFile(path), AudioFile(path)) for path in args.learn}
    weights: dict[Path, SpeechModel | None] = dict(models(seen))
    seen |= {path: observe(VideoFile(path), AudioFile(path)) for path in args.other}
    print(f"| clip | own offset | confidence | {' | '.join(f'{s:+d}' for s in SHIFTS_MS)} |")
    print("|---|---|---|" + "---|" * len(SHIFTS_MS))
    for path, one in seen.items():
        print(judge(path, one, weights.get(path), noise_db=args.noise_db).line(), flush=True)


if __name__ == "__main__":
    main()
