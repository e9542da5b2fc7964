"""HTML of our own making: every text of others goes through `text` and stays text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import urlsplit


def text(said: object) -> str:
    """A text as HTML that shows it: no markup, no control or direction marks, lines kept."""
    return escape("".join(c if c.isprintable() or c == "\n" else " " for c in str(said)))


def block(said: object, kind: str = "") -> str:
    """A text of several lines, shown as they stand."""
    return f'<div class="said {kind}">{text(said)}</div>'


def note(said: object, kind: str = "note") -> str:
    """One line that says how things are; `kind` "wrong" for what a person has to put right."""
    return f'<p class="{kind}">{text(said)}</p>'


def link(url: str, shown: str) -> str:
    """A link to the web, or only its text when the address is of another kind."""
    try:
        safe = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        safe = False
    if not safe:
        return text(shown)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{text(shown)}</a>'


def facts(rows: Iterable[tuple[str, object]]) -> str:
    """Names and what is to be said of them, one a line."""
    lines = "".join(f"<tr><th>{text(name)}</th><td>{text(value)}</td></tr>" for name, value in rows)
    return f'<table class="facts">{lines}</table>'


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table whose numbers stand to the right."""
    head = "".join(f"<th>{text(name)}</th>" for name in heads)
    body = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows)
    return f'<table class="figures"><tr>{head}</tr>{body}</table>'


def plots(drawn: str) -> str:
    """Plots beside each other where there is room."""
    return f'<div class="plots">{drawn}</div>'


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    if isinstance(value, float):
        return f'<td class="n">{value:.3g}</td>'
    return f"<td>{text(value)}</td>"
