"""What is done where a run does not fit in memory, in the order of what it costs. Pure.

Two of them leave the result as it is: activations are computed twice, or a step's rows are computed
in parts whose gradients are summed. The last changes the model that is tuned: its 4-bit copy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from exchange.display import format_bytes
from exchange.errors import TooLarge, UserError
from trainer.training.plan import ComputeMode

BITS = 4  # of the smaller base
PER_WEIGHT = 4.5 / 8  # bytes: 4 bits, and scale and bias of 16 bits each for every 64 weights


@dataclass(frozen=True, slots=True)
class RowFootprint:
    """Memory as it grows with the rows computed together, all as long as the longest."""

    fixed: float  # bytes that are there whatever is computed: weights, adapter, optimizer
    row: float  # bytes for each row

    @classmethod
    def of(cls, one: int, two: int) -> RowFootprint:
        """From the peaks of one row and of two: rows of a batch are alike, so this is a line."""
        row = max(0, two - one)
        return cls(max(0, one - row), row)

    def peak(self, rows: int) -> int:
        """Bytes at the peak with so many rows."""
        return math.ceil(self.fixed + self.row * rows)

    def fits(self, limit: float) -> int:
        """How many rows fit in `limit` bytes; 0 when none does."""
        if self.fixed + self.row > limit:
            return 0
        return int((limit - self.fixed) / self.row) if self.row else 2**31


Measure = Callable[[bool], RowFootprint]


@dataclass(frozen=True, slots=True)
class MemoryFallback:
    """The mode chosen, what it needs, and why."""

    mode: ComputeMode
    bytes: int
    reasons: tuple[str, ...] = ()


def choose_mode(
    measure: Measure, batch: int, limit: float, *, checkpoint: bool, saved_by_4_bit: float = 0
) -> MemoryFallback:
    """The first mode that fits.

    Args:
        measure: the footprint with or without checkpoints; measured only when asked for.
        limit: bytes that may be used.
        checkpoint: asked for in the settings.
        saved_by_4_bit: bytes that a 4-bit copy of the base would need less; 0: it is one already.

    Raises:
        UserError: not even one row fits.
    """
    footprint = measure(checkpoint)
    needed = footprint.peak(batch)
    if needed <= limit:
        return MemoryFallback(ComputeMode(checkpoint), needed)
    reasons: list[str] = []
    if not checkpoint:
        twice = measure(True)
        if twice.row < footprint.row:
            reasons.append(
                f"{format_bytes(needed)} are needed for a batch of {batch} and "
                f"{format_bytes(limit)} may be used: "
                "activations are computed twice (grad_checkpoint), about a third slower"
            )
            footprint, checkpoint = twice, True
            needed = footprint.peak(batch)
            if needed <= limit:
                return MemoryFallback(ComputeMode(True), needed, tuple(reasons))
    for bits, saved in ((0, 0.0), (BITS, saved_by_4_bit)):
        if bits and not saved:
            break
        lighter = RowFootprint(footprint.fixed - saved, footprint.row)
        if bits:
            reasons.append(
                f"not even one row of the longest fits beside these weights: a {BITS}-bit copy of "
                f"the model is tuned instead, {format_bytes(saved)} smaller"
            )
        fitting = lighter.fits(limit)
        if fitting:
            parts = -(-batch // min(batch, fitting))
            mode = ComputeMode(checkpoint, parts, bits)
            if parts > 1:
                reasons.append(
                    f"{format_bytes(lighter.peak(batch))} are needed for {batch} rows at once: "
                    "each batch "
                    f"is computed in {parts} parts of {mode.rows(batch)} rows, whose gradients are "
                    "summed; the steps stay the same"
                )
            return MemoryFallback(mode, lighter.peak(mode.rows(batch)), tuple(reasons))
    least = RowFootprint(footprint.fixed - saved_by_4_bit, footprint.row).peak(1)
    raise memory_error(least, limit)


def memory_error(needed: float, limit: float) -> UserError:
    """The one line with which a run is refused."""
    return TooLarge(
        f"this run needs at least {format_bytes(needed)} of memory and {format_bytes(limit)} "
        "may be used; it would "
        "swap, so it is not started: end other programs, lower [train] max_length, layers or rank, "
        "or name a smaller [model]"
    )
