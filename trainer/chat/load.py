"""Bring together what a conversation needs: the models, the archive's index, the persona."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from exchange import lock
from exchange.errors import NotFound
from exchange.inference.models import ModelSettings, locate
from exchange.project import Project
from exchange.settings import PersonaSettings
from exchange.store.joined_corpus import has_corpus
from trainer import tuned_model
from trainer.abstention import AnswerThreshold, refusal_text
from trainer.chat.session import BASE, RAG, TUNED, TUNED_RAG, ChatSession, open_chat_models
from trainer.chat.terminal import ChatContext
from trainer.evaluate.rag import ArchiveSearch
from trainer.evaluate.rag.archive import rag_template
from trainer.evaluate.settings import EvaluateSettings
from trainer.promote import versions
from trainer.training import run_config, runs
from trainer.training.runs import CheckpointName, TrainingRun

SOURCES = 3  # stories named for an answer that came without a search


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """The options of `kkoracle chat`."""

    archive: str | None
    run: str
    checkpoint: CheckpointName
    system: str
    alone: bool
    max_tokens: int
    passages: int | None  # None: as many as [evaluate] says
    model: ModelSettings
    scale: float = 1.0  # strength of the adapter
    abstain: bool = False  # the tuned model may say that it does not know


def _newest(archive_dir: Path, model_sha: str) -> Path | None:
    """The promoted run, as far as it fits the model that is loaded."""
    folder = versions.promoted(archive_dir)
    return folder if folder and tuned_model.trained_on(folder, model_sha) else None


@contextmanager
def open_chat(
    project: Project, wanted: ChatOptions, console: Console, confirm: Callable[[str], bool]
) -> Iterator[ChatContext]:
    """Load everything; the GPU is ours meanwhile, shared with workers.

    Of the promoted run each newer one is taken before the next question, and training may go on.
    Without a run only the base can be asked, without a spool nothing can be looked up; a system
    that is not there is refused before anything is loaded.

    Raises:
        UserError: no such system, no model, training runs.
    """
    archive_dir = project.archive_dir(wanted.archive)
    persona = project.config.table("persona", PersonaSettings)
    evaluated = project.config.table("evaluate", EvaluateSettings)
    has_run = (TrainingRun(archive_dir, wanted.run).folder / runs.RECORD).exists()
    has_spool = has_corpus(archive_dir)
    systems = [
        name
        for name, available in (
            (BASE, True),
            (TUNED, has_run),
            (RAG, has_spool),
            (TUNED_RAG, has_run and has_spool),
        )
        if available
    ]
    if wanted.system not in systems:
        missing = "has no run of that name yet: `kkoracle train` makes one"
        raise NotFound(
            f"{wanted.system} cannot answer: {archive_dir.name} "
            + (missing if "tuned" in wanted.system and not has_run else "has no spool to search")
            + f" (--way {' or --way '.join(systems)} would)"
        )
    threshold: AnswerThreshold | None = None
    # A threshold was fitted for one adapter: then it stays that one.
    follows = wanted.run == versions.PROMOTED and not wanted.abstain
    with ExitStack() as held:
        if not follows:  # else a morning may teach meanwhile
            held.enter_context(lock.hold_gpu(project.data, shared=True))
        with console.status("loading the model"):
            if has_run:
                found = tuned_model.find_tuned_model(
                    project, wanted.archive, wanted.run, wanted.checkpoint, wanted.model, confirm
                )
                if wanted.abstain:
                    threshold = AnswerThreshold.read(found.adapter, wanted.scale)
                sha = found.config.model_sha
                newest = partial(_newest, archive_dir, sha) if follows else None
                chat_models = open_chat_models(found.base, found.adapter, wanted.scale, newest)
                about = f"{found.title}, run {wanted.run} ({wanted.checkpoint})"
                about += f" at strength {wanted.scale:g}" * (wanted.scale != 1)
            else:
                folder = locate(wanted.model, project.models, confirm)
                chat_models = open_chat_models(folder, None)
                about = f"{folder.name} ({run_config.model_sha(folder)}), not tuned"
        held.enter_context(closing(chat_models))
        count = wanted.passages or evaluated.passages
        language = project.language(wanted.archive)
        search = held.enter_context(closing(ArchiveSearch(archive_dir, language, wanted.run)))
        yield ChatContext(
            session=ChatSession(wanted.system, persona.system, wanted.alone),
            models=chat_models,
            systems=systems,
            search=lambda question: _opened(search, console).passages(question, count),
            find_sources=lambda turn: _opened(search, console).sources(
                turn.answer, turn.question, count=SOURCES
            ),
            template=rag_template(evaluated.prompt, language),
            max_tokens=wanted.max_tokens,
            title=persona.name,
            about=about,
            console=console,
            threshold=threshold,
            refusal=refusal_text(language),
        )


def _opened(search: ArchiveSearch, console: Console) -> ArchiveSearch:
    """The search, its index opened or made under a line that moves."""
    if not search.ready:
        with console.status("") as status:
            search.open(lambda what, done, total: status.update(f"{what} {done:,} of {total:,}"))
    return search
