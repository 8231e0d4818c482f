"""Reasoner: perceived windows in, explanations out; the newest window wins."""

from __future__ import annotations

import threading
import time

from thymos_msgs.msg import Explanation, PerceptionWindow

from thymos.config import Config, ReasonConfig
from thymos.newest import Newest
from thymos.reason.base import Reasoner
from thymos_nodes import convert, convert_answers, diagnostics, qos
from thymos_nodes.diagnostics import Task
from thymos_nodes.lifecycle import ThymosNode
from thymos_nodes.params import of_section, section_of
from thymos_nodes.ros_time import to_ns

REASON = of_section(
    "reason",
    ReasonConfig,
    {
        "backend": "auto takes the language model if its weights are there, else the rules.",
        "model": "Role in the model registry, or the path of a .gguf file.",
        "threads": "Threads of the language model.",
        "deadline_s": "How long the model may take for one window [s].",
        "seed": "Of the sampler.",
    },
)


class ReasonerNode(ThymosNode):
    """Publishes `reasoner/explanation` for `perception/window`."""

    PARAMS = REASON

    def __init__(self) -> None:
        super().__init__("reasoner")
        self._reasoner: Reasoner | None = None
        self._worker: Newest[PerceptionWindow] | None = None
        self._cancel = threading.Event()
        self._last = ""
        self._reason_ms = 0.0
        self._age_ms = 0.0
        self._fallbacks = 0

    def setup(self) -> None:
        """Load the backend."""
        from thymos import reason
        from thymos.models import ModelStore

        config = Config(reason=section_of(ReasonConfig, "reason", self.values()))
        self._reasoner = reason.build(config, ModelStore())
        self._explanation = self.announce(Explanation, "reasoner/explanation", qos.RESULT)
        self.get_logger().info(f"{self._reasoner.backend}: {self._reasoner.model}")

    def start(self) -> None:
        """Listen to windows."""
        self._cancel = threading.Event()
        self._worker = Newest(self._explain, self._complain, "reason")
        self._windows = self.create_subscription(
            PerceptionWindow, "perception/window", self._worker.put, qos.RESULT
        )

    def stop(self) -> None:
        """Interrupt the model and end the thread."""
        self._cancel.set()
        if self._worker is not None:
            self.destroy_subscription(self._windows)
            self._worker.stop()
            self._worker = None

    def teardown(self) -> None:
        """Let the model go."""
        if self._reasoner is not None:
            self._reasoner.close()
            self._reasoner = None

    def _explain(self, message: PerceptionWindow) -> None:
        assert self._reasoner is not None  # noqa: S101  set as long as the worker lives
        evidence = convert.window_from_msg(message)
        start = time.perf_counter()
        explanation = self._reasoner.explain(evidence, cancel=self._cancel)
        self._reason_ms = (time.perf_counter() - start) * 1e3
        if self._cancel.is_set():
            return  # the node is on its way out: half an answer is none
        self._fallbacks += bool(explanation.fallback)
        latency = {**convert.latency_from_msg(message.latency), "reason": self._reason_ms}
        self._explanation.publish(
            convert_answers.explanation_to_msg(explanation, evidence.window, latency)
        )
        self._age_ms = (self.ros_clock.now_ns() - to_ns(message.t1)) / 1e6
        self._last = explanation.fallback

    def _complain(self, message: PerceptionWindow, err: Exception) -> None:
        text = f"{message.id} could not be explained: {type(err).__name__}: {err}"
        self.get_logger().error(text)

    def tasks(self) -> list[Task]:
        """One task: reasoning."""
        worker, reasoner = self._worker, self._reasoner
        if worker is None or reasoner is None:
            return []
        task = Task(
            "reasoning",
            values={
                "backend": reasoner.backend,
                "model": reasoner.model,
                "explained": str(worker.done),
                "skipped": str(worker.skipped),
                "failed": str(worker.failed),
                "fallbacks": str(self._fallbacks),
                "reasoning time": f"{self._reason_ms:.0f} ms",
                "window end to explanation": f"{self._age_ms:.0f} ms",
            },
        )
        if worker.failed:
            task.worsen(diagnostics.WARN, "windows failed", "see the log of this node")
        if self._last:
            task.worsen(diagnostics.WARN, f"rules stood in: {self._last}")
        if worker.done == 0:
            task.message = "no window yet"
        return [task]
