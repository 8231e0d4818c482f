"""Answers said aloud, or kept as files: the last stage of the street."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from thymos.config import Config
from thymos.contract import Guard, Response
from thymos.errors import ThymosError
from thymos.newest import Newest
from thymos.respond.base import Speaker


class Aloud:
    """Speaks answers, if anybody wants to hear them.

    Args:
        config: `respond.speak` and `respond.max_age_s`.
        speaker: None builds the default voice when it is needed.
        answer_dir: Where spoken answers are written as WAV; None writes none.
        play: Whether they are played on the sound card.
    """

    def __init__(
        self, config: Config, speaker: Speaker | None, answer_dir: Path | None, *, play: bool
    ) -> None:
        self._config = config
        self._speaker = speaker
        self._answer_dir = answer_dir
        self._play = play
        self._voice = threading.Lock()  # one sentence at a time
        self._pressing = threading.Event()  # a warning waits for the voice
        self._warnings = 0
        self._worker: Newest[tuple[str, Response]] | None = None

    def prepare(self) -> None:
        """Make the voice if it is wanted.

        Raises:
            ThymosError: It cannot be made; answers are not spoken then.
        """
        from thymos import respond

        wanted = self._config.respond.speak and (self._play or self._answer_dir is not None)
        if self._speaker is None and wanted:
            try:
                self._speaker = respond.build_speaker(self._config)
            except ThymosError:
                self._answer_dir, self._play = None, False
                raise

    def in_time(self, response: Response, age_ms: float) -> Response:
        """Silence small talk about what is long past; a danger is still worth saying late."""
        if age_ms <= self._config.respond.max_age_s * 1e3 or response.guard.action == "warned":
            return response
        danger = response.guard.danger
        guard = Guard(action="silenced", reason="too old to be useful", danger=danger)
        return response.model_copy(update={"guard": guard})

    def say(self, window_id: str, response: Response) -> tuple[Response, list[str]]:
        """Speak one answer.

        Returns:
            The answer with the name of its file, and what went wrong.
        """
        if self._speaker is None or not response.text or response.guard.action == "silenced":
            return response, []
        with self._voice:
            if self._pressing.is_set() and response.guard.action != "warned":
                return response, ["the answer was not spoken: a warning came first"]
            return self._spoken(self._speaker, f"answer-{window_id}.wav", response)

    def warn(self, response: Response) -> tuple[Response, list[str]]:
        """Speak a warning before anything else; what is being said stops.

        Returns:
            As `say`. After `in_background` at once, without the name of a file.
        """
        if self._speaker is None or not response.text:
            return response, []
        self._warnings += 1
        name = f"alert-{self._warnings:03d}.wav"
        self._pressing.set()
        self._speaker.cancel()
        if self._worker is not None:
            self._worker.put((name, response))
            return response, []
        return self._press(name, response)

    def in_background(self, tell: Callable[[str], None]) -> None:
        """From now on warnings are spoken by a thread of their own (live).

        Args:
            tell: Told what goes wrong with it, in words.
        """
        if self._speaker is None or self._worker is not None:
            return

        def press(item: tuple[str, Response]) -> None:
            for fault in self._press(*item)[1]:
                tell(fault)

        self._worker = Newest(press, lambda _item, err: tell(f"a warning failed: {err}"), "warn")

    def _press(self, name: str, response: Response) -> tuple[Response, list[str]]:
        assert self._speaker is not None  # noqa: S101
        with self._voice:
            self._pressing.clear()
            return self._spoken(self._speaker, name, response)

    def _spoken(
        self, speaker: Speaker, name: str, response: Response
    ) -> tuple[Response, list[str]]:
        try:
            speech = speaker.synthesise(response.text)
            if self._answer_dir is not None:
                speaker.save(speech, self._answer_dir / name)
                response = response.model_copy(update={"spoken": name})
            if self._play:
                speaker.play(speech)
        except (ThymosError, OSError) as err:
            return response, [f"the answer was not spoken: {err}"]
        return response, []

    def close(self) -> None:
        """Stop in the middle of a word."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        if self._speaker is not None:
            self._speaker.cancel()
