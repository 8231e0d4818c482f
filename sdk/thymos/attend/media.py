"""What a backend with eyes and ears is given of a window: pictures and sound, and their price.

A backend asks with its own prices, `evidence.media(Budget(tokens=1024, picture=256, second=25))`,
and gets what fits. Nothing is chosen, cut or scaled unless somebody asks. Pixels and sound never
enter a report; `Media.looked_at` tells in it which moments were used, and why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thymos.contract import Anchor, Look
from thymos.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent on one window, in tokens of the model that asks.

    Attributes:
        tokens: For pictures and sound together.
        picture: Price of one picture; 0: the model takes none.
        second: Price of one second of sound; 0: the model takes none.
        pictures: At most so many pictures.
        seconds: At most so much sound.
        side: Pictures are scaled down until their longer side has at most this many pixels.
        rate_hz: Sampling rate in which the model takes sound.

    Raises:
        ConfigError: A number is negative, or a side or a rate is not positive.
    """

    tokens: int
    picture: int = 0
    second: float = 0.0
    pictures: int = 6
    seconds: float = 30.0
    side: int = 448
    rate_hz: int = 16_000

    def __post_init__(self) -> None:
        spent = (self.tokens, self.picture, self.second, self.pictures, self.seconds)
        if min(spent) < 0 or self.side < 1 or self.rate_hz < 1:
            raise ConfigError(
                f"this budget of tokens makes no sense: {self}", hint="no number may be negative"
            )


@dataclass(frozen=True, slots=True)
class Picture:
    """One chosen frame.

    Attributes:
        stream: Whose.
        t_ns: Capture time.
        pixels: uint8 [height, width, 3], RGB, read-only.
        why: What it was chosen for.
        tokens: Its price.
    """

    stream: str
    t_ns: int
    pixels: NDArray[np.uint8]
    why: Anchor
    tokens: int


@dataclass(frozen=True, slots=True)
class Sound:
    """One chosen stretch of sound, mono.

    Attributes:
        stream: Whose.
        t0_ns: Capture time of its first sample.
        t1_ns: First instant after it.
        rate_hz: Samples/s.
        samples: int16 [n], n = (t1 − t0) · rate, read-only; 0 where nothing was received.
        why: What it was chosen for.
        tokens: Its price.
    """

    stream: str
    t0_ns: int
    t1_ns: int
    rate_hz: int
    samples: NDArray[np.int16]
    why: Anchor
    tokens: int


@dataclass(frozen=True, slots=True)
class Media:
    """What was chosen, in order of time. Empty where no camera or microphone gave anything."""

    pictures: tuple[Picture, ...] = ()
    sounds: tuple[Sound, ...] = ()

    @property
    def tokens(self) -> int:
        """What it costs, never more than the budget."""
        return sum(p.tokens for p in self.pictures) + sum(s.tokens for s in self.sounds)

    @property
    def looked_at(self) -> tuple[Look, ...]:
        """For `Explanation.looked_at`: what was shown to the model, without pixels or sound."""
        seen = [
            Look(kind="picture", stream=p.stream, t0_ns=p.t_ns, t1_ns=p.t_ns, why=p.why,
                 tokens=p.tokens)
            for p in self.pictures
        ]  # fmt: skip
        heard = [
            Look(kind="sound", stream=s.stream, t0_ns=s.t0_ns, t1_ns=s.t1_ns, why=s.why,
                 tokens=s.tokens)
            for s in self.sounds
        ]  # fmt: skip
        return tuple(sorted([*seen, *heard], key=lambda k: (k.t0_ns, k.kind, k.stream)))


def nothing(budget: Budget) -> Media:
    """Evidence that came without pixels and sound, over ROS for example."""
    return Media()
