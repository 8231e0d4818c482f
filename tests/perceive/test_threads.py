"""Perceivers on threads: order, bounds, faults, questions taken back, the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from stages import Broken, CountingPerceiver, SlowVoice, samples, spec
from thymos.align.window import Window
from thymos.contract import Cue
from thymos.perceive.threads import PerceiverSlot, PerceiverThreads
from thymos.samples import NS_PER_S, Kind, Sample

CAMERA, MICROPHONE = spec(Kind.VIDEO, 10), spec(Kind.AUDIO, 8000)
LIMITS = {Kind.VIDEO: 4, Kind.AUDIO: 100, Kind.GAS: 4}
WINDOW = Window("w000000", 0, NS_PER_S, {})
FRAMES = samples(CAMERA, 1.0)


class Gated(CountingPerceiver):
    """Holds its first sample until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()

    def observe(self, sample: Sample) -> None:
        self.begun.set()
        assert self.go.wait(10)
        super().observe(sample)


@pytest.fixture
def threads() -> Iterator[PerceiverThreads]:
    made = PerceiverThreads(LIMITS)
    yield made
    made.stop()
    assert not [t for t in threading.enumerate() if t.name.startswith("perceive-")]


def counts(found: tuple[list[Cue], list[str]]) -> list[tuple[str, object]]:
    return [(c.modality, c.value) for c in found[0]]


def test_a_question_is_answered_in_order_with_the_samples(threads: PerceiverThreads) -> None:
    gated = Gated()
    threads.start([PerceiverSlot(gated, CAMERA)])
    for frame in FRAMES[:2]:
        threads.give(frame)
    asked = threads.ask(WINDOW, slow=False)
    threads.give(FRAMES[2])  # behind the question: not counted in its answer
    gated.go.set()
    assert counts(asked.result()) == [("face", 2.0)]
    assert counts(threads.ask(WINDOW, slow=False).result()) == [("face", 3.0)]


def test_a_full_queue_refuses_samples_and_counts_them(threads: PerceiverThreads) -> None:
    gated = Gated()
    threads.start([PerceiverSlot(gated, CAMERA), PerceiverSlot(SlowVoice(), MICROPHONE)])
    threads.give(FRAMES[0])
    assert gated.begun.wait(10)
    refused = [threads.give(frame) for frame in FRAMES[1:7]]
    assert refused == [0, 0, 0, 0, 1, 1]
    asked = threads.ask(WINDOW, slow=False)  # a question is never refused
    gated.go.set()
    assert counts(asked.result()) == [("face", 5.0)]
    assert threads.refused == {"face": 2}


def test_a_busy_perceiver_holds_up_no_other(threads: PerceiverThreads) -> None:
    gated, voice = Gated(), SlowVoice()
    threads.start([PerceiverSlot(gated, CAMERA), PerceiverSlot(voice, MICROPHONE)])
    threads.give(FRAMES[0])
    for block in samples(MICROPHONE, 1.0):
        threads.give(block)
    assert counts(threads.ask(WINDOW, slow=True).result()) == [("words", 50.0)]
    gated.go.set()


def test_faults_are_notes_and_harm_nobody_else(threads: PerceiverThreads) -> None:
    threads.start([PerceiverSlot(CountingPerceiver(), CAMERA), PerceiverSlot(Broken(), MICROPHONE)])
    threads.give(FRAMES[0])
    cues, notes = threads.ask(WINDOW, slow=False).result()
    assert [c.modality for c in cues] == ["face"]
    assert notes == ["perception fault in voice: RuntimeError: bang"]


def test_a_question_can_be_taken_back(threads: PerceiverThreads) -> None:
    gated = Gated()
    threads.start([PerceiverSlot(gated, CAMERA)])
    threads.give(FRAMES[0])
    asked, kept = threads.ask(WINDOW, slow=False), threads.ask(WINDOW, slow=False)
    assert asked.cancel()
    gated.go.set()
    assert counts(kept.result()) == [("face", 1.0)]
    assert not kept.cancel()
    assert asked.result() == ([], [])


def test_after_the_end_nobody_waits_for_an_answer() -> None:
    gated = Gated()
    threads = PerceiverThreads(LIMITS)
    threads.start([PerceiverSlot(gated, CAMERA)])
    threads.give(FRAMES[0])
    assert gated.begun.wait(10)
    waiting = threads.ask(WINDOW, slow=False)
    release = threading.Timer(0.2, gated.go.set)
    release.start()
    threads.stop()
    assert waiting.result() == threads.ask(WINDOW, slow=False).result() == ([], [])


def test_starting_twice_starts_once(threads: PerceiverThreads) -> None:
    slot = PerceiverSlot(CountingPerceiver(), CAMERA)
    threads.start([slot])
    threads.start([slot])
    threads.give(FRAMES[0])
    assert counts(threads.ask(WINDOW, slow=False).result()) == [("face", 1.0)]
