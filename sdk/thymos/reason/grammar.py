"""GBNF grammars, made anew for each window: what a model cannot write it need not be told.

No white space between tokens of JSON, no digits and quotes inside strings, bounded lengths: models
this small otherwise run off into blanks (measured, see docs/reasoning.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_WHY = 180


def literal(text: str) -> str:
    """A GBNF string that matches exactly `text`."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def one_of(texts: Sequence[str]) -> str:
    """Alternatives, each matched exactly."""
    return " | ".join(literal(t) for t in texts)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One label the model may choose, and how it may argue for it.

    Attributes:
        label: The label.
        opener: How the sentence begins.
        phrases: Clauses it may use, strongest first; it picks any of them, each once, in this
            order. Empty: the model writes freely, in lower case; the post-check decides.
    """

    label: str
    opener: str
    phrases: tuple[str, ...]


def explanation(ids: Sequence[str], verdicts: Sequence[Verdict]) -> str:
    """Grammar of an explanation: cue ids that exist, labels that are supported, a reason."""
    rules = [
        f"id ::= {one_of([chr(34) + i + chr(34) for i in ids])}",
        'use ::= "\\"use\\":[" id ("," id){0,3} "]"',
        'link ::= " and " | " while "',
    ]
    heads = []
    for n, verdict in enumerate(verdicts):
        heads.append(f"v{n}")
        start = literal(f'"label":"{verdict.label}","why":"{verdict.opener} because ')
        rules.append(f"v{n} ::= {start} {_reason(n, verdict.phrases, rules)}")
    root = f'root ::= "{{" use "," ({" | ".join(heads)}) ".\\"}}"'
    return "\n".join([root, *rules]) + "\n"


def _reason(n: int, phrases: Sequence[str], rules: list[str]) -> str:
    """Add the rules of one reason; return what starts it."""
    if not phrases:
        return f"[a-z] [a-z0-9 ,.'-]{{20,{MAX_WHY}}}"
    names = [f"p{n}x{i}" for i in range(len(phrases))]
    for i, phrase in enumerate(phrases):
        later = names[i + 1 :]
        tail = f" (link ({' | '.join(later)}))?" if later else ""
        rules.append(f"{names[i]} ::= {literal(phrase)}{tail}")
    return f"({' | '.join(names)})"


def pick(count: int) -> str:
    """Grammar of a choice: `{"pick":2}`."""
    return f'root ::= "{{\\"pick\\":" ({one_of([str(n + 1) for n in range(count)])}) "}}"\n'


def say(limit: int) -> str:
    """Grammar of one free sentence of at most `limit` characters."""
    return f'root ::= "{{\\"say\\":\\"" [A-Z] [a-zA-Z ,\'-]{{8,{limit}}} [.?] "\\"}}"\n'
