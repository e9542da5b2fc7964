"""What `kkoracle archive learn` does: get pages, propose, show, write the profile."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crawler import profiles
from crawler.extract.fallback import read_fallback
from crawler.extract.html import declared_language
from crawler.extract.shapes import ShapeMatcher, StoryParts
from crawler.language import describe_language, with_language
from crawler.learn import sample
from crawler.learn.coverage import spread_out
from crawler.learn.propose import ProfileProposal, propose
from crawler.profile import Profile
from crawler.settings import CrawlSettings
from crawler.status.console import StepProgressBar
from exchange.errors import UsageError
from exchange.files import write_atomic
from exchange.text.detect import detect_language
from exchange.text.scripts import count_words

# Before and after on a few pages: what is found without a profile, and what with the new one.

PAGES_SHOWN = 2  # pages shown of a layout
LINE_WIDTH = 76


def comparison_lines(proposal: ProfileProposal) -> Iterator[str]:
    """The comparison, line by line. Pages are cut up by this: nothing else may need them."""
    from lxml import html

    shapes = ShapeMatcher(proposal.profile)
    for name, pages in proposal.pages_by_layout.items():
        yield f"{name}: {len(pages)} pages"
        for page in spread_out(pages, PAGES_SHOWN):
            text = html.tostring(page.root, encoding="unicode")
            before = read_fallback(text, page.root, page.url, proposal.profile.language)
            after = shapes.read(html.document_fromstring(text), "")
            yield f"  {page.url}"
            yield from _story_lines("before", [before] if before else [])
            yield from _story_lines("after", after)
    if proposal.unplaced:
        yield f"{proposal.unplaced} other pages: indexes, or too few of one layout"


def _story_lines(when: str, stories: list[StoryParts]) -> Iterator[str]:
    if not stories:
        yield f"    {when:6} no text"
    for parts in stories:
        words = sum(map(count_words, parts.paragraphs))
        facts = ", ".join(filter(None, (parts.date, parts.section, parts.author)))
        size = f"{words} words, {len(parts.paragraphs)} paragraphs"
        yield f"    {when:6} {size}; {facts or 'no date'}"
        yield f"           {_shorten(parts.title) or '(no headline)'}"
        yield f"           {_shorten(parts.paragraphs[0])}"
        if len(parts.paragraphs) > 1:
            yield f"           {_shorten(parts.paragraphs[-1], end=True)}"


def _shorten(text: str, *, end: bool = False) -> str:
    if len(text) <= LINE_WIDTH:
        return text
    return "..." + text[-LINE_WIDTH:] if end else text[:LINE_WIDTH] + "..."


# A profile as the TOML file that a crawl reads, in the order in which people read one.


def profile_to_toml(profile: Profile, notes: str) -> str:
    """The whole file.

    Args:
        notes: lines for the top, without their mark.
    """
    raw = profile.model_dump(mode="json", exclude_defaults=True)
    lines = [f"# {line}".rstrip() for line in notes.splitlines()]
    tables = ("kinds", "shapes", "leave_out", "chunk", "ranges")
    lines += [f"{key} = {_toml_value(value)}" for key, value in raw.items() if key not in tables]
    for name, kind in raw["kinds"].items():
        lines += ["", f"[kinds.{name}]", *_toml_pairs(kind)]
    for name in ("leave_out", "chunk"):
        if raw.get(name):
            lines += ["", f"[{name}]", *_toml_pairs(raw[name])]
    for name in ("ranges", "shapes"):
        for entry in raw.get(name, ()):
            lines += ["", f"[[{name}]]", *_toml_pairs(entry)]
    return "\n".join(lines) + "\n"


def _toml_pairs(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {_toml_value(value)}" for key, value in table.items()]


def _toml_value(value: Any) -> str:
    if isinstance(value, str):
        plain = "'" not in value and "\n" not in value and ('"' in value or "\\" in value)
        return f"'{value}'" if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, dict):
        if not value.get("match") and "xpath" in value:
            return _toml_value(value["xpath"])
        return (
            "{ " + ", ".join(f"{key} = {_toml_value(item)}" for key, item in value.items()) + " }"
        )
    return json.dumps(value)


FEWEST, MOST = 10, 500
NOTES = """Learned from {pages} pages of {source}.
Look at a few stories before a long crawl: `kkoracle init {file}`, `kkoracle crawl`.
Worth adding by hand: ranges (addresses by date), keys that merge aliases, leave_out."""


def learn(
    source: str,
    out: Path | None,
    folder: Path,
    count: int,
    settings: CrawlSettings,
    *,
    name: str = "",
    force: bool = False,
) -> Iterator[str]:
    """Learn from a site, a folder of pages or a raw store; yields lines for people.

    Args:
        folder: where pages that are asked for are kept, a folder per host.
        count: about how many pages to look at.

    Raises:
        UsageError: the source or the number does not fit, the file is there already.
        UserError: no page came, or no layout could be told.
    """
    if not FEWEST <= count <= MOST:
        raise UsageError(f"--pages must lie between {FEWEST} and {MOST}, not {count}")
    online = source.startswith(("http://", "https://"))
    host = urlsplit(source).netloc if online else Path(source).resolve().name
    if not host:
        raise UsageError(f"{source!r} is no web address: http://newspaper.example/")
    host = host.rpartition("@")[2].replace(":", "_")
    file = out or Path(f"{host}.toml")
    if file.exists() and not force:
        raise UsageError(f"{file} exists already: give another --out, or --force to write over it")
    if online:
        kept = folder / host
        bar = StepProgressBar("asking for", " pages")
        try:
            raws = asyncio.run(sample.from_site(source, kept, count, settings, bar))
        finally:
            bar.close()
        yield f"{len(raws)} pages, kept in {kept}"
    else:
        raws = sample.from_folder(Path(source), count)
        yield f"{len(raws)} pages of {source}"
    path = urlsplit(source).path or "/" if online else "/"
    bar = StepProgressBar("learning from", " pages")
    parsed = sample.parse_pages(raws, bar)
    # Before a page is cut up: afterwards its text is gone.
    texts = ["\n".join(unit.text for unit in page.units) for page in parsed]
    language = detect_language(texts, [declared_language(page.root) for page in parsed])
    try:
        proposal = propose(parsed, name, path, bar)
    finally:
        bar.close()
    if language:
        proposal = replace(proposal, profile=with_language(proposal.profile, language))
    yield from comparison_lines(proposal)
    yield from (
        describe_language(language)
        if language
        else ["the pages do not tell their language: write `language` into the profile"]
    )
    yield from _write(proposal, file, source, len(raws), settings.contact)


def _write(
    proposal: ProfileProposal, file: Path, source: str, pages: int, contact: str
) -> Iterator[str]:
    text = profile_to_toml(proposal.profile, NOTES.format(pages=pages, source=source, file=file))
    profiles.parse(text, str(file))  # what the crawl would say, before it is written
    write_atomic(file, text)
    layouts, kinds = ", ".join(proposal.pages_by_layout), ", ".join(proposal.profile.kinds)
    yield f"wrote {file}: {layouts}; kinds {kinds}"
    contact = shlex.quote(contact or "you@example.org")
    yield f"next: kkoracle init {shlex.quote(str(file))} --contact {contact}, then kkoracle doctor"
