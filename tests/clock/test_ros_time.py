"""Robot time to ROS time: steps, `/clock` that begins, jumps, loops, pauses or runs at a rate."""

from __future__ import annotations

import pytest

from thymos.clock import ManualClock, RosTime

S = 1_000_000_000


class Both:
    """A robot clock, and ROS time as a test wants it."""

    def __init__(self, ros: int = 1000 * S) -> None:
        self.robot = ManualClock(5 * S)
        self.ros = ros
        self.steps: list[int] = []
        self.time = RosTime(self, self.robot, on_step=self.steps.append)

    def now_ns(self) -> int:
        return self.ros

    def run(self, seconds: int, rate: float = 1.0) -> None:
        for _ in range(seconds):
            self.robot.advance_ns(S)
            self.ros += round(rate * S)
            self.now()

    def now(self) -> int:
        return self.time.to_ros(self.robot.now_ns())


def test_a_steady_clock_is_followed_in_silence() -> None:
    both = Both()
    both.now()
    both.run(20, rate=1.0005)
    assert abs(both.now() - both.ros) < 2_000_000
    assert both.steps == []


@pytest.mark.parametrize("jump", [3 * S, -3 * S, -900 * S, 20_000_000])
def test_a_jump_is_said_once_with_its_size(jump: int) -> None:
    both = Both()
    both.run(3)
    both.ros += jump
    both.run(5)
    assert both.steps == [jump]
    assert both.now() == both.ros


def test_nothing_is_a_jump_before_the_clock_begins() -> None:
    both = Both(ros=0)
    assert both.now() <= 0
    both.robot.advance_ns(S // 10)
    both.ros = 77 * S
    assert both.now() == 77 * S  # at once, not a second later
    both.run(3)
    assert both.steps == []


@pytest.mark.parametrize("rate", [0.0, 0.5, 3.0])
def test_another_rate_is_taken_over(rate: float) -> None:
    both = Both()
    both.run(2)
    both.run(6, rate)
    said = len(both.steps)
    both.run(10, rate)
    assert len(both.steps) == said <= 1  # it was noticed once, then it is known
    assert both.now() == both.ros
    both.robot.advance_ns(S // 2)  # between two measurements
    assert abs(both.now() - (both.ros + round(rate * S / 2))) < 1000


def test_a_clock_that_is_lost_for_a_while_keeps_its_mapping() -> None:
    both = Both()
    both.run(3)
    expected, both.ros = both.ros, 0
    both.robot.advance_ns(2 * S)
    assert both.now() == expected + 2 * S
    both.ros = expected + 3 * S
    both.robot.advance_ns(S)
    assert both.now() == both.ros
    assert both.steps == []


def test_the_listener_may_ask_for_the_time() -> None:
    both = Both()
    both.time = RosTime(both, both.robot, on_step=lambda step: both.steps.append(both.now()))
    both.run(2)
    both.ros += S
    both.run(1)
    assert both.steps == [both.ros]
