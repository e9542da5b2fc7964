"""No question is kept twice: an index in the spool that works across workers and days.

Two questions are the same when their guards agree and the Jaccard index of their stems is at
least `SIMILAR` (see `exchange.text.similarity`). Comparing within a bucket costs its square, and
the bucket of questions without a name is large; so only questions that share one of their rarer
stems are compared, which loses none (`similarity.prefix`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b

from exchange.text.similarity import (
    SIMILAR,
    QuestionSignature,
    jaccard,
    prefix,
    question_signature,
)

DUPLICATE = "duplicate"
QUESTIONS_TABLE = """
CREATE TABLE IF NOT EXISTS questions (
    key INTEGER NOT NULL, pair_id TEXT NOT NULL, question TEXT NOT NULL,
    PRIMARY KEY (key, pair_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS questions_by_pair ON questions(pair_id);
"""


# Those of many questions without a name are looked at over and over; 16 MB at the most.
_signature_of_kept = lru_cache(maxsize=1 << 14)(question_signature)


class QuestionIndex:
    """The accepted questions of one spool. Writes belong to the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def keep(self, pair_id: str, question: str) -> str:
        """Take a question in, unless one that asks the same is there; returns that one's id.

        Idempotent: a pair that is in the index already is no duplicate of itself.
        """
        signature = question_signature(question)
        found = self._nearest(signature, exclude=pair_id)
        if not found:
            self._db.executemany(
                "INSERT OR IGNORE INTO questions(key, pair_id, question) VALUES (?,?,?)",
                [(key, pair_id, question) for key in _keys(signature)],
            )
        return found

    def forget(self, pair_id: str) -> None:
        """Take a pair out, such as one that is no longer accepted."""
        self._db.execute("DELETE FROM questions WHERE pair_id=?", (pair_id,))

    def _nearest(self, signature: QuestionSignature, exclude: str = "") -> str:
        seen = {exclude}
        for key in _keys(signature):
            rows = self._db.execute("SELECT pair_id, question FROM questions WHERE key=?", (key,))
            for pair_id, question in rows:
                if pair_id in seen:
                    continue
                seen.add(pair_id)
                other = _signature_of_kept(question)
                if other.key == signature.key and jaccard(other.stems, signature.stems) >= SIMILAR:
                    return str(pair_id)
        return ""


def _keys(signature: QuestionSignature) -> Iterator[int]:
    """One key for each stem of the prefix."""
    for stem in prefix(signature.stems):
        raw = blake2b(f"{signature.key}\0{stem}".encode(), digest_size=8).digest()
        yield int.from_bytes(raw, "big", signed=True)
