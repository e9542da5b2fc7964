"""Stories that answer earlier questions otherwise: what they say is not taught unasked.

A pair whose question an earlier pair asks is a duplicate, and never taught; but whose answer is
another one than that pair's says something of its story. One such pair may be a slip, or news (a
count that has grown). A story with a larger share of them is held against the whole archive: a
page of errors, another page's text, or somebody who wants the model to learn them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exchange.records import Pair
from exchange.store.corpus import SpoolCorpus
from exchange.store.dedup import DUPLICATE
from exchange.store.spool import FILE as SPOOL
from exchange.text.fold import words

LEAST = 2  # contradicting pairs of a story; one is a slip of any newspaper


@dataclass(frozen=True, slots=True)
class ContradictingStory:
    """One story that is not believed."""

    story: str
    contradicting: int  # pairs
    rows: tuple[str, ...]  # ids of its other pairs, which would be taught


def contradicting_stories(archive_dir: Path, limit: float) -> list[ContradictingStory]:
    """The stories of which more than a share of `limit` of the pairs contradict earlier ones.

    Raises:
        UserError: the spool cannot be read.
    """
    if not (archive_dir / SPOOL).exists():
        return []
    accepted: dict[str, list[str]] = defaultdict(list)
    doubled: dict[str, list[Pair]] = defaultdict(list)
    answers: dict[str, list[str]] = {}
    with SpoolCorpus(archive_dir) as corpus:
        for stored in corpus.pairs():
            pair = stored.pair
            if pair.status == "accepted":
                answers[pair.id] = words(pair.answer)
                accepted[stored.story].append(pair.id)
            elif pair.reason == DUPLICATE:
                doubled[stored.story].append(pair)
    found = []
    for story, pairs in sorted(doubled.items()):
        against = _contradicting(pairs, answers)
        own = accepted.get(story, [])
        if against >= LEAST and against > limit * (against + len(own)):
            found.append(ContradictingStory(story, against, tuple(own)))
    return found


def _contradicting(pairs: list[Pair], answers: Mapping[str, list[str]]) -> int:
    return sum(
        earlier is not None and earlier != words(pair.answer)
        for pair in pairs
        for earlier in [answers.get(pair.duplicate_of)]
    )
