"""One session: which pairs are shown, which labels were given, what can be taken back.

Knows nothing of screens; the terminal and a web page use it alike. Every label is stored at the
moment it is given, so a session can end anywhere.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from pathlib import Path

from exchange.errors import NotEnoughData
from exchange.records import digest
from exchange.store.pair_index import PairIndex
from exchange.store.pairs import SourcedPair, read_pair
from exchange.store.review import Label, Review
from exchange.store.spool import Spool
from exchange.text.language import language_names

REPEAT_SHARE = 0.1  # share of pairs shown a second time, by the hash of their id
REPEAT_AFTER = 10  # pairs between the first and the second showing
STRATA = 4  # of confidence; as many pairs are shown from each


def rejection_reasons(language: str) -> tuple[str, ...]:
    """Why a person rejects a pair of a newspaper in this language."""
    name = language_names().get(re.split("[-_]", language)[0].lower(), "language")
    return ("wrong", "not in text", "not self-contained", f"bad {name}", "trivial", "other")


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One pair to read, with the text it was made from."""

    pair: SourcedPair
    confidence: float | None  # a scorer's or of reading back, where there is one
    again: bool = False  # shown before: does the reviewer agree with himself?

    @property
    def chunk(self) -> str:
        return "\n\n".join(chunk.text for chunk in self.pair.chunks)

    @property
    def header(self) -> str:
        return self.pair.chunks[0].header if self.pair.chunks else ""


@dataclass(frozen=True, slots=True)
class ReviewAgreement:
    """How often a second look came to the same verdict."""

    pairs: int
    same: int


class ReviewSession:
    """A queue of items, one of them on the screen."""

    def __init__(self, review: Review, items: Sequence[ReviewItem], reviewer: str) -> None:
        self.items = list(items)
        self.index = 0
        self.reviewer = reviewer
        self._review = review
        self._steps: list[tuple[int, int]] = []  # items left behind; 0, or the label given
        self._shown = time.monotonic()

    @property
    def item(self) -> ReviewItem | None:
        """What is on the screen; None when the session is over."""
        return self.items[self.index] if self.index < len(self.items) else None

    @property
    def labelled(self) -> int:
        return sum(label > 0 for _, label in self._steps)

    def accept(self, question: str = "", answer: str = "") -> None:
        """The pair is right, or right as edited here."""
        item = self._current()
        pair = item.pair.pair
        self._label(
            Label(
                pair_id=pair.id,
                verdict="accept",
                reason="",
                question="" if question == pair.question else question,
                answer="" if answer == pair.answer else answer,
            )
        )

    def reject(self, reason: str) -> None:
        """The pair is not fit to be taught."""
        self._label(Label(pair_id=self._current().pair.pair.id, verdict="reject", reason=reason))

    def skip(self) -> None:
        """Give no label; another session will show it again."""
        self._current()
        self._advance()

    def undo(self) -> bool:
        """Show the pair before and take back its label; False at the first one."""
        if not self._steps:
            return False
        index, label = self._steps.pop()
        if label:
            self._review.withdraw(label, self.reviewer)
        self._show_item(index)
        return True

    def _current(self) -> ReviewItem:
        if self.item is None:
            raise NotEnoughData("nothing is left to review in this session")
        return self.item

    def _label(self, label: Label) -> None:
        seconds = round(time.monotonic() - self._shown, 1)
        given = replace(label, reviewer=self.reviewer, seconds=seconds)
        self._advance(self._review.add_label(given))

    def _advance(self, label: int = 0) -> None:
        self._steps.append((self.index, label))
        self._show_item(self.index + 1)

    def _show_item(self, index: int) -> None:
        self.index = index
        self._shown = time.monotonic()


def open_review(archive_dir: Path, count: int, reviewer: str) -> ReviewSession:
    """Choose what nobody has labelled yet, as much from each stratum of confidence.

    Raises:
        UserError: nothing crawled, or nothing left to review.
    """
    spool = Spool.read(archive_dir)
    try:
        with PairIndex(archive_dir) as index:
            index.catch_up_all(spool)
            waiting = index.unlabelled()
        if not waiting:
            raise NotEnoughData("no accepted pair is waiting for a review")
        items = [
            ReviewItem(read_pair(spool, pair), score) for pair, score in _stratified(waiting, count)
        ]
    finally:
        spool.close()
    return ReviewSession(Review.open(archive_dir), _repeated(items), reviewer)


def self_agreement(review: Review) -> ReviewAgreement:
    """Over all pairs with two labels or more: are the last two the same verdict?"""
    twice = [given[-2:] for given in review.current_labels().values() if len(given) > 1]
    return ReviewAgreement(len(twice), sum(first.verdict == last.verdict for first, last in twice))


def _stratified(
    waiting: Sequence[tuple[str, str, float | None]], count: int
) -> list[tuple[str, float | None]]:
    """Round-robin over quarters of confidence, each by id, which is a hash; kinds stand in for
    confidence where a pair has none."""
    strata: defaultdict[str, list[tuple[str, float | None]]] = defaultdict(list)
    ranked = sorted(score for _, _, score in waiting if score is not None)
    limits = [ranked[part * len(ranked) // STRATA] for part in range(1, STRATA) if ranked]
    for pair, kind, score in waiting:
        stratum = kind if score is None else str(bisect_right(limits, score))
        strata[stratum].append((pair, score))
    chosen: list[tuple[str, float | None]] = []
    queues = [nsmallest(count, strata[name])[::-1] for name in sorted(strata)]
    while len(chosen) < count and any(queues):
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop())
    return chosen


def _repeated(items: list[ReviewItem]) -> list[ReviewItem]:
    """One in ten a second time, some pairs later."""
    queue: list[ReviewItem] = []
    later: defaultdict[int, list[ReviewItem]] = defaultdict(list)
    for number, item in enumerate(items):
        queue.append(item)
        if int(digest("twice", item.pair.pair.id)[:8], 16) / 2**32 < REPEAT_SHARE:
            later[number + REPEAT_AFTER].append(replace(item, again=True))
        queue += later.pop(number, [])
    return queue + [item for number in sorted(later) for item in later[number]]
