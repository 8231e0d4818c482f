"""Speaker: answers in, sound out."""

from __future__ import annotations

from pathlib import Path

from std_msgs.msg import Bool
from thymos_msgs.msg import Response

from thymos.config import Config, RespondConfig
from thymos.errors import ConfigError
from thymos.newest import Newest
from thymos.respond.base import Speaker
from thymos_nodes import diagnostics, qos
from thymos_nodes.diagnostics import Task
from thymos_nodes.lifecycle import ThymosNode
from thymos_nodes.params import Param, of_section
from thymos_nodes.ros_time import to_ns


class SpeakerNode(ThymosNode):
    """Speaks `responder/response`; `speaker/speaking` (latched) says when the robot talks.

    Whoever listens can so tell the robot's own voice from that of a person.
    """

    PARAMS = (
        Param("play", True, "Play on the sound card."),
        Param("output_dir", "", "Folder for WAV files of what is said; empty for none."),
        *of_section(
            "respond",
            RespondConfig,
            {"max_age_s": "An answer to a window that ended longer ago is not spoken [s]."},
        ),
    )

    def __init__(self) -> None:
        super().__init__("speaker")
        self._speaker: Speaker | None = None
        self._worker: Newest[Response] | None = None
        self._count = {"spoken": 0, "too old": 0, "silenced": 0, "not played": 0}

    def setup(self) -> None:
        """Load the voice."""
        from thymos import respond

        if self.value("output_dir"):
            try:
                self._dir.mkdir(parents=True, exist_ok=True)
            except OSError as err:
                raise ConfigError(
                    f"cannot write to '{self._dir}': {err.strerror}", hint="set output_dir"
                ) from err
        self._speaker = respond.build_speaker(Config())
        self._speaking = self.announce(Bool, "speaker/speaking", qos.LATCHED)

    def start(self) -> None:
        """Listen to answers."""
        self._worker = Newest(
            self._say,
            self._complain,
            "speak",
            outranks=lambda waiting, newer: _warns(waiting) and not _warns(newer),
        )
        self._responses = self.create_subscription(
            Response, "responder/response", self._on_response, qos.RESULT
        )
        self._speaking.publish(Bool(data=False))

    def stop(self) -> None:
        """Fall silent at once."""
        if self._worker is not None and self._speaker is not None:
            self.destroy_subscription(self._responses)
            self._speaker.cancel()
            self._worker.stop()
            self._worker = None

    def teardown(self) -> None:
        """Let the voice go."""
        if self._speaker is not None:
            self._speaker.cancel()
            self._speaker = None

    @property
    def _dir(self) -> Path:
        return Path(str(self.value("output_dir"))).expanduser()

    def _on_response(self, message: Response) -> None:
        if not message.text:
            return
        if message.guard_action == Response.GUARD_SILENCED:
            self._count["silenced"] += 1
            return
        warned = _warns(message)
        age_s = (self.ros_clock.now_ns() - to_ns(message.header.stamp)) / 1e9
        if age_s > self.value("respond.max_age_s") and not warned:
            self._count["too old"] += 1
            return
        if warned and self._speaker is not None:
            self._speaker.cancel()  # a danger does not wait for the end of small talk
        if self._worker is not None:
            self._worker.put(message)

    def _say(self, message: Response) -> None:
        assert self._speaker is not None  # noqa: S101  set as long as the worker lives
        speech = self._speaker.synthesise(message.text)
        if self.value("output_dir"):
            name = message.window_id or f"alert-{to_ns(message.header.stamp)}"
            self._speaker.save(speech, self._dir / f"answer-{name}.wav")
        self._count["spoken"] += 1
        if not self.value("play"):
            return
        self._speaking.publish(Bool(data=True))
        try:
            self._count["not played"] += not self._speaker.play(speech)
        finally:
            self._speaking.publish(Bool(data=False))

    def _complain(self, message: Response, err: Exception) -> None:
        self.get_logger().error(f"{message.window_id} not spoken: {type(err).__name__}: {err}")

    def tasks(self) -> list[Task]:
        """One task: speaking."""
        if self._worker is None:
            return []
        task = Task("speaking", values={k: str(v) for k, v in self._count.items()})
        if self._worker.failed:
            task.worsen(diagnostics.WARN, "sentences failed", "see the log of this node")
        if self._count["not played"]:
            task.worsen(diagnostics.WARN, "not played", "look at the sound card: `thymos devices`")
        return [task]


def _warns(message: Response) -> bool:
    """Whether it tells of a danger: small talk never takes its place."""
    return bool(message.guard_action == Response.GUARD_WARNED)
