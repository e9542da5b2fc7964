"""How long the rest of a crawl will take and what it will lay on the disk, before it begins.

What is stored already is measured; for a newspaper that was never asked, the profile's dates are
counted and the rest is assumed, and said to be.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from crawler.fetch.robots import RobotsRules
from crawler.frontier import pages
from crawler.profile import Profile
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from exchange.display import format_bytes

# Requests for one printed issue: a daily paper has 20 to 44 pages or stories of its own address.
PER_ISSUE = (20, 45)
PAGE_BYTES = 5_600  # a page as it is kept, compressed with a dictionary: measured on stored ones
MIN_MEASURED_PAGES = 200  # finished pages from which sizes and links are measured and not assumed


@dataclass(frozen=True, slots=True)
class CrawlEstimate:
    """What is left to fetch. Pairs are the least and the most."""

    done: int
    pages: tuple[int, int]
    delay: float  # seconds between two requests
    seconds: tuple[float, float]
    disk_bytes: int
    stories: tuple[int, int]  # that these pages may hold
    basis: str


def estimate_crawl(
    directory: Path, profile: Profile, settings: CrawlSettings, today: dt.date
) -> CrawlEstimate:
    """Look at what is stored, else at the profile. Nothing is asked of the newspaper."""
    if (directory / pages.FILE).exists():
        connection = pages.connect_readonly(directory)
        try:
            return _from_store(connection, directory, settings)
        finally:
            connection.close()
    site = CrawlScope(profile, settings.since, settings.until, settings.weekdays)
    issues = sum(1 for _ in site.dated(today))
    if not issues:
        return _crawl_estimate(
            0,
            (0, 0),
            settings.delay,
            PAGE_BYTES,
            (0, 0),
            "this profile names no dates: the pages are known once a crawl has begun",
        )
    found = (issues * (1 + PER_ISSUE[0]), issues * (1 + PER_ISSUE[1]))
    stories = (issues * PER_ISSUE[0], issues * PER_ISSUE[1])
    basis = (
        f"{issues:,} issues in the profile, {PER_ISSUE[0]} to {PER_ISSUE[1]} pages or stories each "
        f"(assumed), {format_bytes(PAGE_BYTES)} a page (assumed)"
    )
    return _crawl_estimate(0, found, settings.delay, PAGE_BYTES, stories, basis)


def _from_store(
    connection: sqlite3.Connection, directory: Path, settings: CrawlSettings
) -> CrawlEstimate:
    counted = pages.counters(connection)
    done = counted.get("pages.done", 0)
    waiting = counted.get("pages.waiting", 0) + counted.get("pages.leased", 0)
    indexes, indexes_waiting, kept = connection.execute(
        "SELECT COALESCE(SUM(priority<=0 AND state='done'), 0), "
        "COALESCE(SUM(priority<=0 AND state='waiting'), 0), COALESCE(SUM(priority>0), 0) FROM pages"
    ).fetchone()
    measured = done >= MIN_MEASURED_PAGES
    per_index = kept / indexes if indexes and measured else float(PER_ISSUE[1])
    unseen = round(per_index * indexes_waiting)
    size = (directory / pages.FILE).stat().st_size / done if measured else PAGE_BYTES
    delay = settings.delay
    for (robots,) in connection.execute("SELECT robots FROM hosts WHERE robots IS NOT NULL"):
        rules = RobotsRules(robots)
        delay = max(delay, max(settings.delay, rules.delay) / rules.open_share)
    stories_waiting = waiting - indexes_waiting
    basis = (
        f"{waiting:,} known pages wait"
        + (
            f", {indexes_waiting:,} of them lead to others ({per_index:.1f} each"
            f"{'' if measured else ', assumed'})"
            if indexes_waiting
            else ""
        )
        + f"; {format_bytes(size)} a page ({'measured' if measured else 'assumed'})"
    )
    return _crawl_estimate(
        done,
        (waiting, waiting + unseen),
        delay,
        size,
        (stories_waiting, stories_waiting + unseen),
        basis,
    )


def _crawl_estimate(
    done: int,
    left: tuple[int, int],
    delay: float,
    size: float,
    stories: tuple[int, int],
    basis: str,
) -> CrawlEstimate:
    least, most = left
    return CrawlEstimate(
        done,
        left,
        delay,
        (least * delay, most * delay),
        round(size * (done + most)),
        stories,
        basis,
    )
