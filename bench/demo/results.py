"""What a finished demo left, joined with the truth of its newspaper."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import orjson

from exchange.errors import BadFile
from exchange.records import Chunk, Pair
from exchange.store.spool import Spool
from exchange.text.fold import words
from kkoracle.demo.newspaper import DemoStory, PrintedFact, SampleNewspaper, build_newspaper


@dataclass(frozen=True, slots=True)
class ChunkFacts:
    """A chunk of the spool and the facts of its story whose sentences stand in it."""

    chunk: Chunk
    facts: tuple[PrintedFact, ...]


@dataclass(frozen=True, slots=True)
class DemoResults:
    """The newspaper as it was made, and what the demo made of it."""

    newspaper: SampleNewspaper
    archive: Path  # the folder of spool, dataset and run
    model: Path
    pieces: dict[str, ChunkFacts]  # by chunk id
    stories: dict[str, DemoStory]  # by the spool's story id
    accepted: tuple[Pair, ...]

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Raises UserError when the spool holds a story that was never printed."""
        plan = orjson.loads((directory / "demo.json").read_bytes())
        config = tomllib.loads((directory / "kkoracle.toml").read_text("utf-8"))
        archive = directory / config["data"] / config["archive"]
        newspaper = build_newspaper(plan["seed"], plan["stories"], language=plan["language"])
        by_title: dict[tuple[str, str], list[DemoStory]] = defaultdict(list)
        for story in newspaper.stories:
            by_title[story.date.isoformat(), folded_words(story.title)].append(story)
        spool = Spool.read(archive)
        try:
            stories = {}
            for found in spool.stories():
                same = by_title[found.published, folded_words(found.title)]
                if not same:
                    raise BadFile(f"{found.title!r} of {found.published} was never printed")
                stories[found.id] = max(same, key=lambda s: len(facts_in(s.facts, found.text)))
            pieces = {
                chunk.id: ChunkFacts(chunk, facts_in(stories[chunk.story_id].facts, chunk.text))
                for chunk in spool.chunks()
            }
            accepted = tuple(pair for pair, _ in spool.pairs("accepted"))
        finally:
            spool.close()
        return cls(newspaper, archive, Path(config["model"]["name"]), pieces, stories, accepted)

    def right(self, pair: Pair) -> PrintedFact | None:
        """The fact that an accepted pair asks for and answers; None when it is not right."""
        piece = self.pieces.get(pair.chunk_ids[0])
        asked, answered = folded_words(pair.question), folded_words(pair.answer)
        for fact in piece.facts if piece else ():
            if asked in wordings(fact) and answered == folded_words(fact.answer):
                return fact
        return None


def facts_in(facts: Sequence[PrintedFact], text: str) -> tuple[PrintedFact, ...]:
    """The facts whose whole sentence stands in a text."""
    whole = f" {folded_words(text)} "
    return tuple(fact for fact in facts if f" {folded_words(fact.sentence)} " in whole)


@cache
def folded_words(text: str) -> str:
    """The folded words of a text: what is compared, so that accents and points do not count."""
    return " ".join(words(text))


def wordings(fact: PrintedFact) -> tuple[str, ...]:
    """The three questions of a fact, folded."""
    return tuple(folded_words(question) for question in (fact.question, *fact.rephrasings))
