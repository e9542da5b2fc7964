"""The systems that Compare asks: base and tuned model, alone and with what the archive says.

They are those of an evaluation; only what is put to them is a person's, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exchange import models
from exchange.corpus import SpoolCorpus
from exchange.errors import UserError
from exchange.house import House
from exchange.settings import Persona
from trainer import tuned
from trainer.evaluate import prompts, rag
from trainer.evaluate.rag.prompt import PLACES
from trainer.evaluate.rag.terms import of_question
from trainer.evaluate.records import Item
from trainer.evaluate.systems.asking import Plain, Retrieved, Way
from trainer.evaluate.systems.local import Local, Weights
from trainer.evaluate.systems.speaker import Said
from trainer.runs import RUNS
from trainer.talk.session import BASE, RAG, TUNED, TUNED_RAG, WAYS

PASSAGES = 4  # shown to a system that reads
LONGEST = 2000  # characters of a question


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that was shown to the model: newspaper, date and title, address, text."""

    head: str
    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Given:
    """One system's answer."""

    system: str
    text: str
    seconds: float = 0.0
    tokens: int = 0
    sources: tuple[Source, ...] = ()
    error: str = ""


def runs_of(house: House, archive: str) -> list[str]:
    """Runs that have an adapter, the newest first."""
    folder = house.archive_dir(archive) / RUNS
    found = [path for path in folder.glob("*") if (path / "adapters.safetensors").exists()]
    found.sort(key=lambda path: (path / "adapters.safetensors").stat().st_mtime, reverse=True)
    return [path.name for path in found]


def names(run: str) -> list[str]:
    """Who can be asked, with a run or without."""
    return list(WAYS) if run else [BASE, RAG]


class Asker:
    """Everything that answers, open; belongs to the thread that opened it."""

    def __init__(
        self, weights: Weights, index: rag.Index, template: prompts.Template, system: str
    ) -> None:
        self._weights, self._index, self._template = weights, index, template
        self._system = system

    def ask(self, name: str, question: str, max_tokens: int) -> Given:
        """One answer. What goes wrong with it alone stands in `error`."""
        read = name in (RAG, TUNED_RAG)
        way: Way = Retrieved(self._index, self._template, PASSAGES) if read else Plain()
        speaker = Local(
            self._weights, tuned=name in (TUNED, TUNED_RAG), model_sha="", adapter_sha=""
        )
        item = Item("asked", "", question, "", "", self._system)
        asked = way.ask(item, lambda prompt: speaker.fits(prompt, max_tokens))
        found: list[Said] = []
        speaker.answer(
            [asked.prompt], max_tokens, lambda _, said: found.append(said), lambda: False
        )
        (said,) = found
        return Given(
            name,
            said.text,
            said.seconds,
            said.tokens_out,
            self._sources(question, asked.sources),
            said.error,
        )

    def _sources(self, question: str, shown: tuple[str, ...]) -> tuple[Source, ...]:
        if not shown:
            return ()
        found = {
            one.document.id: one.document
            for one in self._index.search(of_question(question), PASSAGES)
        }
        return tuple(
            Source(found[id].head, found[id].url, found[id].text) for id in shown if id in found
        )


@contextmanager
def open_asker(
    house: House, archive: str, run: str, note: Callable[[str], None]
) -> Iterator[Asker]:
    """Base model, the adapter of a run if one is named, and the index of the archive.

    Raises:
        UserError: nothing crawled, the model not on this machine, or not the run's.
    """
    base, adapter = _find(house, archive, run)
    persona = house.config.table("persona", Persona)
    template = prompts.load(f"{persona.language}/rag", PLACES)
    with SpoolCorpus(house.archive_dir(archive)) as corpus:
        index = rag.open_archive(
            corpus, house.archive_dir(archive), lambda what, done, total: note(f"{what} {done:,}")
        )
    try:
        with Weights(base, adapter, house.data, 1, note) as weights:
            yield Asker(weights, index, template, persona.system)
    finally:
        index.close()


def _find(house: House, archive: str, run: str) -> tuple[Path, Path | None]:
    if run:
        found = tuned.find(house, archive, run, confirm=not_here)
        return found.base, found.adapter
    settings = house.config.table("model", models.Model)
    return models.locate(settings, house.models, not_here), None


def not_here(size: str) -> bool:
    """May a model be downloaded? Not by a page, which could not show how far it is."""
    raise UserError(
        "the model is not on this machine yet: `kkoracle work` or `kkoracle train` "
        "fetches it, and asks first"
    )
