"""Explaining with a chat model: llama.cpp, transformers or a server, one contract for all.

Division of labour: the *measured* fusion decides the emotion, its probability, valence, arousal and
conflict. The model chooses which cues to cite, which of the supported labels to use, and words the
reason. How far its words are trusted depends on its size: weights under `WRITES_FROM_BYTES` compose
the reason from the clauses of the cues, larger ones write it freely and a post-check compares it
with the evidence. Whatever does not pass is replaced by rules, told in `fallback`, and counted.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from thymos.attend.media import Media
from thymos.contract import Cue, Emotion, EmotionGuess, Explanation
from thymos.reason import grammar, rules
from thymos.reason.base import Evidence, TextSink
from thymos.reason.check import ARGUES, lexicon, objection
from thymos.reason.context import asides, context_text, smell_order
from thymos.reason.llm import Completer, Completion, Perceptive
from thymos.reason.prompt import Prompt, asked, load_prompt, media_sentences, modality_sentences
from thymos.reason.wording import adjective, onset, phrase

PROMPT = "explain-2"
MEDIA_PROMPT = "explain-media-1"
MAX_TRIES = 3
"""A server may refuse sound, then pictures."""
SLOT = 0
MAX_CUES = 8
MAX_TOKENS = 128
WRITES_FROM_BYTES = 300_000_000
"""Weights smaller than this invent things when they write freely (SmolLM2-135M: in three of five
first trials, docs/reasoning.md)."""
MAX_ARGUMENTS = 4
_USUAL = re.compile(r"\b(as usual|ordinary)\b")
TIE = 0.05
"""Classes this close to the likeliest may be named by the model instead."""


class _Written(BaseModel):
    """What the model is asked to write."""

    model_config = ConfigDict(extra="forbid", strict=True)

    use: list[str]
    label: str
    why: str


class ChatReasoner:
    """Fused evidence, worded by a chat model.

    Args:
        llm: The loaded model; may be shared with the responder.
        backend: `llama`, `transformers` or `openai`, as explanations name it.
        deadline_s: Seconds for one explanation; after that rules answer. `math.inf` for none.
        warm: Read the fixed part of the prompt into the cache now.
    """

    def __init__(
        self,
        llm: Completer,
        *,
        backend: str = "llama",
        deadline_s: float = 8.0,
        warm: bool = True,
    ) -> None:
        self.llm = llm
        self._backend = backend
        self.stats: Counter[str] = Counter()
        self._deadline_s = deadline_s
        self._rules = rules.RulesReasoner()
        self._prompt = load_prompt(PROMPT)
        if warm:
            fixed = self._prompt.fixed
            warm_s = max(60.0, deadline_s)
            llm.complete(list(fixed), max_tokens=0, slot=SLOT, fixed=len(fixed), deadline_s=warm_s)

    @property
    def backend(self) -> str:
        """Name of the backend."""
        return self._backend

    @property
    def remarks(self) -> tuple[str, ...]:
        """What whoever starts it should know: what the model cannot take, where data goes."""
        return tuple(getattr(self.llm, "remarks", ()))

    @property
    def model(self) -> str:
        """Name of the weights."""
        return self.llm.name

    @property
    def writes(self) -> bool:
        """Whether the model is large enough to write the reason in its own words."""
        return self.llm.size_bytes >= WRITES_FROM_BYTES

    def explain(
        self,
        evidence: Evidence,
        *,
        cancel: threading.Event | None = None,
        on_text: TextSink | None = None,
    ) -> Explanation:
        """Explain one window; by rules, and saying so, if the model cannot."""
        self.stats["windows"] += 1
        reason = rules.abstain_reason(evidence.affect)
        if reason:
            self.stats["not asked"] += 1
            made = self._rules.explain(evidence, on_text=on_text)
            return made.model_copy(update={"fallback": f"the model was not asked: {reason}"})
        cues = rules.choose_cues(evidence)[:MAX_CUES]
        labels = supported_labels(evidence)
        ids = {cue.id: f"c{n}" for n, cue in enumerate(cues, start=1)}
        stream = _WhyStream(on_text) if on_text else None
        grammar_ = self._grammar(evidence, cues, ids, labels)
        started = time.monotonic()
        for _ in range(MAX_TRIES):
            prompt, shown = self._shown(evidence)
            told = [
                media_sentences(prompt, shown, evidence.zero_ns),
                modality_sentences(
                    prompt, cues, ids, evidence.zero_ns, asides(evidence, cues, ids)
                ),
            ]
            chat = prompt.chat(sentences="\n".join(filter(None, told)), labels=", ".join(labels))
            more = {"media": shown} if shown.looked_at else {}
            done = self.llm.complete(
                chat,
                grammar=grammar_,
                max_tokens=MAX_TOKENS,
                on_text=stream,
                cancel=cancel,
                deadline_s=self._deadline_s - (time.monotonic() - started),
                slot=SLOT,
                fixed=len(prompt.fixed),
                **more,
            )
            if done.finish != "refused":
                break
            self.stats["pictures or sound refused"] += 1
        question = asked(
            prompt,
            chat,
            done.text,
            prompt_tokens=done.prompt_tokens,
            answer_tokens=done.answer_tokens,
        )
        about = {"asked": question, "looked_at": shown.looked_at}
        written, fault = self._read(done, cues, ids, labels, evidence)
        if written is None:
            self.stats["fallback"] += 1
            self.stats[f"fallback: {fault.partition(':')[0]}"] += 1
            if on_text is not None and stream is not None and stream.told:
                on_text("\n")  # what was shown so far does not hold
            made = self._rules.explain(evidence, on_text=on_text)
            return made.model_copy(update={"parse_ok": False, "fallback": fault, **about})
        self.stats["worded by the model"] += 1
        made = self._compose(evidence, cues, ids, written, on_text)
        return made.model_copy(update=about)

    def _shown(self, evidence: Evidence) -> tuple[Prompt, Media]:
        """What goes to the model beside the text, and the prompt that tells of it."""
        if isinstance(self.llm, Perceptive):
            shown = evidence.media(self.llm.budget)
            if shown.looked_at:
                return load_prompt(MEDIA_PROMPT), shown
        return self._prompt, Media()

    def close(self) -> None:
        """Let the model go."""
        self.llm.close()

    def _grammar(
        self,
        evidence: Evidence,
        cues: tuple[Cue, ...],
        ids: dict[str, str],
        labels: dict[str, Emotion],
    ) -> str:
        zero_ns = evidence.zero_ns
        verdicts = [
            grammar.Verdict(
                label,
                f"They seem {adjective(label)}",
                () if self.writes else arguments(cues, level1, zero_ns),
            )
            for label, level1 in labels.items()
        ]
        return grammar.explanation(list(ids.values()), verdicts)

    def _read(
        self,
        done: Completion,
        cues: tuple[Cue, ...],
        ids: dict[str, str],
        labels: dict[str, Emotion],
        evidence: Evidence,
    ) -> tuple[_Written | None, str]:
        """Parse and check what the model wrote; None and the reason if it will not do."""
        if done.finish in ("cancelled", "deadline"):
            return None, f"{done.finish}: the model had not finished"
        if done.finish in ("error", "refused"):
            return None, f"runner error: {done.detail[:120]}"
        try:
            written = _Written.model_validate(json.loads(done.text))
        except (ValueError, ValidationError, RecursionError):
            return None, f"not parsed: {done.text[:60]!r}"
        if written.label not in labels:
            return None, f"label not supported by the evidence: {written.label[:40]!r}"
        if not set(written.use) <= set(ids.values()):
            return None, "cites a cue that does not exist"
        fault = objection(
            written.why,
            written.label,
            cues,
            level1=labels[written.label],
            zero_ns=evidence.zero_ns,
            orders=smell_order(evidence, cues),
        )
        return (None, f"rejected: {fault}") if fault else (written, "")

    def _compose(
        self,
        evidence: Evidence,
        cues: tuple[Cue, ...],
        ids: dict[str, str],
        written: _Written,
        on_text: TextSink | None,
    ) -> Explanation:
        """The explanation: measured numbers, the model's choice of cues and words."""
        why = written.why.lower()
        kept = always_cited(cues)
        cited = tuple(
            c for c in cues if c.id in kept or ids[c.id] in written.use or phrase(c).lower() in why
        )
        emotions = _lead(rules.guesses(evidence), written.label)
        zero_ns = evidence.zero_ns
        argued = {c.id for c in cited if f"{phrase(c)} {onset(c, zero_ns)}".lower() in why}
        rest = [c for c in cited if c.id not in argued]
        also = f"Noticed also: {rules.evidence_clauses(evidence, rest)}." if rest else ""
        beside = context_text(evidence, cited)
        tail = " ".join(p for p in (also, rules.conflict(evidence.affect).text, beside) if p)
        if on_text is not None and tail:
            on_text(f" {tail}")
        base = self._rules.explain(evidence)
        return base.model_copy(
            update={
                "emotions": emotions,
                "steps": rules.steps(evidence, cited, emotions, ""),
                "tree": rules.tree(evidence, emotions),
                "rationale": f"{written.why} {tail}".strip(),
                "backend": self.backend,
                "model": self.model,
            }
        )


def supported_labels(evidence: Evidence) -> dict[str, Emotion]:
    """What the model may call it, with the class: the likeliest, those within `TIE`, the finer."""
    guesses = rules.guesses(evidence)
    best = guesses[0].confidence
    classes = [g for g in guesses if g.label == g.level1 and g.confidence >= best - TIE]
    return {g.label: g.level1 for g in classes + [g for g in guesses if g.label != g.level1]}


def arguments(cues: Sequence[Cue], level1: Emotion, zero_ns: int) -> tuple[str, ...]:
    """Clauses that may argue for a class, with their seconds, strongest first.

    Those of cues that read the class, then plain measures of modalities that do not read another
    one. Smell is context and argues for nothing unless its cue carries the emotion.
    """
    telling = [c for c in cues if c.emotion and c.emotion.get(level1, 0.0) >= ARGUES]
    contrary = {c.modality for c in cues if c.emotion} - {c.modality for c in telling}
    plain = [
        c
        for c in cues
        if not c.emotion
        and not c.untrusted
        and c.modality not in ("smell", *contrary)
        and c.name not in lexicon().circumstance
        and (level1 == "neutral" or not _USUAL.search(c.text))
    ]
    telling.sort(key=lambda c: -c.confidence * (c.emotion or {}).get(level1, 0.0))
    found = dict.fromkeys(f"{phrase(c)} {onset(c, zero_ns)}" for c in telling + plain)
    return tuple(found)[:MAX_ARGUMENTS]


def always_cited(cues: Sequence[Cue]) -> set[str]:
    """Ids of the surest emotional cue of each modality: never left out, whatever a model picks."""
    best: dict[str, Cue] = {}
    for cue in cues:
        if cue.emotion and (
            cue.modality not in best or cue.confidence > best[cue.modality].confidence
        ):
            best[cue.modality] = cue
    return {cue.id for cue in best.values()}


def _lead(emotions: tuple[EmotionGuess, ...], label: str) -> tuple[EmotionGuess, ...]:
    """Put the class of the model's label first (it is within `TIE` of the likeliest)."""
    level1 = next(g.level1 for g in emotions if g.label == label)
    return tuple(sorted(emotions, key=lambda g: g.label != level1))


class _WhyStream:
    """Passes on the growing reason out of growing JSON."""

    MARK = re.compile(r'"why"\s*:\s*"')

    def __init__(self, sink: TextSink) -> None:
        self._sink = sink
        self._text = ""
        self._told = -1

    @property
    def told(self) -> bool:
        """Whether anything was handed on."""
        return self._told >= 0

    def __call__(self, piece: str) -> None:
        """Take a piece of JSON; hand on what belongs to the reason."""
        self._text += piece
        mark = self.MARK.search(self._text)
        if mark is None:
            return
        start = mark.end()
        end = self._text.find('"', start)
        stop = len(self._text) if end < 0 else end
        begin = max(start, self._told)
        if stop > begin:
            self._sink(self._text[begin:stop])
            self._told = stop
