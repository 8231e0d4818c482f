"""Prompts as readable, versioned files (`reason/prompts/NAME-VERSION.txt`)."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from thymos.attend.media import Media
from thymos.contract import MODALITIES, Asked, Cue
from thymos.errors import ModelError
from thymos.reason.llm import Message
from thymos.reason.wording import onset, phrase, sanitise, seconds

_HEADING = re.compile(r"^\[([a-z ]+)\]$")


@dataclass(frozen=True)
class Prompt:
    """One prompt file.

    Attributes:
        name: `explain-2`.
        fixed: System text and reviewed examples: the same in every call, hence cached.
        sentences: Line of each modality.
        user: Template of the last turn.
    """

    name: str
    fixed: tuple[Message, ...]
    sentences: dict[str, str]
    user: str

    def chat(self, **values: str) -> list[Message]:
        """The whole chat, ending with this turn. Values are put in literally, once."""
        text = re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], m[0]), self.user)
        return [*self.fixed, {"role": "user", "content": text}]


MAX_ANSWER = 4000


def asked(
    prompt: Prompt,
    chat: Sequence[Message],
    answer: str,
    *,
    prompt_tokens: int | None = None,
    answer_tokens: int | None = None,
) -> Asked:
    """What is published of a question to a model: its last turn and what came back.

    Args:
        prompt: Stands before it.
        chat: All turns.
        answer: What the model wrote, before it was checked.
        prompt_tokens: Tokens of the whole chat, read or cached; None if the backend does not tell.
        answer_tokens: Tokens of the answer, likewise.
    """
    # What a runner hands over need not be text that can be written anywhere.
    text, plain = (
        s[:MAX_ANSWER].encode(errors="replace").decode() for s in (chat[-1]["content"], answer)
    )
    return Asked(
        prompt=prompt.name,
        text=text,
        answer=plain,
        prompt_tokens=prompt_tokens,
        answer_tokens=answer_tokens,
    )


@functools.cache
def load_prompt(name: str) -> Prompt:
    """Read a prompt file of the package.

    Raises:
        ModelError: There is no such file, or it lacks its parts.
    """
    place = files("thymos.reason") / "prompts" / f"{name}.txt"
    if not place.is_file():
        raise ModelError(f"there is no prompt '{name}'", hint="reinstall thymos")
    fixed: list[Message] = []
    sentences: dict[str, str] = {}
    user = ""
    for heading, body in _sections(place.read_text(encoding="utf-8")):
        if heading == "system":
            fixed.append({"role": "system", "content": body})
        elif heading == "example user":
            fixed.append({"role": "user", "content": body})
        elif heading == "example assistant":
            fixed.append({"role": "assistant", "content": body})
        elif heading.startswith("sentence "):
            sentences[heading.removeprefix("sentence ")] = body
        elif heading == "user":
            user = body
    if not fixed or not user:
        raise ModelError(f"the prompt '{name}' lacks [system] or [user]", hint="reinstall thymos")
    return Prompt(name, tuple(fixed), sentences, user)


def modality_sentences(
    prompt: Prompt,
    cues: tuple[Cue, ...],
    ids: dict[str, str],
    zero_ns: int | None = None,
    asides: Mapping[str, str] | None = None,
) -> str:
    """The lines of the modalities that are there (subset prompts after AffectGPT, §1.2).

    Args:
        prompt: Brings the line of each modality.
        cues: What to tell.
        ids: Short name of each cue id, as the model sees it.
        zero_ns: Capture time called 0 s, to tell when each cue was; None tells no times.
        asides: What else is told of a cue, by its id, in our own words.
    """
    more = asides or {}
    lines: list[str] = []
    for modality in MODALITIES:
        own = [c for c in cues if c.modality == modality]
        if own and modality in prompt.sentences:
            told = "; ".join(
                ", ".join(filter(None, (f"{ids[c.id]} {_told(c, zero_ns)}", more.get(c.id))))
                for c in own
            )
            lines.append(prompt.sentences[modality].replace("{cues}", told))
    return "\n".join(lines)


def media_sentences(prompt: Prompt, shown: Media, zero_ns: int) -> str:
    """The lines that tell of which seconds pictures and sound are shown, in their order.

    What is not shown has no line. Only times stand in them: names of devices and files do not.

    Args:
        prompt: Brings the lines.
        shown: What goes to the model beside the text.
        zero_ns: Capture time called 0 s.
    """
    times = {
        "picture": [seconds(p.t_ns, zero_ns) for p in shown.pictures],
        "sound": [
            f"{seconds(s.t0_ns, zero_ns)} to {seconds(s.t1_ns, zero_ns)}" for s in shown.sounds
        ],
    }
    return "\n".join(
        prompt.sentences[kind].replace("{cues}", ", ".join(told))
        for kind, told in times.items()
        if told and kind in prompt.sentences
    )


def _told(cue: Cue, zero_ns: int | None) -> str:
    """A cue in the prompt; text of people or devices only between delimiters it cannot close."""
    when = "" if zero_ns is None else f" {onset(cue, zero_ns)}"
    if not cue.untrusted:
        return phrase(cue) + when
    said = sanitise(cue.value if isinstance(cue.value, str) else "")
    what = "" if cue.modality == "words" else f"{phrase(cue)} "
    return f"{what}<<<{said}>>>{when}"


def _sections(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        heading = _HEADING.match(line)
        if heading:
            found.append((heading[1], []))
        elif found:
            found[-1][1].append(line)
    return [(heading, "\n".join(body).strip()) for heading, body in found]
