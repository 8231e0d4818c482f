"""From an explanation to an intent, a sentence and a gesture."""

from __future__ import annotations

import json
import re
from collections import Counter, deque

from thymos.contract import (
    Asked,
    Cue,
    Explanation,
    Gesture,
    Guard,
    Intent,
    IntentScore,
    Response,
)
from thymos.reason import grammar
from thymos.reason.base import Evidence
from thymos.reason.chat import WRITES_FROM_BYTES
from thymos.reason.llm import Completer
from thymos.reason.prompt import asked, load_prompt
from thymos.reason.rules import choose_cues
from thymos.reason.wording import adjective, phrase
from thymos.respond import guard, templates
from thymos.respond.intents import group_of, score_intents, transcript
from thymos.respond.warn import Warner

SLOT = 1
OPTIONS = 3
REMEMBER = 4
MAX_OBSERVED = 3

GESTURES: dict[Intent, Gesture] = {
    "agreeing": "nod",
    "acknowledging": "nod",
    "encouraging": "nod",
    "consoling": "lean_in",
    "sympathizing": "tilt_head",
    "suggesting": "tilt_head",
    "questioning": "tilt_head",
    "wishing": "smile",
    "neutral": "none",
}
_GREETING = re.compile(r"^\W*(hello|hi|hey|good (morning|afternoon|evening)|bye|goodbye)\b", re.I)


class StreetResponder:
    """Intent → reviewed sentence; a language model may choose, or write if it is large enough.

    Args:
        llm: The model shared with the reasoner; None answers from templates alone.
        seed: Part of the choice among sentences.
        deadline_s: Seconds the model may take; `math.inf` for as long as it needs.
    """

    def __init__(
        self, llm: Completer | None = None, *, seed: int = 7, deadline_s: float = 4.0
    ) -> None:
        self._llm = llm
        self._seed = seed
        self._deadline_s = deadline_s
        self._recent: deque[str] = deque(maxlen=REMEMBER)
        self._warner = Warner()
        self.stats: Counter[str] = Counter()
        self._prompt = load_prompt("reply-write-2" if self._writes else "reply-2")
        if llm is not None:
            fixed = self._prompt.fixed
            warm_s = max(60.0, deadline_s)
            llm.complete(list(fixed), max_tokens=0, slot=SLOT, fixed=len(fixed), deadline_s=warm_s)

    @property
    def _writes(self) -> bool:
        return self._llm is not None and self._llm.size_bytes >= WRITES_FROM_BYTES

    def respond(self, explanation: Explanation, evidence: Evidence) -> Response:
        """Answer one window. Danger first; then intent, sentence, guard."""
        danger = guard.alarm(evidence)
        now_ns = evidence.window.t1_ns
        told_before = danger is not None and danger.smelt and not self._warner.due(danger, now_ns)
        group = group_of(explanation)
        scores = score_intents(explanation, evidence, templates.offered(group))
        if danger is not None and not told_before:
            return self._warned(danger, evidence.window.id, scores)
        if danger is not None and self._warner.quiet(now_ns):
            self.stats["silent"] += 1
            told = Guard(
                action="silenced", reason="was warned of just before", danger=danger.danger
            )
            return self._made(
                evidence.window.id,
                intent="suggesting",
                scores=scores,
                text="",
                source="none",
                gesture=_alerting(danger),
                verdict=told,
            )
        if explanation.abstained and not _somebody(evidence):
            self.stats["silent"] += 1
            silenced = Guard(
                action="silenced",
                reason="nobody was seen or heard",
                danger=danger.danger if danger is not None else "none",
            )
            return self._made(
                evidence.window.id,
                intent="neutral",
                scores=scores,
                text="",
                source="none",
                gesture="none",
                verdict=silenced,
            )
        intent = scores[0].intent
        options = templates.choose(
            intent,
            group,
            seed=self._seed,
            window=evidence.window.id,
            recent=self._recent,
            count=OPTIONS,
        )
        text, source, verdict, question = self._word(explanation, evidence, intent, options)
        if danger is not None:  # told before, and it lasts
            verdict = verdict.model_copy(update={"danger": danger.danger})
        self._recent.append(text)
        self.stats[source] += 1
        return self._made(
            evidence.window.id,
            intent=intent,
            scores=scores,
            text=text,
            source=source,
            gesture=_gesture(intent, group, evidence),
            verdict=verdict,
            asked=question,
        )

    def warn(self, cue: Cue) -> Response | None:
        """Answer a danger between windows, at once and without a model (any thread).

        Returns:
            None if it is no danger, or was told often enough.
        """
        danger = guard.at_once(cue)
        if danger is None or not self._warner.due(danger, cue.t1_ns):
            return None
        return self._warned(danger, "", ())

    def _warned(
        self, danger: guard.Alarm, window: str, scores: tuple[IntentScore, ...]
    ) -> Response:
        self.stats["warned"] += 1
        return self._made(
            window,
            intent="suggesting",
            scores=scores,
            text=danger.text,
            source="guard",
            gesture=_alerting(danger),
            verdict=Guard(action="warned", reason=danger.reason, danger=danger.danger),
        )

    def close(self) -> None:
        """Nothing of its own to let go: the model belongs to the reasoner."""

    def _word(
        self, explanation: Explanation, evidence: Evidence, intent: Intent, options: list[str]
    ) -> tuple[str, str, Guard, Asked | None]:
        """The sentence, whose words it is, what the guard says of it, what a model was asked."""
        if self._llm is None or explanation.abstained:
            return options[0], "template", Guard(action="none"), None
        written, question = self._ask(self._llm, explanation, evidence, intent, options)
        if written is None:
            self.stats["model gave nothing"] += 1
            reason = "the model gave no usable answer"
            return options[0], "template", Guard(action="replaced", reason=reason), question
        if isinstance(written, int):
            self.stats["chosen by the model"] += 1
            return options[written], "template", Guard(action="none"), question
        fault = guard.objection(
            written, evidence.cues, templates.known_words(group_of(explanation)), self._recent
        )
        if fault:
            self.stats["model refused"] += 1
            reason = f"the model's sentence was refused: {fault}"
            return options[0], "template", Guard(action="replaced", reason=reason), question
        return written, "model", Guard(action="none"), question

    def _ask(
        self,
        llm: Completer,
        explanation: Explanation,
        evidence: Evidence,
        intent: Intent,
        options: list[str],
    ) -> tuple[int | str | None, Asked]:
        """Let the model choose (index) or write (sentence), or neither; and what it was asked."""
        observed = [phrase(c) for c in choose_cues(evidence)][:MAX_OBSERVED]
        rows = [f"{n} {row}" for n, row in enumerate(options, start=1)]
        chat = self._prompt.chat(
            label=adjective(explanation.emotions[0].label),
            observed="; ".join(observed) or "nothing more",
            intent=intent,
            options=" ".join(options) if self._writes else "\n".join(rows),
        )
        done = llm.complete(
            chat,
            grammar=grammar.say(guard.MAX_CHARS) if self._writes else grammar.pick(len(options)),
            max_tokens=48 if self._writes else 12,
            deadline_s=self._deadline_s,
            slot=SLOT,
            fixed=len(self._prompt.fixed),
        )
        question = asked(
            self._prompt,
            chat,
            done.text,
            prompt_tokens=done.prompt_tokens,
            answer_tokens=done.answer_tokens,
        )
        return self._read(done.text, len(options)), question

    def _read(self, text: str, options: int) -> int | str | None:
        """The index or sentence in what the model wrote; None if there is none."""
        try:
            answer = json.loads(text)
            if self._writes:
                return answer["say"] if isinstance(answer["say"], str) else None
            choice = int(answer["pick"]) - 1
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        return choice if 0 <= choice < options else None

    @staticmethod
    def _made(
        window: str,
        *,
        intent: Intent,
        scores: tuple[IntentScore, ...],
        text: str,
        source: str,
        gesture: Gesture,
        verdict: Guard,
        asked: Asked | None = None,
    ) -> Response:
        return Response.model_validate(
            {
                "intent": intent,
                "candidates": scores,
                "text": text,
                "text_source": source,
                "gesture": gesture,
                "guard": verdict,
                "answers": window,
                "asked": asked,
            }
        )


def _alerting(danger: guard.Alarm) -> Gesture:
    """Startling gestures only where seconds count and the nose is sure."""
    return "alert" if danger.urgent and danger.stage == "alarm" else "tilt_head"


def _somebody(evidence: Evidence) -> bool:
    """Whether a person was perceived: an answer into an empty room is noise."""
    return any(
        (c.modality in ("face", "words") and c.name != "sudden_movement") or _speaks(c)
        for c in evidence.cues
    )


def _speaks(cue: Cue) -> bool:
    """Whether a voice cue tells of speech, not merely of sound or of silence."""
    return cue.modality == "voice" and cue.name == "activity" and cue.value not in (0.0, "")


def _gesture(intent: Intent, group: str, evidence: Evidence) -> Gesture:
    """The gesture of an intent, softened by the mood."""
    if _GREETING.search(transcript(evidence)):
        return "wave"
    if group == "bright" and intent in ("encouraging", "acknowledging"):
        return "smile"
    if group in ("upset", "uneasy") and intent in ("consoling", "suggesting"):
        return "calm_hands"
    if intent == "wishing" and group not in ("bright", "even"):
        return "nod"
    return GESTURES[intent]
