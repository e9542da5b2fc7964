"""The loss curve as text: a terminal is where a run is watched."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[int, float]  # step, loss
TRAIN, VALID = "·", "o"


def plot(train: Sequence[Point], valid: Sequence[Point], width: int = 64, height: int = 10) -> str:
    """A small plot: train as a mean per column, validations as rings; "" without a point.

    Args:
        width: columns of the plot, its axis not counted.
    """
    if not train and not valid:
        return ""
    last = max(step for step, _ in [*train, *valid])
    columns = [(step * (width - 1) // max(1, last), loss) for step, loss in train]
    means: dict[int, float] = {}
    for column in sorted({column for column, _ in columns}):
        losses = [loss for at, loss in columns if at == column]
        means[column] = sum(losses) / len(losses)
    rings = [(step * (width - 1) // max(1, last), loss) for step, loss in valid]
    values = [*means.values(), *(loss for _, loss in rings)]
    low, high = min(values), max(values)
    grid = [[" "] * width for _ in range(height)]
    for mark, points in ((TRAIN, list(means.items())), (VALID, rings)):
        for column, loss in points:
            part = (high - loss) / (high - low) if high > low else 0.0
            grid[round(part * (height - 1))][column] = mark
    labels = {0: f"{high:.2f}", height - 1: f"{low:.2f}"}
    lines = [
        f"{labels.get(number, ''):>7} |{''.join(row).rstrip()}" for number, row in enumerate(grid)
    ]
    lines.append(" " * 8 + "+" + "-" * width)
    lines.append(f"{'':9}step 0{f'step {last}':>{width - 6}}")
    lines.append(f"{'':9}{TRAIN} training loss   {VALID} validation loss (nats per answer token)")
    return "\n".join(lines)
