"""No question is kept twice: an index in the spool that works across workers and days.

Two questions are the same when their guards agree and the Jaccard index of their stems is at
least `SIMILAR` (see `exchange.text.similarity`). Comparing within a bucket costs its square, and
the bucket of questions without a name is large; so only questions that share two of their rarer
stems are compared, which loses none (`similarity.prefix`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Self

from exchange.records import Pair
from exchange.text.similarity import (
    SIMILAR,
    QuestionSignature,
    jaccard,
    prefix,
    question_signature,
)

DUPLICATE = "duplicate"
# Without the questions themselves: keys are in no order, and of a narrow table more pages stay in
# the cache.
QUESTIONS_TABLE = """
CREATE TABLE IF NOT EXISTS question_keys (
    key INTEGER NOT NULL, pair_id TEXT NOT NULL, PRIMARY KEY (key, pair_id)) WITHOUT ROWID;
"""


# Those of many questions without a name are looked at over and over; 16 MB at the most.
_signature_of_kept = lru_cache(maxsize=1 << 14)(question_signature)


class QuestionIndex:
    """The accepted questions of one spool. Writes belong to the caller's transaction.

    Args:
        question_of: the question of a pair that was taken in, by the pair's id.
    """

    def __init__(self, db: sqlite3.Connection, question_of: Callable[[str], str]) -> None:
        self._db = db
        self._question_of = question_of

    @classmethod
    def of_spool(cls, db: sqlite3.Connection) -> Self:
        """The one whose questions stand in the spool's pairs."""

        def question_of(pair_id: str) -> str:
            row = db.execute("SELECT record FROM pairs WHERE id=?", (pair_id,)).fetchone()
            return Pair.from_json(row[0]).question if row else ""

        return cls(db, question_of)

    def keep(self, pair_id: str, question: str) -> str:
        """Take a question in, unless one that asks the same is there; returns that one's id.

        Idempotent: a pair that is in the index already is no duplicate of itself.
        """
        signature = question_signature(question)
        found = self._nearest(signature, exclude=pair_id)
        if not found:
            self._add(pair_id, signature)
        return found

    def add(self, pair_id: str, question: str) -> None:
        """Take in a question of which it is known that no other asks the same."""
        self._add(pair_id, question_signature(question))

    def _add(self, pair_id: str, signature: QuestionSignature) -> None:
        self._db.executemany(
            "INSERT OR IGNORE INTO question_keys(key, pair_id) VALUES (?,?)",
            [(key, pair_id) for key in _keys(signature)],
        )

    def _nearest(self, signature: QuestionSignature, exclude: str = "") -> str:
        seen = {exclude}
        for key in _keys(signature):
            rows = self._db.execute("SELECT pair_id FROM question_keys WHERE key=?", (key,))
            for (pair_id,) in rows.fetchall():
                if pair_id in seen:
                    continue
                seen.add(pair_id)
                other = _signature_of_kept(self._question_of(pair_id))
                if other.key == signature.key and jaccard(other.stems, signature.stems) >= SIMILAR:
                    return str(pair_id)
        return ""


def _keys(signature: QuestionSignature) -> Iterator[int]:
    """The keys of the prefix; those of one bucket lie side by side, so on few pages."""
    bucket = _hash(signature.key)
    for stems in prefix(signature.stems):
        yield int.from_bytes(bucket + _hash(stems), "big", signed=True)


def _hash(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=4).digest()
