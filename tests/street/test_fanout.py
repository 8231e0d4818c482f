"""Observers: one at a time, holding up nobody else, never stuck on each other."""

from __future__ import annotations

import threading

import pytest

from thymos.events import Observer
from thymos.fanout import MAX_NESTED, Fanout


class Listener(Observer):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_note(self, text: str) -> None:
        self.heard.append(text)


class Slow(Listener):
    """Stays inside its call until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.go = threading.Event(), threading.Event()

    def on_text(self, window_id: str, text: str) -> None:
        self.inside.set()
        assert self.go.wait(10)


class Answering(Listener):
    """Answers each note with another one, through the same fanout."""

    def __init__(self, tell: Fanout, times: int) -> None:
        super().__init__()
        self.tell, self.times = tell, times

    def on_note(self, text: str) -> None:
        super().on_note(text)
        if self.times > 0:
            self.times -= 1
            self.tell.on_note(f"answer to {text}")


def test_an_observer_that_is_slow_holds_up_only_those_who_tell_it() -> None:
    slow, other = Slow(), Listener()
    tell = Fanout([other, slow])
    thread = threading.Thread(target=tell.on_text, args=("w000000", "a word"))
    thread.start()
    assert slow.inside.wait(10)
    note = threading.Thread(target=tell.on_note, args=("meanwhile",))
    note.start()
    while not other.heard:  # it is told although the slow one is still busy
        assert note.is_alive()
    slow.go.set()
    thread.join(10)
    note.join(10)
    assert (other.heard, slow.heard) == (["meanwhile"], ["meanwhile"])


def test_what_an_observer_sets_off_is_told_when_all_have_heard_the_cause() -> None:
    tell = Fanout()
    first, second = Answering(tell, 2), Listener()
    tell.add(first)
    tell.add(second)
    tell.on_note("a")
    assert first.heard == second.heard == ["a", "answer to a", "answer to answer to a"]


def test_two_that_call_each_other_from_two_threads_never_wait_for_each_other() -> None:
    tell = Fanout()
    both = [Answering(tell, 200), Answering(tell, 200)]
    for observer in both:
        tell.add(observer)
    threads = [threading.Thread(target=tell.on_note, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_an_observer_that_answers_for_ever_is_cut_off() -> None:
    tell = Fanout()
    endless = Answering(tell, 10**9)
    tell.add(endless)
    tell.on_note("go")
    assert len(endless.heard) == 1 + MAX_NESTED


def test_one_that_fails_is_told_of_and_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    broken, other = Listener(), Listener()
    broken.heard = None  # type: ignore[assignment]
    Fanout([broken, other]).on_note("a")
    assert other.heard == ["a"]
    assert "observer Listener failed: AttributeError" in capsys.readouterr().err
