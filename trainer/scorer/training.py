"""Teach a scorer: try what the rows and the machine allow, keep the best, write down what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from exchange import lock
from exchange.errors import ModelUnfit, UserError
from exchange.inference import encoder, models
from exchange.project import DEFAULT_RUN, Project
from trainer.scorer import left_out, selection, tuning
from trainer.scorer.calibration import NEVER, fit_threshold
from trainer.scorer.candidates.decoder import DecoderCandidate
from trainer.scorer.candidates.embeddings import load_embedder
from trainer.scorer.candidates.regression import RegressionCandidate
from trainer.scorer.folder import CANDIDATE, DATA, ScorerInfo, scorer_run
from trainer.scorer.guards import is_empty
from trainer.scorer.items import load_score_prompt
from trainer.scorer.metrics import compare, measure, measure_with_doubt
from trainer.scorer.scoring import Scorer
from trainer.scorer.selection import CandidateTrial, ScorerSelection
from trainer.scorer.settings import ScoreSettings
from trainer.scorer.split import ScorerSplit, by_question
from trainer.training import run_config
from trainer.training.callbacks import Callback
from trainer.training.run_config import RunConfig
from trainer.training.runs import TrainingRun

OWN_MODEL = "model"  # [score] encoder: the hidden states of the language model


@dataclass(frozen=True, slots=True)
class TrainedScorer:
    """A finished scorer."""

    run: TrainingRun
    about: ScorerInfo
    split: ScorerSplit
    already: bool = False  # it was finished before; nothing was trained now


def train_scorer(
    project: Project,
    parts: ScorerSplit,
    settings: ScoreSettings,
    *,
    name: str = DEFAULT_RUN,
    source: str = "",
    human: bool = True,
    restart: bool = False,
    callback: Callback | None = None,
    language_model: models.ModelSettings | None = None,
    confirm: Callable[[str], bool] = lambda text: False,
    stop: Callable[[], bool] = lambda: False,
) -> TrainedScorer:
    """Teach a scorer from a split of labelled items, or go on with the one of this name.

    Regressions are tried first, in seconds. The tuned decoder is tried where it is asked for, or
    where it takes no longer than [score] hours; it must be clearly the better one to be taken.
    Evaluates MLX then: a process that called this must not fork.

    Args:
        source: where the items came from, for its record.
        human: a person scored them.

    Raises:
        UserError: a base that gives no labels, a run begun otherwise, the GPU in
            use, stopped, a loss that is no number, a full disk.
    """
    callback = callback or Callback()
    language_model = language_model or project.config.table("model", models.ModelSettings)
    run = scorer_run(project, name)
    rows = parts.taught
    if bare := sum(is_empty(item.guide) for item in rows):
        callback.log(
            f"{bare:,} of {len(rows):,} answers have no guide: nothing says what is right, so "
            "such answers get a mark and are always left to a person"
        )
    why_not = "not asked for: [score] candidates"
    if settings.candidates == "auto":
        why_not = tuning.reason_not_to_tune(
            language_model, project.models, rows, settings, callback.log
        )
    elif settings.candidates == "decoder":
        why_not = ""
    tunes = not why_not
    vectors = ""
    if settings.encoder and settings.candidates != "decoder":
        vectors = language_model.name if settings.encoder == OWN_MODEL else settings.encoder
    folder = _locate(vectors, project, language_model, confirm) if vectors else None
    model = models.locate(language_model, project.models, confirm) if tunes else folder
    config = RunConfig(
        language_model.name if tunes else vectors,
        run_config.model_sha(model) if model else "",
        parts.sha,
        settings.model_dump(exclude={"agreement"}),  # which no weight knows
    )
    if not tunes:
        if not restart and (about := _finished(run, config)):
            return TrainedScorer(run, about, parts, already=True)
        run.begin(config, restart=restart)
    chosen, tuned = None, None
    if settings.candidates != "decoder":
        callback.log(f"trying what {len(rows):,} answers teach by their similarity to the guide")
        chosen = selection.select(
            rows,
            settings.agreement,
            embedder=load_embedder(folder) if folder else None,
            key=settings.key,
        )
    if tunes and model is not None:
        with lock.hold_gpu(project.data):
            try:
                callback.log(f"tuning {language_model.name}")
                tuned = tuning.tune(
                    run,
                    config,
                    model,
                    load_score_prompt(settings.prompt),
                    by_question(parts, settings) if chosen else parts,
                    settings,
                    restart=restart,
                    callback=callback,
                    confirm=confirm,
                    stop=stop,
                )
            except ModelUnfit as error:
                if chosen is None:
                    raise
                why_not = str(error)
                callback.log(why_not)
    run.folder.mkdir(parents=True, exist_ok=True)
    parts.write(run.folder / DATA)
    about = ScorerInfo(
        name=name,
        model=config.model,
        model_sha=config.model_sha,
        prompt=settings.prompt,
        prompt_sha=load_score_prompt(settings.prompt).sha,
        only_digits=settings.only_digits,
        temperature=1.0,
        threshold=NEVER,
        agreement=settings.agreement,
        scales={f"{item.scale.maximum:g}": item.scale.top for item in parts.all},
        human=human,
        source=source,
        data=parts.sha,
        sizes=parts.sizes,
        language=Counter(item.language for item in parts.all).most_common(1)[0][0],
    )
    trials = _trials(chosen, tuned, why_not)
    if tuned is not None and (chosen is None or _is_better(tuned, chosen)):
        about = _decoder_info(about, tuned, parts, trials)
    elif chosen is not None:
        if folder is None or tunes:  # what was tuned is not what makes the vectors
            sha = run_config.model_sha(folder) if folder else ""
            about = replace(about, model=vectors, model_sha=sha)
        chosen.candidate.write(run.folder / CANDIDATE)
        about = _regression_info(about, chosen, trials)
    about.write(run)
    return TrainedScorer(run, about, parts, already=tuned is not None and tuned.already)


def load_scorer(
    project: Project,
    name: str = DEFAULT_RUN,
    confirm: Callable[[str], bool] = lambda text: False,
    base: str = "",
) -> tuple[Scorer, ScorerInfo]:
    """A finished scorer, calibrated, with its own base whatever [model] says now.

    Args:
        name: or the path of its folder.
        base: where its base, or its encoder, is now; "" for where it was.

    Raises:
        UserError: no such scorer, its base is gone or another, its prompt was changed.
    """
    run = scorer_run(project, name)
    about = ScorerInfo.read(run)
    folder = None
    if about.model:
        asked = base or about.model
        folder = _locate(
            asked,
            project,
            project.config.table("model", models.ModelSettings),
            confirm,
            decoder=about.kind == DecoderCandidate.kind,
        )
        if run_config.model_sha(folder) != about.model_sha:
            raise ModelUnfit(
                f"scorer {name!r} was trained on another model than {asked}: name its own by "
                "--base, or train it again"
            )
    if about.kind == RegressionCandidate.kind:
        embedder = load_embedder(folder) if folder else None
        found = RegressionCandidate.read(run.folder / CANDIDATE, embedder)
        return Scorer(found, about.threshold), about
    prompt = load_score_prompt(about.prompt)
    if not prompt.is_of(about.prompt_sha):
        raise ModelUnfit(f"scorer {name!r} was taught with another prompt: train it again")
    assert folder is not None
    decoder = tuning.load_tuned(run, folder, prompt, max(about.scales.values()) + 1)
    decoder.temperature = about.temperature
    return Scorer(decoder, about.threshold), about


def _finished(run: TrainingRun, config: RunConfig) -> ScorerInfo | None:
    """What this very training wrote before."""
    try:
        about = ScorerInfo.read(run)
        return about if run.config() == config else None
    except UserError:
        return None


def _locate(
    name: str,
    project: Project,
    language_model: models.ModelSettings,
    confirm: Callable[[str], bool],
    *,
    decoder: bool = False,
) -> Path:
    """The folder of a language model or an encoder."""
    asked = language_model.model_copy(update={"name": name})
    own = name == language_model.name or models.converted_folder(asked, project.models).exists()
    if decoder or own:
        return models.locate(asked, project.models, confirm)
    return encoder.locate(name, project.models, confirm)


def _is_better(tuned: tuning.TunedDecoder, chosen: ScorerSelection) -> bool:
    """Whether the decoder is ahead by more than chance may have put it there."""
    ours = {item.id: outcome for item, outcome in zip(chosen.items, chosen.outcomes, strict=True)}
    both = [
        (ours[i.id], o) for i, o in zip(tuned.items, tuned.outcomes, strict=True) if i.id in ours
    ]
    clusters = left_out.cluster_names([item for item in tuned.items if item.id in ours])
    ahead = compare([theirs for _, theirs in both], [mine for mine, _ in both], clusters)
    return ahead.value > ahead.error


def _trials(
    chosen: ScorerSelection | None, tuned: tuning.TunedDecoder | None, why_not: str
) -> list[CandidateTrial]:
    found = list(chosen.trials) if chosen else []
    if tuned is None:
        return [*found, CandidateTrial("decoder", reason=why_not)]
    clusters = left_out.cluster_names(tuned.items)
    figures = measure_with_doubt(tuned.outcomes, clusters)
    return [*found, CandidateTrial("decoder", len(tuned.items), figures)]


def _regression_info(
    about: ScorerInfo, chosen: ScorerSelection, trials: list[CandidateTrial]
) -> ScorerInfo:
    return replace(
        about,
        kind=RegressionCandidate.kind,
        threshold=chosen.threshold,
        valid=measure(chosen.outcomes),
        chosen=chosen.name,
        trials=[asdict(trial) for trial in trials],
        baselines=[asdict(trial) for trial in chosen.baselines],
        gain=asdict(chosen.gain),
        knows=chosen.knows,
    )


def _decoder_info(
    about: ScorerInfo,
    tuned: tuning.TunedDecoder,
    parts: ScorerSplit,
    trials: list[CandidateTrial],
) -> ScorerInfo:
    clusters = left_out.cluster_names(tuned.items)
    baselines, least = selection.predict_untaught(tuned.taught, tuned.items, clusters)
    gain = compare(tuned.outcomes, least, clusters)
    knows = selection.is_no_chance(tuned.outcomes, gain, clusters)
    levels = [outcome.level for outcome in tuned.outcomes]
    readings: list[Any] = [outcome.reading for outcome in tuned.outcomes]
    threshold = fit_threshold(readings, levels, about.agreement, clusters) if knows else NEVER
    return replace(
        about,
        temperature=tuned.candidate.temperature,
        threshold=threshold,
        valid=measure(tuned.outcomes),
        chosen=DecoderCandidate.kind,
        trials=[asdict(trial) for trial in trials],
        baselines=[asdict(trial) for trial in baselines],
        gain=asdict(gain),
        knows=knows,
    )
