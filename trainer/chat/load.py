"""Bring together what a conversation needs: the models, the archive's index, the persona."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from exchange import lock
from exchange.errors import NotFound
from exchange.inference.models import ModelSettings, locate
from exchange.project import Project
from exchange.recipes import prompts
from exchange.settings import PersonaSettings
from exchange.store.corpus import SpoolCorpus
from exchange.store.spool import FILE as SPOOL
from trainer import tuned_model
from trainer.chat.models import open_chat_models
from trainer.chat.session import BASE, RAG, TUNED, TUNED_RAG, ChatSession
from trainer.chat.terminal import ChatContext
from trainer.evaluate.rag import Document, SearchIndex, open_archive
from trainer.evaluate.rag.prompt import PLACEHOLDERS
from trainer.evaluate.rag.terms import question_terms
from trainer.training import runs
from trainer.training.runs import CheckpointName, TrainingRun

# The archive's index, opened or made when the first question wants it.


class PassageSearch:
    """What of an archive speaks of a question, best first."""

    def __init__(self, archive_dir: Path, count: int, console: Console) -> None:
        self._archive_dir, self._count, self._console = archive_dir, count, console
        self._index: SearchIndex | None = None

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
        return [
            found.document for found in self._index.search(question_terms(question), self._count)
        ]

    def close(self) -> None:
        """Let go of the index."""
        if self._index is not None:
            self._index.close()


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What the person asked for."""

    archive: str | None
    run: str
    checkpoint: CheckpointName
    way: str
    alone: bool
    max_tokens: int
    passages: int
    model: ModelSettings


@contextmanager
def open_chat(
    project: Project, wanted: ChatOptions, console: Console, confirm: Callable[[str], bool]
) -> Iterator[ChatContext]:
    """Load everything; the GPU is ours meanwhile, shared with workers.

    Without a run only the base can be asked, without a spool nothing can be looked up; a way that
    is not there is refused before anything is loaded.

    Raises:
        UserError: no such way, no model, training runs.
    """
    archive_dir = project.archive_dir(wanted.archive)
    persona = project.config.table("persona", PersonaSettings)
    has_run = (TrainingRun(archive_dir, wanted.run).folder / "run.json").exists()
    has_spool = (archive_dir / SPOOL).exists()
    ways = [
        way
        for way, there in (
            (BASE, True),
            (TUNED, has_run),
            (RAG, has_spool),
            (TUNED_RAG, has_run and has_spool),
        )
        if there
    ]
    if wanted.way not in ways:
        missing = "has no run of that name yet: `kkoracle train` makes one"
        raise NotFound(
            f"{wanted.way} cannot answer: {archive_dir.name} "
            + (missing if "tuned" in wanted.way and not has_run else "has no spool to search")
            + f" (--way {' or --way '.join(ways)} would)"
        )
    with ExitStack() as held:
        held.enter_context(lock.hold_gpu(project.data, shared=True))
        with console.status("loading the model"):
            if has_run:
                found = tuned_model.find_tuned_model(
                    project, wanted.archive, wanted.run, wanted.checkpoint, wanted.model, confirm
                )
                speaking = open_chat_models(found.base, found.adapter)
                about = f"{found.title}, run {wanted.run} ({wanted.checkpoint})"
            else:
                folder = locate(wanted.model, project.models, confirm)
                speaking = open_chat_models(folder, None)
                about = f"{folder.name} ({runs.model_sha(folder)}), not tuned"
        held.enter_context(closing(speaking))
        passages = held.enter_context(closing(PassageSearch(archive_dir, wanted.passages, console)))
        yield ChatContext(
            ChatSession(wanted.way, persona.system, wanted.alone),
            speaking,
            ways,
            passages.find,
            prompts.load_template(f"{persona.language}/rag", PLACEHOLDERS),
            wanted.max_tokens,
            persona.name,
            about,
            console,
        )
