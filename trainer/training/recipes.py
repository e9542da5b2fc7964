"""Ways to train, by name: what each one changes of [train], and why.

A recipe only sets defaults: what the file, the environment or a flag says still counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

RecipeName = Literal["sft", "sft+text", "dora", "full"]
Decay = Literal["cosine", "constant"]
FineTune = Literal["lora", "dora", "full"]

RECIPES: Mapping[RecipeName, Mapping[str, Any]] = {
    # Questions and answers; low-rank layers beside every linear layer. At this size of data as
    # good as tuning all weights ("LoRA Without Regret", Schulman 2025), in a fraction of memory.
    "sft": {},
    # The same, and the newspaper's own text as completions ([dataset] text says how much).
    "sft+text": {},
    # A learned magnitude per output beside the low-rank direction (Liu et al. 2024): a little
    # better at low ranks, and slower, since every step needs the norms of whole weights.
    "dora": {},
    # All weights of the tuned layers. Their best rate is about a tenth of an adapter's.
    "full": {"lr": 2e-5},
}

# As mlx_lm.lora 0.32.2 trains when it is told `--num-layers 16 --batch-size 4` and nothing else:
# its rank 8 and scale 20 (alpha = 8 * 20), a constant rate, no clipping. Two epochs, no early end.
RESEARCHER: Mapping[str, Any] = {
    "recipe": "sft",
    "rank": 8,
    "alpha": 160.0,
    "layers": 16,
    "dropout": 0.0,
    "lr": 1e-5,
    "weight_decay": 0.0,
    "warmup": 0.0,
    "decay": "constant",
    "clip": 0.0,
    "epochs": 2,
    "batch": 4,
    "accumulate": 1,
    "max_length": 2048,
    "patience": 0,
}


def fine_tune(recipe: RecipeName) -> FineTune:
    """What mlx-lm's adapter folder calls it."""
    return "dora" if recipe == "dora" else "full" if recipe == "full" else "lora"
