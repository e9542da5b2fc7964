"""What a scorer promises, held against trainings whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from bench.registry import Figures
from trainer.scorer.items import ScoreItem

ROWS = 158
AGREEMENT = 0.8
NEARLY = 0.78  # of the levels are right where confidences say nothing


def chance(items: Sequence[ScoreItem], trainings: int, seed: int) -> Figures:
    """Of trainings with nothing to learn, the share that says so."""
    from trainer.scorer.selection import select

    said = {"chance": 0, "length": 0}
    for number in range(trainings):
        rng = random.Random(f"{seed} {number}")
        rows = rng.sample(list(items), min(ROWS, len(items)))
        marks = [row.score for row in rows]
        rng.shuffle(marks)
        shuffled = [replace(row, score=mark) for row, mark in zip(rows, marks, strict=True)]
        said["chance"] += not select(shuffled, AGREEMENT).knows
        # The longer the answer the higher the mark, and every third mark is chance.
        order = sorted(range(len(rows)), key=lambda index: len(rows[index].answer))
        by_length = dict(zip(order, sorted(marks, key=lambda mark: mark or 0.0), strict=True))
        mixed = [
            replace(row, score=marks[index] if index % 3 == 0 else by_length[index])
            for index, row in enumerate(rows)
        ]
        said["length"] += not select(mixed, AGREEMENT).knows
    return {f"{name}_said": round(count / trainings, 3) for name, count in said.items()}


def broken(trainings: int, seed: int) -> Figures:
    """The share of trainings whose true agreement lies under the promise."""
    import numpy as np

    from trainer.scorer.calibration import LevelPrediction, fit_threshold

    rng = np.random.default_rng(seed)
    found: Figures = {}
    for rows in (50, 100, 500):
        for name, informed in (("nothing", False), ("something", True)):
            count, kept = 0, 0
            for _ in range(trainings):
                sure = rng.uniform(0.5, 1, rows)
                chances = sure if informed else np.full(rows, NEARLY)
                levels = (rng.uniform(size=rows) < chances).astype(int).tolist()
                read = [LevelPrediction(1, 1.0, float(one), ()) for one in sure]
                threshold = fit_threshold(read, levels, AGREEMENT)
                true = (max(0.5, threshold) + 1) / 2 if informed else NEARLY
                count += threshold <= 1 and true < AGREEMENT
                kept += threshold <= 1
            found[f"broken_{name}_{rows}"] = round(count / trainings, 4)
            found[f"answers_{name}_{rows}"] = round(kept / trainings, 4)
    return found
