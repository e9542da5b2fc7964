"""What an archive has produced, read the same way from the spool or from an exported folder.

Whoever reads stories, chunks and pairs through this (dataset, statistics, review, evaluation) gets
the same objects in the same order from both, so what is made of them has the same hashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import orjson

from exchange.records import Chunk, Pair, Record, Story
from exchange.store.db import unpack
from exchange.store.review import Label, Review
from exchange.store.spool import Spool
from exchange.store.tasks import archive_language


class PairProvenance(Record, frozen=True):
    """How a pair came to be: the provenance of its completion, without the words."""

    model: str = ""
    quantisation: str = ""
    engine: str = ""
    prompt: str = ""
    prompt_sha: str = ""
    seed: int = 0
    finish_reason: str = ""
    generated_at: str = ""


@dataclass(frozen=True, slots=True)
class StoredStory:
    """A story, its cluster and the page (key in the raw store) that it was taken from."""

    story: Story
    cluster: str
    page: str
    extraction: str  # version of the extraction that gave this text
    paper: str = ""  # its archive, where several are read as one


@dataclass(frozen=True, slots=True)
class StoredPair:
    """A pair, the story of its first chunk and how it was made."""

    pair: Pair
    story: str
    made: PairProvenance


@dataclass(slots=True)
class Judgements:
    """What people and scorers said: labels by pair, scores by scorer and pair."""

    labels: dict[str, Label] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)


class Corpus(Protocol):
    """One consistent reading of an archive."""

    archive: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def counters(self) -> dict[str, int]:
        """The spool's counters: `pairs.accepted`, `rejected.<code>` and so on."""

    def stories(self) -> Iterator[StoredStory]:
        """All stories, by id."""

    def chunks(self) -> Iterator[Chunk]:
        """All live chunks, by story and place in it."""

    def chunks_of(self, story_id: str) -> list[Chunk]:
        """The live chunks of one story, by place in it."""

    def chunk_stories(self) -> dict[str, str]:
        """Chunk id -> story id, of all chunks ever made."""

    def pairs(self) -> Iterator[StoredPair]:
        """All pairs, accepted and rejected, by id."""

    def judgements(self) -> Judgements:
        """Labels and scores that stand."""


class SpoolCorpus:
    """The spool and `review.sqlite`, in one transaction while the daemon may go on writing."""

    def __init__(self, directory: Path) -> None:
        self.archive = directory.name
        self._directory = directory

    def __enter__(self) -> Self:
        """Raises UserError when nothing was crawled yet."""
        self._spool = Spool.read(self._directory)
        self._db = self._spool.db
        self._db.execute("BEGIN")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.execute("ROLLBACK")
        self._spool.close()

    def counters(self) -> dict[str, int]:
        return self._spool.counters()

    def stories(self) -> Iterator[StoredStory]:
        for record, cluster, page, extraction in self._db.execute(
            "SELECT record, cluster, page, extraction FROM stories ORDER BY id"
        ):
            yield StoredStory(Story.from_json(record), cluster, page, extraction)

    def chunks(self) -> Iterator[Chunk]:
        for (record,) in self._db.execute(
            "SELECT record FROM chunks WHERE state='live' ORDER BY story_id, position, id"
        ):
            yield Chunk.from_json(record)

    def chunks_of(self, story_id: str) -> list[Chunk]:
        rows = self._db.execute(
            "SELECT record FROM chunks WHERE story_id=? AND state='live' ORDER BY position, id",
            (story_id,),
        )
        return [Chunk.from_json(record) for (record,) in rows]

    @property
    def language(self) -> str:
        """The newspaper's."""
        return archive_language(self._spool)

    def chunk_state(self) -> str:
        """Other than before when chunks have come or gone; read in no time.

        A chunk whose header alone has changed does not show in it.
        """
        counters = self.counters()
        (last,) = self._db.execute("SELECT max(rowid) FROM chunks").fetchone()
        counted = (counters.get(f"chunks.{state}", 0) for state in ("live", "stale"))
        return ":".join([self._spool.meta("identity"), str(last or 0), *map(str, counted)])

    def chunk_stories(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT id, story_id FROM chunks").fetchall())

    def pairs(self) -> Iterator[StoredPair]:
        made: dict[str, PairProvenance] = {}
        for task, record in self._db.execute("SELECT task_id, record FROM completions"):
            made[task] = _provenance_of(orjson.loads(unpack(record)))
        unknown = PairProvenance()
        for record, story in self._db.execute("SELECT record, story_id FROM pairs ORDER BY id"):
            pair = Pair.from_json(record)
            yield StoredPair(pair, story, made.get(pair.task_id, unknown))

    def judgements(self) -> Judgements:
        review = Review.read(self._directory)
        if review is None:
            return Judgements()
        try:
            return Judgements(review.labels(), review.all_scores())
        finally:
            review.close()


def _provenance_of(completion: dict[str, Any]) -> PairProvenance:
    return PairProvenance(**{n: completion[n] for n in PairProvenance.__struct_fields__})
