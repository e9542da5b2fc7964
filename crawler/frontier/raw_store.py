"""The raw store: pages as they came, compressed with a dictionary made from the first of them.

Pages of one newspaper are much alike, so a dictionary halves what they take on disk at a fifth of
the time that a higher level would cost. It is stored beside them and never changes: what it has
compressed must be readable for good.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import zstandard

from crawler.frontier import pages
from exchange.store import db

LEVEL = 3  # with a dictionary, level 6 takes four times as long for a tenth less
SAMPLES = 128
DICTIONARY = 64 * 1024  # bytes; a larger one gains nothing
SAMPLE_BYTES = 16 * 1024  # of each sample: pages open with what they have in common
# Fixed instead of searched for: within 5 % of the best, in 12 ms and without 15 MB of tables.
_TRAINING = {"k": 1024, "d": 8, "f": 16}


def fingerprint(body: bytes) -> str:
    """What `sha256sum` prints for a body: processors compute it faster than any other hash."""
    return sha256(body).hexdigest()


class RawStore:
    """Writes and reads bodies by page id; belongs to one connection, as that does to a thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._packer = zstandard.ZstdCompressor(level=LEVEL)
        self._unpackers: dict[int, zstandard.ZstdDecompressor] = {}
        self._settled = False  # the dictionary is in use, or cannot be had

    def prepare(self) -> None:
        """Make or load the dictionary when it is time; call before the transaction of `put`.

        It is committed on its own: a batch that is rolled back must not take away what later
        bodies are compressed with.
        """
        if self._settled:
            return
        known = self._db.execute("SELECT body FROM dictionaries").fetchone()
        if known is None and (learnt := self._learn()):
            with db.transaction(self._db):
                self._db.execute("INSERT INTO dictionaries(id, body) VALUES (?,?)", learnt)
            known = (learnt[1],)
        if known is not None:
            self._settled = True
            dictionary = zstandard.ZstdCompressionDict(known[0])
            dictionary.precompute_compress(level=LEVEL)
            self._packer = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary)

    def put(self, page: int, body: bytes) -> None:
        """Store a body in place of an earlier one; call inside a transaction."""
        self._db.execute(
            "INSERT OR REPLACE INTO bodies(page, body) VALUES (?,?)",
            (page, self._packer.compress(body)),
        )

    def get(self, page: int) -> bytes | None:
        """The body of a page, None when it has none."""
        row = self._db.execute("SELECT body FROM bodies WHERE page=?", (page,)).fetchone()
        return None if row is None else self.unpack(row[0])

    def unpack(self, packed: bytes) -> bytes:
        """What `put` was given, from the bytes of the table's row."""
        number = zstandard.get_frame_parameters(packed).dict_id
        if number not in self._unpackers:
            found = self._db.execute("SELECT body FROM dictionaries WHERE id=?", (number,))
            known = zstandard.ZstdCompressionDict(found.fetchone()[0]) if number else None
            self._unpackers[number] = zstandard.ZstdDecompressor(dict_data=known)
        return self._unpackers[number].decompress(packed)

    def _learn(self) -> tuple[int, bytes] | None:
        """A dictionary and its id; None while there are too few samples."""
        rows = self._db.execute("SELECT body FROM bodies LIMIT ?", (SAMPLES,)).fetchall()
        if len(rows) < SAMPLES:
            return None
        samples: list[bytes | bytearray | memoryview[int]] = [
            self.unpack(row[0])[:SAMPLE_BYTES] for row in rows
        ]
        try:
            made = zstandard.train_dictionary(DICTIONARY, samples, level=LEVEL, **_TRAINING)
        except zstandard.ZstdError:  # nothing in common, or next to nothing in them
            self._settled = True
            return None
        return made.dict_id(), made.as_bytes()


@dataclass(frozen=True, slots=True)
class StoredBody:
    """What is kept of one page: b"" for a body that is not."""

    status: int = 0
    body_hash: str = ""
    kind: str = ""
    charset: str = ""  # as its server announced it
    body: bytes = b""

    @classmethod
    def read(cls, directory: Path, key: str) -> StoredBody:
        """A page of an archive by its key, for who only looks; empty where there is none."""
        if not (directory / pages.FILE).exists():
            return cls()
        connection = pages.connect_readonly(directory)
        try:
            row = connection.execute(
                "SELECT id, status, body_hash, kind, charset FROM pages WHERE key=?", (key,)
            ).fetchone()
            if row is None:
                return cls()
            body = RawStore(connection).get(row["id"]) or b""
            return cls(row["status"], row["body_hash"], row["kind"], row["charset"], body)
        finally:
            connection.close()
