"""Safe HTML by construction: what is not `Html` gets escaped, so no text can become markup."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable
from typing import Union

Child = Union["Html", str, int, float, None, Iterable["Child"]]
Attribute = str | int | float | bool | None

_VOID = frozenset({"meta", "link", "img", "br", "rect", "line", "polyline", "polygon", "path"})
_BREAKS = str.maketrans({"\n": " ", "\r": " ", "\t": " "})


class Html(str):
    """Markup that is already safe."""

    __slots__ = ()


def clean(text: str) -> str:
    """Make untrusted text fit for one line of a screen.

    Line breaks become blanks; control characters (a terminal's escape sequences) and format
    characters (which turn the direction of writing round) go. Of a lone surrogate stays `�`.
    """
    kinds = ((c, unicodedata.category(c)) for c in text.translate(_BREAKS))
    return "".join("�" if kind == "Cs" else c for c, kind in kinds if kind not in ("Cc", "Cf"))


def el(tag: str, *children: Child, **attributes: Attribute) -> Html:
    """Return one element; `class_` means `class`, `data_t0` means `data-t0`.

    Attributes that are None or False are left out, True gives a bare attribute.
    """
    opening = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Html(f"<{tag}{opening}/>")
    return Html(f"<{tag}{opening}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """Return children one after the other, text escaped."""
    return Html("".join(_text(child) for child in children))


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    key = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {key}"
    return f' {key}="{html.escape(clean(str(value)))}"'


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return html.escape(clean(child))
    if isinstance(child, (int, float)):
        return str(child)
    return join(child)
