"""Puts each story into the cluster of its near-duplicates, as it is stored.

The index lies in the spool and is written in its transactions. Memory is flat; a story of n words
costs n hashes, 2n/9 rows and as many look-ups of at most `COMMON` rows each, n look-ups among the
short texts, and reading those of the others whose fingerprints leave it open that one is a part of
the other: a dozen at most.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable
from heapq import nsmallest

import orjson

from crawler.duplicates import shingles
from exchange.records import Story
from exchange.store.spool import Spool

CONTAINED = 0.8  # of a text's shingles in another one: it is part of that
NUMBERS = 0.9  # of its numbers too, or it is this week's issue of what comes every week
TEASER = 0.5  # of the other's length at most; longer ones are editions
COMMON = 40  # stories with one fingerprint in common: a stock phrase, no copy
SITE_PARAGRAPH = 12  # stories with one paragraph in common: it is the site's
BOILERPLATE = 0.5  # of a story's words in such paragraphs
# Fingerprints in common of a text that is a part of another, at least, as a share of its shingles.
# A changed word leaves four shingles or more out, so CONTAINED leaves at most
# (1 - CONTAINED) / 4 runs of shared ones; and whatever the rest, of a run of L both samples hold
# (L - 7) / 8: the smallest of each window of eight that lies in it whole.
SAMPLED = (CONTAINED - (shingles.WINDOW - 1) * (1 - CONTAINED) / (shingles.LENGTH - 1)) / (
    shingles.WINDOW
)
MAX_COMPARED = 12
MAX_COMPARED_SHORT = 40  # a teaser has few fingerprints in common, and stock phrases among them

# Of near_stories, and added to those of an earlier version; 0 and '' where nothing is known.
COLUMNS = ("shingles INTEGER NOT NULL DEFAULT 0", "sample BLOB NOT NULL DEFAULT ''")
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS near_stories (
    serial INTEGER PRIMARY KEY, story_id TEXT NOT NULL UNIQUE, text INTEGER NOT NULL,
    {", ".join(COLUMNS)});
CREATE INDEX IF NOT EXISTS near_texts ON near_stories(text);
CREATE TABLE IF NOT EXISTS near_prints (
    print INTEGER NOT NULL, serial INTEGER NOT NULL, PRIMARY KEY (print, serial)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS near_short_prints (
    print INTEGER NOT NULL, serial INTEGER NOT NULL, PRIMARY KEY (print, serial)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS near_paragraphs (
    print INTEGER PRIMARY KEY, stories INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS stories_by_cluster ON stories(cluster);
"""
_HAS_SHORT = "SELECT 1 FROM sqlite_master WHERE name='near_short_prints'"
# An older process changes a text and knows no sample: the former one would hide its copies.
_FORGET_SAMPLE = """
CREATE TRIGGER IF NOT EXISTS near_sample_is_old AFTER UPDATE OF text ON near_stories
WHEN NEW.text<>OLD.text AND NEW.sample IS OLD.sample
BEGIN UPDATE near_stories SET shingles=0, sample='' WHERE serial=NEW.serial; END
"""
_STOCK = 0  # in place of the numbers of all stories that hold a stock phrase; theirs begin at 1
_PRINT = "Q"  # how an array holds a fingerprint
_VERSION = "near"  # the spool's note: the version of extraction that the index is of
OWN_MARKS = ("boilerplate", "duplicate", "edition", "teaser")  # the marks that are given here


class _Fingerprints:
    """The numbers of the stories that have a fingerprint: at most `COMMON`, or `_STOCK` alone."""

    def __init__(self, db: sqlite3.Connection, table: str) -> None:
        self._db, self._table = db, table

    def find(self, prints: Iterable[int]) -> tuple[list[list[int]], set[int]]:
        """For each fingerprint that any stories have, their numbers; and the stock phrases."""
        cursor = self._db.execute(
            f"SELECT print, serial FROM json_each(?) CROSS JOIN {self._table} ON print=value",
            (orjson.dumps(list(prints)),),
        )
        cursor.row_factory = None
        found: dict[int, list[int]] = defaultdict(list)
        for print_, serial in cursor.fetchall():
            found[print_].append(serial)
        stock = {print_ for print_, serials in found.items() if serials[0] == _STOCK}
        for print_ in [each for each, serials in found.items() if len(serials) > COMMON]:
            # Nobody is to be found by a stock phrase: one row is enough to know it by.
            self._db.execute(f"DELETE FROM {self._table} WHERE print=?", (print_,))
            self.add([print_], _STOCK)
            stock.add(print_)
        return [serials for print_, serials in found.items() if print_ not in stock], stock

    def add(self, prints: Iterable[int], serial: int) -> None:
        """Note a story's fingerprints."""
        self._db.executemany(
            f"INSERT OR IGNORE INTO {self._table} VALUES (?,?)",
            [(print_, serial) for print_ in prints],
        )

    def remove(self, prints: Iterable[int], serial: int) -> None:
        """Forget a story's fingerprints."""
        self._db.executemany(
            f"DELETE FROM {self._table} WHERE print=? AND serial=?",
            [(print_, serial) for print_ in prints],
        )


class NearDuplicates:
    """The index of one spool; call `assign_cluster` inside the spool's transaction."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._db: sqlite3.Connection = spool.db
        # Of two long texts the samples meet. A short one keeps all of its fingerprints, and a
        # longer one that holds it is asked for all of its own: so they stand in a small table.
        self._sampled = _Fingerprints(self._db, "near_prints")
        self._short = _Fingerprints(self._db, "near_short_prints")
        with spool.transaction():
            has_short = self._db.execute(_HAS_SHORT).fetchone()
            for statement in SCHEMA.split(";"):
                self._db.execute(statement)
            known = {row["name"] for row in self._db.execute("PRAGMA table_info(near_stories)")}
            for column in COLUMNS:
                if column.split()[0] not in known:
                    self._db.execute(f"ALTER TABLE near_stories ADD COLUMN {column}")
            self._db.execute(_FORGET_SAMPLE)
            if not has_short:
                self._move_short_texts()

    def _move_short_texts(self) -> None:
        """Those that an earlier version put among the samples."""
        rows = self._db.execute(
            "SELECT serial, shingles, sample FROM near_stories WHERE shingles BETWEEN 1 AND ?",
            (shingles.SHORT,),
        ).fetchall()
        for serial, count, sample in rows:
            prints = array(_PRINT, sample)
            if len(prints) == count:
                self._sampled.remove(prints, serial)
                self._short.add(prints, serial)

    def reset_if_new_version(self, version: str) -> None:
        """Forget all when stories are extracted by another version: all are clustered anew then.

        Clusters made of a bad extraction (everything similar) would stay for ever otherwise.
        """
        if self.spool.meta(_VERSION) == version:
            return
        with self.spool.transaction():
            for table in ("near_stories", "near_prints", "near_short_prints", "near_paragraphs"):
                self._db.execute(f"DELETE FROM {table}")
            self._db.execute("UPDATE stories SET cluster=id WHERE cluster<>id")
            self.spool.set_meta(_VERSION, version)

    def assign_cluster(self, story: Story) -> Story:
        """The story with its cluster and marks; earlier stories that it bridges or holds change.

        Assigning the same story with the same text again changes nothing.
        """
        paragraphs = shingles.paragraphs_of(story.text)
        whole = shingles.stable_hash("\n".join(paragraphs))
        known = self._db.execute(
            "SELECT serial, text FROM near_stories WHERE story_id=?", (story.id,)
        ).fetchone()
        if known is not None and known["text"] == whole:
            return self._restore(story)
        boilerplate = self._count_paragraphs(paragraphs)
        text = shingles.compared_text(paragraphs, boilerplate)
        sample = frozenset(shingles.winnow(text.in_order))
        about = (whole, len(text.prints), array(_PRINT, sample).tobytes())
        serial = self._index(story.id, about, None if known is None else known["serial"])
        marks = set(story.marks)
        if shingles.boilerplate_share(paragraphs, boilerplate) >= BOILERPLATE:
            marks.add("boilerplate")
        rare, stock = self._sampled.find(sample)
        rare_short, stock_short = self._short.find(text.prints)
        similar = self._identical(whole, serial)
        if similar:
            marks.add("duplicate")
        rare += rare_short
        for other in [] if similar else self._candidates(text, sample, boilerplate, rare, serial):
            mark, both = self._compare(text, other, boilerplate)
            if mark:
                similar.append(other)
                if both == "other":
                    self.spool.mark(other, mark)
                else:
                    marks.add(mark)
        if len(text.in_order) <= shingles.SHORT:
            self._short.add(sample - stock_short, serial)
        else:
            self._sampled.add(sample - stock, serial)
        return story.replace(
            cluster=self._merge_clusters(story.id, similar), marks=tuple(sorted(marks))
        )

    def _restore(self, story: Story) -> Story:
        row = self._db.execute("SELECT cluster FROM stories WHERE id=?", (story.id,)).fetchone()
        kept = self.spool.marks(story.id).intersection(OWN_MARKS)
        marks = tuple(sorted({*story.marks, *kept}))
        alone = row is None or row["cluster"] == story.id
        return story.replace(cluster="" if alone else row["cluster"], marks=marks)

    def _index(self, story_id: str, about: tuple[int, int, bytes], serial: int | None) -> int:
        """The story's number, which a changed text keeps."""
        if serial is not None:
            self._db.execute(
                "UPDATE near_stories SET text=?, shingles=?, sample=? WHERE serial=?",
                (*about, serial),
            )
            return serial
        cursor = self._db.execute(
            "INSERT INTO near_stories(story_id, text, shingles, sample) VALUES (?,?,?,?)",
            (story_id, *about),
        )
        return int(cursor.lastrowid or 0)

    def _count_paragraphs(self, paragraphs: list[str]) -> frozenset[str]:
        """Count each paragraph; returns those that are the site's and not the story's."""
        found = []
        for paragraph in set(paragraphs):
            row = self._db.execute(
                "INSERT INTO near_paragraphs VALUES (?,1) ON CONFLICT(print) DO UPDATE SET "
                "stories=stories+1 RETURNING stories",
                (shingles.stable_hash(paragraph),),
            ).fetchone()
            if row[0] > SITE_PARAGRAPH:
                found.append(paragraph)
        return frozenset(found)

    def _identical(self, whole: int, serial: int) -> list[str]:
        rows = self._db.execute(
            "SELECT story_id FROM near_stories WHERE text=? AND serial<>? ORDER BY serial LIMIT 1",
            (whole, serial),
        ).fetchall()
        return [row["story_id"] for row in rows]

    def _candidates(
        self,
        text: shingles.ComparedText,
        sample: frozenset[int],
        boilerplate: frozenset[str],
        rare: list[list[int]],
        serial: int,
    ) -> list[str]:
        """Of those with the most and rarest fingerprints in common, the stories of which this may
        be a part, or they of it.
        """
        hits: dict[int, float] = defaultdict(float)
        for found in rare:
            for number in found:
                hits[number] += 1 / len(found)  # a rare one says more
        hits.pop(serial, None)
        most = MAX_COMPARED_SHORT if len(text.prints) <= shingles.SHORT else MAX_COMPARED
        best = nsmallest(most, hits, key=lambda number: (-hits[number], number))
        marks = ",".join("?" * len(best))
        rows = self._db.execute(
            f"SELECT story_id, shingles, sample FROM near_stories WHERE serial IN ({marks}) "
            "ORDER BY serial",
            best,
        ).fetchall()
        # They may have been counted with paragraphs that were not yet known as the site's.
        aside = sum(len(shingles.folded_words([each])) + shingles.LENGTH for each in boilerplate)
        return [
            row["story_id"]
            for row in rows
            if len(sample.intersection(array(_PRINT, row["sample"] or b"")))
            >= SAMPLED * min(len(text.prints), row["shingles"] - aside) - 1
        ]

    def _compare(
        self, text: shingles.ComparedText, other: str, boilerplate: frozenset[str]
    ) -> tuple[str, str]:
        """The mark that one of the two deserves, and which: "this" or "other"; "" for none."""
        row = self._db.execute("SELECT record FROM stories WHERE id=?", (other,)).fetchone()
        if row is None:  # it stands on the page that is being stored
            return "", ""
        there = Story.from_json(row["record"]).text
        others = shingles.compared_text(shingles.paragraphs_of(there), boilerplate)
        shorter = text.length < others.length
        small, large = (text, others) if shorter else (others, text)
        if shingles.containment(set(small.prints), set(large.prints)) < CONTAINED:
            return "", ""
        if len(small.numbers & large.numbers) < NUMBERS * len(small.numbers):
            return "", ""
        mark = "teaser" if small.length <= TEASER * large.length else "edition"
        return mark, "this" if shorter else "other"

    def _merge_clusters(self, story_id: str, similar: list[str]) -> str:
        """The cluster of all these stories, which is that of the earliest; "" for one alone."""
        if not similar:
            return ""
        marks = ",".join("?" * len(similar))
        rows = self._db.execute(
            f"SELECT s.cluster FROM stories s JOIN near_stories n ON n.story_id=s.id "
            f"WHERE s.id IN ({marks}) ORDER BY n.serial",
            similar,
        ).fetchall()
        clusters = list(dict.fromkeys(row["cluster"] for row in rows))
        for cluster in clusters[1:]:
            self._db.execute("UPDATE stories SET cluster=? WHERE cluster=?", (clusters[0], cluster))
        return clusters[0] if clusters else story_id
