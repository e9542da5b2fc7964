"""One evaluation, held together: items, systems, metrics, judge, and the files they leave."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from exchange.errors import UsageError
from exchange.inference import models
from exchange.inference.engine import scaled_name
from exchange.lock import EVALUATION_LOCK, FileLock
from exchange.project import DEFAULT_RUN, Project, run_dir
from exchange.recipes import prompts
from exchange.recipes.prompts import PromptTemplate
from trainer.console import ProgressCallback, StageProgress
from trainer.dataset.build import FOLDER as DATASET
from trainer.evaluate import inputs
from trainer.evaluate.inputs import EvaluatedModel, EvaluationInputs
from trainer.evaluate.items.build import ItemCounts
from trainer.evaluate.judge import letter_judge
from trainer.evaluate.judge.audit import run_judge
from trainer.evaluate.judge.letter_judge import LetterJudge
from trainer.evaluate.metrics import ALL_METRICS, measure
from trainer.evaluate.rag.archive import rag_template
from trainer.evaluate.records import (
    EvalAnswer,
    EvalItem,
    Evaluation,
    EvaluationInfo,
    JudgeAudit,
    Preference,
    as_dicts,
)
from trainer.evaluate.settings import EvaluateSettings
from trainer.evaluate.systems.abstention import abstaining
from trainer.evaluate.systems.answer_cache import FOLDER as ANSWERS
from trainer.evaluate.systems.answer_cache import AnswerCache
from trainer.evaluate.systems.build import ModelClients, SystemResources, answer_all, build_systems
from trainer.evaluate.systems.client import EndpointClient
from trainer.evaluate.systems.local import LocalModel, LocalWeights
from trainer.evaluate.systems.system import EvalSystem
from trainer.training.runs import CheckpointName

FOLDER = "evaluation"  # in the run's folder
KEY = "KKORACLE_EVALUATE_API_KEY"  # of the endpoint; never in a file that is shown


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What one evaluation is about, beside the settings."""

    archive: str | None = None
    run: str = DEFAULT_RUN
    checkpoint: CheckpointName = "last"
    origin: Path | None = None  # an export in place of the spool
    model: models.ModelSettings | None = None  # default: the one of the settings
    command: str = ""


@dataclass(frozen=True, slots=True)
class EvaluationHooks:
    """How an evaluation speaks with whoever started it."""

    note: Callable[[str], None] = ProgressCallback().log
    report: StageProgress = lambda what, done, total: None
    confirm: Callable[[str], bool] = lambda text: False
    stop: Callable[[], bool] = lambda: False


def evaluate(
    project: Project,
    settings: EvaluateSettings,
    request: EvaluationRequest,
    hooks: EvaluationHooks,
) -> Path:
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
    archive_dir = project.archive_dir(request.archive)
    tuned = any(name.startswith("tuned") for name in settings.systems)
    about = inputs.find_model(
        project,
        request.archive,
        request.run,
        request.checkpoint,
        tuned=tuned,
        language_model=request.model,
        confirm=hooks.confirm,
    )
    prepared = _EvaluationRun(project, settings, request, hooks, archive_dir, about)
    with FileLock(archive_dir / EVALUATION_LOCK):
        sought = ItemCounts(settings.questions, settings.absent, settings.disturbed)
        found = inputs.read_inputs(archive_dir, request.origin, sought, hooks.report)
        items = [item.replace(language=prepared.language) for item in found.gathered.items]
        with LocalWeights(
            about.folder,
            about.adapter,
            project.data,
            settings.width,
            hooks.note,
            (settings.scale, *settings.scales),
        ) as loaded:
            systems = prepared.systems(found, items, loaded)
            answers, weights = answer_all(systems, items, hooks.note, hooks.report)
            audit, preferences = prepared.judgement(items, answers, loaded)
        scores, confidences = measure(items, answers, weights)
        recorded = prepared.recorded(found, systems).replace(
            started=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - began, 1),
        )
        folder = run_dir(archive_dir, request.run) / FOLDER
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
class _EvaluationRun:
    """What does not change while an evaluation runs."""

    project: Project
    settings: EvaluateSettings
    request: EvaluationRequest
    hooks: EvaluationHooks
    archive_dir: Path
    about: EvaluatedModel

    @property
    def language(self) -> str:
        return self.project.language(self.request.archive)

    @property
    def template(self) -> PromptTemplate:
        """How passages are put before a question."""
        return rag_template(self.settings.prompt, self.language)

    def systems(
        self, found: EvaluationInputs, items: Sequence[EvalItem], weights: LocalWeights
    ) -> list[EvalSystem]:
        """Those of the settings that can be asked here.

        Raises:
            UsageError: none of them.
        """
        means = SystemResources(
            found.gathered.examples,
            found.search,
            self.template,
            self.archive_dir / ANSWERS,
            self.hooks.stop,
        )
        systems = build_systems(self.settings, self.clients(weights), means)
        if not systems:
            raise UsageError(
                f"nobody to ask among {', '.join(self.settings.systems)}: passages need the "
                "archive's spool or --from an export"
            )
        dataset = self.archive_dir / DATASET
        adapter, scale = self.about.adapter, self.settings.scale
        return abstaining(systems, items, dataset, adapter, scale, self.hooks.note)

    def clients(self, weights: LocalWeights) -> ModelClients:
        """Base, tuned if a run is looked at, and the endpoint if it is asked for."""
        settings, about, endpoint = self.settings, self.about, None
        if "endpoint" in settings.systems:
            if not settings.url or not settings.served_as or self.project.endpoint is None:
                raise UsageError("endpoint: set [evaluate] url and served_as, its model's name")
            endpoint = EndpointClient(
                settings.url,
                settings.served_as,
                partial(
                    self.project.endpoint,
                    settings.url,
                    settings.served_as,
                    os.environ.get(KEY, ""),
                    settings.width,
                ),
            )
        tuned = partial(
            LocalModel, weights, tuned=True, model_sha=about.sha, adapter_sha=about.adapter_sha
        )
        return ModelClients(
            LocalModel(weights, tuned=False, model_sha=about.sha, adapter_sha=""),
            tuned(scale=settings.scale) if about.adapter else None,
            endpoint,
            {scaled_name(scale): tuned(scale=scale, beside=True) for scale in settings.scales}
            if about.adapter
            else {},
        )

    def judgement(
        self,
        items: list[EvalItem],
        answers: dict[str, dict[str, EvalAnswer]],
        weights: LocalWeights,
    ) -> tuple[JudgeAudit | None, list[Preference]]:
        """What the base says of the others' answers, if it is asked and may be believed."""
        if not self.settings.judge:
            return None, []
        store = AnswerCache(self.archive_dir / ANSWERS, self.clients(weights).base.key)
        rules = prompts.template_in_language("judge", self.language, letter_judge.PLACEHOLDERS)
        judge = LetterJudge(weights, self.about.title, rules, store, self.hooks.stop)
        return run_judge(
            judge,
            items,
            answers,
            self.settings.judged,
            (self.archive_dir, self.request.run),
            self.hooks.report,
        )

    def recorded(self, found: EvaluationInputs, systems: Sequence[EvalSystem]) -> EvaluationInfo:
        """What was asked of whom with what."""
        template = self.template
        return EvaluationInfo(
            archive=self.archive_dir.name,
            run=self.request.run,
            checkpoint=self.request.checkpoint,
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
            metrics=as_dicts(metric.info for metric in ALL_METRICS),
            coverage=found.coverage,
            command=self.request.command,
            started="",
            seconds=0.0,
            warnings=_warnings(found, self.about, self.settings, systems),
            as_of=found.manifest.as_of,
        )


def _warnings(
    found: EvaluationInputs,
    about: EvaluatedModel,
    settings: EvaluateSettings,
    systems: Sequence[EvalSystem],
) -> list[str]:
    warnings = list(found.gathered.warnings)
    if about.dataset and about.dataset != found.manifest.sha:
        warnings.append(
            "the dataset was built anew since this run: test_recall may ask what it was not taught"
        )
    asked = {name for system in systems for name in (system.kind, system.name)}
    for kind in settings.systems:
        if kind not in asked:
            warnings.append(f"{kind} was not asked: there is no archive to search")
    for system in systems:
        short, questions = system.shortened
        if short:
            warnings.append(
                f"{system.name}: at {short:,} of {questions:,} questions passages or examples were "
                "left out, since they did not fit the model's context beside [evaluate] max_tokens"
            )
    return warnings
