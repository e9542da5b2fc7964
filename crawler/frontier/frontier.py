"""The frontier: which pages are known, which are ours to fetch now, how each request ended.

One transaction writes a batch of outcomes with the links they discovered and the raw bodies, so
a crash never keeps a page without its links; it re-asks at most the batch in hand. Retries live
in `next_at`, never in a sleeping coroutine. One writer, the daemon's event loop.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from crawler.frontier import pages, story_parts, year_rotation
from crawler.frontier.clock import steady_time
from crawler.frontier.identity import CanonicalPages, KeyAliases
from crawler.frontier.raw_store import RawStore, fingerprint
from crawler.frontier.yields import PageYields
from crawler.records import CAPTURES, FetchOutcome, Link, PageClaim
from exchange.store import db, history

_DUE = "SELECT {} FROM pages WHERE state='waiting' AND next_at=0"
_CLAIMED = "id, key, url, kind, issue, tries, etag, last_modified, reason"


class Frontier:
    """All known pages of one archive; every call is one short transaction at most.

    A waiting page is due when its `next_at` is 0; those that wait for a time stand apart, so that
    a claim looks at none of them, however many they are.

    Args:
        by_year: among pages of one priority, take turns over the years of their issues.
        budgets: the most pages of a kind; links beyond it are counted and forgotten.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        directory: Path | None = None,
        *,
        by_year: bool = False,
        budgets: Mapping[str, int] | None = None,
    ) -> None:
        self.db, self.directory = connection, directory
        self._left = {
            kind: budget - pages.count_of_kind(self.db, kind)
            for kind, budget in (budgets or {}).items()
        }
        self._bodies = RawStore(connection)
        self._only = ""  # a condition on what may be claimed
        self._canonicals = CanonicalPages(connection, self._bodies)
        self._aliases = KeyAliases(connection)
        self.yields = PageYields()
        self._years = year_rotation.YearRotation(connection) if by_year else None

    @classmethod
    def open(
        cls, directory: Path, *, by_year: bool = False, budgets: Mapping[str, int] | None = None
    ) -> Frontier:
        """Open for writing; leases of a daemon that died are taken back."""
        self = cls(pages.connect(directory), directory, by_year=by_year, budgets=budgets)
        self.release()
        pages.forget_wrong_times(self.db, steady_time())
        return self

    def close(self) -> None:
        self.db.close()

    def restrict(self, *, captures: bool) -> None:
        """Claim only pages that a web archive is asked for, or only those that it is not."""
        self._only = pages.restriction(self.db, captures=captures)
        if captures:
            with db.transaction(self.db):
                self.ask_again(f"kind='{CAPTURES}' AND state='failed'")

    def seed(self, links: Iterable[Link]) -> int:
        """Make links known; returns how many were new."""
        with db.transaction(self.db):
            return sum(self._add(link) for link in links)

    def claim(self, limit: int, now: float | None = None) -> list[PageClaim]:
        """Lease up to `limit` pages that are due, indexes before stories."""
        asked_at = time.time() if now is None else now
        now = steady_time() if now is None else now
        with db.transaction(self.db):
            self.db.execute(
                "UPDATE pages SET next_at=0 WHERE state='waiting' AND next_at>0 AND next_at<=?",
                (now,),
            )
            turns = self._years if not self._only else None  # a list of captures mixes the years
            chosen = turns.choose(limit) if turns else self._first(limit)
            self.db.executemany(
                "UPDATE pages SET state='leased', leased_at=? WHERE id=?",
                [(asked_at, page) for page in chosen],
            )
            rows = self.db.execute(
                f"SELECT {_CLAIMED} FROM pages WHERE id IN ({','.join('?' * len(chosen))})", chosen
            ).fetchall()
            claims = {row["id"]: PageClaim(*row) for row in rows}
            return self.yields.defer(self.db, [claims[page] for page in chosen])

    def _first(self, limit: int) -> list[int]:
        found = self.db.execute(
            _DUE.format("id") + self._only + " ORDER BY priority, id LIMIT ?", (limit,)
        )
        return [row[0] for row in found]

    def release(self, claims: Iterable[PageClaim] | None = None) -> None:
        """Give claims back untouched; without an argument, all that are leased."""
        with db.transaction(self.db):
            if claims is None:
                self.db.execute("UPDATE pages SET state='waiting' WHERE state='leased'")
            else:
                self.db.executemany(
                    "UPDATE pages SET state='waiting' WHERE id=? AND state='leased'",
                    [(claim.id,) for claim in claims],
                )

    def store(self, outcomes: Sequence[FetchOutcome]) -> int:
        """Write a batch: outcomes, discovered links, raw bodies, counters. All or nothing.

        Returns:
            How many of the links were new.
        """
        found = 0
        self._bodies.prepare()
        counted: Counter[str] = Counter()
        with db.transaction(self.db):
            for outcome in outcomes:
                new = [link for link in outcome.links if self._add(link)]
                found += len(new)
                if outcome.has_story and outcome.body is not None:
                    self.yields.note_fetched(outcome, new)
                if outcome.canonical is not None:
                    found += self._add(outcome.canonical)
                    outcome = self._canonicals.judged(outcome)
                if outcome.reason == "moved":
                    self._aliases.reopen_loops(outcome)
                self._finish(outcome)
                for name, delta in _counts(outcome).items():
                    counted[name] += delta
                self._canonicals.settle(outcome.page)
                story_parts.settle(self.db, outcome, self._add, self.ask_again)
            for name, delta in counted.items():
                pages.count(self.db, name, delta)
            history.record_counters(self.db)
        return found

    def ask_again(self, which: str, values: Sequence[object] = ()) -> int:
        """Make pages that have their outcome due once more; call inside a transaction.

        Args:
            which: an SQL condition on `pages`, its values apart.
        """
        given_up = self.db.execute(
            f"SELECT reason, COUNT(*) FROM pages WHERE state='failed' AND ({which})"
            f"{self._only} GROUP BY reason",
            tuple(values),
        ).fetchall()
        for reason, count in given_up:
            pages.count(self.db, f"reason.{reason}", -count)
        return self.db.execute(
            "UPDATE pages SET state='waiting', reason='', tries=0, next_at=0 "
            f"WHERE state IN ('done', 'failed') AND ({which}){self._only}",
            tuple(values),
        ).rowcount

    def retry_failed(self) -> int:
        """Make every page that was given up due once more; returns how many there are.

        Imported files are left as they are: nobody serves them.
        """
        with db.transaction(self.db):
            return self.ask_again("state='failed' AND kind NOT LIKE '@%'")

    def next_due(self) -> float | None:
        """When the earliest waiting page may be asked for; None when none waits."""
        if self.db.execute(_DUE.format(1) + self._only + " LIMIT 1").fetchone():
            return 0.0
        row = self.db.execute(
            "SELECT MIN(next_at) FROM pages WHERE state='waiting' AND next_at>0" + self._only
        ).fetchone()
        return None if row[0] is None else float(row[0])

    def indexes_waiting(self) -> int:
        """How many pages wait of which each may lead to more."""
        row = self.db.execute(
            "SELECT COUNT(*) FROM pages WHERE state='waiting' AND next_at=0 AND priority<=0"
        ).fetchone()
        return int(row[0])

    def counters(self) -> dict[str, int]:
        return pages.counters(self.db)

    def _add(self, link: Link) -> bool:
        link = self._aliases.known_as(link)
        if link.known_only:
            if link.issue or link.words is not None:
                self._learn(link)
            return False
        if self._left.get(link.kind, 1) <= 0 and not self._knows(link):
            pages.count(self.db, f"over-budget.{link.kind}")
            return False
        added = self.db.execute(
            "INSERT INTO pages(key, url, kind, issue, words, priority, state, reason) "
            "VALUES (?,?,?,?,?,?,?,?) ON CONFLICT(key) DO NOTHING",
            (
                link.key,
                link.url,
                link.kind,
                link.issue,
                link.words,
                link.priority,
                "left_out" if link.left_out else "waiting",
                link.left_out,
            ),
        ).rowcount
        if added:
            if link.kind in self._left:
                self._left[link.kind] -= 1
            if link.left_out:
                pages.count(self.db, f"reason.{link.left_out}")
            return True
        if link.captured:
            return pages.stand_in(self.db, link)
        if link.changed:
            self.ask_again(
                f"key=? AND kind=? AND {pages.ASKED_BEFORE}",
                (link.key, link.kind, link.changed, time.time()),
            )
        if link.issue or link.words is not None:
            self._learn(link)
        return False

    def _knows(self, link: Link) -> bool:
        return (
            self.db.execute("SELECT 1 FROM pages WHERE key=?", (link.key,)).fetchone() is not None
        )

    def _learn(self, link: Link) -> None:
        """A known page's date or word count may become known later; its text is then due again."""
        self.db.execute(
            "UPDATE pages SET issue = CASE WHEN issue='' THEN ? ELSE issue END, "
            "words = COALESCE(words, ?), "
            "text = CASE WHEN text NOT IN ('', 'waiting') THEN 'waiting' ELSE text END "
            "WHERE key=? AND ((issue='' AND ?<>'') OR (words IS NULL AND ? IS NOT NULL))",
            (link.issue, link.words, link.key, link.issue, link.words),
        )

    def _finish(self, outcome: FetchOutcome) -> None:
        if _not_modified(outcome):
            self._unchanged(outcome)
            return
        body = outcome.body
        printed = "" if body is None else fingerprint(body)
        self.db.execute(
            "UPDATE pages SET state=?, reason=?, tries=tries+?, next_at=?, status=?, etag=?, "
            "last_modified=?, body_hash=?, charset=?, text=? WHERE id=?",
            (
                outcome.state,
                outcome.reason,
                int(outcome.counts_as_try),
                outcome.next_at,
                outcome.status,
                outcome.etag,
                outcome.last_modified,
                printed,
                outcome.charset,
                "waiting" if body is not None and outcome.has_story else "",
                outcome.page,
            ),
        )
        if body is not None:
            self._bodies.put(outcome.page, body)

    def _unchanged(self, outcome: FetchOutcome) -> None:
        """What we hold is still what the site shows: body, validators and text stay."""
        self.db.execute(
            "UPDATE pages SET state='done', reason='', tries=tries+1, status=304 WHERE id=?",
            (outcome.page,),
        )


def _not_modified(outcome: FetchOutcome) -> bool:
    return outcome.status == 304 and outcome.state == "done"


def _counts(outcome: FetchOutcome) -> dict[str, int]:
    """What an outcome adds to the counters, states apart: triggers count those."""
    family = "retry" if outcome.state == "waiting" else "reason"
    found = {
        "requests": outcome.requests,
        "bytes": outcome.received,
        "not-modified": int(_not_modified(outcome)),
        f"{family}.{outcome.reason}": int(bool(outcome.reason)),
    }
    return {name: delta for name, delta in found.items() if delta}
