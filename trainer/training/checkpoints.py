"""The state to resume from: adapter, optimizer, random numbers and position, in one file.

One file and one rename, so that no kill leaves an adapter of one step beside an optimizer of
another. Restored, the run goes on as if it had never stopped.
"""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from exchange.errors import BadFile
from exchange.inference.weights import METADATA, read_header
from trainer.training.adapter import save_arrays
from trainer.training.curriculum import Curriculum, Growth
from trainer.training.runs import STATE as FILE


@dataclass(slots=True)
class TrainingPosition:
    """How far a run is, and what it has seen."""

    step: int = 0
    tokens: int = 0
    targets: int = 0
    seconds: float = 0.0
    valid_before: float = 0.0
    taught_before: float = 0.0
    valid_last: float = 0.0
    best_loss: float = 0.0
    best_step: int = 0
    waited: int = 0  # validations since the best
    growth: Growth = field(default_factory=Growth)

    @classmethod
    def from_json(cls, text: str) -> TrainingPosition:
        """Raises ValueError, KeyError or TypeError where it is none."""
        fields = json.loads(text)
        growth = fields.pop("growth", {})  # a state of an earlier version has none
        return cls(**fields, growth=Growth(**growth))


def save_state(
    folder: Path,
    model: Any,
    optimizer: Any,
    position: TrainingPosition,
    made_of: str,
    curriculum: Curriculum | None = None,
) -> None:
    """Write the state; the one before stays until this one is whole.

    Args:
        made_of: names model, dataset and settings; only with these it can go on (`load`).

    Raises:
        UserError: the disk is full; the state before is intact.
    """
    arrays = {
        **{f"adapter/{k}": v for k, v in tree_flatten(model.trainable_parameters())},
        **{f"optimizer/{k}": v for k, v in tree_flatten(optimizer.state)},
        "random": random_key(),
    }
    if curriculum and curriculum.active:
        taught = curriculum.arrays().items()
        arrays.update({f"taught/{name}": mx.array(array) for name, array in taught})
    about = {"position": json.dumps(asdict(position)), "made_of": made_of}
    save_arrays(folder / FILE, arrays, about)


def load_state(
    folder: Path,
    model: Any,
    optimizer: Any,
    made_of: Container[str],
    curriculum: Curriculum | None = None,
) -> TrainingPosition | None:
    """Put all that `save_state` was given back; None when there is nothing to resume.

    Args:
        made_of: the names that it may have been stored under.

    Raises:
        UserError: the file is damaged, or of another model, dataset or settings.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        read_header(path)
        loaded: Any = mx.load(str(path), return_metadata=True)
        arrays, about = loaded
        mx.eval(arrays)  # MLX reads lazily, and this file is going to be replaced
        if about["made_of"] not in made_of:
            raise ValueError("of another model, dataset or settings")
        position = TrainingPosition.from_json(about["position"])
        model.load_weights(_under(arrays, "adapter/"), strict=False)
        optimizer.state = tree_unflatten(_under(arrays, "optimizer/"))
        restore_random(arrays["random"])
        if curriculum and curriculum.active:
            taught = dict(_under(arrays, "taught/"))
            curriculum.restore({name: np.array(array) for name, array in taught.items()})
    except (BadFile, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise BadFile(
            f"{path} cannot be read ({error}): start this run again with --restart"
        ) from None
    return position


def saved_step(folder: Path) -> int:
    """The step that a run would go on after, without loading it; 0 where there is nothing."""
    path = folder / FILE
    try:
        about = read_header(path)[0][METADATA] if path.exists() else None
        return int(json.loads(about["position"])["step"]) if about else 0
    except (BadFile, ValueError, KeyError, TypeError):
        return 0  # `load` says what is wrong


def random_key() -> mx.array:
    """The state of MLX's random numbers: one key of two numbers."""
    state: Any = mx.random.state
    mx.eval(state[0])
    key: mx.array = state[0]
    return key


def restore_random(key: mx.array) -> None:
    """Put a state of the random numbers back."""
    numbers: Any = key.tolist()
    high, low = numbers
    mx.random.seed(high << 32 | low)  # the state cannot be assigned, but a seed is the state


def _under(arrays: dict[str, mx.array], prefix: str) -> list[tuple[str, mx.array]]:
    return [(k.removeprefix(prefix), v) for k, v in arrays.items() if k.startswith(prefix)]
