"""The systems that Ask puts a question to: base and tuned model, alone and with search.

They are those of an evaluation; only what is put to them is a person's, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exchange.errors import NotFound, UserError
from exchange.inference import models
from exchange.inference.engine import scaled_name
from exchange.project import Project, runs_with
from exchange.recipes import prompts
from exchange.settings import PersonaSettings
from exchange.store.joined_corpus import open_corpus
from trainer import tuned_model
from trainer.chat.session import BASE, RAG, TUNED, ChatSession, ChatTurn
from trainer.evaluate import rag
from trainer.evaluate.rag import Document
from trainer.evaluate.rag.archive import rag_template
from trainer.evaluate.rag.index import question_terms
from trainer.evaluate.settings import EvaluateSettings
from trainer.evaluate.systems.client import ModelOutput
from trainer.evaluate.systems.local import LocalModel, LocalWeights

STRENGTHS = (1.0, 0.75, 0.5)  # of the adapter; `kkoracle evaluate --scales` measures them
LONGEST_QUESTION = 2000  # characters of a question
STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StudioSource:
    """A passage that was shown to the model: newspaper, date and title, address, text."""

    head: str
    url: str
    text: str
    story: str = ""  # its id in the archive


@dataclass(frozen=True, slots=True)
class StudioAnswer:
    """One system's answer."""

    system: str
    text: str
    seconds: float = 0.0
    tokens: int = 0
    sources: tuple[StudioSource, ...] = ()
    error: str = ""


def runs_with_adapter(project: Project, archive: str) -> list[str]:
    """Runs that have an adapter, the newest first."""
    found = runs_with(project.archive_dir(archive), "adapters.safetensors")
    return [folder.name for folder in found]


def system_names(run: str, strength: float = 1.0) -> list[str]:
    """Who can be asked: the base, and with a run the tuned model, each alone and with search."""
    tuned = TUNED if strength == 1 else scaled_name(strength)
    return [BASE, tuned, RAG, f"{tuned}+{RAG}"] if run else [BASE, RAG]


class StudioSystems:
    """Everything that answers, open; belongs to the thread that opened it."""

    def __init__(
        self,
        weights: LocalWeights,
        index: rag.SearchIndex,
        template: prompts.PromptTemplate,
        passages: int,
        system: str,
        strength: float,
        directory: Path,
    ) -> None:
        self._weights, self._index, self._template = weights, index, template
        self._passages = passages
        self._system = system
        self._strength = strength
        self._directory = directory

    def ask(
        self,
        name: str,
        question: str,
        max_tokens: int,
        before: Sequence[ChatTurn] = (),
        stop: Callable[[], bool] = lambda: False,
    ) -> StudioAnswer:
        """One answer. What goes wrong with it alone stands in `error`.

        Args:
            before: what it was asked and has answered in this talk, if it is to know that.
            stop: looked at before every token.
        """
        tuned, found = name.startswith(TUNED), list[Document]()
        if name.endswith(RAG):
            hits = self._index.search(question_terms(question), self._passages)
            found = [one.document for one in hits]
        speaker = LocalModel(
            self._weights,
            tuned=tuned,
            model_sha="",
            adapter_sha="",
            scale=self._strength if tuned else 1.0,
        )
        session = ChatSession(name, self._system, turns=list(before))
        try:
            prompt, shown = session.prompt(
                question, found, self._template, lambda turns: speaker.fits(turns, max_tokens)
            )
        except UserError as error:
            return StudioAnswer(name, "", error=str(error))
        ended: list[ModelOutput] = []
        speaker.answer([prompt], max_tokens, lambda _, said: ended.append(said), stop)
        if not ended:
            return StudioAnswer(name, "", error=STOPPED)
        (said,) = ended
        return StudioAnswer(
            name, said.text, said.seconds, said.tokens_out, self._sources(shown), said.error
        )

    def _sources(self, shown: Sequence[Document]) -> tuple[StudioSource, ...]:
        if not shown:
            return ()
        return tuple(StudioSource(one.head, one.url, one.text, one.story) for one in shown)


@contextmanager
def open_systems(
    project: Project, archive: str, run: str, strength: float, note: Callable[[str], None]
) -> Iterator[StudioSystems]:
    """Base model, the adapter of a run at a strength if one is named, and the archive's index.

    Raises:
        UserError: nothing crawled, the model not on this machine, or not the run's.
    """
    base, adapter = _locate_model(project, archive, run)
    persona = project.config.table("persona", PersonaSettings)
    evaluated = project.config.table("evaluate", EvaluateSettings)
    template = rag_template(evaluated.prompt, project.language(archive))
    with open_corpus(project.archive_dir(archive)) as corpus:
        index = rag.open_archive(
            corpus, project.archive_dir(archive), lambda what, done, total: note(f"{what} {done:,}")
        )
    try:
        scales = (1.0,) if strength == 1 else (1.0, strength)
        with LocalWeights(base, adapter, project.data, 1, note, scales) as weights:
            yield StudioSystems(
                weights,
                index,
                template,
                evaluated.passages,
                persona.system,
                strength,
                project.archive_dir(archive),
            )
    finally:
        index.close()


def _locate_model(project: Project, archive: str, run: str) -> tuple[Path, Path | None]:
    if run:
        found = tuned_model.find_tuned_model(project, archive, run, confirm=refuse_download)
        return found.base, found.adapter
    settings = project.config.table("model", models.ModelSettings)
    return models.locate(settings, project.models, refuse_download), None


def refuse_download(size: str) -> bool:
    """May a model be downloaded? Not by a page, which could not show how far it is."""
    raise NotFound(
        "the model is not on this machine yet: `kkoracle work` or `kkoracle train` "
        "fetches it, and asks first"
    )
