"""Responder: explanations in, answers out."""

from __future__ import annotations

import time
from typing import Any

from thymos_msgs.msg import Cue, Explanation, PerceptionWindow, Response

from thymos.config import Config, ReasonConfig, RespondConfig
from thymos.newest import Newest
from thymos.reason.base import Reasoner
from thymos.respond.base import AtOnce, Responder
from thymos_nodes import convert, convert_answers, diagnostics, qos
from thymos_nodes.diagnostics import Task
from thymos_nodes.lifecycle import ThymosNode
from thymos_nodes.params import Param, section_of
from thymos_nodes.reasoner_node import REASON
from thymos_nodes.ros_time import to_ns

KEPT = 16  # windows and explanations that may wait for each other

Key = tuple[str, int]
Pair = tuple[PerceptionWindow, Explanation]


class Pairs:
    """Puts explanations and windows together: they come on two topics, in any order."""

    def __init__(self) -> None:
        self._windows: dict[Key, PerceptionWindow] = {}
        self._explanations: dict[Key, Explanation] = {}

    def window(self, m: PerceptionWindow) -> Pair | None:
        """Take a window in; the pair, if its explanation is already here."""
        key = (m.id, to_ns(m.t1))
        early = self._explanations.pop(key, None)
        if early is not None:
            return m, early
        _keep(self._windows, key, m)
        return None

    def explanation(self, m: Explanation) -> Pair | None:
        """Take an explanation in; the pair, if its window is here."""
        key = (m.window_id, to_ns(m.t1))
        window = self._windows.pop(key, None)
        if window is not None:
            return window, m
        _keep(self._explanations, key, m)
        return None


def _keep(kept: dict[Key, Any], key: Key, item: Any) -> None:
    kept[key] = item
    while len(kept) > KEPT:
        kept.pop(next(iter(kept)))


class ResponderNode(ThymosNode):
    """Publishes `responder/response` for `reasoner/explanation`, and at once for a danger.

    A response to a `perception/danger` has no window id; its stamp is that of the sample.
    """

    PARAMS = (
        Param(
            "respond.use_model",
            False,
            "Let a language model propose sentences; this process then holds a model of its own.",
        ),
        *REASON,
    )

    def __init__(self) -> None:
        super().__init__("responder")
        self._reasoner: Reasoner | None = None
        self._responder: Responder | None = None
        self._worker: Newest[Pair] | None = None
        self._pairs = Pairs()
        self._age_ms = 0.0
        self._dangers = 0

    def setup(self) -> None:
        """Load templates, and the model if it is wanted."""
        from thymos import reason, respond
        from thymos.models import ModelStore

        values = self.values()
        use_model = bool(values["respond.use_model"])
        if not use_model:
            values["reason.backend"] = "rules"  # loads nothing
        config = Config(
            reason=section_of(ReasonConfig, "reason", values),
            respond=RespondConfig(use_model=use_model, speak=False),
        )
        self._reasoner = reason.build(config, ModelStore())
        self._responder = respond.build(config, self._reasoner)
        self._response = self.announce(Response, "responder/response", qos.RESULT)

    def start(self) -> None:
        """Listen to windows and explanations."""
        self._pairs = Pairs()
        worker = self._worker = Newest(self._respond, self._complain, "respond")

        def take(pair: Pair | None) -> None:
            if pair is not None:
                worker.put(pair)

        self._subscriptions_own = [
            self.create_subscription(
                PerceptionWindow,
                "perception/window",
                lambda m: take(self._pairs.window(m)),
                qos.RESULT,
            ),
            self.create_subscription(
                Explanation,
                "reasoner/explanation",
                lambda m: take(self._pairs.explanation(m)),
                qos.RESULT,
            ),
            self.create_subscription(Cue, "perception/danger", self._warn, qos.RESULT),
        ]

    def stop(self) -> None:
        """End the thread."""
        if self._worker is not None:
            for subscription in self._subscriptions_own:
                self.destroy_subscription(subscription)
            self._worker.stop()
            self._worker = None

    def teardown(self) -> None:
        """Let the model go."""
        for stage in (self._responder, self._reasoner):
            if stage is not None:
                stage.close()
        self._responder = self._reasoner = None

    def _respond(self, pair: Pair) -> None:
        assert self._responder is not None  # noqa: S101  set as long as the worker lives
        window, message = pair
        evidence = convert.window_from_msg(window)
        explanation = convert_answers.explanation_from_msg(message)
        start = time.perf_counter()
        response = self._responder.respond(explanation, evidence)
        spent = (time.perf_counter() - start) * 1e3
        response = response.model_copy(update={"answers": evidence.window.id})
        latency = {**convert.latency_from_msg(message.latency), "respond": spent}
        self._response.publish(
            convert_answers.response_to_msg(response, evidence.window.t1_ns, latency)
        )
        self._dangers += response.guard.danger != "none"
        self._age_ms = (self.ros_clock.now_ns() - evidence.window.t1_ns) / 1e6

    def _warn(self, message: Cue) -> None:
        """Answer a danger on the thread that hears of it: no window and no model is waited for."""
        if not isinstance(self._responder, AtOnce):
            return
        try:
            cue = convert.cue_from_msg(message)
        except ValueError as err:
            self.get_logger().error(f"a danger that makes no sense is left out: {err}")
            return
        response = self._responder.warn(cue)
        if response is not None:
            self._dangers += 1
            self._response.publish(convert_answers.response_to_msg(response, cue.t1_ns))

    def _complain(self, pair: Pair, err: Exception) -> None:
        self.get_logger().error(f"no answer to {pair[0].id}: {type(err).__name__}: {err}")

    def tasks(self) -> list[Task]:
        """One task: answering."""
        worker = self._worker
        if worker is None:
            return []
        task = Task(
            "answering",
            message="ok" if worker.done else "no explanation yet",
            values={
                "answered": str(worker.done),
                "skipped": str(worker.skipped),
                "failed": str(worker.failed),
                "dangers": str(self._dangers),
                "window end to answer": f"{self._age_ms:.0f} ms",
            },
        )
        if worker.failed:
            task.worsen(diagnostics.WARN, "answers failed", "see the log of this node")
        return [task]
