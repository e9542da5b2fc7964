"""Teach a scorer: split, train with the one loop, fit temperature and threshold, write it down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange import gpu, mlx_runtime, models
from exchange.errors import UserError
from exchange.house import House
from trainer import encode, runs
from trainer.runs import Begun, Run
from trainer.scorer import calibration, prompts
from trainer.scorer.encode import samples
from trainer.scorer.folder import DATA, About, run_of
from trainer.scorer.head import Head, check_architecture, find
from trainer.scorer.items import Item
from trainer.scorer.metrics import Outcome, measure
from trainer.scorer.prompts import Prompt
from trainer.scorer.scoring import Scorer, config_of, load_base
from trainer.scorer.settings import Score
from trainer.scorer.split import Split
from trainer.watch import Watcher

if TYPE_CHECKING:
    from trainer.lora.data import Data


@dataclass(frozen=True, slots=True)
class Taught:
    """A finished scorer."""

    run: Run
    about: About
    split: Split
    already: bool = False  # it was finished before; nothing was trained now


def train(
    house: House,
    parts: Split,
    settings: Score,
    *,
    name: str = "default",
    source: str = "",
    human: bool = True,
    restart: bool = False,
    watcher: Watcher | None = None,
    language_model: models.Model | None = None,
    confirm: Callable[[str], bool] = lambda text: False,
    stop: Callable[[], bool] = lambda: False,
) -> Taught:
    """Teach a scorer from a split of labelled items, or go on with the one of this name.

    Evaluates MLX: a process that called this must not fork.

    Args:
        source: where the items came from, for its record.
        human: a person scored them.

    Raises:
        UserError: a base that gives no digits, a run begun otherwise, the GPU in
            use, stopped, a loss that is no number, a full disk.
    """
    watcher = watcher or Watcher()
    prompt = prompts.load(settings.prompt)
    language_model = language_model or house.config.table("model", models.Model)
    folder = models.locate(language_model, house.models, confirm)
    check_architecture(config_of(folder))
    run = run_of(house, name)
    with gpu.held(house.data):
        begun = Begun(
            language_model.name,
            runs.model_sha(folder),
            parts.sha,
            settings.model_dump(exclude={"agreement"}),
        )  # no weight knows it
        finished = run.begin(begun, restart=restart)
        parts.write(run.folder / DATA)
        watcher.note(f"loading {language_model.name}")
        model, tokenizer = mlx_runtime.load(folder)
        head = find(tokenizer)
        if not finished:
            from trainer.lora.loop import Loop

            data = _data(model, head, prompt, parts, settings, watcher)
            among = head.digits if settings.only_digits else None
            Loop(model, tokenizer, data, settings, run, watcher, stop, among=among).fit(begun)
        scorer = load_tuned(run, folder, prompt)
        temperature, threshold, valid = calibrated(scorer, parts.valid, settings.agreement, watcher)
        about = About(
            name=name,
            model=language_model.name,
            model_sha=begun.model_sha,
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
        )
        about.write(run)
    return Taught(run, about, parts, already=finished is not None)


def load_tuned(run: Run, base: Path, prompt: Prompt) -> Scorer:
    """The scorer of a run that has been trained, uncalibrated.

    The best checkpoint, not the last: validation asks for what was taught, on other answers.
    """
    return load_base(base, prompt, run.adapter("best"))


def load(
    house: House,
    name: str = "default",
    confirm: Callable[[str], bool] = lambda text: False,
) -> tuple[Scorer, About]:
    """A finished scorer, calibrated, with its own base whatever [model] says now.

    Raises:
        UserError: no such scorer, its base is gone or another, its prompt was changed.
    """
    run = run_of(house, name)
    about = About.read(run)
    prompt = prompts.load(about.prompt)
    if prompt.sha != about.prompt_sha:
        raise UserError(f"scorer {name!r} was taught with another prompt: train it again")
    bits = house.config.table("model", models.Model).bits
    base = models.locate(models.Model(name=about.model, bits=bits), house.models, confirm)
    if runs.model_sha(base) != about.model_sha:
        raise UserError(f"scorer {name!r} was trained on another {about.model}: train it again")
    scorer = load_tuned(run, base, prompt)
    scorer.temperature, scorer.threshold = about.temperature, about.threshold
    return scorer, about


def calibrated(
    scorer: Scorer, items: Sequence[Item], agreement: float, watcher: Watcher
) -> tuple[float, float, dict[str, float]]:
    """Fit temperature and threshold on items; returns both, and the figures on those items."""
    logits, _ = scorer.logits(items, progress=watcher.validating)
    levels = [item.level for item in items]
    scorer.temperature = calibration.temperature(logits, [i.scale.top for i in items], levels)
    readings = scorer.read(logits, items)
    scorer.threshold = calibration.threshold(readings, levels, agreement)
    outcomes = [
        Outcome(item.scale, item.level, reading)
        for item, reading in zip(items, readings, strict=True)
    ]
    return scorer.temperature, scorer.threshold, measure(outcomes)


def _data(
    model: Any, head: Head, prompt: Prompt, parts: Split, settings: Score, watcher: Watcher
) -> Data:
    from trainer.lora.data import Data

    limit = encode.context(model)
    longest = min(settings.max_length, limit) if limit else settings.max_length
    train, left = samples(head, prompt, parts.train, longest, watcher.encoding)
    valid, left_valid = samples(head, prompt, parts.valid, longest, watcher.encoding)
    return Data(
        train=train,
        valid=valid,
        taught=train[: len(valid)],
        asked=[],
        too_long=left + left_valid,
        longest_allowed=longest,
    )
