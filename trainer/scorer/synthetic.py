"""Scored answers without anybody's scoring: an archive's own pairs, spoilt by a known amount.

The guide is the text of the pair's chunks, the answer the pair's own with some of its facts left
out, replaced by others of their kind, denied, or that of another question. The score is the share
of facts that are right, less the share that are wrong; denied and foreign answers earn nothing.
Levels are equally frequent within each band of lengths, so that length tells nothing.

What such a scorer has learned is this arithmetic: whether people agree with it is shown only by
answers that people scored.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exchange.errors import NotEnoughData
from exchange.store.joined_corpus import open_corpus
from exchange.text.dates import month_number
from exchange.text.fold import fold
from exchange.text.language import every, texts_in
from trainer.dataset import read_split
from trainer.dataset.build import FOLDER
from trainer.dataset.rows import DatasetRow
from trainer.evaluate.judge.audit import negated
from trainer.scorer.items import ScoreItem, ScoreScale

FactKind = Literal["date", "number", "name"]
_OF = rf"(?:(?:{every().pattern('of')})\s+)?"
_DATE = re.compile(
    rf"\b\d{{1,2}}(?:{every().pattern('day_ends')})?\s+{_OF}([^\W\d_]{{2,}})\s+{_OF}\d{{4}}\b"
    r"|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{4}\b"
)
_NUMBER = re.compile(r"\b\d+(?:[.,]\d+)*\b")
_CAPITAL = r"[A-ZΑ-ΩΆΈΉΊΌΎΏΪΫ][^\W\d_]{2,}"
_NAME = re.compile(rf"\b{_CAPITAL}(?:\s+{_CAPITAL})*")
_OPENING = re.compile(r"(?:\A|[.!?;·»]\s)\W*\Z")
FALLBACK = "en"


@dataclass(frozen=True, slots=True)
class FactSpan:
    """A span of an answer that can be right or wrong by itself."""

    start: int
    end: int
    kind: FactKind
    text: str


def find_facts(answer: str) -> list[FactSpan]:
    """Dates, numbers and names, in order; none within another.

    A single capital word that opens a sentence is no name.
    """
    found: list[FactSpan] = []

    def add(start: int, end: int, kind: FactKind) -> None:
        if all(end <= fact.start or fact.end <= start for fact in found):
            found.append(FactSpan(start, end, kind, answer[start:end]))

    for match in _DATE.finditer(answer):
        if match[1] is None or month_number(match[1]):
            add(*match.span(), "date")
    for match in _NUMBER.finditer(answer):
        add(*match.span(), "number")
    for match in _NAME.finditer(answer):
        if " " in match[0] or not _OPENING.search(answer[: match.start()]):
            add(*match.span(), "name")
    return sorted(found, key=lambda fact: fact.start)


def vague_text(fact: FactSpan, language: str) -> str:
    """What is said instead of a fact that is left out: the sentence stays one."""
    return texts_in(language)[f"vague_{fact.kind}"]


def replace_facts(answer: str, changes: Mapping[FactSpan, str]) -> str:
    """The answer with other texts in place of some of its facts."""
    for fact in sorted(changes, key=lambda fact: -fact.start):
        answer = answer[: fact.start] + changes[fact] + answer[fact.end :]
    return answer


def deny(answer: str, language: str) -> str:
    """The opposite of the answer."""
    if language == "el":
        return negated(answer, "")
    return f"{texts_in(FALLBACK)['not_true']} {answer[:1].lower()}{answer[1:]}"


SCALE = ScoreScale(5.0, 5)
EACH = 8  # spoilt answers tried for a pair; most of them are left out again by the balance
SWAPPED = 0.5  # share of the spoilt facts that are replaced by others; the rest are left out
BAND = 1.15  # lengths of one band differ by at most this factor


@dataclass(frozen=True, slots=True)
class PairFacts:
    """A pair with the text it was made from."""

    row: DatasetRow
    guide: str
    facts: list[FactSpan]


def synthetic_items(
    rows: Sequence[DatasetRow], chunks: Mapping[str, str], language: str, seed: int
) -> list[ScoreItem]:
    """Labelled items of pairs; the same input gives the same items.

    Args:
        rows: pairs that are taught, so that what is tested stays unseen.
        chunks: texts by chunk id; pairs whose chunks are gone are left out.
    """
    rng = random.Random(seed)
    truths = [
        _truth(row, chunks)
        for row in sorted(rows, key=lambda row: row.id)
        if row.is_fact and any(chunk in chunks for chunk in row.chunks)
    ]
    pools: defaultdict[FactKind, list[str]] = defaultdict(list)
    for truth in truths:
        for fact in truth.facts:
            pools[fact.kind].append(fact.text)
    made: dict[tuple[str, str], ScoreItem] = {}
    for truth in truths:
        for number in range(EACH):
            answer, level = _spoilt(truth, number, truths, pools, language, rng)
            item = ScoreItem(
                f"{truth.row.id}-{number}",
                truth.row.question,
                truth.guide,
                answer,
                SCALE,
                SCALE.score(level),
                language,
            )
            made.setdefault((truth.row.id, answer), item)
    return balance_lengths(list(made.values()), rng)


def balance_lengths(made: Sequence[ScoreItem], rng: random.Random) -> list[ScoreItem]:
    """As many of each level within each band of lengths; the rest is left out."""
    bands: dict[tuple[int, int], defaultdict[int, list[ScoreItem]]] = {}
    levels = {item.level for item in made}
    for item in made:
        bands.setdefault(_band(item.answer), defaultdict(list))[item.level].append(item)
    kept: list[ScoreItem] = []
    for by_level in bands.values():
        if by_level.keys() == levels:
            fewest = min(map(len, by_level.values()))
            for some in by_level.values():
                kept += rng.sample(some, fewest)
    return sorted(kept, key=lambda item: item.id)


def _truth(row: DatasetRow, chunks: Mapping[str, str]) -> PairFacts:
    guide = "\n".join(chunks[chunk] for chunk in row.chunks if chunk in chunks)
    return PairFacts(row, guide, find_facts(row.answer))


def _spoilt(
    truth: PairFacts,
    number: int,
    truths: Sequence[PairFacts],
    pools: Mapping[FactKind, Sequence[str]],
    language: str,
    rng: random.Random,
) -> tuple[str, int]:
    """One answer and its level."""
    answer, known = truth.row.answer, truth.facts
    if number == 0:
        return answer, SCALE.top
    if number == 1:
        return deny(answer, language), 0
    if number == 2:
        foreign = rng.choice(truths).row.answer
        known_too = fold(foreign) in fold(truth.guide)
        return (answer, SCALE.top) if known_too else (foreign, 0)
    if not known:
        return answer, SCALE.top
    changes: dict[FactSpan, str] = {}
    wrong = 0
    for fact in rng.sample(known, rng.randint(1, len(known))):
        other = _other(fact, truth, pools, rng) if rng.random() < SWAPPED else ""
        changes[fact] = other or vague_text(fact, language)
        wrong += bool(other)
    right = len(known) - len(changes)
    share = max(0.0, (right - wrong) / len(known))
    return replace_facts(answer, changes), SCALE.level(share * SCALE.maximum)


def _other(
    fact: FactSpan, truth: PairFacts, pools: Mapping[FactKind, Sequence[str]], rng: random.Random
) -> str:
    """A fact of the same kind that the guide does not hold; "" when ten tries find none."""
    guide = fold(truth.guide)
    for _ in range(10):
        text = rng.choice(pools[fact.kind])
        if fold(text) not in guide:
            return text
    return ""


def _band(answer: str) -> tuple[int, int]:
    """Words, and a band of characters that grows with the length."""
    length, band, edge = len(answer), 0, 20.0
    while length > edge:
        edge *= BAND
        band += 1
    return len(answer.split()), band


def items_of_pairs(archive_dir: Path, language: str, seed: int) -> list[ScoreItem]:
    """Scored answers made from the pairs that an archive teaches.

    Only those of `train`: what tests the tuned model stays unseen by what may judge it.

    Raises:
        UserError: no dataset, or its pairs hold too few facts to spoil.
    """
    with open_corpus(archive_dir) as corpus:
        chunks = {chunk.id: chunk.text for chunk in corpus.chunks()}
    made = synthetic_items(read_split(archive_dir / FOLDER, "train"), chunks, language, seed)
    if not made:
        raise NotEnoughData(
            "no scored answers could be made of these pairs: they hold too few numbers, dates and "
            "names for every level; generate more pairs first"
        )
    return made
