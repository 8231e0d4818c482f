"""One thread that works on the newest item and passes over those that came in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
JOIN_S = 3.0


class Newest(Generic[T]):
    """Newest wins: a slow stage never works on what is already overtaken.

    Args:
        work: Handles one item, on the thread.
        complain: Told the item and the exception when `work` failed; the thread goes on.
        name: Of the thread.
        overtaken: Told each item that is passed over, on the thread of `put`.
        outranks: Says whether an item that waits (first) must not give way to a newer one; the
            newer one is passed over then. None: the newer one always wins.

    Attributes:
        done: Items handled.
        skipped: Items passed over.
        failed: Items that `work` raised on.
    """

    def __init__(
        self,
        work: Callable[[T], None],
        complain: Callable[[T, Exception], None],
        name: str,
        overtaken: Callable[[T], None] | None = None,
        outranks: Callable[[T, T], bool] | None = None,
    ) -> None:
        self._work = work
        self._complain = complain
        self._overtaken = overtaken
        self._outranks = outranks or (lambda _waiting, _newer: False)
        self._item: T | None = None
        self._last = False  # nothing comes any more
        self._halt = False  # what waits is left out
        self._changed = threading.Condition()
        self.done = self.skipped = self.failed = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Hand over an item; never waits."""
        with self._changed:
            loser = self._item
            if loser is not None and self._outranks(loser, item):
                loser = item
            else:
                self._item = item
            self.skipped += loser is not None
            self._changed.notify()
        if loser is not None and self._overtaken is not None:
            self._overtaken(loser)

    def finish(self) -> None:
        """End the thread when the item that waits is handled too, however long that takes."""
        self._end()
        self._thread.join()

    def stop(self) -> None:
        """End the thread after the item at hand; what waits is left out."""
        self._halt = True
        self._end()
        self._thread.join(JOIN_S)

    def _end(self) -> None:
        with self._changed:
            self._last = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._item is not None or self._last)
                item, self._item = self._item, None
            if self._halt or item is None:
                return
            try:
                self._work(item)
                self.done += 1
            except Exception as err:  # noqa: BLE001  one item is lost and told, the robot goes on
                self.failed += 1
                self._complain(item, err)
