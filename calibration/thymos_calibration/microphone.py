"""What a microphone hears when nobody speaks, how loud it is, and how late its stamps are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from thymos.errors import CalibrationError
from thymos.samples import NS_PER_S, Flag, Kind, Sample, Source
from thymos_calibration.reading import samples_of
from thymos_calibration.store import Calibration, identity

F64 = NDArray[np.float64]

KIND = "microphone"
SETTLE_S = 0.5
"""Left out at the beginning: converters click when they start."""
MAX_FLOOR_DBFS = -30.0
MAX_SPREAD_DB = 12.0
MAX_CLIPPED = 0.001
MIN_TONE_SHARE = 0.5
_OCTAVES = (63, 125, 250, 500, 1000, 2000, 4000, 8000)
_BLOCK_S = 0.1

CHIRP_HZ = (500.0, 6000.0)
CHIRP_S = 0.25
MAX_LATENCY_S = 1.0
MIN_ECHOES = 4
MIN_PEAK = 5.0
"""A chirp was heard if its matched filter stands out this many times above the rest."""
MAX_LATENCY_SPREAD_S = 0.005


class Speaker(Protocol):
    """Something that plays sound."""

    def play(self, sound: F64, rate: int) -> int:
        """Play mono sound (full scale ±1); return when its first frame leaves, robot clock, ns."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of sound without a gap.

    Attributes:
        t_ns: Capture time of the first frame.
        rate: Frames per second.
        pcm: Mono, full scale ±1 [n].
        clipped: Share of frames at the end of the range.
    """

    t_ns: int
    rate: int
    pcm: F64
    clipped: float


def listen(
    source: Source, seconds: float, progress: Callable[[float], None] | None = None
) -> Heard:
    """Read an open microphone for a while.

    Raises:
        CalibrationError: It is no microphone, ends, falls silent, or loses sound.
        DeviceLostError: It went away.
    """
    spec = source.spec
    if spec.kind is not Kind.AUDIO or spec.rate_hz <= 0:
        raise CalibrationError(f"'{spec.name}' is no microphone ({spec.kind.value})")
    rate = int(spec.rate_hz)
    kept: list[Sample] = []
    have = 0
    for sample in samples_of(source, "microphone"):
        if kept and sample.flags & (Flag.GAP_BEFORE | Flag.TIME_JUMP):
            raise CalibrationError(
                "sound was lost while listening", hint="close other programs and measure again"
            )
        kept.append(sample)
        have += len(sample.payload)
        if progress is not None:
            progress(min(1.0, have / (seconds * rate)))
        if have >= seconds * rate:
            break
    else:
        raise CalibrationError(
            f"the sound ended after {have / rate:.1f} of {seconds:.1f} s",
            hint="--seconds less, or a longer recording",
        )
    wide = np.concatenate([sample.payload for sample in kept])
    clipped = float(((wide >= 32767) | (wide <= -32768)).any(axis=1).mean())
    return Heard(kept[0].t_ns, rate, wide.astype(np.float64).mean(axis=1) / 32768.0, clipped)


def noise_floor(heard: Heard) -> dict[str, object]:
    """Level and spectrum of a quiet room.

    Raises:
        CalibrationError: It is digital silence, not quiet, or clipped.
    """
    pcm = heard.pcm[round(SETTLE_S * heard.rate) :]
    if len(pcm) < heard.rate:
        raise CalibrationError("a second of silence is the least", hint="--seconds 10")
    if not pcm.any():
        raise CalibrationError(
            "every sample is zero: the microphone is muted, or nothing is plugged in",
            hint="unmute it: pactl set-source-mute @DEFAULT_SOURCE@ 0",
        )
    if heard.clipped > MAX_CLIPPED:
        raise CalibrationError(
            f"{heard.clipped:.1%} of the sound is clipped", hint="turn the input gain down"
        )
    offset = float(pcm.mean())
    blocks = _blocks(pcm - offset, round(_BLOCK_S * heard.rate))
    levels = 10 * np.log10((blocks**2).mean(axis=1) + 1e-12)
    floor, spread = float(np.median(levels)), float(np.percentile(levels, 95) - np.median(levels))
    if floor > MAX_FLOOR_DBFS or spread > MAX_SPREAD_DB:
        raise CalibrationError(
            f"it is not quiet: {floor:.0f} dBFS, {spread:.0f} dB louder at times "
            f"(at most {MAX_FLOOR_DBFS:.0f} and {MAX_SPREAD_DB:.0f})",
            hint="nobody speaks, no music, no fan; or turn the input gain down",
        )
    return {
        "noise_dbfs": round(floor, 1),
        "noise_spread_db": round(spread, 1),
        "noise_octaves_dbfs": octaves(pcm - offset, heard.rate),
        "dc_offset": round(offset, 6),
    }


def octaves(pcm: F64, rate: int) -> dict[str, float]:
    """Level in each octave band, dB of full scale, by Welch's averaged periodogram."""
    size = min(len(pcm), rate // 4)
    window = np.hanning(size)
    power = (np.abs(np.fft.rfft(_blocks(pcm, size) * window, axis=1)) ** 2).mean(axis=0)
    power *= 2 / (size * (window**2).sum())
    freq = np.fft.rfftfreq(size, 1 / rate)
    half = np.sqrt(2)
    return {
        str(centre): round(
            10
            * float(
                np.log10(power[(freq >= centre / half) & (freq < centre * half)].sum() + 1e-12)
            ),
            1,
        )
        for centre in _OCTAVES
        if centre * half <= rate / 2
    }


def sensitivity(heard: Heard, spl_db: float) -> dict[str, object]:
    """Level of a calibrator's tone of known sound pressure: what 0 dBFS means in dB SPL.

    Raises:
        CalibrationError: There is no steady tone, or it clips.
    """
    pcm = heard.pcm[round(SETTLE_S * heard.rate) :]
    if heard.clipped > 0:
        raise CalibrationError("the tone clips", hint="turn the input gain down")
    power = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))) ** 2
    top = int(power[1:].argmax()) + 1
    share = float(power[max(0, top - 3) : top + 4].sum() / max(power[1:].sum(), 1e-30))
    if share < MIN_TONE_SHARE:
        raise CalibrationError(
            f"no steady tone was heard (its share of the power is {share:.0%})",
            hint="put the calibrator over the microphone, switched on",
        )
    level = 10 * float(np.log10((pcm**2).mean() + 1e-12))
    return {
        "tone_dbfs": round(level, 1),
        "tone_hz": round(top * heard.rate / len(pcm), 1),
        "full_scale_db_spl": round(spl_db - level, 1),
    }


def chirp(rate: int) -> F64:
    """The sound of the latency test: a rising tone with soft ends (its echo is sharp in time)."""
    high = min(CHIRP_HZ[1], 0.4 * rate)
    t = np.arange(round(CHIRP_S * rate)) / rate
    phase = 2 * np.pi * (CHIRP_HZ[0] * t + (high - CHIRP_HZ[0]) / (2 * CHIRP_S) * t**2)
    ends = np.minimum(1.0, np.minimum(t, t[-1] - t) / 0.01)
    return np.asarray(0.5 * ends * np.sin(phase))


def latency(
    source: Source,
    speaker: Speaker,
    *,
    times: int = 8,
    progress: Callable[[float], None] | None = None,
) -> dict[str, object]:
    """Play chirps, hear them, and compare the stamps: how late a sound is stamped.

    This is the whole loop: error of the speaker's stamp, way through the air (3 ms a metre), error
    of the microphone's stamp. Put the microphone at the speaker, or use a cable.

    Args:
        source: An open, live microphone.
        speaker: Plays on the same machine.
        times: Number of chirps.
        progress: Told the share that is done.

    Raises:
        CalibrationError: The chirps were not heard, or not equally late.
    """
    rate = int(source.spec.rate_hz)
    wave = chirp(rate)
    found: list[float] = []
    listen(source, SETTLE_S)
    for n in range(times):
        played_ns = speaker.play(wave, rate)
        heard = listen(source, CHIRP_S + MAX_LATENCY_S + 0.1)
        late = delay_of(wave, heard, played_ns)
        if late is not None:
            found.append(late)
        if progress is not None:
            progress((n + 1) / times)
    if len(found) < min(MIN_ECHOES, times):
        raise CalibrationError(
            f"{len(found)} of {times} chirps were heard",
            hint="turn the speaker up and put the microphone near it, or use a loopback cable",
        )
    middle = float(np.median(found))
    spread = 1.4826 * float(np.median(np.abs(np.array(found) - middle)))
    if spread > MAX_LATENCY_SPREAD_S:
        raise CalibrationError(
            f"the latency varies by ± {spread * 1000:.0f} ms",
            hint="close other programs, try again",
        )
    return {
        "loop_latency_ms": round(middle * 1000, 2),
        "loop_latency_spread_ms": round(spread * 1000, 2),
        "chirps_heard": len(found),
        "chirps_played": times,
    }


def delay_of(wave: F64, heard: Heard, played_ns: int) -> float | None:
    """How long after `played_ns` the wave was captured, seconds; None if it was not heard.

    Matched filter with the phase transform (C. Knapp and G. Carter, "The generalized correlation
    method for estimation of time delay", IEEE ASSP 24, 1976): sharp in echoing rooms.
    """
    size = 1 << (len(heard.pcm) + len(wave)).bit_length()
    spectrum = np.fft.rfft(heard.pcm, size)
    model = np.fft.rfft(wave, size)
    band = np.abs(model) > 0.1 * np.abs(model).max()
    cross = spectrum * np.conj(model)
    cross = np.where(band, cross / np.maximum(np.abs(cross), 1e-12), 0)
    match = np.fft.irfft(cross, size)[: len(heard.pcm)]
    high = np.abs(match)
    top = int(high.argmax())
    near = round(0.01 * heard.rate)
    rest = np.concatenate([high[: max(0, top - near)], high[top + near :]])
    if not len(rest) or high[top] < MIN_PEAK * float(np.sqrt((rest**2).mean()) + 1e-12):
        return None
    late = (heard.t_ns - played_ns) / NS_PER_S + top / heard.rate
    return late if -MAX_LATENCY_S < late < MAX_LATENCY_S else None


def as_calibration(source: Source, values: dict[str, object], heard: Heard | None) -> Calibration:
    """A result that can be stored."""
    spec = source.spec
    quality: dict[str, object] = {"origin": spec.origin.value}
    if heard is not None:
        quality |= {
            "seconds": round(len(heard.pcm) / heard.rate, 1),
            "clipped": heard.clipped,
            "headroom_db": round(-20 * float(np.log10(np.abs(heard.pcm).max() + 1e-6)), 1),
        }
    parts = ["noise floor"]
    parts += ["sound calibrator"] if "full_scale_db_spl" in values else []
    parts += ["chirps in a loop"] if "loop_latency_ms" in values else []
    return Calibration(
        kind=KIND,
        device=identity(spec),
        values={"rate_hz": spec.rate_hz, **values},
        method=", ".join(parts),
        quality=quality,
    )


def _blocks(pcm: F64, size: int) -> F64:
    whole = len(pcm) // size * size
    return pcm[:whole].reshape(-1, size)
