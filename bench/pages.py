"""Real pages of many publishers and languages: our extraction and trafilatura's, against the truth.

Every page of `--corpus` is read by the generic profile as the crawl reads it (charset, text,
metadata, chunks), and by trafilatura called by hand on the decoded page:
`bare_extraction(text, with_metadata=True)`. The same figures are taken of both; those of the peer
begin with `trafilatura_`, and `languages` gives both by language. The profile is told the language
that the page would be found to be in, were it an archive.

Two texts are compared by their letters and digits alone, in lower case and in Unicode's
compatibility form: blanks, quotation marks and dashes do not count, so neither does how a
publisher's markup parts the words of a paragraph.

recall       paragraphs of the truth that stand in the text whole, of all
extra        share of the text (in letters) that stands in no paragraph, title or author of the
             truth, runs of under 16 letters not counted as standing there
no_text      pages without any text
date_right, date_none, date_wrong   shares of the pages whose truth has a date: the same day
author_right share of the pages whose truth has authors: each of them is named
title_right  share of the pages whose truth has a title: the same title, nothing more
cpu_ratio    processor time of ours over trafilatura's, each the least of the passes, with its
             processes warm

Both are given pages in the same order in the same process. Without a corpus there is nothing to
measure, and one line says so.
"""

from __future__ import annotations

import argparse
import gzip
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from bench.registry import BenchSettings, Figures
from exchange.errors import UsageError

if TYPE_CHECKING:
    from crawler.extract.page import PageReader

SEED = 0  # nothing is drawn
NOT_FOR_JUDGING = ("*",)
PASSES, QUICK_PAGES = 3, 12
RUN = 16  # letters: shorter agreement is chance
SYSTEMS = ("ours", "trafilatura")


@dataclass(frozen=True, slots=True)
class RealPage:
    """One page with its truth."""

    url: str
    body: bytes
    language: str  # as it is detected
    title: str
    published: str
    authors: tuple[str, ...]
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundText:
    """What a system made of a page."""

    text: str = ""  # one paragraph a line
    title: str = ""
    date: str = ""
    author: str = ""


@dataclass(slots=True)
class PageTally:
    """Sums over pages."""

    pages: int = 0
    paragraphs: int = 0
    whole: int = 0
    letters: int = 0
    strange: int = 0
    no_text: int = 0
    told: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("date", "author", "title"), 0)
    )
    right: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, page: RealPage, found: FoundText) -> None:
        """Compare one page."""
        self.pages += 1
        self.no_text += not found.text.strip()
        wanted = [bare for paragraph in page.paragraphs if (bare := letters(paragraph))]
        text = letters(found.text)
        self.paragraphs += len(wanted)
        self.whole += sum(paragraph in text for paragraph in wanted)
        self.letters += len(text)
        self.strange += strange_letters(
            map(letters, found.text.splitlines()),
            [*wanted, letters(page.title), *map(letters, page.authors)],
        )
        if page.published:
            self.told["date"] += 1
            self.right["date"] += found.date == page.published
            self.right["date_none"] += not found.date
        if page.authors:
            self.told["author"] += 1
            self.right["author"] += all(letters(a) in letters(found.author) for a in page.authors)
        if page.title:
            self.told["title"] += 1
            self.right["title"] += letters(page.title) == letters(found.title)

    def figures(self) -> Figures:
        """The shares by name."""

        def share(name: str, of: str) -> float | None:
            return round(self.right[name] / self.told[of], 4) if self.told[of] else None

        date, none = share("date", "date"), share("date_none", "date")
        return {
            "recall": round(self.whole / self.paragraphs, 4) if self.paragraphs else None,
            "extra": round(self.strange / self.letters, 4) if self.letters else None,
            "no_text": self.no_text,
            "date_right": date,
            "date_none": none,
            "date_wrong": None if date is None or none is None else round(1 - date - none, 4),
            "author_right": share("author", "author"),
            "title_right": share("title", "title"),
        }


def letters(text: str) -> str:
    """The letters and digits of a text, in lower case and compatibility form."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def strange_letters(lines: Iterable[str], truth: list[str]) -> int:
    """Letters of the lines that lie in no run of `RUN` that the truth has; a short line is one."""
    known = {part[at : at + RUN] for part in truth for at in range(max(1, len(part) - RUN + 1))}
    whole = "\n".join(truth)
    count = 0
    for line in lines:
        if len(line) <= RUN:
            count += 0 if line in whole else len(line)
            continue
        covered = 0
        for at in range(len(line) - RUN + 1):
            if line[at : at + RUN] in known:
                count += max(0, at - covered)
                covered = at + RUN
        count += max(0, len(line) - covered)
    return count


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--corpus", type=Path, help="folder of truth.jsonl and its pages")
    parser.add_argument("--misses", action="store_true", help="tell of each page what is wrong")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Both systems over all pages, as often as there are passes."""
    pages = read_corpus(args.corpus)
    if settings.quick:
        pages = pages[:: max(1, len(pages) // QUICK_PAGES)]
    readers: dict[str, Callable[[RealPage], FoundText]] = {
        "ours": by_us,
        "trafilatura": by_trafilatura,
    }
    found = {name: [read(page) for page in pages] for name, read in readers.items()}  # warm-up
    cpu = {name: float("inf") for name in SYSTEMS}
    for turn in range(1 if settings.quick else PASSES):
        for name, read in readers.items():
            begun = time.process_time()
            for page in pages:
                read(page)
            cpu[name] = min(cpu[name], time.process_time() - begun)
        settings.log(f"pass {turn + 1}: " + ", ".join(f"{n} {s:.2f} s" for n, s in cpu.items()))
    tallies = {name: PageTally() for name in SYSTEMS}
    languages: dict[str, dict[str, PageTally]] = {}
    for name in SYSTEMS:
        for page, said in zip(pages, found[name], strict=True):
            tallies[name].add(page, said)
            of = languages.setdefault(page.language or "unknown", {n: PageTally() for n in SYSTEMS})
            of[name].add(page, said)
    if args.misses:
        _tell_misses(pages, found, settings)
    ours, peer = tallies["ours"].figures(), tallies["trafilatura"].figures()
    return {
        "pages": len(pages),
        **ours,
        **{f"trafilatura_{name}": value for name, value in peer.items()},
        "cpu_ratio": round(cpu["ours"] / cpu["trafilatura"], 3),
        "cpu_ms": round(1000 * cpu["ours"] / len(pages), 2),
        "trafilatura_cpu_ms": round(1000 * cpu["trafilatura"] / len(pages), 2),
        "languages": {
            code: {"pages": by["ours"].pages, **{n: by[n].figures() for n in SYSTEMS}}
            for code, by in sorted(languages.items())
        },
    }


def read_corpus(folder: Path | None) -> list[RealPage]:
    """The pages with their truth.

    Raises:
        UsageError: there is no such folder, or no truth in it.
    """
    if folder is None or not (folder / "truth.jsonl").is_file():
        raise UsageError("pages needs real pages: give --corpus FOLDER with its truth.jsonl")
    found: list[RealPage] = []
    for line in (folder / "truth.jsonl").read_bytes().splitlines():
        told = orjson.loads(line)
        body = (folder / told["file"]).read_bytes()
        body = gzip.decompress(body) if told["file"].endswith(".gz") else body
        found.append(
            RealPage(
                told["url"],
                body,
                language_of(body),
                told["title"] or "",
                (told["published"] or "")[:10],
                tuple(told["authors"] or ()),
                tuple(told["paragraphs"]),
            )
        )
    return found


def language_of(body: bytes) -> str:
    """The language of a page, as that of an archive is told."""
    from crawler.extract.charset import decode
    from crawler.extract.html import declared_language, paragraphs, parse
    from exchange.text.detect import detect_language

    root = parse(decode(body))
    text = "\n".join(paragraphs([root])) if root is not None else ""
    return detect_language([text], [declared_language(root)] if root is not None else [])


@cache
def _reader(language: str) -> PageReader:
    from crawler import profiles
    from crawler.extract.page import PageReader

    profile = profiles.builtin()["generic"].model_copy(update={"language": language})
    return PageReader(profile, "pages")


def by_us(page: RealPage) -> FoundText:
    """By the generic profile."""
    from crawler.extract.page import StoredPage

    stored = StoredPage("page", page.url, "page", "", None, "", page.body)
    stories = [story for story, _ in _reader(page.language).read(stored).stories]
    if not stories:
        return FoundText()
    first = stories[0]
    text = "\n".join(story.text for story in stories)
    return FoundText(text, first.title, first.published, first.author)


def by_trafilatura(page: RealPage) -> FoundText:
    """By trafilatura's own defaults, with metadata."""
    from trafilatura import bare_extraction

    from crawler.extract.charset import decode

    found = bare_extraction(decode(page.body), with_metadata=True)
    if found is None:
        return FoundText()
    return FoundText(found.text or "", found.title or "", found.date or "", found.author or "")


def _tell_misses(
    pages: list[RealPage], found: dict[str, list[FoundText]], settings: BenchSettings
) -> None:
    for number, page in enumerate(pages):
        lines = []
        for name in SYSTEMS:
            tally = PageTally()
            tally.add(page, found[name][number])
            lines.append(f"  {name:12} {tally.figures()}")
        settings.log("\n".join([page.url, *lines]))
