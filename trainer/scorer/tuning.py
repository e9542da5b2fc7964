"""Tune a language model to give the labels: train with the one loop, then fit its temperature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.errors import UserError
from exchange.inference import models, runtime
from exchange.inference.batch_width import footprint
from trainer.scorer.calibration import fit_temperature
from trainer.scorer.candidates.decoder import DecoderCandidate, load_decoder
from trainer.scorer.encode import LabelHead, check_architecture, find_label_head, training_samples
from trainer.scorer.items import ScoreItem, ScorePrompt
from trainer.scorer.metrics import LabelledPrediction, label
from trainer.scorer.settings import ScoreSettings
from trainer.scorer.split import ScorerSplit
from trainer.training.callbacks import Callback
from trainer.training.run_config import RunConfig
from trainer.training.runs import TrainingRun

if TYPE_CHECKING:
    from trainer.training.batches import TrainingData

CHARACTERS = 3.5  # of a token, where nobody has looked
PASSES = 6.0  # operations a weight and token of training: two forward, four backward
SPEEDS = {True: 5e10, False: 2e12}  # operations a second, by whether it is a CPU; rough
BYTES = {True: 4.0, False: 2.0}  # of a weight


@dataclass(frozen=True, slots=True)
class TunedDecoder:
    """A decoder that was trained, with what it says of the rows that it was not trained on."""

    candidate: DecoderCandidate
    taught: list[ScoreItem]
    items: list[ScoreItem]  # those others
    outcomes: list[LabelledPrediction]
    already: bool  # it was trained before


def tune(
    run: TrainingRun,
    config: RunConfig,
    folder: Path,
    prompt: ScorePrompt,
    parts: ScorerSplit,
    settings: ScoreSettings,
    *,
    restart: bool,
    callback: Callback,
    confirm: Callable[[str], bool],
    stop: Callable[[], bool],
) -> TunedDecoder:
    """Train it, or go on with it, and fit its temperature on `parts.valid`.

    Args:
        confirm: asked before the activation cache takes much disk.

    Raises:
        UserError: a base that gives no labels, a run begun otherwise, stopped, a loss that is no
            number, a full disk.
    """
    check_architecture(models.read_config(folder))
    finished = run.begin(config, restart=restart)
    count = max(item.scale.top for item in parts.all) + 1
    if not finished:
        from trainer.training.activation_cache import open_activation_cache
        from trainer.training.loop import TrainingLoop

        model, tokenizer = runtime.load(folder)
        head = find_label_head(tokenizer, count)
        data = _data(model, head, prompt, parts, settings, callback)
        among = head.ids if settings.only_digits else None
        cache = None
        if settings.epochs > 1:
            cache = open_activation_cache(
                run.folder.parent.parent,  # beside the runs: scorers of one base share it
                config.model_sha,
                model,
                settings,
                [*data.train, *data.valid],
                confirm=confirm,
                log=callback.log,
            )
        TrainingLoop(
            model,
            tokenizer,
            data,
            settings,
            run,
            callback=callback,
            stop=stop,
            cache=cache,
            among=among,
        ).fit(config)
        del model
    decoder = load_tuned(run, folder, prompt, count)
    logits, _ = decoder.logits(parts.valid, progress=callback.progress("validating"))
    decoder.temperature = fit_temperature(
        logits, [item.scale.top for item in parts.valid], [item.level for item in parts.valid]
    )
    outcomes = label(parts.valid, decoder.read(logits, parts.valid))
    return TunedDecoder(decoder, parts.train, parts.valid, outcomes, already=finished is not None)


def load_tuned(
    run: TrainingRun, base: Path, prompt: ScorePrompt, count: int = 10
) -> DecoderCandidate:
    """The scorer of a run that has been trained, uncalibrated.

    The best checkpoint, not the last: validation asks for what was taught, on other answers.
    """
    return load_decoder(base, prompt, run.adapter("best"), count)


def estimate_hours(folder: Path, items: Sequence[ScoreItem], settings: ScoreSettings) -> float:
    """About how long training takes here, before anything is loaded.

    Raises:
        UserError: MLX is not installed, or the folder is no model.
    """
    slow = runtime.on_cpu()
    weights = footprint(folder, float32=slow).weights / BYTES[slow]
    characters = sum(len(i.question) + len(i.guide) + len(i.answer) for i in items)
    tokens = (characters / CHARACTERS + 20 * len(items)) * settings.epochs
    return PASSES * weights * tokens / SPEEDS[slow] / 3600


def reason_not_to_tune(
    language_model: models.ModelSettings,
    kept: Path,
    items: Sequence[ScoreItem],
    settings: ScoreSettings,
    log: Callable[[str], None],
) -> str:
    """Why the decoder is not tried where it was not asked for by name; "" when it is."""
    try:
        folder = models.locate(language_model, kept, lambda text: False)
        hours = estimate_hours(folder, items, settings)
    except UserError as error:
        return str(error)
    said = f"tuning {language_model.name} takes about {hours:.1f} hours on this machine"
    if hours > settings.hours:
        return f"{said}, more than [score] hours = {settings.hours:g}"
    log(said)
    return ""


def _data(
    model: Any,
    head: LabelHead,
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
