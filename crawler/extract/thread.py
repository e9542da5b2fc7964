"""The extracting half of the daemon: pages from the raw store into the spool, in its own thread.

First the spool commits a batch of stories, then the pages are marked. A crash between the two
extracts the batch again, which changes nothing: the step is idempotent by page and version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from crawler.duplicates.near import NearDuplicates
from crawler.extract.pool import ExtractionPool
from crawler.frontier import pages
from crawler.frontier.raw_store import RawStore
from crawler.frontier.yields import SHORT_TEXT, PageYields, reopen
from crawler.profile import Profile
from crawler.records import ExtractionResult
from crawler.settings import CrawlSettings
from crawler.visible_text import visible_text
from exchange.records import PackedChunk, Story
from exchange.signals import BackgroundThread
from exchange.store import db, history
from exchange.store.spool import Spool

BATCH = 128  # pages in one commit, which the disk takes as long for as for one
IDLE_S = 0.1
WALL_BYTES = 64 * 1024  # of a page without a story: walls are short


class ExtractionThread(BackgroundThread):
    """Extracts whatever is stored and due.

    Runs until `stop`. An error that ends it (a full disk) is found in `error`.

    Args:
        version: of the extraction, which its texts are marked with.
        yields: where it is noted what pages bring; None while nothing is fetched.
    """

    def __init__(
        self,
        directory: Path,
        archive: str,
        profile: Profile,
        settings: CrawlSettings,
        version: str,
        yields: PageYields | None = None,
    ) -> None:
        super().__init__("extract")
        self.directory = directory
        self.archive = archive
        self.profile = profile
        self._settings = settings
        self._version = version
        self._yields = yields

    def work(self) -> None:
        """See `Background.work`."""
        pool = ExtractionPool(
            self.directory,
            self.archive,
            self.profile,
            processes=self._settings.extract_processes,
            limit_s=self._settings.extract_s,
        )
        spool = Spool.open(self.directory)
        near = NearDuplicates(spool)
        near.reset_if_new_version(self._version)
        connection = pages.connect(self.directory)
        try:
            while not self.stopping.is_set():
                waiting = pages_to_extract(connection, BATCH)
                if waiting:
                    self._batch(pool, near, connection, waiting)
                else:
                    self.stopping.wait(IDLE_S)
        finally:
            connection.close()
            spool.close()
            pool.close()

    def _batch(
        self,
        pool: ExtractionPool,
        near: NearDuplicates,
        connection: sqlite3.Connection,
        waiting: list[tuple[int, str]],
    ) -> None:
        keys = dict(waiting)
        bodies = RawStore(connection)
        done: list[tuple[int, ExtractionResult]] = []
        for page, found in pool.run(keys):
            done.append((page, found))
            if self.stopping.is_set():
                break
        version = self._version
        walls: dict[int, bool] = {}
        with near.spool.transaction():
            for page, found in done:
                stories = found.stories
                if self._settings.near_duplicates:
                    stories = tuple(
                        (near.assign_cluster(story), chunks) for story, chunks in stories
                    )
                near.spool.put_page(keys[page], version, stories)
                if self._yields is not None:
                    walls |= self._note(page, keys[page], stories, bodies)
            for key in _keys(connection, [*walls]):
                near.spool.put_page(key, version, ())
            history.record_counters(near.spool.db)
        with db.transaction(connection):
            connection.executemany(
                "UPDATE pages SET text=?, extraction=? WHERE id=?",
                [(found.outcome, version, page) for page, found in done],
            )
            reopen(connection, walls, self._settings.tries)

    def _note(
        self,
        page: int,
        key: str,
        stories: Sequence[tuple[Story, list[PackedChunk]]],
        bodies: RawStore,
    ) -> dict[int, bool]:
        """Note what a page came to; returns the pages that turn out to be a wall, and whether
        they are to be given up."""
        assert self._yields is not None
        new = [story.text for story, _ in stories if story.cluster in ("", story.id)]
        may_be_wall = self._yields.note_text(page, key, new)
        if any(len(story.text) > SHORT_TEXT or not story.low_confidence for story, _ in stories):
            self._yields.no_wall()
            return {}
        if not may_be_wall:
            return {}
        return self._yields.wall(page, visible_text((bodies.get(page) or b"")[:WALL_BYTES]))


def _keys(connection: sqlite3.Connection, page_ids: Sequence[int]) -> list[str]:
    marks = ",".join("?" * len(page_ids))
    rows = connection.execute(f"SELECT key FROM pages WHERE id IN ({marks})", tuple(page_ids))
    return [row["key"] for row in rows]


def pages_to_extract(connection: sqlite3.Connection, limit: int) -> list[tuple[int, str]]:
    """Ids and keys of pages whose text is due."""
    rows = connection.execute(
        "SELECT id, key FROM pages WHERE text='waiting' ORDER BY id LIMIT ?", (limit,)
    )
    return [(row["id"], row["key"]) for row in rows]
