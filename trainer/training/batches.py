"""Which rows are computed together, and in what order: pure functions of lengths and a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from exchange.inference.batch_width import padded_length

T = TypeVar("T")


def epoch_batches(lengths: Sequence[int], size: int, seed: int, number: int) -> list[list[int]]:
    """All row indices, once each, in batches of rows of about the same length.

    Longest first when cut, so that the one batch that is not full holds the shortest rows; equal
    lengths are mixed anew in every epoch, and the batches come in an order of their own.
    """
    rng = random.Random(f"{seed}:{number}")
    order = list(range(len(lengths)))
    rng.shuffle(order)
    order.sort(key=lambda index: -padded_length(lengths[index]))
    batches = [order[at : at + size] for at in range(0, len(order), size)]
    rng.shuffle(batches)
    return batches


def split_rows(rows: Sequence[T], count: int) -> list[list[T]]:
    """The same rows in at most `count` runs of about one size, none of them empty."""
    size = -(-len(rows) // count) if rows else 1
    return [list(rows[at : at + size]) for at in range(0, len(rows), size)]


def fixed_batches(lengths: Sequence[int], size: int) -> list[list[int]]:
    """All row indices in batches by length, always the same: for validation."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    return [order[at : at + size] for at in range(0, len(order), size)]


def computed_tokens(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> int:
    """Tokens that are computed for these batches, pads included."""
    return sum(len(batch) * padded_length(max(lengths[i] for i in batch)) for batch in batches)
