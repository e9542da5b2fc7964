"""Which page an address is, when several addresses are one page: of such, one is stored.

Keys that earlier versions made stay what they are, as stories are known by them; what a key would
be now is beside them. Other pages say themselves which address they really have. What a page says
of itself is believed when it is true: a site that calls its front page the address of every story
would lose them all. So a page is left out when the text of the other is at hand and the same; while
the other is still to be asked for, its body is held and its outcome open.
"""

from __future__ import annotations

import sqlite3

from msgspec.structs import replace

from crawler.frontier import pages
from crawler.frontier.raw_store import RawStore
from crawler.records import FetchOutcome, Link
from crawler.visible_text import same_text

REASON = "canonical"
LOOP = "redirect-loop"  # of a page that is asked for again: follow its way to the end
LOOP_TRIES = 2  # a page that moved is asked for once more when what it moved to leads back


class KeyAliases:
    """Looks up pages whose key is not the one that their address has now."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._aliased = connection.execute("SELECT 1 FROM aliases LIMIT 1").fetchone() is not None
        self._altered = int(pages.note(connection, pages.ALTERED) or 0)

    def known_as(self, link: Link) -> Link:
        """The link by the key under which an archive begun earlier has its page."""
        row = None
        if self._aliased:
            row = self._db.execute(
                "SELECT p.key FROM aliases a JOIN pages p ON p.id=a.page WHERE a.key=?", (link.key,)
            ).fetchone()
        if row is None and link.former and self._altered:
            row = self._db.execute(
                "SELECT key FROM pages WHERE key=? AND id<=? AND text='done'",
                (link.former, self._altered),
            ).fetchone()
        return link if row is None else replace(link, key=row["key"])

    def reopen_loops(self, moved: FetchOutcome) -> None:
        """What a page moved to may have moved, too: then neither has the story, unless the way is
        followed to its end. The fetcher does that for a page whose reason is this one."""
        for link in moved.links:
            again = self._db.execute(
                "UPDATE pages SET state='waiting', reason=?, next_at=0 "
                "WHERE key=? AND state='left_out' AND reason='moved' AND tries<?",
                (LOOP, link.key, LOOP_TRIES),
            ).rowcount
            pages.count(self._db, "reason.moved", -again)


class CanonicalPages:
    """The `canonicals` table; every call is part of the frontier's transaction."""

    def __init__(self, connection: sqlite3.Connection, bodies: RawStore) -> None:
        self._db = connection
        self._bodies = bodies
        self._held = connection.execute("SELECT COUNT(*) FROM canonicals").fetchone()[0]

    def judged(self, outcome: FetchOutcome) -> FetchOutcome:
        """The outcome of a page that names another address, which the frontier knows by now."""
        if outcome.canonical is None or outcome.body is None or not outcome.has_story:
            return outcome
        row = self._db.execute(
            "SELECT id, state FROM pages WHERE key=?", (outcome.canonical.key,)
        ).fetchone()
        if row is None or row["id"] == outcome.page:
            return outcome
        if row["state"] == "done" and self._same(outcome.body, row["id"]):
            return replace(outcome, state="left_out", reason=REASON, body=None, has_story=False)
        if row["state"] in ("waiting", "leased"):
            self._held += 1
            self._db.execute(
                "INSERT OR REPLACE INTO canonicals(page, key) VALUES (?,?)",
                (outcome.page, outcome.canonical.key),
            )
            return replace(outcome, state="left_out", reason=REASON, has_story=False)
        return outcome

    def settle(self, page: int) -> None:
        """A page has its outcome: so have those that are held for it."""
        if not self._held:
            return
        rows = self._db.execute(
            "SELECT c.page, p.state FROM pages p JOIN canonicals c ON c.key=p.key WHERE p.id=?",
            (page,),
        ).fetchall()
        for row in rows:
            if row["state"] in ("waiting", "leased"):
                continue
            body = self._bodies.get(row["page"])
            if row["state"] == "done" and body is not None and self._same(body, page):
                self._db.execute("DELETE FROM bodies WHERE page=?", (row["page"],))
            else:  # the other is not to be had, or is another page: this one is a story
                self._db.execute(
                    "UPDATE pages SET state='done', reason='', text='waiting' WHERE id=?",
                    (row["page"],),
                )
                pages.count(self._db, f"reason.{REASON}", -1)
            self._db.execute("DELETE FROM canonicals WHERE page=?", (row["page"],))
            self._held -= 1

    def _same(self, body: bytes, page: int) -> bool:
        other = self._bodies.get(page)
        return other is not None and same_text(body, other)
