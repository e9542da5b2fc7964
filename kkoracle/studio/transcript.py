"""The talk as a file: Markdown for notes, HTML to send to somebody. Both stand alone."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from kkoracle.studio import markup
from kkoracle.studio.comparison import ComparisonRound

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}
h3{margin-bottom:.2rem}.said{white-space:pre-wrap}small{color:#666}"""


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
    parts = [f"<h1>{markup.text(title)}</h1>"]
    for one in talk:
        parts.append(f"<h2>{markup.text(one.question)}</h2>")
        for place, given in enumerate(one.given):
            parts.append(
                f"<h3>{markup.text(one.name(place))}</h3>{markup.block(given.error or given.text)}"
            )
            shown = [markup.link(s.url, s.head) for s in given.sources if one.open]
            parts += [f"<small>{source}</small><br>" for source in shown]
        parts += [f"<p>Vote: {markup.text(one.said)}</p>"] * bool(one.said)
        parts += [f"<h3>A better answer</h3>{markup.block(one.better)}"] * bool(one.better)
    return (
        '<!doctype html><html lang="el"><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{markup.text(title)}</title>'
        f"<style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )


def download_links(name: str, title: str, talk: Sequence[ComparisonRound]) -> str:
    """Links that save it; the file is in the link, so that nothing is left on the server."""
    if not talk:
        return ""
    kinds = (("md", "text/markdown", to_markdown), ("html", "text/html", to_html))
    shown = []
    for ending, kind, write in kinds:
        held = base64.b64encode(write(title, talk).encode()).decode()
        shown.append(
            f'<a class="save" download="{markup.text(name)}.{ending}" '
            f'href="data:{kind};charset=utf-8;base64,{held}">Save as .{ending}</a>'
        )
    return " ".join(shown)


def _blockquote(text: str) -> str:
    """A quotation, in which a line that looks like markup is shown as it stands."""
    return "\n".join(f"> {_escape_markdown(line)}" for line in text.splitlines() or [""])


def _escape_markdown(text: str) -> str:
    """One line without meaning to Markdown or HTML."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    for mark in "\\`*_{}[]<>#|!":
        line = line.replace(mark, f"\\{mark}")
    return line


def _markdown_link(url: str) -> str:
    whole = url.startswith(("http://", "https://")) and not set(url) & set("<> \n")
    return f"<{url}>" if whole else ""
