"""Simulated camera, microphone and electronic nose: deterministic by seed, labelled SIMULATED.

URIs: `sim:` or `sim:?seed=3&rate=10&…`. Options of all three:

    seed=7       the dice
    seconds=30   ends after so long; without it it never ends
    pace=1       1: in real time on the robot clock; 0: as fast as possible, stamps from 0
    drop corrupt reorder delay_ms   faults, see `thymos_drivers.testing.FaultPlan`
    stall=20-25  nothing arrives in this stretch
    lose=30      the device vanishes at this time, once

Camera: `size=640x480 rate=30`. Microphone: `rate=16000 channels=1 sound=speech|tone|noise|silence`.
Nose: `rate=10 events=coffee@10-20,smoke@30-40`, see `thymos_drivers.sim_nose`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from thymos.errors import ConfigError
from thymos.samples import (
    NS_PER_S,
    EndOfStream,
    Flag,
    Health,
    Kind,
    Origin,
    Payload,
    Sample,
    Source,
    StreamSpec,
    frozen,
)
from thymos_drivers.base import BaseSource, number, picture_spec
from thymos_drivers.sim_nose import CHANNELS, MoxArray, parse_events
from thymos_drivers.testing import FaultInjector, FaultPlan

_TOO_LATE_NS = NS_PER_S
"""A reader that is further behind than this loses samples, as with a real device."""


class SimSource(BaseSource):
    """Shared by all simulations: pace, length and stamps.

    Args:
        spec: The stream.
        period_ns: From one sample to the next.
        seconds: Ends after so long; None never.
        paced: In real time on the robot clock, or as fast as possible from 0.
    """

    def __init__(
        self, spec: StreamSpec, period_ns: int, *, seconds: float | None, paced: bool
    ) -> None:
        super().__init__(spec)
        self.live = paced
        self._period_ns = period_ns
        self._count = None if seconds is None else int(seconds * NS_PER_S / period_ns)
        self._start_ns = 0
        self._begun = self._away = False
        self._payloads: Iterator[Payload] = iter(())
        self._seq = 0

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next sample; when paced, wait until it is due."""
        self._check_open()
        if self._count is not None and self._seq >= self._count:
            raise EndOfStream
        t_ns = self._start_ns + self._seq * self._period_ns
        if not self.live:
            return self._next(t_ns, t_ns)
        wait_s = (t_ns - time.monotonic_ns()) / NS_PER_S
        if wait_s > timeout_s:
            if self._closed.wait(timeout_s):
                raise EndOfStream
            return None
        if wait_s > 0 and self._closed.wait(wait_s):
            raise EndOfStream
        now = time.monotonic_ns()
        hole = 0
        late_ns = 0 if self._away else _TOO_LATE_NS
        self._away = False
        while t_ns < now - late_ns and (self._count is None or self._seq < self._count - 1):
            next(self._payloads)
            self._seq += 1
            t_ns += self._period_ns
            hole += 1
        self._counters.dropped += hole
        return self._next(t_ns, now, Flag.GAP_BEFORE if hole else Flag.OK)

    def _next(self, t_ns: int, recv_ns: int, flags: Flag = Flag.OK) -> Sample:
        payload = frozen(next(self._payloads))
        if self._spec.kind is Kind.AUDIO and int(np.abs(payload.astype(np.int32)).max()) >= 32767:
            flags |= Flag.CLIPPED
        sample = Sample(self._spec.name, self._seq, t_ns, recv_ns, payload, flags)
        self._seq += 1
        self._counters.received += 1
        return sample

    def _open(self) -> None:
        if self._begun and self.live:
            self._away = True  # unplugged and plugged in again: the world went on meanwhile
            self._say(Health.OK)
            return
        self._begun = True
        self._seq = 0
        self._start_ns = time.monotonic_ns() if self.live else 0
        self._payloads = self.payloads()
        self._say(Health.OK)

    def payloads(self) -> Iterator[Payload]:
        """Yield payload after payload, for ever."""
        raise NotImplementedError


class SimCamera(SimSource):
    """A drawn scene without any face: a disk on its way, a frame counter, the word SIMULATED."""

    def __init__(
        self,
        stream: str,
        *,
        size: tuple[int, int] = (640, 480),
        rate_hz: float = 30.0,
        seed: int = 7,
        seconds: float | None = None,
        paced: bool = True,
    ) -> None:
        self._size = size
        self._seed = seed
        plain = picture_spec(
            stream, "simulated camera", size=size, rate_hz=rate_hz, origin=Origin.SIMULATED
        )
        spec = replace(plain, extra={"seed": str(seed)})
        super().__init__(spec, int(NS_PER_S / rate_hz), seconds=seconds, paced=paced)

    def payloads(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames, uint8 [height, width, 3]."""
        width, height = self._size
        rng = np.random.default_rng(self._seed)
        across = np.linspace(40, 120, width, dtype=np.float32)
        down = np.linspace(0, 60, height, dtype=np.float32)[:, None]
        scene = np.stack([across + down, across[::-1] + down, down + 90.0 + 0 * across], axis=-1)
        scene = np.clip(scene + rng.normal(0, 4, scene.shape), 0, 255).astype(np.uint8)
        word = _word(max(1, width // 160))
        area = scene[4 : 4 + word.shape[0], 4 : 4 + word.shape[1]]
        area[word[: area.shape[0], : area.shape[1]]] = 255
        radius = max(2, height // 12)
        y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
        disk = x * x + y * y <= radius * radius
        phase = float(rng.random())
        bit = max(2, width // 40)
        n = 0
        while True:
            frame = scene.copy()
            angle = 2 * np.pi * (n / 120 + phase)
            cx = int(width / 2 + (width / 2 - radius - 1) * np.sin(angle))
            cy = int(height / 2 + (height / 4) * np.sin(2 * angle))
            top, left = max(0, cy - radius), max(0, cx - radius)
            spot = frame[top : cy + radius + 1, left : cx + radius + 1]
            spot[disk[: spot.shape[0], : spot.shape[1]]] = (230, 160, 40)
            for i in range(16):  # the frame number, least significant bit left
                shade = 255 if n >> i & 1 else 0
                frame[height - bit :, i * bit : (i + 1) * bit] = shade
            yield frame
            n += 1


class SimMicrophone(SimSource):
    """A synthetic sound. `speech` is voiced syllables with pauses: a rhythm, not words."""

    SOUNDS = ("speech", "tone", "noise", "silence")
    BLOCK_S = 0.032

    def __init__(
        self,
        stream: str,
        *,
        rate_hz: int = 16000,
        channels: int = 1,
        sound: str = "speech",
        seed: int = 7,
        seconds: float | None = None,
        paced: bool = True,
    ) -> None:
        self._rate, self._n_channels, self._seed, self._sound = rate_hz, channels, seed, sound
        self._block = int(rate_hz * self.BLOCK_S)
        spec = StreamSpec(
            name=stream,
            kind=Kind.AUDIO,
            rate_hz=float(rate_hz),
            shape=(self._block, channels),
            unit="s16",
            channels=tuple(f"ch{i}" for i in range(channels)),
            frame_id=f"{stream}_frame",
            origin=Origin.SIMULATED,
            device=f"simulated microphone ({sound})",
            extra={"seed": str(seed)},
        )
        super().__init__(spec, self._block * NS_PER_S // rate_hz, seconds=seconds, paced=paced)

    def payloads(self) -> Iterator[NDArray[np.int16]]:
        """Yield the blocks, int16 [frames, channels]."""
        at = 0
        while True:
            t = np.arange(at, at + self._block) / self._rate
            rng = np.random.default_rng([self._seed, at])
            wave = self._wave(t) + rng.normal(0, 0.002, self._block) * (self._sound != "silence")
            pcm = np.clip(np.rint(wave * 32767), -32768, 32767).astype(np.int16)
            yield np.repeat(pcm[:, None], self._n_channels, axis=1)
            at += self._block

    def _wave(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._sound == "tone":
            tone: NDArray[np.float64] = 0.3 * np.sin(2 * np.pi * 440 * t)
            return tone
        if self._sound == "noise":
            start = round(float(t[0]) * self._rate)
            return np.random.default_rng([self._seed, start, 1]).normal(0, 0.1, t.size)
        if self._sound == "silence":
            return np.zeros(t.size)
        # 2.4 s of speech, 1.6 s of pause; four syllables a second; pitch wanders about 140 Hz.
        talking = (t % 4.0) < 2.4
        syllable = np.clip(np.sin(2 * np.pi * 4 * t), 0, 1) ** 0.5
        pitch = 2 * np.pi * (140 * t + 8 * np.sin(2 * np.pi * 0.7 * t) / (2 * np.pi * 0.7))
        voice = sum(np.sin(k * pitch) / k for k in range(1, 12))
        speech: NDArray[np.float64] = 0.15 * talking * syllable * voice
        return speech


class SimNose(SimSource):
    """An array of metal-oxide sensors, see `sim_nose.MoxArray`."""

    def __init__(
        self,
        stream: str,
        *,
        rate_hz: float = 10.0,
        events: str = "",
        seed: int = 7,
        seconds: float | None = None,
        paced: bool = True,
    ) -> None:
        self._rate, self._seed = rate_hz, seed
        self._events = parse_events(events)
        spec = StreamSpec(
            name=stream,
            kind=Kind.GAS,
            rate_hz=rate_hz,
            shape=(len(CHANNELS),),
            unit="ohm",
            channels=CHANNELS,
            frame_id=f"{stream}_frame",
            origin=Origin.SIMULATED,
            device="simulated electronic nose",
            extra={"seed": str(seed), "events": events},
        )
        super().__init__(spec, int(NS_PER_S / rate_hz), seconds=seconds, paced=paced)

    def payloads(self) -> Iterator[NDArray[np.float64]]:
        """Yield the readings, float64 [channels] in ohm."""
        array = MoxArray(self._events, self._seed)
        while True:
            yield array.step(1.0 / self._rate)


def open_camera(
    rest: str, *, stream: str = "camera", size: str = "640x480", rate: str = "30", **more: str
) -> Source:
    """Make the source of `sim:?…` for the camera."""
    width, cross, height = size.partition("x")
    if not cross:
        raise ConfigError(f"option size='{size}' is not WIDTHxHEIGHT", hint="?size=640x480")
    shape = (
        int(number("width", width, low=16, high=7680)),
        int(number("height", height, low=16, high=4320)),
    )
    common, plan = _common(rest, more)
    rate_hz = number("rate", rate, low=0.1, high=1000)
    return _with_faults(SimCamera(stream, size=shape, rate_hz=rate_hz, **common), plan)


def open_microphone(
    rest: str,
    *,
    stream: str = "microphone",
    rate: str = "16000",
    channels: str = "1",
    sound: str = "speech",
    **more: str,
) -> Source:
    """Make the source of `sim:?…` for the microphone."""
    if sound not in SimMicrophone.SOUNDS:
        known = ", ".join(SimMicrophone.SOUNDS)
        raise ConfigError(f"there is no simulated sound '{sound}'", hint=f"known: {known}")
    common, plan = _common(rest, more)
    source = SimMicrophone(
        stream,
        rate_hz=int(number("rate", rate, low=4000, high=192000)),
        channels=int(number("channels", channels, low=1, high=32)),
        sound=sound,
        **common,
    )
    return _with_faults(source, plan)


def open_enose(
    rest: str, *, stream: str = "enose", rate: str = "10", events: str = "", **more: str
) -> Source:
    """Make the source of `sim:?…` for the electronic nose."""
    common, plan = _common(rest, more)
    rate_hz = number("rate", rate, low=0.01, high=1000)
    return _with_faults(SimNose(stream, rate_hz=rate_hz, events=events, **common), plan)


class _Common(TypedDict):
    """Keyword arguments that all simulations take."""

    seed: int
    seconds: float | None
    paced: bool


def _common(rest: str, options: dict[str, str]) -> tuple[_Common, FaultPlan]:
    """Read the options that all simulations share; the rest is refused."""
    if rest:
        raise ConfigError(f"'sim:{rest}' names nothing", hint="options go after '?': sim:?seed=3")
    left = dict(options)
    seconds = left.pop("seconds", "")
    seed = int(number("seed", left.pop("seed", "7"), low=0, high=2**32))
    common: _Common = {
        "seed": seed,
        "seconds": number("seconds", seconds, low=0, high=1e7) if seconds else None,
        "paced": number("pace", left.pop("pace", "1"), low=0, high=1) != 0,
    }
    lose, stall, hang = (left.pop(name, "") for name in ("lose", "stall", "hang"))
    plan = FaultPlan(
        drop=number("drop", left.pop("drop", "0"), low=0, high=1),
        corrupt=number("corrupt", left.pop("corrupt", "0"), low=0, high=1),
        reorder=number("reorder", left.pop("reorder", "0"), low=0, high=1),
        delay_ms=number("delay_ms", left.pop("delay_ms", "0"), low=0, high=60000),
        lose_at_s=number("lose", lose, low=0) if lose else None,
        hang_at_s=number("hang", hang, low=0) if hang else None,
        stall_s=_span(stall) if stall else None,
        seed=seed,
    )
    if left:
        raise ConfigError(
            f"the simulation has no option '{sorted(left)[0]}'",
            hint="known: seed seconds pace drop corrupt reorder delay_ms stall lose hang rate …",
        )
    return common, plan


def _span(text: str) -> tuple[float, float]:
    begin, _, end = text.partition("-")
    return number("stall", begin, low=0), number("stall", end, low=0)


def _with_faults(source: SimSource, plan: FaultPlan) -> Source:
    return source if plan == FaultPlan(seed=plan.seed) else FaultInjector(source, plan)


_GLYPHS = {  # 5 x 7, one number a row
    "S": (15, 16, 16, 14, 1, 1, 30),
    "I": (14, 4, 4, 4, 4, 4, 14),
    "M": (17, 27, 21, 21, 17, 17, 17),
    "U": (17, 17, 17, 17, 17, 17, 14),
    "L": (16, 16, 16, 16, 16, 16, 31),
    "A": (14, 17, 17, 31, 17, 17, 17),
    "T": (31, 4, 4, 4, 4, 4, 4),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "D": (30, 17, 17, 17, 17, 17, 30),
}


def _word(scale: int, text: str = "SIMULATED") -> NDArray[np.bool_]:
    """The word as a mask, `scale` pixels a dot."""
    rows = [
        [bool(_GLYPHS[c][y] << 1 >> (5 - x) & 1) for c in text for x in range(6)] for y in range(7)
    ]
    return np.kron(np.array(rows), np.ones((scale, scale), dtype=bool)).astype(np.bool_)
