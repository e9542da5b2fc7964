"""Teach a scorer: split, train with the one loop, fit temperature and threshold, write it down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange import lock
from exchange.errors import ModelUnfit
from exchange.inference import models, runtime
from exchange.project import DEFAULT_RUN, Project
from trainer.scorer.calibration import fit_temperature, fit_threshold
from trainer.scorer.candidates.decoder import DecoderCandidate, load_decoder
from trainer.scorer.encode import DigitHead, check_architecture, find_digit_head, training_samples
from trainer.scorer.folder import DATA, ScorerInfo, scorer_run
from trainer.scorer.items import ScoreItem, ScorePrompt, load_score_prompt
from trainer.scorer.metrics import LabelledPrediction, measure
from trainer.scorer.scoring import Scorer
from trainer.scorer.settings import ScoreSettings
from trainer.scorer.split import ScorerSplit
from trainer.training import runs
from trainer.training.callbacks import Callback
from trainer.training.runs import RunConfig, TrainingRun

if TYPE_CHECKING:
    from trainer.training.batches import TrainingData


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

    Evaluates MLX: a process that called this must not fork.

    Args:
        source: where the items came from, for its record.
        human: a person scored them.

    Raises:
        UserError: a base that gives no digits, a run begun otherwise, the GPU in
            use, stopped, a loss that is no number, a full disk.
    """
    callback = callback or Callback()
    prompt = load_score_prompt(settings.prompt)
    language_model = language_model or project.config.table("model", models.ModelSettings)
    folder = models.locate(language_model, project.models, confirm)
    check_architecture(models.read_config(folder))
    run = scorer_run(project, name)
    with lock.hold_gpu(project.data):
        config = RunConfig(
            language_model.name,
            runs.model_sha(folder),
            parts.sha,
            settings.model_dump(exclude={"agreement"}),
        )  # no weight knows it
        finished = run.begin(config, restart=restart)
        parts.write(run.folder / DATA)
        callback.log(f"loading {language_model.name}")
        model, tokenizer = runtime.load(folder)
        head = find_digit_head(tokenizer)
        if not finished:
            from trainer.training.loop import TrainingLoop

            data = _data(model, head, prompt, parts, settings, callback)
            among = head.digits if settings.only_digits else None
            TrainingLoop(
                model, tokenizer, data, settings, run, callback=callback, stop=stop, among=among
            ).fit(config)
        decoder = load_tuned(run, folder, prompt)
        temperature, threshold, valid = calibrate(
            decoder, parts.valid, settings.agreement, callback
        )
        about = ScorerInfo(
            name=name,
            model=language_model.name,
            model_sha=config.model_sha,
            prompt=prompt.style,
            prompt_sha=prompt.sha,
            only_digits=settings.only_digits,
            temperature=temperature,
            threshold=threshold,
            agreement=settings.agreement,
            scales={f"{item.scale.maximum:g}": item.scale.top for item in parts.all},
            human=human,
            source=source,
            data=parts.sha,
            sizes=parts.sizes,
            valid=valid,
            language=Counter(item.language for item in parts.all).most_common(1)[0][0],
        )
        about.write(run)
    return TrainedScorer(run, about, parts, already=finished is not None)


def load_tuned(run: TrainingRun, base: Path, prompt: ScorePrompt) -> DecoderCandidate:
    """The scorer of a run that has been trained, uncalibrated.

    The best checkpoint, not the last: validation asks for what was taught, on other answers.
    """
    return load_decoder(base, prompt, run.adapter("best"))


def load_scorer(
    project: Project,
    name: str = DEFAULT_RUN,
    confirm: Callable[[str], bool] = lambda text: False,
    base: str = "",
) -> tuple[Scorer, ScorerInfo]:
    """A finished scorer, calibrated, with its own base whatever [model] says now.

    Args:
        name: or the path of its folder.
        base: where its base is now; "" for where it was.

    Raises:
        UserError: no such scorer, its base is gone or another, its prompt was changed.
    """
    run = scorer_run(project, name)
    about = ScorerInfo.read(run)
    prompt = load_score_prompt(about.prompt)
    if not prompt.is_of(about.prompt_sha):
        raise ModelUnfit(f"scorer {name!r} was taught with another prompt: train it again")
    bits = project.config.table("model", models.ModelSettings).bits
    asked = models.ModelSettings(name=base or about.model, bits=bits)
    folder = models.locate(asked, project.models, confirm)
    if runs.model_sha(folder) != about.model_sha:
        raise ModelUnfit(
            f"scorer {name!r} was trained on another model than {asked.name}: name its own by "
            "--base, or train it again"
        )
    decoder = load_tuned(run, folder, prompt)
    decoder.temperature = about.temperature
    return Scorer(decoder, about.threshold), about


def calibrate(
    decoder: DecoderCandidate, items: Sequence[ScoreItem], agreement: float, callback: Callback
) -> tuple[float, float, dict[str, float]]:
    """Fit temperature and threshold on items; returns both, and the figures on those items."""
    logits, _ = decoder.logits(items, progress=callback.progress("validating"))
    levels = [item.level for item in items]
    decoder.temperature = fit_temperature(logits, [i.scale.top for i in items], levels)
    readings = decoder.read(logits, items)
    threshold = fit_threshold(readings, levels, agreement)
    outcomes = [
        LabelledPrediction(item.scale, item.level, reading)
        for item, reading in zip(items, readings, strict=True)
    ]
    return decoder.temperature, threshold, measure(outcomes)


def _data(
    model: Any,
    head: DigitHead,
    prompt: ScorePrompt,
    parts: ScorerSplit,
    settings: ScoreSettings,
    callback: Callback,
) -> TrainingData:
    from trainer.training.batches import TrainingData

    limit = runtime.context_length(model)
    longest = min(settings.max_length, limit) if limit else settings.max_length
    train, left = training_samples(
        head, prompt, parts.train, longest, callback.progress("encoding")
    )
    valid, left_valid = training_samples(
        head, prompt, parts.valid, longest, callback.progress("encoding")
    )
    return TrainingData(
        train=train,
        valid=valid,
        train_sample=train[: len(valid)],
        prompts=[],
        too_long=left + left_valid,
        longest_allowed=longest,
    )
