"""The archive's index, opened or made when the first question wants it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from exchange.corpus import SpoolCorpus
from trainer.evaluate.rag import Document, Index, open_archive
from trainer.evaluate.rag.terms import of_question


class Passages:
    """What of an archive speaks of a question, best first."""

    def __init__(self, archive_dir: Path, count: int, console: Console) -> None:
        self._archive_dir, self._count, self._console = archive_dir, count, console
        self._index: Index | None = None

    def find(self, question: str) -> list[Document]:
        """At most as many as were wanted.

        Raises:
            UserError: the archive has no chunk yet.
        """
        if self._index is None:
            with SpoolCorpus(self._archive_dir) as corpus, self._console.status("") as status:
                self._index = open_archive(
                    corpus,
                    self._archive_dir,
                    lambda what, done, total: status.update(f"{what} {done:,} of {total:,}"),
                )
        return [found.document for found in self._index.search(of_question(question), self._count)]

    def close(self) -> None:
        """Let go of the index."""
        if self._index is not None:
            self._index.close()
