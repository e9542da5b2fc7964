"""Stories and pairs for people, of one archive or of all papers that a folder stands for.

The lists are read from every paper's own files and joined a page at a time; what is counted is
added up. What somebody says of a pair goes to its own paper, where the next dataset looks for it.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Self

from exchange.errors import NotFound
from exchange.store.joined_corpus import open_spools
from exchange.store.paging import PAGE, Cursor, RowCount, RowPage, read_joined_page
from exchange.store.pair_index import MOST, PairIndex
from exchange.store.pairs import (
    ListedPair,
    PairCounts,
    PairFilter,
    SourcedPair,
    list_pairs,
    read_pair,
)
from exchange.store.papers import folders_of
from exchange.store.review import Label, LabelBatch, Review
from exchange.store.spool import Spool
from exchange.store.stories import (
    StoryDetail,
    StoryFilter,
    StoryRow,
    count_stories,
    read_story,
    story_check,
    story_query,
    story_row,
)

Spools = Mapping[str, Spool]  # by the newspaper's archive


def list_joined_stories(
    spools: Spools, wanted: StoryFilter, cursor: str = "", size: int = PAGE
) -> RowPage[tuple[str, StoryRow]]:
    """A page of the stories that are wanted, the newest first, each with its newspaper.

    Raises:
        UsageError: the cursor is none of this list.
    """
    names = list(spools)
    parts = [(spool.db, story_query(spool, wanted)) for spool in spools.values()]
    return read_joined_page(parts, cursor, size).of(lambda row: (names[row[0]], story_row(row[1])))


def count_joined_stories(spools: Spools, wanted: StoryFilter) -> RowCount:
    """How many they are, as far as they are soon counted."""
    counts = [count_stories(spool, wanted) for spool in spools.values()]
    return RowCount(sum(one.number for one in counts), any(one.more for one in counts))


def paper_counts(directory: Path) -> list[tuple[str, int, int]]:
    """The newspapers of a folder, with their stories and accepted pairs."""
    with open_spools(directory) as spools:
        counted = {name: spool.counters() for name, spool in spools.items()}
    return [
        (name, found.get("stories", 0), found.get("pairs.accepted", 0))
        for name, found in counted.items()
    ]


def add_up(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sums by name, the largest first."""
    found: Counter[str] = Counter()
    for one in counts:
        found.update(one)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def find_story(spools: Spools, story_id: str) -> tuple[str, StoryDetail]:
    """One story, with its newspaper.

    Raises:
        NotFound: there is none of this id.
    """
    for name, spool in spools.items():
        if spool.db.execute("SELECT 1 FROM stories WHERE id=?", (story_id,)).fetchone():
            return name, read_story(spool, story_id)
    raise NotFound(f"no story has the id {story_id[:40]}")


def joined_story_check(
    spools: Spools, wanted: StoryFilter, *, some: bool
) -> Callable[[str], bool] | None:
    """Whether a story, by its id, is one that is wanted; None where all are.

    Args:
        some: these are not all papers that the ids may be of.
    """
    checks = [story_check(spool, wanted) for spool in spools.values()]
    if some and not any(checks):
        return lambda story: any(
            spool.db.execute("SELECT 1 FROM stories WHERE id=?", (story,)).fetchone()
            for spool in spools.values()
        )
    wanting = [check for check in checks if check]
    return (lambda story: any(check(story) for check in wanting)) if wanting else None


class JoinedPairs:
    """The pairs, for one look: one object belongs to one thread; use it as a context."""

    def __init__(self, directory: Path, paper: str = "") -> None:
        """Nothing is opened before the context begins.

        Args:
            directory: of the archive, or of the folder that stands for several.
            paper: the only one that lists are read from; "": all.
        """
        self._directory, self._paper = directory, paper
        self._folders = {folder.name: folder for folder in folders_of(directory)}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            spools = stack.enter_context(open_spools(self._directory))
            self.spools = spools
            self._indexes = {
                name: stack.enter_context(PairIndex(self._folders[name]))
                for name in spools
                if not self._paper or name == self._paper
            }
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    # -- lists ------------------------------------------------------------------------------

    def catch_up(self) -> int:
        """Take in what is new, for a moment; returns how much is left."""
        return sum(index.catch_up(self.spools[name]) for name, index in self._indexes.items())

    def page(self, wanted: PairFilter, cursor: str = "", size: int = PAGE) -> RowPage[str]:
        """Ids of pairs, of each newspaper the newest first.

        Raises:
            UsageError: the cursor is none of this list.
        """
        parts = [(index.db, index.query(wanted)) for index in self._indexes.values()]
        return read_joined_page(parts, cursor, size).of(lambda row: str(row[1]["id"]))

    def beside(self, wanted: PairFilter, pair_id: str) -> tuple[str, str]:
        """The pairs before and after this one in a list, "" for none."""
        for place, index in enumerate(self._indexes.values()):
            row = index.db.execute("SELECT serial FROM pairs WHERE id=?", (pair_id,)).fetchone()
            if row is not None:
                key = (row["serial"], place)
                back, on = (self.page(wanted, str(Cursor(key, way)), 1) for way in (True, False))
                return (*back.rows, "")[0], (*on.rows, "")[0]
        return "", ""

    def ids(self, wanted: PairFilter, most: int = MOST) -> list[str]:
        """All pairs of a list, up to a bound."""
        return list(self.page(wanted, size=most).rows)

    def counts(self, wanted: PairFilter) -> PairCounts:
        """Over a whole list, by what the checks said."""
        found = [index.counts(wanted) for index in self._indexes.values()]
        return PairCounts(
            sum(one.accepted for one in found),
            sum(one.rejected for one in found),
            add_up(one.reasons for one in found),
        )

    def choices(self, name: str) -> dict[str, int]:
        """The values of `kind`, `year` or `section` with their pairs, by value."""
        found = add_up(index.choices(name) for index in self._indexes.values())
        return dict(sorted(found.items()))

    def about(self, ids: Sequence[str]) -> dict[str, tuple[str, float | None]]:
        """What people said of these pairs, and the score of each."""
        found: dict[str, tuple[str, float | None]] = {}
        for index in self._indexes.values():
            found |= index.about(ids)
        return found

    def rows(self, ids: Sequence[str]) -> list[tuple[str, ListedPair]]:
        """These pairs in this order, each with its newspaper."""
        found = {
            row.pair.id: (name, row)
            for name, spool in self.spools.items()
            for row in list_pairs(spool, ids)
        }
        return [found[one] for one in ids if one in found]

    def read(self, name: str) -> tuple[Path, SourcedPair]:
        """One pair with its sources, and its newspaper's folder.

        Args:
            name: its id, or the beginning of it.

        Raises:
            NotFound: no such pair, or several begin so.
        """
        missing = NotFound(f"no pair begins with {name}")
        for paper, spool in self.spools.items():
            try:
                return self._folders[paper], read_pair(spool, name)
            except NotFound as error:
                missing = error
        raise missing

    # -- what people say of them ------------------------------------------------------------

    def add_labels(self, labels: Sequence[Label]) -> None:
        """Store them with their papers, to be taken back together."""
        at, of_paper = time.time(), defaultdict[str, list[Label]](list)
        papers = {row.pair.id: paper for paper, row in self.rows([one.pair_id for one in labels])}
        for label in labels:
            of_paper[papers[label.pair_id]].append(label)
        for paper, own in of_paper.items():
            with closing(Review.open(self._folders[paper])) as review:
                review.add_labels(own, at)

    def last_batch(self, reviewer: str, *, withdraw: bool = False) -> LabelBatch | None:
        """What this person gave last and has not taken back; None when there is nothing.

        Args:
            withdraw: take it back.
        """
        found: list[tuple[Path, LabelBatch]] = []
        for folder in self._folders.values():
            if (review := Review.read(folder)) is not None:
                with closing(review):
                    if last := review.last_batch(reviewer):
                        found.append((folder, last))
        newest = max((batch.at for _, batch in found), default=0.0)
        found = [one for one in found if one[1].at == newest]
        if not found:
            return None
        if withdraw:
            for folder, batch in found:
                with closing(Review.open(folder)) as review:
                    review.withdraw(batch.serial, reviewer)
        return replace(found[0][1], pairs=sum(batch.pairs for _, batch in found))
