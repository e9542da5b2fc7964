"""Which stories an answer can be read in, and which taught pairs say the same.

What weights hold nobody can look up. What can be told is where the archive says an answer's words,
the rarer a word the more it counts: a reader's way back to the printed page, and no proof that the
model has it from there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

from exchange.errors import BadFile, NotFound
from exchange.records import Pair, Story
from exchange.store.joined_corpus import open_spools
from exchange.store.spool import Spool
from exchange.text import dates
from exchange.text.controls import one_line, printable
from exchange.text.fold import WORD, fold
from exchange.text.language import every
from exchange.text.sentences import split_sentences
from trainer.dataset import Manifest, read_split
from trainer.dataset.build import FOLDER as DATASET
from trainer.evaluate.rag.index import (
    Document,
    SearchIndex,
    date_term,
    question_terms,
    text_terms,
    word_term,
)
from trainer.training.runs import TAUGHT, TrainingRun

CANDIDATES = 40  # passages looked at for every sentence of an answer
MOST_SENTENCES = 20  # of an answer that are searched; a model that repeats itself has no end
SHOWN = 3  # passages and pairs of one story
NEAR = 0.7  # of the best one's share: stories, passages and pairs under that look alike by chance
_SMALL_WORDS = every().words("stop_words")


@dataclass(frozen=True, slots=True)
class NearChunk:
    """A passage, and the share of the answer's words that stand in it."""

    id: str
    number: int  # in its story, from 1
    text: str
    share: float


@dataclass(frozen=True, slots=True)
class NearPair:
    """A pair of the same story, and the share of the answer's words that it says."""

    id: str
    question: str
    answer: str
    share: float
    taught: bool | None  # to the run in question; None: nothing tells


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSource:
    """A story that an answer can be read in.

    `share` is the part of the answer's words that stand in its nearest passage, each word weighing
    what it weighs in BM25: 1 when all do. `missing` are the words of the answer that do not.
    """

    story: str
    archive: str  # whose it is
    published: str  # ISO date, "" when unknown
    title: str
    section: str
    url: str
    page: str  # its key in the raw store
    share: float
    missing: tuple[str, ...]
    chunks: tuple[NearChunk, ...]
    pairs: tuple[NearPair, ...]


def taught_pairs(archive_dir: Path, run: str) -> frozenset[str] | None:
    """Ids of the pairs that a run was taught, whatever the dataset is by now.

    None where a run of before runs wrote them down had another dataset than the one that is there;
    no pair while there is no run.
    """
    training = TrainingRun(archive_dir, run)
    with suppress(OSError):
        return frozenset((training.folder / TAUGHT).read_text("utf-8").split())
    try:
        dataset = training.config().dataset
    except NotFound:
        return frozenset()
    try:
        if dataset == Manifest.read(archive_dir / DATASET).sha:
            return frozenset(row.id for row in read_split(archive_dir / DATASET, "train"))
    except (NotFound, BadFile):
        pass
    return None


class _Wording:
    """The words of an answer (and of its question), and what each weighs."""

    def __init__(self, index: SearchIndex, answer: str, question: str) -> None:
        self.answer = frozenset(question_terms(answer))
        self.all = self.answer | frozenset(question_terms(question))
        self._spelled = {
            word_term(word): word for word in WORD.findall(answer) if fold(word) not in _SMALL_WORDS
        }
        self._spelled |= {date_term(date): date for date in sorted(dates.find_dates(answer))}
        # Robertson's weight with a one under the logarithm, as Lucene has it: never negative.
        self._weights = {
            term: log(1 + (index.count + 0.5) / (index.documents(term) + 0.5)) for term in self.all
        }

    def shares(self, text: str) -> tuple[float, float]:
        """Of the answer's words, and of all that are there: their part in a text, by weight."""
        said = frozenset(text_terms(text))
        return (
            self._share(said, self.answer or self.all),
            self._share(said, self.all),
        )

    def missing(self, text: str) -> tuple[str, ...]:
        """The answer's words that do not stand in a text, in their order."""
        lacking = self.answer.difference(text_terms(text))
        return tuple(word for term, word in self._spelled.items() if term in lacking)

    def _share(self, said: Collection[str], terms: Collection[str]) -> float:
        whole = sum(self._weights[term] for term in terms)
        return sum(self._weights[term] for term in terms if term in said) / whole if whole else 0.0


def find_sources(
    archive_dir: Path,
    index: SearchIndex,
    taught: Collection[str] | None,
    answer: str,
    question: str = "",
    *,
    count: int,
    language: str,
) -> list[AnswerSource]:
    """The stories nearest to an answer, nearest first.

    Args:
        taught: as `taught_pairs` gives them.
        question: that was answered; where it is known, its words say which stories are meant when
            the answer is a name or a date that stands in many.
        count: stories at most.

    Raises:
        UserError: the archive has no spool.
    """
    wording = _Wording(index, answer, question)
    ranked: list[tuple[float, float, Document]] = []
    for document in _candidates(index, answer, question, language):
        share, all_share = wording.shares(_text_of(document))
        ranked.append((all_share, share, document))
    ranked.sort(key=lambda one: (-one[0], -one[1], one[2].id))
    with open_spools(archive_dir) as spools:
        return _by_story(spools, ranked, wording, taught, count)


def _candidates(index: SearchIndex, answer: str, question: str, language: str) -> list[Document]:
    """Passages that the answer, or one of its sentences, can be found in."""
    sentences = [
        sentence for line in answer.splitlines() for sentence in split_sentences(line, language)
    ][:MOST_SENTENCES]
    texts = dict.fromkeys((f"{question}\n{answer}", *sentences))
    found = {
        hit.document.id: hit.document
        for text in texts
        for hit in index.search(question_terms(text), CANDIDATES)
    }
    return list(found.values())


def _by_story(
    spools: Mapping[str, Spool],
    ranked: Sequence[tuple[float, float, Document]],
    wording: _Wording,
    taught: Collection[str] | None,
    count: int,
) -> list[AnswerSource]:
    stories: dict[str, list[tuple[float, float, Document, int]]] = {}
    papers: dict[str, str] = {}  # by story: whose it is
    for all_share, share, document in ranked:
        paper, owner = _owner(spools, document.id)
        if all_share < NEAR * ranked[0][0]:
            break
        if owner and (len(stories) < count or owner["story_id"] in stories):
            papers[owner["story_id"]] = paper
            passages = stories.setdefault(owner["story_id"], [])
            if not passages or (len(passages) < SHOWN and all_share >= NEAR * passages[0][0]):
                passages.append((all_share, share, document, owner["position"] + 1))
    return [
        _source(spools[papers[story]], papers[story], story, passages, wording, taught)
        for story, passages in stories.items()
    ]


def _owner(spools: Mapping[str, Spool], chunk: str) -> tuple[str, Any]:
    """The archive that holds a chunk, with its story and place there; None where it is gone."""
    for paper, spool in spools.items():
        found = spool.db.execute(
            "SELECT story_id, position FROM chunks WHERE id=?", (chunk,)
        ).fetchone()
        if found:
            return paper, found
    return "", None


def _source(
    spool: Spool,
    paper: str,
    story_id: str,
    passages: Sequence[tuple[float, float, Document, int]],
    wording: _Wording,
    taught: Collection[str] | None,
) -> AnswerSource:
    row = spool.db.execute("SELECT record, page FROM stories WHERE id=?", (story_id,)).fetchone()
    story = Story.from_json(row["record"])
    best, share, nearest, _ = passages[0]
    pairs = []
    for (record,) in spool.db.execute(
        "SELECT record FROM pairs WHERE story_id=? AND status='accepted'", (story_id,)
    ):
        pair = Pair.from_json(record)
        said, all_said = wording.shares(f"{pair.question}\n{pair.answer}")
        if all_said >= NEAR * best:
            near = NearPair(
                pair.id,
                printable(pair.question),
                printable(pair.answer),
                round(said, 3),
                None if taught is None else pair.id in taught,
            )
            pairs.append((-all_said, pair.id, near))
    return AnswerSource(
        story=story.id,
        archive=paper,
        published=story.published,
        title=one_line(story.title),
        section=one_line(story.section),
        url=one_line(story.url),
        page=row["page"],
        share=round(share, 3),
        missing=wording.missing(_text_of(nearest)),
        chunks=tuple(
            NearChunk(one.id, number, printable(one.text), round(said, 3))
            for _, said, one, number in passages
        ),
        pairs=tuple(near for _, _, near in sorted(pairs, key=lambda one: one[:2])[:SHOWN]),
    )


def _text_of(document: Document) -> str:
    return f"{document.head}\n{document.text}"


_KINDS = {True: "taught pair", False: "pair, not taught", None: "pair, taught or not"}


def source_lines(sources: Sequence[AnswerSource]) -> Iterator[str]:
    """The sources for a terminal, without what it would obey: each story with its pairs."""
    for number, one in enumerate(sources, 1):
        date = f"{one.published}, " if one.published else ""
        yield one_line(f"[{number}] {date}{one.title}: {one.share:.0%} of the answer's words")
        if one.missing:
            yield "    not there: " + one_line(", ".join(one.missing))
        if one.url:
            yield "    " + one_line(one.url)
        for chunk in one.chunks:
            yield f"    chunk {chunk.id}, {chunk.share:.0%}: {one_line(chunk.text)}"
        for pair in one.pairs:
            kind = _KINDS[pair.taught]
            yield f"    {kind} {pair.id}, {pair.share:.0%}: {one_line(pair.question)}"
            yield f"        {one_line(pair.answer)}"
