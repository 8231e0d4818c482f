"""Newest wins: what is overtaken is passed over and told."""

from __future__ import annotations

import threading

from thymos.newest import Newest


class Stage:
    """Holds its first item until it may go on; fails on 3."""

    def __init__(self) -> None:
        self.begun, self.go, self.failed = threading.Event(), threading.Event(), threading.Event()
        self.seen: list[int] = []
        self.told: list[str] = []
        self.overtaken: list[int] = []
        self.worker = Newest(self.work, self.complain, "test", overtaken=self.overtaken.append)

    def work(self, item: int) -> None:
        self.seen.append(item)
        self.begun.set()
        assert self.go.wait(10)
        if item == 3:
            raise ValueError("three")

    def complain(self, item: int, err: Exception) -> None:
        self.told.append(f"{item}: {err}")
        self.failed.set()

    def put_three(self) -> None:
        self.worker.put(1)
        assert self.begun.wait(10)
        self.worker.put(2)
        self.worker.put(3)


def test_newest_wins_and_failures_are_told() -> None:
    stage = Stage()
    stage.put_three()
    stage.go.set()
    assert stage.failed.wait(10)
    stage.worker.put(4)  # a failure ends nothing
    stage.worker.finish()
    assert (stage.seen, stage.overtaken, stage.told) == ([1, 3, 4], [2], ["3: three"])
    assert (stage.worker.done, stage.worker.skipped, stage.worker.failed) == (2, 1, 1)


def test_stop_leaves_out_what_waits() -> None:
    stage = Stage()
    stage.put_three()
    release = threading.Timer(0.2, stage.go.set)
    release.start()
    stage.worker.stop()
    release.join()
    assert stage.seen == [1]


def test_finish_handles_what_waits() -> None:
    stage = Stage()
    stage.put_three()
    release = threading.Timer(0.2, stage.go.set)
    release.start()
    stage.worker.finish()
    assert stage.seen == [1, 3]


def test_what_outranks_the_newer_one_stays() -> None:
    began, go = threading.Event(), threading.Event()
    seen: list[str] = []
    passed: list[str] = []

    def work(item: str) -> None:
        began.set()
        assert go.wait(10)
        seen.append(item)

    worker = Newest(
        work,
        lambda _item, _err: None,
        "test",
        overtaken=passed.append,
        outranks=lambda waiting, newer: waiting.startswith("fire") and not newer.startswith("fire"),
    )
    worker.put("hello")
    assert began.wait(10)
    for item in ("how are you", "fire", "nice weather", "fire!"):
        worker.put(item)
    go.set()
    worker.finish()
    assert seen == ["hello", "fire!"]
    assert passed == ["how are you", "nice weather", "fire"]
