"""One evaluation, held together: items, systems, metrics, judge, and the files they leave."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from trainer.evaluate.prompts import Template
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
    tuned = any(name.startswith("tuned") for name in settings.systems)
    about = material.subject(
        house,
        what.archive,
        what.run,
        what.checkpoint,
        tuned=tuned,
        language_model=what.model,
        confirm=hands.confirm,
    )
    work = _Work(house, settings, what, hands, archive_dir, about)
    with FileLock(archive_dir / LOCK):
        sought = Sought(settings.questions, settings.absent, settings.disturbed)
        found = material.read(archive_dir, what.origin, sought, hands.report)
        items = found.gathered.items
        with Weights(about.folder, about.adapter, house.data, settings.width, hands.note) as loaded:
            systems = work.systems(found, loaded)
            answers, weights = ask_all(systems, items, hands)
            audit, preferences = work.judgement(items, answers, loaded)
        scores, confidences = measure(items, answers, weights)
        recorded = replace(
            work.recorded(found, systems),
            started=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - began, 1),
        )
        folder = archive_dir / runs.RUNS / what.run / FOLDER
        Evaluation(
            recorded,
            {item.id: item for item in items},
            answers,
            scores,
            confidences,
            audit,
            preferences,
        ).write(folder)
    return folder


@dataclass(frozen=True, slots=True)
class _Work:
    """What does not change while an evaluation runs."""

    house: House
    settings: Evaluate
    what: Asked
    hands: Hands
    archive_dir: Path
    about: Subject

    @property
    def language(self) -> str:
        return self.house.config.table("persona", Persona).language

    @property
    def template(self) -> Template:
        """How passages are put before a question."""
        if self.settings.prompt:
            return prompts.load(self.settings.prompt, PLACES)
        return prompts.in_language("rag", self.language, PLACES)

    def systems(self, found: Material, weights: Weights) -> list[System]:
        """Those of the settings that can be asked here.

        Raises:
            UsageError: none of them.
        """
        means = Means(
            found.gathered.examples,
            found.search,
            self.template,
            self.archive_dir / ANSWERS,
            self.hands.stop,
        )
        systems = line_up(self.settings, self.speakers(weights), means)
        if not systems:
            raise UsageError(
                f"nobody to ask among {', '.join(self.settings.systems)}: passages need the "
                "archive's spool or --from an export"
            )
        return systems

    def speakers(self, weights: Weights) -> Speakers:
        """Base, tuned if a run is looked at, and the endpoint if it is asked for."""
        settings, about, endpoint = self.settings, self.about, None
        if "endpoint" in settings.systems:
            if not settings.url or not settings.served_as or self.house.endpoint is None:
                raise UsageError("endpoint: set [evaluate] url and served_as, its model's name")
            endpoint = Endpoint(
                settings.url,
                settings.served_as,
                partial(
                    self.house.endpoint,
                    settings.url,
                    settings.served_as,
                    os.environ.get(KEY, ""),
                    settings.width,
                ),
            )
        return Speakers(
            Local(weights, tuned=False, model_sha=about.sha, adapter_sha=""),
            Local(weights, tuned=True, model_sha=about.sha, adapter_sha=about.adapter_sha)
            if about.adapter
            else None,
            endpoint,
        )

    def judgement(
        self, items: list[Item], answers: dict[str, dict[str, Answer]], weights: Weights
    ) -> tuple[Audit | None, list[Preference]]:
        """What the base says of the others' answers, if it is asked and may be believed."""
        if not self.settings.judge:
            return None, []
        store = Store(self.archive_dir / ANSWERS, self.speakers(weights).base.key)
        rules = prompts.in_language("judge", self.language, letters.PLACES)
        judge = LetterJudge(weights, self.about.title, rules, store, self.hands.stop)
        try:
            return judged(
                judge,
                items,
                answers,
                self.settings.judged,
                (self.archive_dir, self.what.run),
                self.hands.report,
            )
        finally:
            store.close()

    def recorded(self, found: Material, systems: Sequence[System]) -> About:
        """What was asked of whom with what."""
        template = self.template
        return About(
            archive=self.archive_dir.name,
            run=self.what.run,
            checkpoint=self.what.checkpoint,
            model=self.about.title,
            model_sha=self.about.sha,
            adapter=self.about.adapter_sha,
            dataset=found.manifest.sha,
            corpus=found.search.key if found.search else "",
            settings={
                **self.settings.model_dump(mode="json"),
                "prompt": template.id,
                "prompt_sha": template.sha,
            },
            systems=as_dicts(system.record() for system in systems),
            metrics=as_dicts(metric.METRIC for metric in ALL),
            coverage=found.coverage,
            command=self.what.command,
            started="",
            seconds=0.0,
            warnings=_warnings(found, self.about, self.settings, systems),
        )


def ask_all(
    systems: Sequence[System], items: list[Item], hands: Hands
) -> tuple[dict[str, dict[str, Answer]], dict[str, Weighed]]:
    """Answers and likelihoods by system and item, those that are missing computed now."""
    answers: dict[str, dict[str, Answer]] = {}
    weights: dict[str, Weighed] = {}
    order = sorted(systems, key=lambda system: system.speaker.key)  # each is loaded once
    mine = {system.name: asked(system.kind, items) for system in order}
    missing = {
        system.name: system.missing(mine[system.name], weighed(mine[system.name]))
        for system in order
    }
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
    return (
        {system.name: answers[system.name] for system in systems},
        {system.name: weights[system.name] for system in systems},
    )


class _Count:
    """One bar over all systems."""

    def __init__(self, what: str, total: int, hands: Hands) -> None:
        self._what, self._total, self._hands = what, total, hands
        self._done = 0

    def one(self) -> None:
        self._done += 1
        self._hands.report(self._what, self._done, self._total)


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
