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
        complain: Told when `work` failed; the thread goes on.
        name: Of the thread.

    Attributes:
        done: Items handled.
        skipped: Items passed over.
        failed: Items that `work` raised on.
    """

    def __init__(
        self, work: Callable[[T], None], complain: Callable[[Exception], None], name: str
    ) -> None:
        self._work = work
        self._complain = complain
        self._item: T | None = None
        self._halt = False
        self._changed = threading.Condition()
        self.done = self.skipped = self.failed = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Hand over an item; never waits."""
        with self._changed:
            if self._item is not None:
                self.skipped += 1
            self._item = item
            self._changed.notify()

    def stop(self) -> None:
        """End the thread after the item at hand; what waits is left out."""
        with self._changed:
            self._halt = True
            self._changed.notify()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._item is not None or self._halt)
                item, self._item = self._item, None
                if self._halt or item is None:
                    return
            try:
                self._work(item)
                self.done += 1
            except Exception as err:  # noqa: BLE001  one item is lost and told, the robot goes on
                self.failed += 1
                self._complain(err)
