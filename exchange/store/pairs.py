"""Pairs as a person asks for them and sees them: a filter, a list's row, one with its sources."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from exchange.errors import NotFound, UsageError
from exchange.records import Chunk, Completion, Pair, Story
from exchange.store.paging import KeysetQuery
from exchange.store.review import Label, Review
from exchange.store.spool import Spool
from exchange.text.fold import WORD, collapse_spaces, fold
from exchange.text.stems import stem

SHORTEST_ID = 4  # characters of an id that may stand for the whole
# What people said of a pair; "edited" is accepted in a person's own words.
LABELS = ("none", "accepted", "edited", "rejected")
_SCORES = ("low", "high")
_ID = re.compile(r"[0-9a-f]{8,24}")  # the beginning of an id, or all of it


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFilter:
    """Which pairs are wanted; what is empty asks for nothing."""

    status: str = ""
    reason: str = ""
    kind: str = ""
    section: str = ""
    year: str = ""
    label: str = ""  # of `LABELS`
    low: float | None = None  # the score, from
    high: float | None = None  # and to
    words: str = ""  # in question or answer, in any form; or the beginning of an id
    FIELDS: ClassVar = ("words", "status", "reason", "kind", "section", "year", "label", *_SCORES)

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> PairFilter:
        """From words, as an address or a form holds them.

        Raises:
            UsageError: a score that is no number.
        """
        scores: dict[str, float] = {}
        for name in _SCORES:
            try:
                if name in asked:
                    scores[name] = float(asked[name].replace(",", "."))
            except ValueError:
                raise UsageError(f"{asked[name]!r} is no score: write it as 0.5") from None
        texts = {name: value for name, value in asked.items() if name not in _SCORES}
        return cls(**texts, low=scores.get("low"), high=scores.get("high"))

    @property
    def stems(self) -> tuple[str, ...]:
        """What each wanted word begins with; none where an id is asked for."""
        if _ID.fullmatch(self.words):
            return ()
        return tuple(map(stem, WORD.findall(fold(self.words))))

    def query(self, *, verdict: bool = True) -> KeysetQuery:
        """The list of these pairs; those with the words stand in the temporary table `found`.

        Args:
            verdict: only those of this status and reason.
        """
        names = ("kind", "section", "year", "label", *(("status", "reason") if verdict else ()))
        wanted: list[tuple[str, object]] = [
            (f"pairs.{name}=?", value) for name in names if (value := getattr(self, name))
        ]
        if self.low is not None:
            wanted.append(("pairs.score>=?", self.low))
        if self.high is not None:
            wanted.append(("pairs.score<=?", self.high))
        if _ID.fullmatch(self.words):
            wanted.append(("pairs.id GLOB ?", f"{self.words}*"))
        conditions = [condition for condition, _ in wanted]
        if self.stems:
            conditions.append("pairs.serial IN temp.found")
        return KeysetQuery(
            columns="pairs.id",
            source="pairs",
            key=("pairs.serial",),
            where=tuple(conditions),
            where_values=tuple(value for _, value in wanted),
        )


@dataclass(frozen=True, slots=True)
class PairCounts:
    """How many pairs fit a filter, status and reason aside."""

    accepted: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)  # the commonest first


@dataclass(frozen=True, slots=True)
class ListedPair:
    """A pair in a list, with the story that it is from."""

    pair: Pair
    story_id: str  # "" for none
    published: str
    section: str
    title: str


@dataclass(frozen=True, slots=True)
class SourcedPair:
    """A pair, the chunks it was made from, its story and the model's raw words."""

    pair: Pair
    chunks: tuple[Chunk, ...]
    story: Story | None
    page: str  # the page's key in the raw store, "" for none
    completion: Completion | None
    verdicts: tuple[tuple[str, str], ...] = ()  # rule set and what it said, of those before


def list_pairs(spool: Spool, ids: Sequence[str]) -> list[ListedPair]:
    """These pairs in this order; one that is not there any more is left out."""
    marks = ",".join("?" * len(ids))
    found: dict[str, ListedPair] = {}
    for row in spool.db.execute(
        "SELECT p.id, p.record, p.story_id, s.published, s.section, s.record AS story "
        f"FROM pairs p LEFT JOIN stories s ON s.id=p.story_id WHERE p.id IN ({marks})",
        tuple(ids),
    ):
        title = Story.from_json(row["story"]).title if row["story"] else ""
        about = (row["published"] or "", row["section"] or "", title)
        found[row["id"]] = ListedPair(Pair.from_json(row["record"]), row["story_id"], *about)
    return [found[one] for one in ids if one in found]


def read_pair(spool: Spool, name: str) -> SourcedPair:
    """One pair with its sources.

    Args:
        name: its id, or the beginning of it.

    Raises:
        NotFound: no such pair, or several begin so.
    """
    if len(name) < SHORTEST_ID or not name.isalnum():
        raise NotFound(
            f"{name!r} is no id of a pair: give at least {SHORTEST_ID} of its characters"
        )
    rows = spool.db.execute(
        "SELECT record, story_id FROM pairs WHERE id >= ? AND id < ? LIMIT 2",
        (name, name + "\x7f"),
    ).fetchall()
    if len(rows) != 1:
        raise NotFound(f"{'several pairs begin' if rows else 'no pair begins'} with {name}")
    pair = Pair.from_json(rows[0]["record"])
    marks = ",".join("?" * len(pair.chunk_ids))
    chunks = {
        row["id"]: Chunk.from_json(row["record"])
        for row in spool.db.execute(
            f"SELECT id, record FROM chunks WHERE id IN ({marks})", pair.chunk_ids
        )
    }
    story = spool.db.execute(
        "SELECT record, page FROM stories WHERE id=?", (rows[0]["story_id"],)
    ).fetchone()
    return SourcedPair(
        pair,
        tuple(chunks[one] for one in pair.chunk_ids if one in chunks),
        Story.from_json(story["record"]) if story else None,
        story["page"] if story else "",
        spool.completion(pair.task_id),
        tuple(
            (row["rules"], row["reason"] or row["status"])
            for row in spool.db.execute(
                "SELECT rules, status, reason FROM verdicts WHERE pair_id=? AND rules<>? "
                "ORDER BY rules",
                (pair.id, pair.rules),
            )
        ),
    )


def split_at_quote(text: str, quote: str) -> tuple[str, str, str]:
    """A text before its quote, the quote as it stands there, and the text behind it.

    White space may differ; where the quote does not stand in the text, all of it is before.
    """
    wanted = collapse_spaces(quote)
    if not wanted:
        return text, "", ""
    places: list[int] = []  # of each character of `bare` in the text
    bare: list[str] = []
    for at, char in enumerate(text):
        if not char.isspace():
            bare.append(char)
            places.append(at)
        elif bare and bare[-1] != " ":
            bare.append(" ")
            places.append(at)
    start = "".join(bare).find(wanted)
    if start < 0:
        return text, "", ""
    first, last = places[start], places[start + len(wanted) - 1] + 1
    return text[:first], text[first:last], text[last:]


def labels_of(directory: Path, pair_id: str) -> list[Label]:
    """The labels of one pair that stand, the oldest first."""
    review = Review.read(directory)
    if review is None:
        return []
    try:
        return review.current_labels([pair_id]).get(pair_id, [])
    finally:
        review.close()


def label_name(given: Sequence[Label]) -> str:
    """What the labels of a pair that stand come to, one of `LABELS`."""
    if not given:
        return "none"
    last = given[-1]
    if last.verdict == "reject":
        return "rejected"
    return "edited" if last.question or last.answer else "accepted"
