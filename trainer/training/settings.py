"""[train]: how it is taught, and the recipes that bring defaults of their own.

A recipe only sets defaults: what the file, the environment or a flag says still counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from exchange.settings import SettingsTable

RecipeName = Literal["sft", "sft+text", "distil", "dora", "full", "preference"]
Decay = Literal["cosine", "constant"]
FineTune = Literal["lora", "dora", "full"]

RECIPES: Mapping[RecipeName, Mapping[str, Any]] = {
    # Questions and answers; low-rank layers beside every linear layer. At this size of data as
    # good as tuning all weights ("LoRA Without Regret", Schulman 2025), in a fraction of memory.
    "sft": {},
    # The same, and the newspaper's own text as completions ([dataset] text says how much).
    "sft+text": {},
    # The target is also what the base itself makes of the answer with the chunk before it (prompt
    # distillation, Kujanpaa et al. 2025, arXiv 2412.14964): one copy of the weights is both.
    "distil": {},
    # A learned magnitude per output beside the low-rank direction (Liu et al. 2024): a little
    # better at low ranks, and slower, since every step needs the norms of whole weights.
    "dora": {},
    # All weights of the tuned layers. Their best rate is about a tenth of an adapter's.
    "full": {"lr": 2e-5},
    # Questions and answers where a run invented, and its inventions rejected (ORPO, Hong et al.
    # 2024, arXiv 2403.07691). It goes on from what was learned, so it goes more gently.
    "preference": {"lr": 5e-5},
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


class TrainSettings(SettingsTable):
    """The settings of `kkoracle train`; a recipe brings defaults of its own."""

    recipe: RecipeName = Field(
        "sft",
        description="sft: questions and answers; sft+text: and the paper's own text; distil: and "
        "what the base makes of the answers with the text before it; dora; full; preference: "
        "rejects what the run of --continue invents",
    )
    rank: int = Field(
        16,
        ge=1,
        le=1024,
        description="width of the adapter; 16 to 32 hold an archive's facts, fewer forget some",
    )
    alpha: float = Field(
        32,
        gt=0,
        le=4096,
        description="strength, scaled by alpha / rank; twice the rank, so that lr means the same",
    )
    layers: int = Field(
        0,
        ge=0,
        description="how many of the last layers are tuned; 0: all, which learns most (16 where "
        "memory asks)",
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="in the adapter; facts are to be memorised, so none"
    )
    lr: float = Field(
        2e-4,
        gt=0,
        le=1,
        description="peak learning rate; 1e-4 to 2e-4 for 7B, more for small ones, a tenth for "
        "full; `kkoracle sweep` finds it",
    )
    weight_decay: float = Field(
        0.0, ge=0, lt=1, description="of AdamW; a low-rank adapter needs none"
    )
    warmup: float = Field(
        0.03, ge=0, lt=1, description="share of steps in which the rate rises from zero"
    )
    decay: Decay = Field(
        "cosine", description="how the rate falls after that; to nothing, so that the end is calm"
    )
    clip: float = Field(
        1.0, ge=0, description="largest gradient norm; one odd batch cannot undo a day; 0: off"
    )
    epochs: int = Field(3, ge=1, le=1000, description="times that every row is seen")
    patience: int = Field(
        3,
        ge=0,
        description="validations in a row without a lower loss before a run ends early; 0: never. "
        "Only where validation asks about what is taught; with until_learned see there",
    )
    until_learned: bool = Field(
        False,
        description="what is known already is shown less and the rest more, at the same number of "
        "steps; ends when the share of known facts has not grown for `patience` epochs",
    )
    batch: int = Field(8, ge=1, le=1024, description="rows computed together; memory grows with it")
    accumulate: int = Field(
        1, ge=1, le=1024, description="batches summed before one step, weighted by their tokens"
    )
    max_length: int = Field(
        1024, ge=16, description="longest row in tokens; longer ones are counted and left out"
    )
    grad_checkpoint: bool = Field(
        False, description="compute activations twice: about a third slower, far less memory"
    )
    memory_gb: float = Field(
        0.0, ge=0, description="memory that a run's arrays may take; 0: what is free at its start"
    )
    trunk_gb: float = Field(
        4.0,
        ge=0,
        description="disk for activations below the tuned layers, and for what recipe distil "
        "keeps, that is taken without asking; more is asked for, 0: no activations",
    )
    distil_mix: float = Field(
        0.5,
        ge=0,
        le=1,
        description="recipe distil: share of the base's own distribution in the target; the rest "
        "is the answer as it is written",
    )
    distil_top: int = Field(
        32,
        ge=1,
        le=1024,
        description="recipe distil: tokens kept of that distribution, the others as one; 8 bytes "
        "each on disk for every token of an answer",
    )
    preference_weight: float = Field(
        0.1,
        ge=0,
        le=10,
        description="recipe preference: weight of rejecting the invention beside the answer",
    )
    open_book: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the rows that are taught once more an epoch with their text before "
        "the question, with other numbers and names, so that answering out of what search found is "
        "not unlearned",
    )
    passage_prompt: str = Field(
        "",
        description="recipe distil and open_book: how the text stands before the question, such "
        "as el/rag, or a .txt file; empty: by language",
    )
    seed: int = Field(7, ge=0, lt=2**32, description="of the adapter's start and the rows' order")
    evaluate_every: int = Field(
        0, ge=0, description="steps between two validations; 0: once an epoch"
    )
    save_every: int = Field(
        50, ge=1, description="steps between two states to resume from: what a kill can cost"
    )
    samples: int = Field(
        4, ge=0, le=64, description="questions answered at every validation, half of them trained"
    )
    sample_tokens: int = Field(64, ge=1, le=4096, description="longest of these answers, in tokens")

    @model_validator(mode="before")
    @classmethod
    def _begin_with_the_recipe(cls, given: Any) -> Any:
        name = given.get("recipe") if isinstance(given, dict) else None
        return {**RECIPES[name], **given} if name in list(RECIPES) else given
