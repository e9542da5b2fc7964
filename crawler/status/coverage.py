"""How much of an archive is here: by year and section, and against the counts that a site prints.

Reads only; a running daemon is not disturbed.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from crawler.frontier import pages
from crawler.scope import CrawlScope
from exchange.records import MARKS, WITHHELD, Story
from exchange.store.spool import FILE, Spool
from exchange.text.scripts import count_words

UNDATED = "undated"
SHORT = 0.9  # a story with fewer of the words that the site counts is worth a look
_NO_PRINTED_COUNTS = b'"words_expected":null'


@dataclass(slots=True)
class YearCoverage:
    """One year of the archive."""

    issues: int = 0  # dates of which there is a story
    issues_due: int = 0  # dates that the profile's templates ask for
    pages: Counter[str] = field(default_factory=Counter)  # by state
    stories: int = 0
    held: int = 0  # of these, held back by a gate: teasers, second editions, broken text
    words: int = 0  # of the stories of which the site prints a count
    words_expected: int = 0
    short: int = 0

    @property
    def complete(self) -> float | None:
        """Share of the words that the site counts; None where it counts none."""
        return self.words / self.words_expected if self.words_expected else None


@dataclass(slots=True)
class ArchiveCoverage:
    """The whole archive."""

    years: dict[str, YearCoverage]
    sections: dict[str, int]  # stories, most first
    marks: dict[str, int]  # what the quality gates say, most first
    total: YearCoverage


def measure_coverage(directory: Path, site: CrawlScope, today: dt.date) -> ArchiveCoverage:
    """Count everything once.

    Raises:
        UserError: nothing was crawled yet.
    """
    years: defaultdict[str, YearCoverage] = defaultdict(YearCoverage)
    connection = pages.connect_readonly(directory)
    try:
        _pages(connection, years)
    finally:
        connection.close()
    for link in site.dated(today):
        years[link.issue[:4]].issues_due += 1
    sections: Counter[str] = Counter()
    marked: Counter[str] = Counter()
    if (directory / FILE).exists():
        spool = Spool.read(directory)
        try:
            _stories(spool, years, sections)
            marked.update(
                {
                    name.removeprefix("marks."): count
                    for name, count in spool.counters().items()
                    if name.startswith("marks.")
                }
            )
        finally:
            spool.close()
    ordered = dict(sorted(years.items()))
    return ArchiveCoverage(
        ordered, dict(sections.most_common()), dict(marked.most_common()), _total(ordered)
    )


def _pages(connection: sqlite3.Connection, years: defaultdict[str, YearCoverage]) -> None:
    rows = connection.execute(
        "SELECT substr(issue, 1, 4), state, COUNT(*) FROM pages WHERE kind<>'' AND kind NOT LIKE "
        "'@%' GROUP BY 1, 2"
    )
    for year, state, count in rows:
        years[year or UNDATED].pages[state] += count


def _stories(spool: Spool, years: defaultdict[str, YearCoverage], sections: Counter[str]) -> None:
    """Stories that their page yields no more have neither a live chunk nor a mark that holds
    them back, and do not count."""
    seen: set[str] = set()
    held = ",".join(f"'{code}'" for code in sorted(WITHHELD))
    rows = spool.db.execute(
        "SELECT published, section, record, "
        "EXISTS (SELECT 1 FROM chunks c WHERE c.story_id=s.id AND c.state='live') AS live, "
        f"EXISTS (SELECT 1 FROM marks m WHERE m.story_id=s.id AND m.code IN ({held})) AS held "
        "FROM stories s"
    )
    for row in rows:
        if not (row["live"] or row["held"]):
            continue
        year = years[row["published"][:4] or UNDATED]
        year.stories += 1
        year.held += row["held"]
        sections[row["section"] or "none"] += 1
        if row["published"] and row["published"] not in seen:
            seen.add(row["published"])
            year.issues += 1
        if _NO_PRINTED_COUNTS not in row["record"]:
            _measure(Story.from_json(row["record"]), year)


def _measure(story: Story, year: YearCoverage) -> None:
    words = count_words(story.text)
    expected = story.words_expected or 0
    year.words += min(words, expected)  # what is too much makes up for nothing
    year.words_expected += expected
    year.short += words < SHORT * expected


def _total(years: dict[str, YearCoverage]) -> YearCoverage:
    total = YearCoverage()
    for year in years.values():
        total.pages.update(year.pages)
        for name in ("issues", "issues_due", "stories", "held", "words", "words_expected", "short"):
            setattr(total, name, getattr(total, name) + getattr(year, name))
    return total


def print_coverage(found: ArchiveCoverage, *, as_json: bool, sections: int = 20) -> None:
    """Print two tables, or one JSON object."""
    if as_json:
        print(orjson.dumps(found).decode())  # noqa: T201
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    table = Table(box=None, pad_edge=False)
    for name in (
        "year",
        "issues",
        "pages",
        "failed",
        "waiting",
        "stories",
        "held",
        "words",
        "short",
    ):
        table.add_column(name, justify="left" if name == "year" else "right")
    for name, year in (*found.years.items(), ("all", found.total)):
        due = f" of {year.issues_due:,}" if year.issues_due else ""
        whole = "" if year.complete is None else f"{year.complete:.1%}"
        states = year.pages
        table.add_row(
            name,
            f"{year.issues:,}{due}",
            f"{states['done']:,}",
            _or_blank(states["failed"]),
            _or_blank(states["waiting"] + states["leased"]),
            f"{year.stories:,}",
            _or_blank(year.held),
            whole,
            _or_blank(year.short),
        )
    console.print(table)
    if found.total.words_expected:
        console.print(
            f"words: share of those that the site itself counts; short: stories with "
            f"under {SHORT:.0%} of them"
        )
    for code, count in found.marks.items():
        console.print(f"{count:8,}  {code:18} {MARKS.get(code, '')}", markup=False)
    known = list(found.sections.items())
    told = [f"{name} {count:,}" for name, count in known[:sections]]
    if len(known) > sections:
        told.append(f"and {len(known) - sections} more")
    console.print(f"sections: {', '.join(told) or 'none'}", markup=False)


def _or_blank(count: int) -> str:
    return f"{count:,}" if count else ""
