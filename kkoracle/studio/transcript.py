"""The talk as a file: Markdown for notes, HTML to send to somebody. Both stand alone."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from exchange.display import one_line
from kkoracle.studio import markup
from kkoracle.studio.comparison import ComparisonRound


def to_markdown(title: str, talk: Sequence[ComparisonRound]) -> str:
    """Every question with its answers, votes and sources; nothing in it is read as markup."""
    parts = [f"# {_escape_markdown(title)}\n"]
    for one in talk:
        parts.append(f"## {_escape_markdown(one.question)}\n")
        for place, given in enumerate(one.given):
            parts.append(f"**{one.name(place)}**\n\n{_blockquote(given.error or given.text)}\n")
            parts += [
                f"- {_escape_markdown(source.head)} {_markdown_link(source.url)}".rstrip()
                for source in given.sources
                if one.open
            ]
            parts.append("")
        if one.said:
            parts.append(f"Vote: {one.said}\n")
        if one.better:
            parts.append(f"A better answer:\n\n{_blockquote(one.better)}\n")
    return "\n".join(parts)


def to_html(title: str, talk: Sequence[ComparisonRound]) -> str:
    """The same as one page."""
    return markup.render("transcript", title, talk)


def download_links(name: str, title: str, talk: Sequence[ComparisonRound]) -> str:
    """Links that save it; the file is in the link, so that nothing is left on the server."""
    if not talk:
        return ""
    kinds = (("md", "text/markdown", to_markdown), ("html", "text/html", to_html))
    return " ".join(
        markup.render(
            "save", name, ending, kind, base64.b64encode(write(title, talk).encode()).decode()
        )
        for ending, kind, write in kinds
    )


def _blockquote(text: str) -> str:
    """A quotation, in which a line that looks like markup is shown as it stands."""
    return "\n".join(f"> {_escape_markdown(line)}" for line in text.splitlines() or [""])


def _escape_markdown(text: str) -> str:
    """One line without meaning to Markdown or HTML."""
    line = one_line(text)
    for mark in "\\`*_{}[]<>#|!":
        line = line.replace(mark, f"\\{mark}")
    return line


def _markdown_link(url: str) -> str:
    whole = url.startswith(("http://", "https://")) and not set(url) & set("<> \n")
    return f"<{url}>" if whole else ""
