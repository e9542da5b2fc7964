"""The preflight itself: measure a few steps, choose a mode that fits, reckon the whole.

Memory is approached from below. One short row comes first; only what is sure to fit by it is
computed as it is, everything else is led up to, and nothing runs that the step before did not
show to fit.
"""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange import machine
from exchange.display import format_bytes
from exchange.errors import DiskFull
from trainer.tokenization import TokenizedSample
from trainer.training import batches
from trainer.training.plan import (
    ComputeMode,
    PreflightPlan,
    RunForecast,
    TimeSpent,
    extrapolate,
    pick_strata,
    time_spent,
)
from trainer.training.preflight.memory_fallback import (
    PER_WEIGHT,
    MemoryFallback,
    RowFootprint,
    choose_mode,
    memory_error,
)
from trainer.training.settings import TrainSettings

if TYPE_CHECKING:
    from trainer.training.dry_run import DryRun
    from trainer.training.loop import TrainingLoop

STEPS = 20  # measured at most: about a minute of a 7B model
FEWEST = 4  # measured at least
SHARE = 0.1  # of a short run's steps that may be measured
LONGEST_S = 60.0  # of measuring, once the fewest are done
POOLED = 0.5  # of the pool that is there beside the peak: the rest is what the peak is made of
SLOW_DISK = 2e8  # bytes a second, for checkpoints too large to try


def measure_run(
    loop: TrainingLoop, tokenizer: Any, settings: TrainSettings, *, watts: float, archive_dir: Path
) -> PreflightPlan:
    """Measure; leaves loop, weights and random numbers as they were. Holds nothing: take the lock.

    Raises:
        UserError: the run does not fit in memory or on the disk, whatever is done.
    """
    from trainer.training import dry_run

    began, used = time.perf_counter(), time.process_time()
    limit = memory_limit(settings)
    with dry_run.DryRun(loop) as probe:
        choice, steps = _choose_mode(probe, settings, limit)
        if choice.mode.bits:
            return PreflightPlan(
                choice.mode, choice.reasons, _unmeasured(choice, limit, watts), 0.0
            )
        steps_spent, peak, tried = _steps(probe, choice.mode, loop.plan.steps)
        checks, valid_peak = _validations(probe, choice.mode.rows(settings.batch))
        prompts = [one.prompt for one in loop.data.prompts]
        spoken = probe.answer(tokenizer, prompts, settings.sample_tokens)
        filled = _filling(probe)
        kept, disk = _saves(loop, settings, archive_dir)
        pool = dry_run.limit_pool(max(peak, valid_peak) - dry_run.array_bytes())
        arrays = max(peak, valid_peak) + round(POOLED * pool)
        process = max(dry_run.peak_resident_bytes(), dry_run.other_bytes() + arrays)
    every = settings.evaluate_every or loop.plan.steps // settings.epochs
    looks = 1 + math.ceil(loop.plan.steps / every)
    rows = max(1, _tokens(loop.data.valid))
    train_sample = _tokens(loop.data.train_sample) / rows
    # At its end a run until learned asks for all once more.
    asked = _tokens(loop.data.train) / rows if loop.curriculum.active else 0.0
    ahead = (
        filled
        + steps_spent
        + checks.times(looks + 2 * train_sample + asked)
        + spoken.times(looks)
        + kept
    )
    check_disk(disk, archive_dir)
    measured = TimeSpent(time.perf_counter() - began, time.process_time() - used)
    forecast = RunForecast(
        watts,
        max(peak, valid_peak),
        pool,
        process,
        round(limit),
        ahead,
        before=TimeSpent(measured.seconds, time.process_time()),
        disk_bytes=disk,
        steps_tried=steps + tried,
        probe=measured,
    )
    speed = settings.epochs * loop.plan.tokens / max(steps_spent.seconds, 1e-9)
    return PreflightPlan(choice.mode, choice.reasons, forecast, round(speed, 1))


def find_fitting_mode(loop: TrainingLoop, settings: TrainSettings) -> ComputeMode:
    """Only how a run is computed so that it fits; a step or a few are measured.

    Raises:
        UserError: it would fit only with a 4-bit copy of the model, or not at all.
    """
    from trainer.training import dry_run

    limit = memory_limit(settings)
    with dry_run.DryRun(loop) as probe:
        choice, _ = _choose_mode(probe, settings, limit)
    if choice.mode.bits:
        raise memory_error(choice.bytes, limit)
    return choice.mode


def memory_limit(settings: TrainSettings) -> float:
    """Bytes that arrays may take, those that are there by now included."""
    from trainer.training import dry_run

    if settings.memory_gb:
        return settings.memory_gb * 1e9
    mine = machine.usable_memory() + dry_run.array_bytes()
    return (
        min(mine, machine.total_memory() * machine.GPU_SHARE) if sys.platform == "darwin" else mine
    )


def check_disk(needed: int, archive_dir: Path) -> None:
    """Refuse a run whose checkpoints would fill the disk.

    Raises:
        UserError: with what is needed and what is free.
    """
    free = shutil.disk_usage(archive_dir).free
    if needed > free:
        raise DiskFull(
            f"the checkpoints of this run take {format_bytes(needed)} and {format_bytes(free)} "
            "are free on this "
            "disk: make room first, or lower [train] rank"
        )


def _choose_mode(
    probe: DryRun, settings: TrainSettings, limit: float
) -> tuple[MemoryFallback, int]:
    """How the run is computed, and how many steps were measured to know it."""
    from trainer.training import dry_run

    loop = probe.loop
    rows = sorted(loop.data.train, key=lambda sample: sample.length)[-loop.settings.batch :]
    longest, tried, sums = rows[-1], 0, 0
    if settings.accumulate > 1:
        sums = dry_run.trainable_bytes(loop)  # gradients that wait to be summed

    def peak(samples: list[TokenizedSample], checkpoint: bool) -> int:
        nonlocal tried
        tried += 1
        return probe.step([samples], checkpoint=checkpoint)[1]

    def footprint(checkpoint: bool) -> RowFootprint:
        held = dry_run.array_bytes() + 3 * dry_run.trainable_bytes(loop)
        half = _near(loop.data.train, longest.length // 2)
        guess = (longest.length / half.length) ** 2 * max(0, peak([half], checkpoint) - held)
        if held + guess > limit:
            return RowFootprint(held + sums, guess)
        one = peak([longest], checkpoint)
        if 2 * one - held > limit or len(rows) == 1:
            return RowFootprint(held + sums, max(0, one - held))
        two = RowFootprint.of(one, peak(rows[-2:], checkpoint))
        return RowFootprint(two.fixed + sums, two.row)

    first = _near(loop.data.train, longest.length // 4)
    worst = (longest.length / first.length) ** 2  # attention grows so, all else more slowly
    needed = max(0, peak([first], loop.checkpoint) - dry_run.array_bytes())
    rough = dry_run.array_bytes() + round(worst * len(rows) * needed) + sums
    if rough <= limit:
        return MemoryFallback(ComputeMode(loop.checkpoint), rough), tried
    count, size = dry_run.weights_bytes(loop.model)
    smaller = max(0.0, size - count * PER_WEIGHT) if size > 1.5 * count else 0.0
    choice = choose_mode(
        footprint, len(rows), limit, checkpoint=loop.checkpoint, saved_by_4_bit=smaller
    )
    return choice, tried


def _near(samples: Sequence[TokenizedSample], length: int) -> TokenizedSample:
    """The longest row that is no longer than that, else the shortest of all."""
    below = [sample for sample in samples if sample.length <= length]
    return max(below or samples, key=lambda sample: sample.length if below else -sample.length)


def _steps(probe: DryRun, mode: ComputeMode, total: int) -> tuple[TimeSpent, int, int]:
    """All steps of the run, the bytes at the peak, and how many were measured."""
    from trainer.training import dry_run

    every = dry_run.epoch_steps(probe.loop)
    picked = pick_strata(
        [batches.computed_tokens(groups) for groups in every],
        min(STEPS, max(FEWEST, round(SHARE * total))),
    )
    chosen = [every[one.index] for one in picked]
    probe.step(chosen[0], checkpoint=mode.checkpoint, parts=mode.parts)  # kernels are made, once
    spent, peak, began = [], 0, time.perf_counter()
    order = [len(chosen) - 1, *range(len(chosen) - 1)]  # the longest first: it tells the memory
    took: dict[int, TimeSpent] = {}
    for number in order:
        took[number], high = probe.step(
            chosen[number], checkpoint=mode.checkpoint, parts=mode.parts
        )
        peak = max(peak, high)
        dry_run.limit_pool(peak - dry_run.array_bytes())
        if len(took) >= FEWEST and time.perf_counter() - began > LONGEST_S:
            break
    spent = [took.get(number) or _nearest(took, number) for number in range(len(chosen))]
    return extrapolate(picked, spent).times(total / len(every)), peak, len(took) + 1


def _nearest(took: dict[int, TimeSpent], number: int) -> TimeSpent:
    """What the step of the most like cost took, where there was no time to measure this one."""
    return took[min(took, key=lambda other: abs(other - number))]


def _validations(probe: DryRun, size: int) -> tuple[TimeSpent, int]:
    """The validation rows once, and the bytes at the peak."""
    rows = probe.loop.data.valid
    order = batches.fixed_batches([sample.length for sample in rows], size)
    picked = pick_strata([_tokens([rows[i] for i in chosen]) for chosen in order], FEWEST)
    spent, peak = [], 0
    for one in picked:
        took, high = probe.validate([rows[i] for i in order[one.index]], size)
        spent.append(took)
        peak = max(peak, high)
    return extrapolate(picked, spent), peak


def _filling(probe: DryRun) -> TimeSpent:
    """Computing the rest of what is kept, at the pace of the rows that are there by now."""
    rows = [*probe.loop.data.train, *probe.loop.data.valid]
    whole = TimeSpent()
    for store, spent in probe.filling.items():
        if store.added_bytes:
            whole += spent.times(store.bytes_for(rows) / store.added_bytes)
    return whole


def _saves(loop: TrainingLoop, settings: TrainSettings, archive_dir: Path) -> tuple[TimeSpent, int]:
    """All checkpoints of the run, and the disk they take at most."""
    from trainer.training import adapter, checkpoints, dry_run

    size = dry_run.trainable_bytes(loop)
    times = 2 + loop.plan.steps / settings.save_every
    kept = loop.plan.cache_bytes * loop.plan.cached + loop.plan.teacher_bytes
    disk = 2 * size + 2 * 3 * size + kept
    if size > SLOW_DISK:
        return TimeSpent(4 * size / SLOW_DISK).times(times), disk
    with tempfile.TemporaryDirectory(prefix="preflight-", dir=archive_dir) as name:
        folder = Path(name)

        def save() -> None:
            adapter.save(folder, loop.model, loop.adapter_config)
            checkpoints.save_state(folder, loop.model, loop.optimizer, loop.position, "")

        once = time_spent(save)
    return once.times(times), disk


def _tokens(samples: Sequence[TokenizedSample]) -> int:
    return sum(sample.length for sample in samples)


def _unmeasured(choice: MemoryFallback, limit: float, watts: float) -> RunForecast:
    """Before the 4-bit copy is loaded nothing but its memory is known."""
    return RunForecast(watts, choice.bytes, 0, choice.bytes, round(limit))
