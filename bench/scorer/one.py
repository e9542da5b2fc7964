"""One scorer, taught and tested in a process of its own: `python -m bench.scorer.one FOLDER ...`.

Everything from the tokenizer to temperature and threshold is the product's own; only the items
are made up. The last line on standard output is one JSON object.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from bench.registry import Figures
from bench.scorer import base
from bench.scorer.task import Examination, ExaminationSizes
from exchange.errors import Unsupported
from exchange.inference import models
from exchange.project import Project
from exchange.settings import Config, GeneralSettings, RedisSettings
from trainer.scorer import evaluate
from trainer.scorer.encode import DIGITS
from trainer.scorer.items import load_score_prompt
from trainer.scorer.metrics import measure, quadratic_kappa
from trainer.scorer.scoring import Scorer
from trainer.scorer.settings import ScoreSettings
from trainer.scorer.split import ScorerSplit
from trainer.training.callbacks import Callback, StepMetrics, ValidationMetrics
from trainer.training.runs import RunSummary

TESTED = 2_000  # answers of each test, and of valid
RECIPE: dict[str, Any] = {
    "candidates": "decoder",
    "recipe": "full",
    "lr": 2e-3,
    "batch": 32,
    "epochs": 3,
    "warmup": 0.02,
    "save_every": 10_000,
    "evaluate_every": 500,
    "patience": 0,
}


class ProgressLines(Callback):
    """Progress for people, on standard error."""

    def __init__(self, name: str) -> None:
        self.name, self.said = name, time.monotonic()

    def on_step(self, step: StepMetrics) -> None:
        if time.monotonic() - self.said > 20:
            self.said = time.monotonic()
            print(
                f"{self.name}: step {step.step} loss {step.loss:.3f} {step.speed:,.0f} tokens/s",
                file=sys.stderr,
                flush=True,
            )

    def on_validation(self, validation: ValidationMetrics) -> None:
        print(
            f"{self.name}: step {validation.step} validation {validation.valid_loss:.4f}",
            file=sys.stderr,
            flush=True,
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Teach and test one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--train", type=int, default=60_000)
    parser.add_argument("--loss", choices=("digits", "vocabulary"), default="digits")
    given = parser.parse_args(argv)
    found = teach(given.folder, given.seed, given.train, only_digits=given.loss == "digits")
    found["cpu_s"] = round(time.process_time(), 1)
    print(orjson.dumps(found).decode())


def teach(folder: Path, seed: int, train: int, *, only_digits: bool) -> Figures:
    """The figures of one seed."""
    from trainer.scorer.training import train_scorer as teach_scorer
    from trainer.scorer.tuning import load_tuned

    examination = Examination(seed)
    sizes = ExaminationSizes(train, max(1, train // 10), min(TESTED, max(100, train // 10)))
    parts, true = examination.split(sizes)
    model = base.make(folder / "base", _texts(parts), seed)
    config = Config({}, None, {})
    project = Project(
        config,
        config.table("", GeneralSettings, {"data": folder / "data"}),
        config.table("redis", RedisSettings),
        _no_recipe,
    )
    settings = ScoreSettings(**RECIPE, seed=seed, only_digits=only_digits)
    name = f"seed {seed}, {'digits' if only_digits else 'vocabulary'}"
    started = time.process_time()
    taught = teach_scorer(
        project,
        parts,
        settings,
        callback=ProgressLines(name),
        human=False,
        source="made up",
        language_model=models.ModelSettings(name=str(model), bits=0),
    )
    found: Figures = {"train_cpu_s": round(time.process_time() - started, 1)}
    summary = RunSummary.read(taught.run.folder)
    found["parameters"] = summary.parameters if summary else 0
    decoder = load_tuned(taught.run, model, load_score_prompt(settings.prompt))
    scorer = Scorer(decoder, taught.about.threshold)
    for test, items in evaluate.held_out_parts(parts):
        found[f"ece_before_{test}"] = measure(scorer.outcomes(items))["ece"]
        labels = [item.level for item in items]
        found[f"ceiling_{test}"] = round(
            quadratic_kappa(labels, [true[item.id] for item in items]), 4
        )
    decoder.temperature = taught.about.temperature
    for entry in evaluate.evaluate_tuned(scorer, parts, Callback()):
        found |= {f"{figure}_{entry.test}": value for figure, value in entry.figures.items()}
        found[f"qwk_sure_half_{entry.test}"] = entry.sure_half["qwk"]
        found[f"answered_{entry.test}"] = entry.answered
        found[f"agreement_answered_{entry.test}"] = (entry.answered_figures or {}).get(
            "accuracy", 0
        )
    for entry in evaluate.evaluate_baselines(parts) if only_digits else ():
        found[f"qwk_{entry.system.split()[0]}_{entry.test}"] = entry.figures["qwk"]
    return found


def _texts(parts: ScorerSplit) -> Iterator[str]:
    """All that is ever said, so that every word has a token."""
    prompt = load_score_prompt(ScoreSettings.model_validate({}).prompt)
    for item in parts.all:
        yield prompt.fill(item)
    yield " ".join(DIGITS)


def _no_recipe() -> Any:
    raise Unsupported("nothing is generated here")


if __name__ == "__main__":
    main()
