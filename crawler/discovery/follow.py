"""`crawl --follow`: check for new issues on a schedule that outlives the process.

A check makes due what may lead to something new: start pages, feeds, sitemaps, the days since the
last check, issues that were not out yet, and the current issue, whose pages a newspaper still
corrects. All of them are asked conditionally. Everything older is never asked for again.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable

from crawler import records
from crawler.frontier import pages
from crawler.frontier.frontier import Frontier
from crawler.scope import CrawlScope
from exchange.store import db

log = logging.getLogger(__name__)

LATE_DAYS = 7  # an issue that is not out a week after its date will never be
STORIES_AGAIN_S = 6 * 3600.0  # the current issue's stories; corrections are not worth more
_LAST_CHECK = "follow.looked"


class FollowSchedule:
    """When to check, and what to ask for then.

    Args:
        every: seconds between two checks.
        allowed: called before each check; raises when the crawl may not go on.
    """

    def __init__(
        self,
        frontier: Frontier,
        site: CrawlScope,
        every: float,
        *,
        allowed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._frontier = frontier
        self._site = site
        self._every = every
        self._allowed = allowed
        self._clock = clock
        self._last_check = float(pages.note(frontier.db, _LAST_CHECK) or 0)

    @property
    def next_at(self) -> float:
        """When the next check is due, in seconds since the epoch.

        A last check that is still to come comes of a wrong clock, and is not believed.
        """
        now = self._clock()
        return now if self._last_check > now else self._last_check + self._every

    def check_if_due(self) -> None:
        """Check, if it is time; the pages that are due are then in the frontier."""
        if self._clock() >= self.next_at:
            self.check()

    def check(self) -> int:
        """Make due whatever may be new; returns how many pages that are."""
        self._allowed()
        now = self._clock()
        today = dt.date.fromtimestamp(now)
        found = self._frontier.seed(self._site.seeds(today))
        with db.transaction(self._frontier.db):
            found += self._mark_due(today, now)
            self._last_check = now
            pages.set_note(self._frontier.db, _LAST_CHECK, str(now))
        log.info("looking for new issues: %d pages to ask for", found)
        return found

    def _mark_due(self, today: dt.date, now: float) -> int:
        again = self._frontier.ask_again
        profile = self._site.profile
        start = {link.key for link in self._site.starts()}
        changing = [name for name, kind in profile.kinds.items() if kind.again]
        indexes = [name for name in profile.kinds if self._site.has_links(name)]
        newest = self._newest(today)
        late = (today - dt.timedelta(days=LATE_DAYS)).isoformat()
        return sum(
            (
                again(f"key IN ({_placeholders(start)})", [*start]),
                again(f"kind IN ({_placeholders(records.LISTS)})", records.LISTS),
                again(f"kind IN ({_placeholders(changing)})", changing),
                again(
                    f"kind IN ({_placeholders(indexes)}) AND issue<>'' "
                    "AND (issue=? OR (state='failed' AND issue>=?))",
                    [*indexes, newest, late],
                ),
                again(
                    "issue=? AND issue<>'' AND (etag<>'' OR last_modified<>'') AND "
                    + pages.ASKED_BEFORE,
                    [newest, now - STORIES_AGAIN_S, now],
                ),
            )
        )

    def _newest(self, today: dt.date) -> str:
        """The date of the current issue: the latest one of which we hold something."""
        row = self._frontier.db.execute(
            "SELECT MAX(issue) FROM pages WHERE state='done' AND issue<=?", (today.isoformat(),)
        ).fetchone()
        return row[0] or ""


def _placeholders(values: Iterable[object]) -> str:
    return ",".join("?" for _ in values)
