"""`kkoracle archive learn` on the templates of real newspapers, held against what was printed.

Sites of some pages each (NAME.tar.xz with truth.json) are served on loopback: stories at
/article/N, an index a day at /archive/YYYY/MM/DD/ and a start page. The command runs on each as a
person runs it; then the pages are followed and read by what it wrote, each story without the date
that its index gave. The worst site counts in each figure; each site stands under `sites`.

recall         printed paragraphs found whole
extra          words beyond those printed, over those printed
title_right, date_right, author_right   shares of the stories; all authors and nobody else
indexes_told   pages taken for what they are: stories reached and read, indexes that yield none
requests       what the command asked for, robots.txt included
cpu_s          processor time of the command, the pages' parsing and the imports included
rss_mb         its largest memory
"""

from __future__ import annotations

import argparse
import re
import tarfile
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import orjson

from bench.registry import BenchSettings, Figures
from exchange.errors import NotFound, UsageError

SEED = 7
NOT_FOR_JUDGING = ("*",)
QUICK = 1  # sites
HIGHER = ("recall", "title_right", "date_right", "author_right", "indexes_told")
LOWER = ("extra", "requests", "cpu_s", "rss_mb")
JOINING_WORD = 3  # letters: "and", "und", "et" between two names


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--corpus", type=Path, help="a folder of NAME.tar.xz; it is no part of us")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Learn each site and read it by what was learned."""
    if args.corpus is None:
        raise UsageError("nothing to learn from: give --corpus DIR, a folder of NAME.tar.xz")
    files = sorted(args.corpus.glob("*.tar.xz"))
    if not files:
        raise NotFound(f"{args.corpus} holds no NAME.tar.xz")
    sites: dict[str, Figures] = {}
    for file in files[: QUICK if settings.quick else None]:
        name = file.name.partition(".")[0]
        settings.log(f"archive learn on {name}")
        sites[name] = measure(Site.read(file))
    return {
        "sites": sites,
        **{name: min(found[name] for found in sites.values()) for name in HIGHER},
        **{name: max(found[name] for found in sites.values()) for name in LOWER},
    }


@dataclass(frozen=True, slots=True)
class Site:
    """Pages by their paths, and what was printed on those that are stories."""

    pages: dict[str, str]
    printed: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, file: Path) -> Site:
        """The stories of an archive file, and the indexes that lead to them."""
        with tarfile.open(file) as held:
            found = {
                Path(entry.name).name: member.read()
                for entry in held
                if (member := held.extractfile(entry)) is not None
            }
        truth = orjson.loads(found["truth.json"])
        printed = {f"/article/{number}": told for number, told in truth.items()}
        pages = {
            f"/article/{number}": found[f"{number}.html"].decode("utf-8", "replace")
            for number in truth
        }
        return cls(pages | _indexes(printed), printed)


def _indexes(printed: dict[str, dict[str, Any]]) -> dict[str, str]:
    days: dict[str, list[str]] = {}
    for url, told in printed.items():
        day = f"/archive/{told['date'].replace('-', '/')}/"
        lead = " ".join(told["pars"][0].split()[:25])
        days.setdefault(day, []).append(
            f'<li><a href="{url}">{escape(told["title"])}</a><p>{escape(lead)} ...</p></li>'
        )
    pages = {
        day: f"<html><head><title>Archive</title></head><body><h1>{day[9:-1]}</h1>"
        f"<ul>{''.join(rows)}</ul></body></html>"
        for day, rows in days.items()
    }
    rows = "".join(f'<li><a href="{day}">{day[9:-1]}</a></li>' for day in sorted(days))
    pages["/"] = f"<html><head><title>Start</title></head><body><ul>{rows}</ul></body></html>"
    return pages


def measure(site: Site) -> Figures:
    """Learn, follow, read, compare."""
    from bench.text.learned import learn, serving
    from crawler import profiles

    with tempfile.TemporaryDirectory(prefix="kk-bench-") as folder, serving(site.pages) as served:
        learned = learn(served.url, Path(folder))
        asked = served.asked
    reading = _Reading(site, profiles.parse(learned.profile, "learned"))
    return {
        **reading.figures(),
        "requests": asked,
        "cpu_s": round(learned.used.cpu_s, 2),
        "rss_mb": round(learned.used.rss_mb),
    }


@dataclass
class _Reading:
    """The site as a crawl by the profile sees it."""

    site: Site
    profile: Any
    right: Counter[str] = field(default_factory=Counter)

    def figures(self) -> Figures:
        from bench.text.measures import WordTally

        tally = WordTally()
        texts = self._read()
        for url, told in self.site.printed.items():
            tally.add(told["pars"], texts.get(url, ""))
        stories, pages = len(self.site.printed), len(self.site.pages)
        return {
            "recall": round(tally.recall, 4),
            "extra": round(tally.extra, 4),
            "title_right": round(self.right["title"] / stories, 4),
            "date_right": round(self.right["date"] / stories, 4),
            "author_right": round(self.right["author"] / stories, 4),
            "indexes_told": round(self.right["page"] / pages, 4),
        }

    def _read(self) -> dict[str, str]:
        """The text of each story that is reached from the start page."""
        from crawler.discovery.links import extract_links
        from crawler.extract.page import PageReader, StoredPage
        from crawler.scope import CrawlScope

        scope, reader = CrawlScope(self.profile), PageReader(self.profile, "learned")
        texts: dict[str, str] = {}
        waiting, known = list(scope.starts()), set()
        while waiting:
            link = waiting.pop()
            markup = self.site.pages.get(link.url)
            if markup is None or link.url in known:
                continue
            known.add(link.url)
            if scope.has_links(link.kind):
                base = scope.absolute(link.url)
                waiting += extract_links(markup, base, scope, link.kind, link.issue)
            found = []
            if scope.has_stories(link.kind):
                page = StoredPage(link.key, link.url, link.kind, "", None, "", markup.encode())
                found = [story for story, _ in reader.read(page).stories]
            printed = self.site.printed.get(link.url)
            self.right["page"] += bool(found) == (printed is not None)
            if printed and found:
                texts[link.url] = "\n".join(story.text for story in found)
                self.right["title"] += _alike(found[0].title, printed["title"])
                self.right["date"] += found[0].published == printed["date"]
                self.right["author"] += authors_right(found[0].author, printed["authors"])
        return texts


def _alike(one: str, other: str) -> bool:
    return " ".join(one.split()) == " ".join(other.split())


def authors_right(found: str, authors: list[str]) -> bool:
    """All of them stand there, and no word beside them but those that join names."""
    for name in sorted(authors, key=len, reverse=True):
        if name not in found:
            return False
        found = found.replace(name, " ") if authors.count(name) == 1 else found
    for name in authors:
        found = found.replace(name, " ")
    return all(len(word) <= JOINING_WORD for word in re.findall(r"\w+", found))
