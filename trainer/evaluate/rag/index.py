"""A full-text index in one SQLite file: BM25 over the four rarest terms of a question.

Common terms would make a query read half the archive and say little; the rarest four answer in
about two milliseconds. SQLite's own folding does not know Greek, so text is folded and stemmed
before it goes in (`terms`).
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from re import compile as pattern
from typing import Self

import orjson
import zstandard

from exchange.errors import CannotWrite
from exchange.files import atomic_path
from exchange.text import dates
from exchange.text.fold import WORD, fold
from exchange.text.similarity import question_signature
from exchange.text.stems import stem

VERSION = 3  # of these rules; an index made by others is made anew
_DATED = pattern(r"\d\s?[/.-]\s?\d{1,2}\s?[/.-]\s?\d|\d{4}")  # no other text can hold a full date


@lru_cache(maxsize=1 << 18)  # an archive's words recur: this is most of the cost of an index
def word_term(word: str) -> str:
    """The term that a word is found by."""
    return stem(fold(word))


def date_term(iso: str) -> str:
    """The term that a day is found by, however it is written."""
    return "d" + iso.replace("-", "")


def text_terms(text: str) -> list[str]:
    """The terms of a text in its order, as often as they stand in it."""
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return [word_term(word) for word in WORD.findall(text)] + _dates(text)


def question_terms(question: str) -> list[str]:
    """The terms that a question can be found by: no asking word, no small word, none twice."""
    question = unicodedata.normalize("NFC", question)
    return sorted(question_signature(question).stems) + _dates(question)


def _dates(text: str) -> list[str]:
    """«12 Μαρτίου 2014» and 12/3/2014 as one term, rarer than day, month and year are."""
    if not _DATED.search(text):
        return []
    return sorted(map(date_term, dates.find_dates(text)))


RAREST_TERMS = 4  # terms of a question that are searched
MAX_RANKED = 2_500  # documents that are ranked for a question: two milliseconds
GROUP_MARGIN = 200  # more than a group has documents: so many are looked at to leave it out
BATCH = 1000  # documents between two reports
_LEVEL = 3  # of zstd: half the size, and no slower to make than SQLite writes
_SCHEMA = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE documents (id INTEGER PRIMARY KEY, record BLOB NOT NULL)",
    # What FTS5 needs for BM25 and no copy of the text. Terms are folded: ASCII rules suffice.
    "CREATE VIRTUAL TABLE words USING fts5(terms, content='', tokenize='ascii')",
    "CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, row)",
    # The first document of each one's story, and of each date.
    "CREATE TABLE places (id INTEGER PRIMARY KEY, first INTEGER NOT NULL)",
    "CREATE TABLE days (published TEXT PRIMARY KEY, first INTEGER NOT NULL) WITHOUT ROWID",
    # Asked for every term of every question; the vocabulary counts anew each time.
    "CREATE TABLE frequency (term TEXT PRIMARY KEY, documents INTEGER NOT NULL) WITHOUT ROWID",
)


@dataclass(frozen=True, slots=True)
class Document:
    """What can be found; `head` is searched like the text, and shown before it."""

    id: str
    head: str
    text: str
    group: str = ""  # documents of one are about the same: the story of a chunk
    url: str = ""
    published: str = ""  # ISO date; an archive's documents are in its order
    story: str = ""  # documents of one stand together


_VALUES = attrgetter(*(field.name for field in fields(Document)))  # `astuple` copies each of them


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A document and how well it fits; higher is better, the unit is BM25's."""

    document: Document
    score: float


class SearchIndex:
    """Open for searching. One object belongs to one thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._unpack = zstandard.ZstdDecompressor()
        self.count = int(self._meta("count"))
        self.key = self._meta("key")
        self.state = self._meta("state")
        self.version = self._meta("version")

    @classmethod
    def build(
        cls,
        documents: Iterable[Document],
        key: str,
        path: Path | None = None,
        progress: Callable[[int], None] = lambda done: None,
    ) -> Self:
        """Make an index, in memory or as a file that is whole or not there.

        Args:
            key: what it is an index of; `opened` compares it.

        Raises:
            UserError: the disk is full or the folder not writable.
        """
        if path is None:
            db = sqlite3.connect(":memory:", isolation_level=None)
            _fill(db, documents, key, progress)
            return cls(db)
        try:
            with (
                atomic_path(path) as partial,
                closing(sqlite3.connect(partial, isolation_level=None)) as db,
            ):
                _fill(db, documents, key, progress)
        except sqlite3.Error as error:
            raise CannotWrite(f"cannot write the index {path}: {error}") from None
        return cls(sqlite3.connect(path))

    @classmethod
    def opened(cls, path: Path, key: str | None = None) -> Self | None:
        """The index in a file; None when there is none, or it is of something else, or damaged.

        Args:
            key: what it has to be an index of; None takes whatever there is.
        """
        if not path.exists():
            return None
        try:
            found = cls(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True))
        except (sqlite3.Error, TypeError, ValueError):
            return None
        if found.version == str(VERSION) and key in (None, found.key):
            return found
        found.close()
        return None

    def note_state(self, path: Path, state: str) -> None:
        """Keep beside a file's index of which state of the archive it is, if it can be kept."""
        self.state = state
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db, db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('state', ?)", (state,))

    def close(self) -> None:
        self._db.close()

    def search(self, terms: Sequence[str], count: int, beside: str = "") -> list[SearchHit]:
        """The best documents for some terms, best first.

        Args:
            terms: as `question_terms` gives them; any text is safe.
            beside: documents of this group are left out.
        """
        query = self._query(terms)
        if not query:
            return []
        found: list[SearchHit] = []
        rows = self._db.execute(
            "SELECT rowid, -rank FROM words WHERE words MATCH ? ORDER BY rank, rowid LIMIT ?",
            (query, count + GROUP_MARGIN if beside else count),
        )
        for number, score in rows:
            document = self.document(number)
            if not beside or document.group != beside:
                found.append(SearchHit(document, score))
            if len(found) == count:
                break
        return found

    def documents(self, term: str) -> int:
        """How many documents hold a term."""
        row = self._db.execute("SELECT documents FROM frequency WHERE term=?", (term,)).fetchone()
        return int(row[0]) if row else 0

    def matching(
        self, expression: str, first: int, last: int, *, descending: bool = False
    ) -> Iterator[tuple[int, int]]:
        """Numbers of the documents that meet an expression of FTS5, and of their stories' first.

        Args:
            first: the lowest number that is wanted; `last` the highest.
        """
        order = "DESC" if descending else "ASC"
        found = self._db.execute(
            "SELECT words.rowid, first FROM words CROSS JOIN places ON places.id=words.rowid "
            f"WHERE words MATCH ? AND words.rowid BETWEEN ? AND ? ORDER BY words.rowid {order}",
            (expression, first, last),
        )
        yield from found

    def days(self) -> list[tuple[str, int]]:
        """Every date with the number of its first document, in the documents' order."""
        return self._db.execute("SELECT published, first FROM days ORDER BY first").fetchall()

    def _query(self, terms: Sequence[str]) -> str:
        """The rarest terms in FTS5's words; "" when no document holds any.

        Terms that stand in few documents say which ones are ranked; those beyond only help to
        rank them, so that a question with common words does not read half the archive.
        """
        counted = ((self.documents(term), term) for term in dict.fromkeys(terms))
        known = sorted((documents, term) for documents, term in counted if documents)[:RAREST_TERMS]
        finding: list[str] = []
        total = 0
        for documents, term in known:
            total += documents
            if finding and total > MAX_RANKED:
                break
            finding.append(term)
        every = [term for _, term in known]
        if len(finding) == len(every):
            return _either(every)
        return f"({_either(finding)}) AND ({_either(every)})"

    def document(self, number: int) -> Document:
        """A document by its number."""
        (record,) = self._db.execute(
            "SELECT record FROM documents WHERE id=?", (number,)
        ).fetchone()
        return Document(*orjson.loads(self._unpack.decompress(record)))

    def _meta(self, name: str) -> str:
        row = self._db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return str(row[0]) if row else ""


def _either(terms: Sequence[str]) -> str:
    """Quoted, so that no term is read as an operator."""
    return " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)


def _described(count: int, key: str) -> tuple[tuple[str, str], ...]:
    return ("count", str(count)), ("key", key), ("version", str(VERSION))


def _fill(
    db: sqlite3.Connection,
    documents: Iterable[Document],
    key: str,
    progress: Callable[[int], None],
) -> None:

    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-65536"):
        db.execute(f"PRAGMA {pragma}")  # a file that is cut short is thrown away
    pack = zstandard.ZstdCompressor(level=_LEVEL)
    db.execute("BEGIN")
    for statement in _SCHEMA:
        db.execute(statement)
    count = first = 0
    story, published = "", None
    for count, document in enumerate(documents, 1):
        db.execute(
            "INSERT INTO documents VALUES (?,?)",
            (count, pack.compress(orjson.dumps(_VALUES(document)))),
        )
        if document.published != published:
            published = document.published
            db.execute("INSERT OR IGNORE INTO days VALUES (?,?)", (published, count))
        if not first or document.story != story:
            first, story = count, document.story
        db.execute("INSERT INTO places VALUES (?,?)", (count, first))
        said = text_terms(f"{document.head}\n{document.text}")
        db.execute("INSERT INTO words(rowid, terms) VALUES (?,?)", (count, " ".join(said)))
        if count % BATCH == 0:
            progress(count)
    db.execute("INSERT INTO words(words) VALUES ('optimize')")
    db.execute("INSERT INTO frequency SELECT term, doc FROM vocabulary")
    db.executemany("INSERT INTO meta VALUES (?,?)", _described(count, key))
    db.execute("COMMIT")
    progress(count)
