"""The odour table as a page of Markdown shows it."""

from __future__ import annotations

from thymos.smell.meaning.table import DANGERS, Meaning, table


def markdown() -> str:
    """The table, its facts and its sources."""
    lines = [
        "| label (also) | told as | family | danger | odorants | pleasantness |",
        "|---|---|---|---|---|---|",
        *(_row(row) for row in table().odours),
        "",
        "Figures:",
        "",
        *(
            f"- {row.says}: {fact.text} [{fact.source}]"
            for row in table().odours
            for fact in row.facts
        ),
        "",
        "Classes of danger: "
        + "; ".join(
            f"`{name}` ({'urgent, ' if table().dangers[name].urgent else ''}"
            f"sources {', '.join(table().dangers[name].sources)})"
            for name in DANGERS
        )
        + ".",
        "",
        "Sources:",
        "",
        *(f"- **{key}**: {text.strip()}" for key, text in table().sources.items()),
    ]
    return "\n".join(lines) + "\n"


def _row(row: Meaning) -> str:
    also = f" ({', '.join(row.also)})" if row.also else ""
    cells = [
        f"{row.name}{also}",
        row.says,
        row.family,
        "–" if row.danger == "none" else f"**{row.danger}**",
        ", ".join(row.odorants) or "–",
        _rating(row),
    ]
    return f"| {' | '.join(cells)} |"


def _rating(row: Meaning) -> str:
    if row.pleasant is None:
        return "not rated"
    spread = f" ± {row.pleasant.spread:.2f}" if row.pleasant.spread else ""
    return f"{row.pleasant.mean:+.2f}{spread}, {row.pleasant.of} [{row.pleasant.source}]"
