"""How many rows are computed together: what fits into memory, and what is of about one length.

On Apple's GPUs 10 to 32 rows cost the same time per token, so the widths worth having are 32, and
16 where memory asks for it; below that every halving doubles the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exchange.display import format_bytes
from exchange.inference.models import language_part, read_config

WIDTHS = (32, 16, 8, 4, 2, 1)
PROMPT_TOKENS = 700  # a chunk of 1,200 characters with instruction and header, with room to spare
STRETCH = 256  # tokens by which the buffers of keys and values grow, all rows alike
RESERVE = 2 << 30  # bytes: MLX's pool of freed buffers, which is capped at this much
SLACK = 1.1  # a layer's buffers are there twice while they grow
PAD_TO = 8  # tokens: the kernels' tile; finer gains nothing, coarser computes more pads
MAX_BATCH_TOKENS = 16384  # computed together, pads included: about 2 GB of activations at 7B


@dataclass(frozen=True, slots=True)
class ModelFootprint:
    """Bytes that a model takes once, and per token and row."""

    weights: int
    per_token: int


@dataclass(frozen=True, slots=True)
class BatchWidth:
    """A width and why."""

    rows: int
    per_row: int  # bytes
    room: int  # bytes left for keys and values
    asked: bool = False

    @property
    def fits(self) -> bool:
        return self.rows * self.per_row * SLACK <= self.room

    def __str__(self) -> str:
        sizes = f"{format_bytes(self.per_row)} of keys and values each, {format_bytes(self.room)}"
        said = f"width {self.rows}: {sizes} free for them"
        if self.asked and not self.fits:
            return f"{said}; it may not fit, --width {choose(0, self.per_row, self.room).rows} does"
        if not self.asked and self.rows < WIDTHS[0]:
            return f"{said}; close other programs, or lower [work] max_tokens, to widen it"
        return said


def plan(folder: Path, asked: int, max_tokens: int, usable: int, *, float32: bool) -> BatchWidth:
    """The width for a model folder on this machine.

    Args:
        asked: a width that was asked for; 0 for the largest that fits.
        usable: bytes that the model may take, before it is loaded.
        float32: weights and keys are kept in 32 bit, as on a CPU.
    """
    size = footprint(folder, float32=float32)
    per_row = size.per_token * STRETCH * math.ceil((PROMPT_TOKENS + max_tokens) / STRETCH)
    return choose(asked, per_row, max(0, usable - size.weights - RESERVE))


def choose(asked: int, per_row: int, room: int) -> BatchWidth:
    """The width that was asked for, else the largest that fits, else 1."""
    if asked:
        return BatchWidth(asked, per_row, room, asked=True)
    options = [BatchWidth(rows, per_row, room) for rows in WIDTHS]
    return next((option for option in options if option.fits), options[-1])


def footprint(folder: Path, *, float32: bool) -> ModelFootprint:
    """Read off a model folder, without loading it."""
    config = read_config(folder)
    quantised = "quantization" in config
    config = language_part(config)
    weights = sum(path.stat().st_size for path in folder.glob("model*.safetensors"))
    stored = str(config.get("torch_dtype") or config.get("dtype") or "bfloat16")
    if float32 and not quantised and "16" in stored:
        weights *= 2
    heads = int(config.get("num_attention_heads") or 1)
    size = int(config.get("head_dim") or config.get("hidden_size", 0) // heads)
    kv_heads = int(config.get("num_key_value_heads") or heads)
    layers = int(config.get("num_hidden_layers") or 0)
    return ModelFootprint(weights, 2 * layers * kv_heads * size * (4 if float32 else 2))


def padded_length(length: int) -> int:
    """The length that a row of this length is computed at, alone."""
    return -(-length // PAD_TO) * PAD_TO


def group_by_length(lengths: Sequence[int], rows: int) -> list[list[int]]:
    """All indices in batches by length, longest first, each within `MAX_BATCH_TOKENS`."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    groups: list[list[int]] = []
    for index in order:
        last = groups[-1] if groups else []
        # The first of a group is its longest: what all of it is padded to.
        if (
            last
            and len(last) < rows
            and (len(last) + 1) * padded_length(lengths[last[0]]) <= MAX_BATCH_TOKENS
        ):
            last.append(index)
        else:
            groups.append([index])
    return groups
