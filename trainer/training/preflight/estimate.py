"""How long training will take, before there is a dataset or a model: `kkoracle estimate`.

What a run itself measured on this machine comes first (`preflight.json`, its metrics); else the
pace is assumed, and the basis names that. `kkoracle train --dry-run` measures it exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson

from exchange.errors import UserError
from exchange.project import runs_with
from trainer.dataset import Manifest
from trainer.dataset.build import FOLDER
from trainer.training import plan
from trainer.training.settings import TrainSettings

ROW_TOKENS = 90  # assumed: a question, an answer and the template around them, in Greek
CHARACTERS_A_TOKEN = 2.6  # assumed: Meltemi's tokenizer on Greek
TEMPLATE_TOKENS = 12
CHUNK_TOKENS = 150  # assumed: a chunk of 1,200 characters, for three rows
FORWARD = 0.5  # of a training step's computing: a forward pass without a backward one
# Assumed: LoRA on all layers of a 7B model in 4 bit, on a Mac mini with M4; four operations a
# weight and token at about 2.5 teraflops. It falls as the weights grow.
TOKENS_PER_S, OF_WEIGHTS = 90.0, 7.2e9
MEMORY_BYTES = 11e9  # assumed: such a model with a batch of 8 rows of 256 tokens


@dataclass(frozen=True, slots=True)
class TrainingEstimate:
    """One run from its first step to its last. Pairs are the least and the most."""

    rows: tuple[int, int]
    steps: tuple[int, int]
    tokens: tuple[int, int]  # over all epochs
    per_s: float
    seconds: tuple[float, float]
    memory_bytes: float
    disk_bytes: int
    basis: str


def estimate_training(
    archive_dir: Path, settings: TrainSettings, pairs: tuple[int, int], weights: float | None
) -> TrainingEstimate:
    """Reckon from the dataset if there is one, else from the pairs that are to come.

    Args:
        pairs: kept pairs when generation has ended, least and most.
        weights: how many the model has; None: taken for 7 billion.
    """
    try:
        train = Manifest.read(archive_dir / FOLDER).splits["train"]
        rows = (int(train["rows"]),) * 2
        each = int(train["characters"]) / max(1, rows[0]) / CHARACTERS_A_TOKEN + TEMPLATE_TOKENS
        source = f"{rows[0]:,} rows in the dataset, {each:.0f} tokens each (by their characters)"
    except (UserError, KeyError):
        rows, each = pairs, float(ROW_TOKENS)
        source = f"{ROW_TOKENS} tokens a row (assumed; there is no dataset yet)"
    if settings.recipe == "preference":
        each *= 2
        source += "; as if each had an invention to reject (there may be far fewer)"
    step_rows = settings.batch * settings.accumulate
    steps = (settings.epochs * -(-rows[0] // step_rows), settings.epochs * -(-rows[1] // step_rows))
    tokens = (round(settings.epochs * rows[0] * each), round(settings.epochs * rows[1] * each))
    asked = (0.0, 0.0)
    if settings.recipe == "distil":
        asked = (rows[0] * (each + CHUNK_TOKENS), rows[1] * (each + CHUNK_TOKENS))
        source += f"; the teacher reads {CHUNK_TOKENS} tokens more with each (assumed)"
    pace, memory, how = _measured(archive_dir)
    if not pace:
        pace = TOKENS_PER_S * OF_WEIGHTS / (weights or OF_WEIGHTS)
        how = f"{pace:,.0f} tokens/s (assumed: a Mac mini with M4; `train --dry-run` measures it)"
    return TrainingEstimate(
        rows,
        steps,
        tokens,
        pace,
        (
            (tokens[0] + asked[0] * FORWARD) / pace,
            (tokens[1] + asked[1] * FORWARD) / pace,
        ),
        memory or MEMORY_BYTES * (weights or OF_WEIGHTS) / OF_WEIGHTS,
        # Adapter, best one, optimizer: 2.6M weights a rank; a third of a row is its answer.
        round(3 * 4 * settings.rank * 2.6e6)
        + (round(rows[1] * each / 3 * settings.distil_top * 8) if asked[1] else 0),
        f"{source}; {settings.epochs} epochs; {how}",
    )


def _measured(archive_dir: Path) -> tuple[float, float, str]:
    """Tokens a second and memory of the newest run here; zeros when there is none."""
    for folder in runs_with(archive_dir, plan.FILE):
        try:
            stored = orjson.loads((folder / plan.FILE).read_bytes())
            pace, memory = float(stored["tokens_per_s"]), float(stored["process_bytes"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return pace, memory, f"{pace:,.0f} tokens/s (measured by run {folder.name!r})"
    return 0.0, 0.0, ""
