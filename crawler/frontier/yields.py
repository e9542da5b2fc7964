"""What pages bring: addresses that bring nothing new are asked for seldom, and walls are told.

Sites make up addresses without end: calendars, filters, sessions under names of their own. And some
answer everybody whom they do not want with one short page and status 200. Both show only in what
pages yield, so the extracting thread notes it here, and the fetching one asks.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence

from crawler.frontier import pages
from crawler.frontier.clock import steady_time
from crawler.records import FetchOutcome, Link, PageClaim
from exchange.display import format_duration

log = logging.getLogger(__name__)

FRUITLESS = (
    50  # pages of one family in a row without a new story or a way on: say so, and slow down
)
SLOW_S = 10.0  # between two pages of such a family
SAME_PAGES = 5  # addresses in a row that show one short page: a wall, and no stories
WALL_LINKS = 2  # within the newspaper: home, and to whom one may write
WALL_PAUSES = 3  # a page that outlasts so many pauses is what the site says there
REMEMBERED = 20_000  # texts of this run, for those too short to have near-duplicates
WALL_TEXT, SHORT_TEXT = 5, 800  # characters that a wall shows
_IDS = re.compile(
    r"\b(?=\w*\d)(?=\w*[a-f])[\da-f]{8,}\b|\b[\d.:-]{9,}\b|\b\d\d:\d\d(?::\d\d)?\b", re.I
)
_NUMBER = re.compile(r"\d+")


def family(key: str) -> str:
    """Pages that are made alike: a kind, and where the address is the key, the address's shape.

    >>> family("page:/calendar.php?month=5&year=2031")
    'page:/calendar.php?month&year'
    """
    kind, _, address = key.partition(":")
    if not address.startswith("/"):
        return kind
    path, _, query = address.partition("?")
    names = "&".join(sorted(each.partition("=")[0] for each in query.split("&") if each))
    *folders, last = (_NUMBER.sub("#", segment) for segment in path.split("/"))
    shape = "/".join(["#" if "#" in folder else folder for folder in folders])
    return f"{kind}:{shape}/{last if names or '.' in last else '*'}" + (names and f"?{names}")


class PageYields:
    """Belongs to one run; two threads share it, each call is one step for both."""

    def __init__(self) -> None:
        self.wall_at = 0.0  # when a wall was last met, seconds since the epoch
        # Of this run's pages whose text is still to come: the families that they led to, and
        # whether they have hardly any links.
        self._fetched: dict[int, tuple[frozenset[str], bool]] = {}
        self._fruitless: Counter[str] = Counter()
        self._slow: dict[str, float] = {}  # family: when its next page may be asked for
        self._same: tuple[str, list[int]] = ("", [])
        self._texts: set[int] = set()
        self._pauses: Counter[str] = Counter()
        self._story_came = False  # since the last wall

    def note_fetched(self, outcome: FetchOutcome, new: Sequence[Link]) -> None:
        """A page came, and led to pages that were not known."""
        families = frozenset(family(link.key) for link in new)
        self._fetched[outcome.page] = families, len(outcome.links) <= WALL_LINKS

    def note_text(self, page: int, key: str, texts: Sequence[str]) -> bool:
        """What a page came to; returns whether the page may be a wall.

        Args:
            texts: of its stories that no earlier story is a near-duplicate of.
        """
        new_story = not self._texts.issuperset(map(hash, texts))
        if len(self._texts) < REMEMBERED:
            self._texts.update(map(hash, texts))
        if page not in self._fetched:
            return False  # of an earlier run: nobody knows what it led to
        leads_on, few_links = self._fetched.pop(page)
        name = family(key)
        if new_story or leads_on - {name}:
            self._fruitless[name] = 0
            self._slow.pop(name, None)
            return few_links
        self._fruitless[name] += 1
        if self._fruitless[name] == FRUITLESS:
            self._slow[name] = steady_time()
            log.warning(
                "%d pages in a row such as %s brought no new story and led nowhere new: from now "
                "on one is asked for every %s. If none ever does, leave them out "
                "([leave_out] urls), or give their kind a key or a budget",
                *(FRUITLESS, key[key.find(":/") + 1 :], format_duration(SLOW_S)),
            )
        return few_links

    def defer(self, connection: sqlite3.Connection, claims: list[PageClaim]) -> list[PageClaim]:
        """The claims that may be asked for now; those of slow families get a time of their own.

        Call inside the transaction that leased them.
        """
        if not self._slow:
            return claims
        now, kept = steady_time(), []
        for claim in claims:
            at = self._slow.get(family(claim.key), 0.0) if not claim.tries else 0.0
            if at <= now:
                kept.append(claim)
            else:
                connection.execute(
                    "UPDATE pages SET state='waiting', next_at=? WHERE id=?", (at, claim.id)
                )
            if at:
                self._slow[family(claim.key)] = max(at, now) + SLOW_S
                pages.count(connection, "slowed", int(at > now))
        return kept

    def wall(self, page: int, text: str) -> dict[int, bool]:
        """The pages that turn out to be a wall, and whether they are to be given up.

        Args:
            text: what a page without a story shows.
        """
        shown = " ".join(_IDS.sub("", text).split())
        if not WALL_TEXT <= len(shown) <= SHORT_TEXT or page in self._same[1]:
            return {}
        if shown != self._same[0]:
            self._same = (shown, [])
        self._same[1].append(page)
        outlasted = self._pauses[shown] >= WALL_PAUSES
        if outlasted and self._story_came:
            return {}  # what the site says where it has nothing
        if len(self._same[1]) < SAME_PAGES and not outlasted:
            return {}
        found, self._same = self._same[1], (shown, [])
        if not outlasted:
            self._story_came = False
            self._pauses[shown] += 1
            self.wall_at = steady_time()
            log.warning(
                "%d addresses in a row show one short page and no story: a wall, most likely; they "
                "are asked for again later",
                len(found),
            )
        return dict.fromkeys(found, outlasted)

    def no_wall(self) -> None:
        """A story came: whoever shows one does not keep us out."""
        self._same = ("", [])
        self._story_came = True


def reopen(connection: sqlite3.Connection, walls: Mapping[int, bool], tries: int) -> None:
    """Have pages asked for again that were a wall, or give them up; call inside a transaction."""
    for page, given_up in walls.items():
        row = connection.execute(
            "UPDATE pages SET state=CASE WHEN tries<? THEN 'waiting' ELSE 'failed' END, "
            "reason='blocked', next_at=0, text='', body_hash='', etag='', last_modified='' "
            "WHERE id=? AND state='done' RETURNING state",
            (0 if given_up else tries, page),
        ).fetchone()
        if row is not None:
            connection.execute("DELETE FROM bodies WHERE page=?", (page,))
            told = "retry" if row["state"] == "waiting" else "reason"
            pages.count(connection, f"{told}.blocked")
