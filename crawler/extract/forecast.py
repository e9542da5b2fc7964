"""What extracting anew would change, before anything does: chunks kept, new and stale, and hours.

Up to `SAMPLE_PAGES` pages, evenly spread, are extracted as the daemon would and compared with the
spool. Nothing is written.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from crawler.extract.pool import ExtractionPool
from crawler.frontier import pages
from crawler.profile import Profile
from crawler.settings import CrawlSettings
from exchange import records
from exchange.errors import NotFound, UsageError
from exchange.records import Completion
from exchange.store.db import unpack
from exchange.store.spool import Spool

SAMPLE_PAGES = 2000
RECENT = 500  # completions whose pace is taken; older ones may be of another model
IDLE_S = 600.0  # a longer gap between two completions was a pause
ProgressCallback = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ReExtractionForecast:
    """Numbers of chunks, of all outdated pages or scaled up from those that were looked at."""

    pages: int
    looked_at: int
    kept: int
    new: int
    stale: int
    reclaimed: int  # stale ones whose text is back, with their pairs
    hours: float | None  # to generate the new ones; None while nothing was generated

    def line(self) -> str:
        """One sentence for people."""
        about = "" if self.looked_at == self.pages else f" (estimated from {self.looked_at:,})"
        back = f", {self.reclaimed:,} reclaimed" if self.reclaimed else ""
        counts = (
            f"{self.pages:,} pages{about}: {self.kept:,} chunks kept{back}, {self.new:,} new, "
            f"{self.stale:,} stale"
        )
        if not self.new:
            return f"{counts}; nothing to generate"
        if self.hours is None:
            return f"{counts}; how long generating takes is not known yet"
        return f"{counts}; about {self.hours:.1f} hours of generation"


def forecast_re_extraction(
    directory: Path,
    archive: str,
    profile: Profile,
    settings: CrawlSettings,
    on_progress: ProgressCallback | None = None,
) -> ReExtractionForecast | None:
    """Compare; None when no page was extracted by another version."""
    try:
        spool = Spool.read(directory)
    except NotFound:  # or it was lost: nothing can be thrown away
        return None
    raw = pages.connect_readonly(directory)
    pool = ExtractionPool(
        directory,
        archive,
        profile,
        processes=settings.extract_processes,
        limit_s=settings.extract_s,
    )
    try:
        keys, total = _outdated(raw, profile.extraction)
        if not total:
            return None
        kept = new = stale = reclaimed = 0
        for done, (page, found) in enumerate(pool.run(keys)):
            if on_progress is not None:
                on_progress(done, len(keys))
            wanted = {
                chunk.id
                for story, chunks in found.stories
                if not records.is_withheld(story.marks)
                for chunk in chunks
            }
            live, known = _chunks(spool, keys[page], wanted)
            kept += len(wanted & live)
            stale += len(live - wanted)
            reclaimed += len((wanted & known) - live)
            new += len(wanted - known - live)
        scale = total / len(keys)
        kept, new, stale, reclaimed = (round(n * scale) for n in (kept, new, stale, reclaimed))
        pace = tasks_per_hour(spool)
        return ReExtractionForecast(
            total, len(keys), kept, new, stale, reclaimed, new / pace if pace else None
        )
    finally:
        pool.close()
        spool.close()
        raw.close()


def _outdated(raw: sqlite3.Connection, version: str) -> tuple[dict[int, str], int]:
    """Pages to look at (id to key), and how many there are in all."""
    where = "FROM pages WHERE text NOT IN ('', 'waiting') AND extraction<>?"
    total = int(raw.execute(f"SELECT COUNT(*) {where}", (version,)).fetchone()[0])
    step = max(1, -(-total // SAMPLE_PAGES))
    rows = raw.execute(
        f"SELECT id, key FROM (SELECT id, key, row_number() OVER (ORDER BY id) AS n {where}) "
        "WHERE n % ? = 0",
        (version, step),
    )
    return {row["id"]: row["key"] for row in rows}, total


def _chunks(spool: Spool, page: str, wanted: set[str]) -> tuple[set[str], set[str]]:
    """The page's live chunks, and which of the wanted ones the spool knows in any state."""
    rows = spool.db.execute(
        "SELECT c.id, c.state FROM chunks c JOIN stories s ON s.id=c.story_id WHERE s.page=?",
        (page,),
    ).fetchall()
    live = {row["id"] for row in rows if row["state"] == "live"}
    return live, {row["id"] for row in rows} & wanted


def tasks_per_hour(spool: Spool) -> float | None:
    """The pace of the last completions, pauses left out; None while there are too few."""
    rows = spool.db.execute(
        "SELECT c.record FROM tasks t JOIN completions c ON c.task_id=t.id WHERE t.state='done' "
        "ORDER BY t.serial DESC LIMIT ?",
        (RECENT,),
    )
    moments = []
    for row in rows:
        said = Completion.from_json(unpack(row["record"])).generated_at
        with contextlib.suppress(ValueError):  # taken in before results were checked for it
            at = dt.datetime.fromisoformat(said)
            moments.append(at if at.tzinfo else at.replace(tzinfo=dt.UTC))
    return pace(sorted(moments))


def pace(moments: Sequence[dt.datetime]) -> float | None:
    """How many an hour, by the gaps between them that are no pauses."""
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    busy = [gap for gap in gaps if gap < IDLE_S]
    return 3600 * len(busy) / sum(busy) if len(busy) >= 20 and sum(busy) > 0 else None


def confirm_re_extraction(found: ReExtractionForecast | None, *, accept: bool) -> bool:
    """Does the operator agree, or is there nothing to extract anew?

    Raises:
        UsageError: nobody is there to ask, and `--yes` was not given.
    """
    import typer

    if found is None:
        typer.echo("no page was extracted by another profile: nothing to do anew", err=True)
        return True
    typer.echo(f"extracting anew: {found.line()}")
    if accept:
        return True
    if not sys.stdin.isatty():
        raise UsageError("extracting anew needs a yes: run it in a terminal, or give --yes")
    return typer.confirm("Extract anew?")
