"""One evaluation, held together: items, systems, metrics, judge, and the files they leave."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from exchange import models
from exchange.errors import UsageError
from exchange.house import House
from exchange.lock import FileLock
from exchange.settings import Persona
from trainer import runs
from trainer.evaluate import material, prompts
from trainer.evaluate.items.gather import Sought
from trainer.evaluate.judge import letters
from trainer.evaluate.judge.letters import LetterJudge
from trainer.evaluate.judging import judged
from trainer.evaluate.material import Material, Subject
from trainer.evaluate.measuring import Weighed, measure
from trainer.evaluate.metrics import ALL
from trainer.evaluate.rag.prompt import PLACES
from trainer.evaluate.records import About, Answer, Audit, Evaluation, Item, Preference, as_dicts
from trainer.evaluate.settings import Evaluate
from trainer.evaluate.systems.endpoint import Endpoint
from trainer.evaluate.systems.lineup import Means, Speakers, asked, line_up, weighed
from trainer.evaluate.systems.local import Local, Weights
from trainer.evaluate.systems.store import FOLDER as ANSWERS
from trainer.evaluate.systems.store import Store
from trainer.evaluate.systems.system import System
from trainer.runs import Checkpoint
from trainer.watch import Watcher

FOLDER = "evaluation"  # in the run's folder
LOCK = "evaluation.lock"
KEY = "KKORACLE_EVALUATE_API_KEY"  # of the endpoint; never in a file that is shown


@dataclass(frozen=True, slots=True)
class Asked:
    """What one evaluation is about, beside the settings."""

    archive: str | None = None
    run: str = "default"
    checkpoint: Checkpoint = "last"
    origin: Path | None = None  # an export in place of the spool
    model: models.Model | None = None  # default: the one of the settings
    command: str = ""


@dataclass(frozen=True, slots=True)
class Hands:
    """How an evaluation speaks with whoever started it."""

    note: Callable[[str], None] = Watcher().note
    report: Callable[[str, int, int], None] = lambda what, done, total: None
    confirm: Callable[[str], bool] = lambda text: False
    stop: Callable[[], bool] = lambda: False


def evaluate(house: House, settings: Evaluate, what: Asked, hands: Hands) -> Path:
    """Ask every system, measure, and write the run's `evaluation` folder.

    Answers that were given before are taken from the archive's `answers` folder, so that the same
    command goes on after a kill, and costs nothing where nothing changed. Evaluates MLX: a process
    that called this must not fork.

    Returns:
        The folder.

    Raises:
        UserError: no dataset, no such run, another model than the run's, the GPU in use, stopped.
    """
    began, started = time.monotonic(), dt.datetime.now(dt.UTC)
    archive_dir = house.archive_dir(what.archive)
    about = _subject(house, settings, what, hands)
    language = house.config.table("persona", Persona).language
    template = prompts.load(settings.prompt or f"{language}/rag", PLACES)
    with FileLock(archive_dir / LOCK):
        sought = Sought(settings.questions, settings.absent, settings.disturbed)
        found = material.read(archive_dir, what.origin, sought, hands.report)
        items = found.gathered.items
        with Weights(about.folder, about.adapter, house.data, settings.width, hands.note) as loaded:
            speakers = _speakers(house, settings, about, loaded)
            means = Means(found.gathered.examples, found.search, template,
                          archive_dir / ANSWERS, hands.stop)  # fmt: skip
            systems = line_up(settings, speakers, means)
            if not systems:
                raise UsageError(
                    f"nobody to ask among {', '.join(settings.systems)}: passages need the "
                    "archive's spool or --from an export"
                )
            answers, weights = ask_all(systems, items, hands)
            audit: Audit | None = None
            preferences: list[Preference] = []
            if settings.judge:
                store = Store(archive_dir / ANSWERS, speakers.base.key)
                rules = prompts.load(f"{language}/judge", letters.PLACES)
                judge = LetterJudge(loaded, about.title, rules, store, hands.stop)
                audit, preferences = judged(judge, items, answers, settings.judged,
                                            (archive_dir, what.run), hands.report)  # fmt: skip
                store.close()
        scores, confidences = measure(items, answers, weights)
        recorded = About(
            archive=archive_dir.name,
            run=what.run,
            checkpoint=what.checkpoint,
            model=about.title,
            model_sha=about.sha,
            adapter=about.adapter_sha,
            dataset=found.manifest.sha,
            corpus=found.search.key if found.search else "",
            settings={**settings.model_dump(mode="json"), "prompt": template.id,
                      "prompt_sha": template.sha},
            systems=as_dicts(system.record() for system in systems),
            metrics=as_dicts(metric.METRIC for metric in ALL),
            coverage=found.coverage,
            command=what.command,
            started=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - began, 1),
            warnings=_warnings(found, about, settings, systems),
        )  # fmt: skip
        folder = archive_dir / runs.RUNS / what.run / FOLDER
        Evaluation(recorded, {item.id: item for item in items}, answers, scores, confidences,
                   audit, preferences).write(folder)  # fmt: skip
    return folder


def _subject(house: House, settings: Evaluate, what: Asked, hands: Hands) -> Subject:
    tuned = any(name.startswith("tuned") for name in settings.systems)
    return material.subject(house, what.archive, what.run, what.checkpoint, tuned=tuned,
                            language_model=what.model, confirm=hands.confirm)  # fmt: skip


def ask_all(
    systems: Sequence[System], items: list[Item], hands: Hands
) -> tuple[dict[str, dict[str, Answer]], dict[str, Weighed]]:
    """Answers and likelihoods by system and item, those that are missing computed now."""
    answers: dict[str, dict[str, Answer]] = {}
    weights: dict[str, Weighed] = {}
    order = sorted(systems, key=lambda system: system.speaker.key)  # each is loaded once
    mine = {system.name: asked(system.kind, items) for system in order}
    missing = {system.name: system.missing(mine[system.name], weighed(mine[system.name]))
               for system in order}  # fmt: skip
    answering = _Count("answers", len(set().union(*(said for said, _ in missing.values()))), hands)
    weighing = _Count("likelihoods", len(set().union(*(one for _, one in missing.values()))), hands)
    for system in order:
        wanted = mine[system.name]
        if any(missing[system.name]):
            hands.note(f"asking {system.name}: {system.record().about}")
        given = system.answer(wanted, answering.one)
        answers[system.name] = {answer.item: answer for answer in given}
        weights[system.name] = system.weigh(weighed(wanted), weighing.one)
        system.store.close()
    return ({system.name: answers[system.name] for system in systems},
            {system.name: weights[system.name] for system in systems})  # fmt: skip


class _Count:
    """One bar over all systems."""

    def __init__(self, what: str, total: int, hands: Hands) -> None:
        self._what, self._total, self._hands = what, total, hands
        self._done = 0

    def one(self) -> None:
        self._done += 1
        self._hands.report(self._what, self._done, self._total)


def _speakers(house: House, settings: Evaluate, about: Subject, weights: Weights) -> Speakers:
    endpoint = None
    if "endpoint" in settings.systems:
        if not settings.url or not settings.served_as or house.endpoint is None:
            raise UsageError("endpoint: set [evaluate] url and served_as, the name of its model")
        endpoint = Endpoint(settings.url, settings.served_as, partial(
            house.endpoint, settings.url, settings.served_as, os.environ.get(KEY, ""),
            settings.width,
        ))  # fmt: skip
    return Speakers(
        Local(weights, tuned=False, model_sha=about.sha, adapter_sha=""),
        Local(weights, tuned=True, model_sha=about.sha, adapter_sha=about.adapter_sha)
        if about.adapter else None,
        endpoint,
    )  # fmt: skip


def _warnings(
    found: Material, about: Subject, settings: Evaluate, systems: Sequence[System]
) -> list[str]:
    warnings = list(found.gathered.warnings)
    if about.dataset and about.dataset != found.manifest.sha:
        warnings.append(
            "the dataset was built anew since this run: test_recall may ask what it was not taught"
        )
    kinds = {system.kind for system in systems}
    for kind in settings.systems:
        if kind not in kinds:
            warnings.append(f"{kind} was not asked: there is no archive to search")
    return warnings
