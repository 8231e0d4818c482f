"""Plain words for measured things, and the one gate through which untrusted text passes."""

from __future__ import annotations

import re
import unicodedata

from thymos.contract import Cue, Emotion, Modality
from thymos.samples import NS_PER_S
from thymos.smell.meaning import meaning_of

ADJECTIVE: dict[str, str] = {
    "neutral": "calm",
    "joy": "joyful",
    "sadness": "sad",
    "anger": "angry",
    "fear": "afraid",
    "disgust": "disgusted",
    "surprise": "surprised",
}
"""How a person who shows the class is described; finer labels are adjectives already."""

MODALITY_NOUN: dict[Modality, str] = {
    "face": "the face",
    "voice": "the voice",
    "words": "the words",
    "smell": "the air",
}

MAX_QUOTE = 160
_ASIDE = re.compile(r" \(|, then |, beginning ")
"""Where the clause of a cue ends and its figures and times begin."""
_NOT_PLAIN = re.compile(r"[^\w\s.,!?'’:;%°×/()+-]|_")


def sanitise(text: str, limit: int = MAX_QUOTE) -> str:
    """Make untrusted text harmless to show and to put between delimiters.

    Unicode is normalised (NFKC), everything but letters, digits, spaces and plain punctuation goes:
    no quotes, brackets, angle brackets, bars or line breaks are left, hence no delimiter of ours,
    no markup and no control token of any chat template can be formed. The result is cut at
    `limit` characters.
    """
    plain = unicodedata.normalize("NFKC", text[: limit * 8])
    plain = " ".join(_NOT_PLAIN.sub(" ", plain).split())
    return plain if len(plain) <= limit else plain[: limit - 1].rstrip() + "…"


def adjective(label: str) -> str:
    """The word that describes a person with this label."""
    return ADJECTIVE.get(label, label)


def seconds(t_ns: int, zero_ns: int) -> str:
    """A time for people, to a tenth of a second, counted from `zero_ns`."""
    return f"{(t_ns - zero_ns) / NS_PER_S:.1f} s"


def span(cue: Cue, zero_ns: int) -> str:
    """`at 2.1 s` or `2.1–3.4 s`."""
    if cue.t1_ns - cue.t0_ns < NS_PER_S // 5:
        return f"at {seconds(cue.t0_ns, zero_ns)}"
    return f"{seconds(cue.t0_ns, zero_ns).removesuffix(' s')}–{seconds(cue.t1_ns, zero_ns)}"


def onset(cue: Cue, zero_ns: int) -> str:
    """`at 2.1 s` for an instant, `from 2.1 s` for a stretch."""
    word = "at" if cue.t1_ns - cue.t0_ns < NS_PER_S // 5 else "from"
    return f"{word} {seconds(cue.t0_ns, zero_ns)}"


def phrase(cue: Cue) -> str:
    """A cue as a clause of trusted words: safe for grammars, speech and rationales.

    Of an untrusted cue only what was measured on it is told, never its text.
    """
    if cue.untrusted:
        return _measured(cue)
    text = _whole(_ASIDE.split(sanitise(cue.text, 160), maxsplit=1)[0]).rstrip(" .!;:,…")
    if not text:
        return _bare(cue)
    return text if text[:2].isupper() or text[0] == "I" else text[0].lower() + text[1:]


def _whole(text: str) -> str:
    """A text that was cut, without the clause that was cut in the middle."""
    if not text.endswith("…"):
        return text
    return text.rpartition("; ")[0] or text.rpartition(", ")[0] or text


def quote(cue: Cue) -> str:
    """The words of an untrusted cue, harmless, in quotation marks; empty if it has none."""
    said = sanitise(cue.value if isinstance(cue.value, str) else "")
    return f"“{said}”" if said else ""


def smells_like(cue: Cue) -> str:
    """What a smell is called, in the words of the odour table; empty if it is not in it."""
    known = meaning_of(cue.value) if cue.name == "odour" and isinstance(cue.value, str) else None
    return known.says if known is not None and known.known else ""


def clause(cue: Cue) -> str:
    """A cue as people read it: its phrase, and the words themselves if it holds some."""
    if not cue.untrusted:
        return phrase(cue)
    said = quote(cue)
    if cue.modality == "words":
        return f"they say {said}" if said else phrase(cue)
    if cue.modality == "smell" and smells_like(cue):
        return phrase(cue)  # told in our own words
    return f"{phrase(cue)} ({said})" if said else phrase(cue)


def sentence(text: str) -> str:
    """First letter upper case, one full stop at the end."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def listing(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def _measured(cue: Cue) -> str:
    if cue.modality == "words":
        mood = _mood(cue.emotion)
        return f"what they say sounds {mood}" if mood else "they speak"
    if cue.modality == "smell":
        known = smells_like(cue)
        return f"it smells like {known}" if known else "the air has changed"
    return f"{MODALITY_NOUN[cue.modality]} shows something"


def _mood(emotion: dict[Emotion, float] | None) -> str:
    if not emotion:
        return ""
    label = max(sorted(emotion), key=lambda e: emotion[e])
    return ADJECTIVE[label] if emotion[label] >= 0.4 else ""


def _bare(cue: Cue) -> str:
    """A cue that brings no words of its own."""
    name = sanitise(cue.name.replace("_", " "), 40)
    if isinstance(cue.value, str):
        return f"{MODALITY_NOUN[cue.modality]} shows {sanitise(cue.value, 40)}".strip()
    if isinstance(cue.value, dict):
        best = max(sorted(cue.value), key=lambda k: cue.value[k]) if cue.value else ""  # type: ignore[index]
        return f"{MODALITY_NOUN[cue.modality]} shows {sanitise(best.replace('_', ' '), 40)}"
    unit = f" {sanitise(cue.unit, 12)}" if cue.unit else ""
    return f"{name} is {cue.value:.3g}{unit}"
