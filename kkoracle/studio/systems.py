"""The systems that Compare asks: base and tuned model, alone and with what the archive says.

They are those of an evaluation; only what is put to them is a person's, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exchange.errors import NotFound
from exchange.inference import models
from exchange.project import Project, runs_with
from exchange.recipes import prompts
from exchange.settings import PersonaSettings
from exchange.store.corpus import SpoolCorpus
from trainer import tuned_model
from trainer.chat.session import BASE, RAG, SYSTEMS, TUNED, TUNED_RAG
from trainer.evaluate import rag
from trainer.evaluate.rag.archive import rag_template
from trainer.evaluate.rag.index import question_terms
from trainer.evaluate.records import EvalItem
from trainer.evaluate.settings import EvaluateSettings
from trainer.evaluate.systems.client import ModelOutput
from trainer.evaluate.systems.local import LocalModel, LocalWeights
from trainer.evaluate.systems.strategies import PromptStrategy, RagStrategy, ZeroShotStrategy

LONGEST_QUESTION = 2000  # characters of a question


@dataclass(frozen=True, slots=True)
class StudioSource:
    """A passage that was shown to the model: newspaper, date and title, address, text."""

    head: str
    url: str
    text: str


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


def system_names(run: str) -> list[str]:
    """Who can be asked, with a run or without."""
    return list(SYSTEMS) if run else [BASE, RAG]


class StudioSystems:
    """Everything that answers, open; belongs to the thread that opened it."""

    def __init__(
        self,
        weights: LocalWeights,
        index: rag.SearchIndex,
        template: prompts.PromptTemplate,
        passages: int,
        system: str,
    ) -> None:
        self._weights, self._index, self._template = weights, index, template
        self._passages = passages
        self._system = system

    def ask(self, name: str, question: str, max_tokens: int) -> StudioAnswer:
        """One answer. What goes wrong with it alone stands in `error`."""
        read = name in (RAG, TUNED_RAG)
        way: PromptStrategy = (
            RagStrategy(self._index, self._template, self._passages) if read else ZeroShotStrategy()
        )
        speaker = LocalModel(
            self._weights, tuned=name in (TUNED, TUNED_RAG), model_sha="", adapter_sha=""
        )
        item = EvalItem("asked", "", question, "", "", self._system)
        asked = way.build_prompt(item, lambda prompt: speaker.fits(prompt, max_tokens))
        found: list[ModelOutput] = []
        speaker.answer(
            [asked.prompt], max_tokens, lambda _, said: found.append(said), lambda: False
        )
        (said,) = found
        return StudioAnswer(
            name,
            said.text,
            said.seconds,
            said.tokens_out,
            self._sources(question, asked.sources),
            said.error,
        )

    def _sources(self, question: str, shown: tuple[str, ...]) -> tuple[StudioSource, ...]:
        if not shown:
            return ()
        found = {
            one.document.id: one.document
            for one in self._index.search(question_terms(question), self._passages)
        }
        return tuple(
            StudioSource(found[id].head, found[id].url, found[id].text)
            for id in shown
            if id in found
        )


@contextmanager
def open_systems(
    project: Project, archive: str, run: str, note: Callable[[str], None]
) -> Iterator[StudioSystems]:
    """Base model, the adapter of a run if one is named, and the index of the archive.

    Raises:
        UserError: nothing crawled, the model not on this machine, or not the run's.
    """
    base, adapter = _locate_model(project, archive, run)
    persona = project.config.table("persona", PersonaSettings)
    evaluated = project.config.table("evaluate", EvaluateSettings)
    template = rag_template(evaluated.prompt, project.language(archive))
    with SpoolCorpus(project.archive_dir(archive)) as corpus:
        index = rag.open_archive(
            corpus, project.archive_dir(archive), lambda what, done, total: note(f"{what} {done:,}")
        )
    try:
        with LocalWeights(base, adapter, project.data, 1, note) as weights:
            yield StudioSystems(weights, index, template, evaluated.passages, persona.system)
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
