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
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exchange.text.fold import fold
from trainer.dataset.rows import Row
from trainer.scorer.faults import Fact, Kind, denied, facts, replaced, vague
from trainer.scorer.items import Item, Scale

SCALE = Scale(5.0, 5)
EACH = 8  # spoilt answers tried for a pair; most of them are left out again by the balance
SWAPPED = 0.5  # share of the spoilt facts that are replaced by others; the rest are left out
BAND = 1.15  # lengths of one band differ by at most this factor


@dataclass(frozen=True, slots=True)
class Truth:
    """A pair with the text it was made from."""

    row: Row
    guide: str
    facts: list[Fact]


def items(rows: Sequence[Row], chunks: Mapping[str, str], language: str, seed: int) -> list[Item]:
    """Labelled items of pairs; the same input gives the same items.

    Args:
        rows: pairs that are taught, so that what is tested stays unseen.
        chunks: texts by chunk id; pairs whose chunks are gone are left out.
    """
    rng = random.Random(seed)
    truths = [
        _truth(row, chunks)
        for row in sorted(rows, key=lambda row: row.id)
        if row.kind not in ("refusal", "replay", "text")
        and any(chunk in chunks for chunk in row.chunks)
    ]
    pools: defaultdict[Kind, list[str]] = defaultdict(list)
    for truth in truths:
        for fact in truth.facts:
            pools[fact.kind].append(fact.text)
    made: dict[tuple[str, str], Item] = {}
    for truth in truths:
        for number in range(EACH):
            answer, level = _spoilt(truth, number, truths, pools, language, rng)
            item = Item(
                f"{truth.row.id}-{number}",
                truth.row.question,
                truth.guide,
                answer,
                SCALE,
                SCALE.score(level),
                language,
            )
            made.setdefault((truth.row.id, answer), item)
    return balanced(list(made.values()), rng)


def balanced(made: Sequence[Item], rng: random.Random) -> list[Item]:
    """As many of each level within each band of lengths; the rest is left out."""
    bands: dict[tuple[int, int], defaultdict[int, list[Item]]] = {}
    levels = {item.level for item in made}
    for item in made:
        bands.setdefault(_band(item.answer), defaultdict(list))[item.level].append(item)
    kept: list[Item] = []
    for by_level in bands.values():
        if by_level.keys() == levels:
            fewest = min(map(len, by_level.values()))
            for some in by_level.values():
                kept += rng.sample(some, fewest)
    return sorted(kept, key=lambda item: item.id)


def _truth(row: Row, chunks: Mapping[str, str]) -> Truth:
    guide = "\n".join(chunks[chunk] for chunk in row.chunks if chunk in chunks)
    return Truth(row, guide, facts(row.answer))


def _spoilt(
    truth: Truth,
    number: int,
    truths: Sequence[Truth],
    pools: Mapping[Kind, Sequence[str]],
    language: str,
    rng: random.Random,
) -> tuple[str, int]:
    """One answer and its level."""
    answer, known = truth.row.answer, truth.facts
    if number == 0:
        return answer, SCALE.top
    if number == 1:
        return denied(answer, language), 0
    if number == 2:
        foreign = rng.choice(truths).row.answer
        known_too = fold(foreign) in fold(truth.guide)
        return (answer, SCALE.top) if known_too else (foreign, 0)
    if not known:
        return answer, SCALE.top
    changes: dict[Fact, str] = {}
    wrong = 0
    for fact in rng.sample(known, rng.randint(1, len(known))):
        other = _other(fact, truth, pools, rng) if rng.random() < SWAPPED else ""
        changes[fact] = other or vague(fact, language)
        wrong += bool(other)
    right = len(known) - len(changes)
    share = max(0.0, (right - wrong) / len(known))
    return replaced(answer, changes), SCALE.level(share * SCALE.maximum)


def _other(
    fact: Fact, truth: Truth, pools: Mapping[Kind, Sequence[str]], rng: random.Random
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
