"""Chunks with pairs, as many as asked for: the demo's newspapers, each told again for other years.

Chunks are cut as a real profile cuts them (about 1,200 characters), three pairs to a chunk: two
that the newspaper's truth knows and one that mixes facts, so that the whole chain is walked.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from crawler.extract.chunk import pack_sentences
from exchange.records import Task
from exchange.text import dates
from kkoracle.demo.newspaper import build_newspaper

SIZE = 1200  # characters of a chunk, as the built-in profiles have it
STORIES = 320  # of one newspaper, the most it is made of
NEWSPAPERS = 8  # different ones; then the same again, all numbers shifted
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class SampleReply:
    """One chunk and what a model wrote about it."""

    header: str
    text: str
    published: str
    pairs: tuple[tuple[str, str], ...]

    @property
    def reply(self) -> str:
        """The pairs in the worker's line format."""
        return "\n".join(f"Ερώτηση: {q}\nΑπάντηση: {a}" for q, a in self.pairs)


def chunk_task(text: str, header: str, language: str = "el") -> Task:
    """The task of a chunk that is only judged: nothing is stored under its ids."""
    return Task(
        id="0" * 24,
        archive="paper",
        kind="chunk",
        chunk_ids=("c",),
        recipe="000000",
        text=text,
        header=header,
        language=language,
    )


def chunks(pairs: int, seed: int) -> Iterator[SampleReply]:
    """Chunks that hold `pairs` pairs in all, the last one perhaps a few more."""
    made = 0
    base = [told for number in range(NEWSPAPERS) for told in _newspaper(seed + number)]
    for version in count():
        for told in base:
            if made >= pairs:
                return
            made += len(told.pairs)
            yield _shifted(told, version) if version else told


def _newspaper(seed: int) -> Iterator[SampleReply]:
    newspaper = build_newspaper(seed, STORIES)
    rng = random.Random(seed)
    # Some stories are short: what was printed on one day makes one long story.
    stories = sorted(newspaper.stories, key=lambda story: story.date)
    for start in range(0, len(stories), 4):
        some = stories[start : start + 4]
        day, facts = some[0].date, [fact for story in some for fact in story.facts]
        header = f"{newspaper.name}, {dates.format_date(day.isoformat())}, {some[0].title}"
        for text in pack_sentences([p for story in some for p in story.paragraphs], SIZE):
            held = [fact for fact in facts if fact.sentence in text]
            rng.shuffle(held)
            for one, other, third in zip(held[::3], held[1::3], held[2::3], strict=False):
                pairs = (
                    (one.question, one.answer),
                    (other.rephrasings[0], other.answer),
                    (third.question, one.answer),
                )
                yield SampleReply(header, text, day.isoformat(), pairs)


def _shifted(told: SampleReply, version: int) -> SampleReply:
    def shift(text: str) -> str:
        return _NUMBER.sub(lambda found: str(int(found[0]) + version), text)

    return SampleReply(
        told.header,
        shift(told.text),
        told.published,
        tuple((shift(question), shift(answer)) for question, answer in told.pairs),
    )
