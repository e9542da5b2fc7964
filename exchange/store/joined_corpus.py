"""Several newspapers read as one: a folder that names archives in place of holding a spool.

What is made of it (a dataset, an index, a model) is about all of them, and every story still says
whose it is. An article of an agency that two papers printed is one cluster, so that what one of
them teaches is no test in the other.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from exchange.errors import NotFound, UsageError
from exchange.files import write_atomic
from exchange.records import ARCHIVE_PATTERN, Chunk
from exchange.store.corpus import Judgements, SpoolCorpus, StoredPair, StoredStory
from exchange.store.papers import PAPERS, folders_of, papers_of
from exchange.store.spool import FILE as SPOOL
from exchange.store.spool import Spool
from exchange.text.fold import fold
from exchange.text.sentences import split_sentences

LONG_SENTENCE = 40  # letters; shorter ones recur without being taken over
SAME_SHARE = 0.5  # of the shorter text's long sentences, from which on two stories are one cluster
COMMON = 50  # stories with one and the same sentence: a standing line, which tells nothing


def write_papers(directory: Path, papers: Sequence[str]) -> None:
    """Let a folder stand for these archives beside it.

    Raises:
        UsageError: it is an archive itself.
        NotFound: there is none of such a name.
    """
    if (directory / SPOOL).exists():
        raise UsageError(f"{directory.name} is an archive itself: give the papers another name")
    for name in papers:
        if not ARCHIVE_PATTERN.fullmatch(name) or not (directory.parent / name / SPOOL).exists():
            raise NotFound(f"no archive {name!r} in {directory.parent}: crawl or import it first")
    write_atomic(directory / PAPERS, orjson.dumps(sorted(set(papers))))


def has_corpus(directory: Path) -> bool:
    """Whether there are stories to read: rows that others made come without."""
    return (directory / SPOOL).exists() or bool(papers_of(directory))


def open_corpus(directory: Path) -> SpoolCorpus | JoinedCorpus:
    """What an archive's folder has to read, or the archives that it stands for."""
    if not papers_of(directory):
        return SpoolCorpus(directory)
    return JoinedCorpus(directory.name, [SpoolCorpus(folder) for folder in folders_of(directory)])


@contextmanager
def open_spools(directory: Path) -> Iterator[dict[str, Spool]]:
    """The spool of an archive, or those of the archives that a folder stands for, each by its name.

    Raises:
        UserError: one is not there.
    """
    with ExitStack() as stack:
        yield {
            folder.name: stack.enter_context(closing(Spool.read(folder)))
            for folder in folders_of(directory)
        }


class JoinedCorpus:
    """Several archives, each in one transaction; ids are hashes that hold the archive's name."""

    def __init__(self, name: str, corpora: Sequence[SpoolCorpus]) -> None:
        self.archive = name
        self._corpora = corpora

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for corpus in self._corpora:
                stack.enter_context(corpus)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def counters(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for corpus in self._corpora:
            found.update(corpus.counters())
        return dict(found)

    def stories(self) -> Iterator[StoredStory]:
        clusters = self._clusters()
        every = (_of_paper(corpus) for corpus in self._corpora)
        for stored in heapq.merge(*every, key=lambda stored: stored.story.id):
            own = stored.cluster or stored.story.id
            yield replace(stored, cluster=clusters.get(own, own))

    def chunks(self) -> Iterator[Chunk]:
        every = (corpus.chunks() for corpus in self._corpora)
        return heapq.merge(*every, key=lambda chunk: (chunk.story_id, chunk.index))

    def chunks_of(self, story_id: str) -> list[Chunk]:
        return next(
            (found for corpus in self._corpora if (found := corpus.chunks_of(story_id))), []
        )

    def chunk_state(self) -> str:
        """See `SpoolCorpus.chunk_state`."""
        return "|".join(corpus.chunk_state() for corpus in self._corpora)

    def chunk_stories(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for corpus in self._corpora:
            found |= corpus.chunk_stories()
        return found

    def pairs(self) -> Iterator[StoredPair]:
        every = (corpus.pairs() for corpus in self._corpora)
        return heapq.merge(*every, key=lambda stored: stored.pair.id)

    def judgements(self) -> Judgements:
        found = Judgements()
        for corpus in self._corpora:
            more = corpus.judgements()
            found.labels |= more.labels
            for scorer, values in more.scores.items():
                found.scores.setdefault(scorer, {}).update(values)
        return found

    def _clusters(self) -> dict[str, str]:
        """Cluster to the one that it is joined with, as their stories are in large part one text.

        Within an archive the crawl has seen to that; only stories of two papers are compared.
        """
        first: dict[int, list[int]] = defaultdict(list)  # sentence -> numbers of stories
        owners: list[tuple[int, str]] = []  # number -> paper, cluster
        lengths: list[int] = []  # number -> long sentences
        for paper, corpus in enumerate(self._corpora):
            language = corpus.language
            for stored in corpus.stories():
                number = len(owners)
                owners.append((paper, stored.cluster or stored.story.id))
                sentences = _long_sentences(stored.story.text, language)
                lengths.append(len(sentences))
                for sentence in sentences:
                    if len(first[sentence]) <= COMMON:
                        first[sentence].append(number)
        shared: Counter[tuple[int, int]] = Counter()
        for numbers in first.values():
            if 1 < len(numbers) <= COMMON:
                shared.update(
                    (one, other)
                    for place, one in enumerate(numbers)
                    for other in numbers[place + 1 :]
                    if owners[one][0] != owners[other][0]
                )
        joined = _Union()
        for (one, other), count in shared.items():
            if count >= SAME_SHARE * min(lengths[one], lengths[other]):
                joined.join(owners[one][1], owners[other][1])
        return joined.roots()


def _of_paper(corpus: SpoolCorpus) -> Iterator[StoredStory]:
    return (replace(stored, paper=corpus.archive) for stored in corpus.stories())


def _long_sentences(text: str, language: str) -> set[int]:
    return {
        int.from_bytes(blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=8).digest())
        for paragraph in text.splitlines()
        for sentence in split_sentences(paragraph, language)
        if len(folded := fold(sentence)) >= LONG_SENTENCE
    }


class _Union:
    """Which names are one; the smallest stands for all, whatever came first."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        low, high = sorted((self._root(one), self._root(other)))
        if low != high:
            self._above[high] = low

    def _root(self, name: str) -> str:
        while (above := self._above.get(name, name)) != name:
            name = above
        return name

    def roots(self) -> dict[str, str]:
        return {name: self._root(name) for name in self._above}
