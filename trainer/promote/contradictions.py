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
    answers: dict[str, tuple[str, list[str]]] = {}  # by pair: its story, its words
    with SpoolCorpus(archive_dir) as corpus:
        for stored in corpus.pairs():
            pair = stored.pair
            if pair.status == "accepted":
                answers[pair.id] = stored.story, words(pair.answer)
                accepted[stored.story].append(pair.id)
            elif pair.reason == DUPLICATE:
                doubled[stored.story].append(pair)
    found = []
    for story, pairs in sorted(doubled.items()):
        against = sum(_contradicts(story, pair, answers) for pair in pairs)
        own = accepted.get(story, [])
        if against >= LEAST and against > limit * (against + len(own)):
            found.append(ContradictingStory(story, against, tuple(own)))
    return found


def _contradicts(story: str, pair: Pair, answers: Mapping[str, tuple[str, list[str]]]) -> bool:
    """Another story answers this pair's question otherwise; its own may have said it in parts."""
    teller, said = answers.get(pair.duplicate_of, (story, []))
    return teller != story and said != words(pair.answer)
