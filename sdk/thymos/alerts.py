"""Dangers answered at once: no window, no language model, no other perceiver is waited for.

The way: a perceiver notices a danger in a sample (`perceive.base.DangerSource`), its slot hands the
cue over on the same thread, the responder words it from fixed sentences (`respond.base.AtOnce`),
and it is spoken before anything else. The report of the window shows it afterwards.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from thymos.align.window import Window
from thymos.contract import Alert, Cue, Response
from thymos.respond.aloud import Aloud
from thymos.respond.base import AtOnce, Responder
from thymos.smell.meaning.danger import ALARM

MAX_ALERTS = 64
"""Alerts that may wait for the report of their window."""


class Alerts:
    """Answers dangers, and keeps the answers until a report takes them.

    Args:
        responder: Gives the responder when the first danger comes.
        aloud: Speaks.
        tell: Told each alert, and what went wrong with it in words.
    """

    def __init__(
        self,
        responder: Callable[[], Responder],
        aloud: Aloud,
        tell: Callable[[Alert, Sequence[str]], None],
    ) -> None:
        self._responder = responder
        self._aloud = aloud
        self._tell = tell
        self._lock = threading.Lock()
        self._waiting: deque[Alert] = deque(maxlen=MAX_ALERTS)

    def warn(self, cue: Cue) -> None:
        """Answer a danger, on the thread that noticed it."""
        responder = self._responder()
        response = responder.warn(cue) if isinstance(responder, AtOnce) else None
        if response is None:
            return
        response, faults = self._aloud.warn(response)
        alert = Alert(t_ns=cue.t1_ns, cue=cue, response=response)
        with self._lock:
            self._waiting.append(alert)
        self._tell(alert, faults)

    def take(self, until_ns: int) -> tuple[Alert, ...]:
        """Take the alerts of samples before a capture time; each is given out once."""
        with self._lock:
            taken = tuple(a for a in self._waiting if a.t_ns < until_ns)
            left = [a for a in self._waiting if a.t_ns >= until_ns]
            self._waiting = deque(left, maxlen=MAX_ALERTS)
        return taken


def answer_in(alerts: Sequence[Alert], window: Window) -> Response | None:
    """The last alarm (no mere hint) of a window, which is its answer; None if there was none."""
    own = [a for a in alerts if a.t_ns >= window.t0_ns and a.cue.name == ALARM]
    return own[-1].response if own else None
