"""The index of an archive's chunks, and how the passages that it finds are put before a question.

It is made when first wanted, and made anew when the chunks change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from exchange.display import format_count
from exchange.errors import NotEnoughData
from exchange.inference.engine import Message
from exchange.lock import INDEX_LOCK, FileLock
from exchange.project import DEFAULT_RUN
from exchange.recipes import prompts
from exchange.recipes.prompts import PromptTemplate
from exchange.records import Chunk
from exchange.store.corpus import Corpus
from exchange.store.joined_corpus import open_corpus
from trainer import tokenization
from trainer.console import StageProgress
from trainer.evaluate.rag.attribution import AnswerSource, find_sources, taught_pairs
from trainer.evaluate.rag.index import VERSION, Document, SearchIndex, question_terms

FILE = "rag.sqlite"


def open_archive(
    corpus: Corpus, folder: Path, progress: StageProgress = lambda what, done, total: None
) -> SearchIndex:
    """The index over an open corpus, kept in a folder.

    Args:
        corpus: read twice when the index has to be made: once to know it, once to fill it.
        progress: called with what is done, chunks done and chunks in all.

    Raises:
        UserError: there is no chunk yet, or the folder cannot be written.
    """
    key, count = _key(corpus)
    if not count:
        raise NotEnoughData("no chunks to search yet: run `kkoracle crawl` first")
    found = SearchIndex.opened(folder / FILE, key)
    if found is not None:
        return found
    lock = FileLock(folder / INDEX_LOCK)
    lock.acquire(wait=True)
    try:
        # Another process may have made it by now.
        return SearchIndex.opened(folder / FILE, key) or SearchIndex.build(
            documents(corpus),
            key,
            folder / FILE,
            lambda done: progress("indexing chunks", done, count),
        )
    finally:
        lock.release()


def documents(corpus: Corpus) -> Iterator[Document]:
    """Every live chunk with its story's cluster and address, the oldest story first.

    Those without a date come last.
    """
    stories = {
        stored.story.id: (stored.story.published, stored.cluster, stored.story.url)
        for stored in corpus.stories()
    }
    for story in sorted(stories, key=lambda one: (not stories[one][0], stories[one][0], one)):
        published, cluster, url = stories[story]
        for chunk in corpus.chunks_of(story):
            head, group = chunk.header, cluster or story
            yield Document(chunk.id, head, chunk.text, group, url, published, story)


def current_index(
    archive_dir: Path, progress: StageProgress = lambda what, done, total: None
) -> SearchIndex:
    """The index of an archive's spool, brought up to date if chunks have come or gone.

    Raises:
        UserError: the archive has no chunk yet, or its folder cannot be written.
    """
    with open_corpus(archive_dir) as corpus:
        state = corpus.chunk_state()
        found = SearchIndex.opened(archive_dir / FILE)
        if found is not None:
            if found.state == state:
                return found
            found.close()
        found = open_archive(corpus, archive_dir, progress)
        found.note_state(archive_dir / FILE, state)
        return found


def usable_index(
    archive_dir: Path,
    at_once: int,
    progress: StageProgress = lambda what, done, total: None,
) -> tuple[SearchIndex | None, str]:
    """The index for somebody who waits, and how far it is behind in words ("" when it is not).

    It is made anew as a whole, which takes minutes for a large archive, and every story that a
    daemon stores puts it behind.

    Args:
        at_once: passages of an archive whose index is brought up to date first; that of a larger
            one is taken as it is, None when there is none.

    Raises:
        UserError: the archive has no chunk yet, or its folder cannot be written.
    """
    with open_corpus(archive_dir) as corpus:
        state, count = corpus.chunk_state(), corpus.counters().get("chunks.live", 0)
    found = SearchIndex.opened(archive_dir / FILE)
    if found is not None and found.state == state:
        return found, ""
    if count <= at_once:
        if found is not None:
            found.close()
        return (current_index(archive_dir, progress), "") if count else (None, "")
    if found is None:
        return None, f"{format_count(count)} passages are not indexed yet"
    return found, f"the index has {found.count:,} passages and the archive {count:,}"


def _key(corpus: Corpus) -> tuple[str, int]:
    """A hash over all chunks, and how many there are. A chunk's id is a hash of its text."""
    sha = blake2b(f"terms {VERSION}".encode(), digest_size=8)
    count = 0
    for chunk in corpus.chunks():
        sha.update(_line(chunk))
        count += 1
    return sha.hexdigest(), count


def _line(chunk: Chunk) -> bytes:
    return f"{chunk.id}\0{chunk.header}\n".encode("utf-8", "surrogatepass")


class ArchiveSearch:
    """The index of an archive for whoever asks now and then: opened, or made, when first asked.

    One object belongs to one thread.
    """

    def __init__(self, archive_dir: Path, language: str, run: str = DEFAULT_RUN) -> None:
        """`run`: the one whose taught pairs are named as such."""
        self._archive_dir, self._language, self._run = archive_dir, language, run
        self._index: SearchIndex | None = None
        self._taught: frozenset[str] | None = None

    @property
    def ready(self) -> bool:
        """The index is open: what is asked now is answered at once."""
        return self._index is not None

    def open(self, progress: StageProgress = lambda what, done, total: None) -> SearchIndex:
        """The index, made if there is none that fits; what asks opens it by itself.

        Raises:
            UserError: the archive has no chunk yet.
        """
        if self._index is None:
            self._index = current_index(self._archive_dir, progress)
            self._taught = taught_pairs(self._archive_dir, self._run)
        return self._index

    def passages(self, question: str, count: int) -> list[Document]:
        """The passages that fit a question, best first.

        Raises:
            UserError: the archive has no chunk yet.
        """
        return [hit.document for hit in self.open().search(question_terms(question), count)]

    def sources(self, answer: str, question: str = "", *, count: int) -> list[AnswerSource]:
        """The stories that an answer can be read in, nearest first.

        Raises:
            UserError: the archive has no chunk yet.
        """
        return find_sources(
            self._archive_dir,
            self.open(),
            self._taught,
            answer,
            question,
            count=count,
            language=self._language,
        )

    def close(self) -> None:
        """Let go of the index."""
        if self._index is not None:
            self._index.close()


def rag_template(prompt: str, language: str) -> PromptTemplate:
    """How passages are put before a question: a prompt by its name or file, else the language's."""
    if prompt:
        return prompts.load_template(prompt, tokenization.PASSAGE_PLACEHOLDERS)
    return prompts.template_in_language("rag", language, tokenization.PASSAGE_PLACEHOLDERS)


def rag_messages(
    template: PromptTemplate, question: str, passages: Iterable[Document], system: str = ""
) -> list[Message]:
    """The request: every passage under its newspaper, date and title; the best one last."""
    shown = ((one.head, one.text) for one in passages)
    return tokenization.passage_messages(template, question, shown, system)
