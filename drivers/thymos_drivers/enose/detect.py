"""Finds out what a nose speaks by listening, and by asking only where nothing is heard."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from thymos.errors import ConfigError
from thymos_drivers.enose.cyranose import BAUD as CYRANOSE_BAUD
from thymos_drivers.enose.cyranose import CyranoseDecoder
from thymos_drivers.enose.decoder import Decoder, Reading
from thymos_drivers.enose.text import TextDecoder
from thymos_drivers.enose.tue import TueDecoder
from thymos_drivers.enose.wire import WireDecoder

PROTOCOLS = ("auto", "text", "thymos", "tue", "cyranose")
TUE_BAUD = 115200
LEARN_S = 60.0
"""How long a nose that is understood may take to show all its channels (slow heater scans)."""
_NOTHING = b"\x00\r\n "
_GARBAGE_PIECES = 6
_GARBAGE_BYTES = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What is known about a nose before it is heard.

    Attributes:
        protocol: One of `PROTOCOLS`.
        header: Names of the columns of a nose that prints bare rows.
        rate_hz: Rate to ask for, where a nose takes one; 0 leaves it as it is.
        probe: Silent devices may be asked. What is asked: TU/e to start, Cyranose for a reading.
        listen_s: How long one speed is listened to.
    """

    protocol: str = "auto"
    header: tuple[str, ...] = ()
    rate_hz: float = 0.0
    probe: bool = True
    listen_s: float = 4.0

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise ConfigError(
                f"option protocol='{self.protocol}' is not known",
                hint=f"one of: {', '.join(PROTOCOLS)}",
            )

    def passive(self) -> list[Decoder]:
        """Decoders that only listen; the stricter ones first."""
        starts = self.probe or self.protocol == "tue"
        every: list[Decoder] = [
            WireDecoder(),
            TextDecoder(self.header),
            TueDecoder(self.rate_hz, starts=starts),
        ]
        return [d for d in every if self.protocol in ("auto", d.protocol)]

    def asking(self, baud: int) -> list[Decoder]:
        """Decoders that ask, for a line that is silent at this speed."""
        found: list[Decoder] = []
        if self.protocol == "tue" or (self.protocol == "auto" and baud == TUE_BAUD):
            found.append(TueDecoder(self.rate_hz, silent=True))
        if self.protocol == "cyranose" or (self.protocol == "auto" and baud == CYRANOSE_BAUD):
            pause_s = 1.0 / self.rate_hz if self.rate_hz else 0.5
            found.append(CyranoseDecoder(int(pause_s * 1e9)))
        return found if self.probe or self.protocol != "auto" else []


Exchange = Callable[[bytes, float], tuple[bytes, int]]
"""Writes, then waits so many seconds for bytes; returns them and when the first arrived."""


@dataclass(slots=True)
class Heard:
    """What came of listening.

    Attributes:
        decoder: The one that understands the nose; None if none does.
        readings: What a nose that is known already has sent meanwhile.
        words: What was heard, for people.
    """

    decoder: Decoder | None = None
    readings: list[Reading] = field(default_factory=list)
    words: str = ""


def listen(
    exchange: Exchange, baud: int, wish: Wish, closed: threading.Event, known: Decoder | None
) -> Heard:
    """Listen at one speed.

    The readings that teach what a nose is are not kept, as their time is unsure.

    Args:
        exchange: The port.
        baud: Its speed, which tells what may be asked.
        wish: What is known before.
        closed: Ends it early.
        known: Decoder of this nose, made `again`; then only this one is tried.
    """
    decoders = [known] if known is not None else wish.passive()
    heard = Heard()
    began, received = time.monotonic(), 0
    asked = known is not None
    while not closed.is_set():
        waited = time.monotonic() - began
        if waited > (LEARN_S if _understood(decoders) else wish.listen_s):
            break
        silent = received == 0 and (waited > wish.listen_s / 2 or wish.protocol != "auto")
        if silent and not asked:
            decoders, asked = decoders + wish.asking(baud), True
        questions = [decoder.due(time.monotonic_ns()) for decoder in decoders]
        for question in (*filter(None, questions), b""):
            data, now_ns = exchange(question, 0.0 if question else 0.05)
            received += len(data.strip(_NOTHING))
            for decoder in decoders if data else ():
                readings = decoder.feed(data, now_ns)
                heard.readings += readings if decoder is known else []
        for decoder in decoders:
            if decoder.learnt and decoder.good > decoder.noise:
                heard.decoder = decoder
                return heard
        if received >= _GARBAGE_BYTES and _hopeless(decoders):
            break
    heard.words = _heard(decoders, received)
    return heard


def _understood(decoders: list[Decoder]) -> bool:
    return any(d.good >= 2 and d.good > d.noise for d in decoders)


def _hopeless(decoders: list[Decoder]) -> bool:
    """What comes is no line and no frame of any nose at this speed."""
    return max(d.noise for d in decoders) >= _GARBAGE_PIECES and not _understood(decoders)


def _heard(decoders: list[Decoder], received: int) -> str:
    if not received:
        return "silence"
    best = max(decoders, key=lambda d: d.good - d.noise)
    return f"{received} bytes, {best.good} readable and {best.noise} unreadable lines"
