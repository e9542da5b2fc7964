"""Bring together what a conversation needs: the models, the archive's index, the persona."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from rich.console import Console

from exchange import gpu, models
from exchange.errors import UserError
from exchange.house import House
from exchange.settings import Persona
from exchange.spool import FILE as SPOOL
from trainer import runs, tuned
from trainer.evaluate import prompts
from trainer.evaluate.rag.prompt import PLACES
from trainer.runs import Checkpoint, Run
from trainer.talk import voices
from trainer.talk.passages import Passages
from trainer.talk.session import BASE, RAG, TUNED, TUNED_RAG, Session
from trainer.talk.terminal import Desk


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the person asked for."""

    archive: str | None
    run: str
    checkpoint: Checkpoint
    way: str
    alone: bool
    max_tokens: int
    passages: int
    model: models.Model


@contextmanager
def open_desk(
    house: House, wanted: Wanted, console: Console, confirm: Callable[[str], bool]
) -> Iterator[Desk]:
    """Load everything; the GPU is ours meanwhile, shared with workers.

    Without a run only the base can be asked, without a spool nothing can be looked up; a way that
    is not there is refused before anything is loaded.

    Raises:
        UserError: no such way, no model, training runs.
    """
    archive_dir = house.archive_dir(wanted.archive)
    persona = house.config.table("persona", Persona)
    has_run = (Run(archive_dir, wanted.run).folder / "run.json").exists()
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
        raise UserError(
            f"{wanted.way} cannot answer: {archive_dir.name} "
            + (missing if "tuned" in wanted.way and not has_run else "has no spool to search")
            + f" (--way {' or --way '.join(ways)} would)"
        )
    with ExitStack() as held:
        held.enter_context(gpu.held(house.data, shared=True))
        with console.status("loading the model"):
            if has_run:
                found = tuned.find(
                    house, wanted.archive, wanted.run, wanted.checkpoint, wanted.model, confirm
                )
                speaking = voices.both(found)
                about = f"{found.title}, run {wanted.run} ({wanted.checkpoint})"
            else:
                folder = models.locate(wanted.model, house.models, confirm)
                speaking = voices.base_alone(folder)
                about = f"{folder.name} ({runs.model_sha(folder)}), not tuned"
        held.enter_context(closing(speaking))
        passages = held.enter_context(closing(Passages(archive_dir, wanted.passages, console)))
        yield Desk(
            Session(wanted.way, persona.system, wanted.alone),
            speaking,
            ways,
            passages.find,
            prompts.load(f"{persona.language}/rag", PLACES),
            wanted.max_tokens,
            persona.name,
            about,
            console,
        )
