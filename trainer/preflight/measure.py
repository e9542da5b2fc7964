"""The preflight itself: a few steps are measured, a way that fits is chosen, the whole is reckoned.

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

from exchange import memory
from exchange.errors import UserError
from trainer.chat import Sample
from trainer.lora import batches
from trainer.preflight.fallback import PER_WEIGHT, Choice, Way, choose, said, too_large
from trainer.preflight.forecast import Footprint, Forecast, Spent, pick, scaled
from trainer.preflight.ready import Ready
from trainer.settings import Train

if TYPE_CHECKING:
    from trainer.lora.loop import Loop
    from trainer.lora.rehearsal import Rehearsal

STEPS = 20  # measured at most: about a minute of a 7B model
FEWEST = 4  # measured at least
SHARE = 0.1  # of a short run's steps that may be measured
LONGEST_S = 60.0  # of measuring, once the fewest are done
POOLED = 0.5  # of the pool that is there beside the peak: the rest is what the peak is made of
SLOW_DISK = 2e8  # bytes a second, for checkpoints too large to try


def examine(
    loop: Loop, tokenizer: Any, settings: Train, *, watts: float, archive_dir: Path
) -> Ready:
    """Measure; leaves loop, weights and random numbers as they were. Holds nothing: take the lock.

    Raises:
        UserError: the run does not fit in memory or on the disk, whatever is done.
    """
    from trainer.lora import rehearsal

    began, used = time.perf_counter(), time.process_time()
    limit = allowed(settings)
    with rehearsal.Rehearsal(loop) as probe:
        choice, steps = _way(probe, settings, limit)
        if choice.way.bits:
            return Ready(choice.way, choice.reasons, _unmeasured(choice, limit, watts), 0.0)
        steps_spent, peak, tried = _steps(probe, choice.way, loop.plan.steps)
        checks, valid_peak = _validations(probe, choice.way.rows(settings.batch))
        asked = [one.prompt for one in loop.data.asked]
        spoken = probe.answer(tokenizer, asked, settings.sample_tokens)
        filled = _filling(probe)
        kept, disk = _saves(loop, settings, archive_dir)
        pool = rehearsal.bound_pool(max(peak, valid_peak) - rehearsal.held())
        arrays = max(peak, valid_peak) + round(POOLED * pool)
        process = max(rehearsal.resident(), rehearsal.beside() + arrays)
    every = settings.evaluate_every or loop.plan.steps // settings.epochs
    looks = 1 + math.ceil(loop.plan.steps / every)
    taught = _tokens(loop.data.taught) / max(1, _tokens(loop.data.valid))
    ahead = filled + steps_spent + checks.times(looks + 2 * taught) + spoken.times(looks) + kept
    check_disk(disk, archive_dir)
    measured = Spent(time.perf_counter() - began, time.process_time() - used)
    forecast = Forecast(
        watts,
        max(peak, valid_peak),
        pool,
        process,
        round(limit),
        ahead,
        before=Spent(measured.seconds, time.process_time()),
        disk_bytes=disk,
        steps_tried=steps + tried,
        probe=measured,
    )
    speed = settings.epochs * loop.plan.tokens / max(steps_spent.seconds, 1e-9)
    return Ready(choice.way, choice.reasons, forecast, round(speed, 1))


def fitting(loop: Loop, settings: Train) -> Way:
    """Only how a run is computed so that it fits; a step or a few are measured.

    Raises:
        UserError: it would fit only with a 4-bit copy of the model, or not at all.
    """
    from trainer.lora import rehearsal

    limit = allowed(settings)
    with rehearsal.Rehearsal(loop) as probe:
        choice, _ = _way(probe, settings, limit)
    if choice.way.bits:
        raise too_large(choice.bytes, limit)
    return choice.way


def allowed(settings: Train) -> float:
    """Bytes that arrays may take, those that are there by now included."""
    from trainer.lora import rehearsal

    if settings.memory_gb:
        return settings.memory_gb * 1e9
    mine = memory.usable() + rehearsal.held()
    return min(mine, memory.total() * memory.GPU_SHARE) if sys.platform == "darwin" else mine


def check_disk(needed: int, archive_dir: Path) -> None:
    """Refuse a run whose checkpoints would fill the disk.

    Raises:
        UserError: with what is needed and what is free.
    """
    free = shutil.disk_usage(archive_dir).free
    if needed > free:
        raise UserError(
            f"the checkpoints of this run take {said(needed)} and {said(free)} are free on this "
            "disk: make room first, or lower [train] rank"
        )


def _way(probe: Rehearsal, settings: Train, limit: float) -> tuple[Choice, int]:
    """How the run is computed, and how many steps were measured to know it."""
    from trainer.lora import rehearsal

    loop = probe.loop
    rows = sorted(loop.data.train, key=lambda sample: sample.length)[-loop.settings.batch :]
    longest, tried, sums = rows[-1], 0, 0
    if settings.accumulate > 1:
        sums = rehearsal.trainable_bytes(loop)  # gradients that wait to be summed

    def peak(samples: list[Sample], checkpoint: bool) -> int:
        nonlocal tried
        tried += 1
        return probe.step([samples], checkpoint=checkpoint)[1]

    def footprint(checkpoint: bool) -> Footprint:
        held = rehearsal.held() + 3 * rehearsal.trainable_bytes(loop)
        half = _near(loop.data.train, longest.length // 2)
        guess = (longest.length / half.length) ** 2 * max(0, peak([half], checkpoint) - held)
        if held + guess > limit:
            return Footprint(held + sums, guess)
        one = peak([longest], checkpoint)
        if 2 * one - held > limit or len(rows) == 1:
            return Footprint(held + sums, max(0, one - held))
        two = Footprint.of(one, peak(rows[-2:], checkpoint))
        return Footprint(two.fixed + sums, two.row)

    first = _near(loop.data.train, longest.length // 4)
    worst = (longest.length / first.length) ** 2  # attention grows so, all else more slowly
    needed = max(0, peak([first], loop.checkpoint) - rehearsal.held())
    rough = rehearsal.held() + round(worst * len(rows) * needed) + sums
    if rough <= limit:
        return Choice(Way(loop.checkpoint), rough), tried
    count, size = rehearsal.weights_bytes(loop.model)
    smaller = max(0.0, size - count * PER_WEIGHT) if size > 1.5 * count else 0.0
    choice = choose(footprint, len(rows), limit, checkpoint=loop.checkpoint, saved_by_4_bit=smaller)
    return choice, tried


def _near(samples: Sequence[Sample], length: int) -> Sample:
    """The longest row that is no longer than that, else the shortest of all."""
    below = [sample for sample in samples if sample.length <= length]
    return max(below or samples, key=lambda sample: sample.length if below else -sample.length)


def _steps(probe: Rehearsal, way: Way, total: int) -> tuple[Spent, int, int]:
    """All steps of the run, the bytes at the peak, and how many were measured."""
    from trainer.lora import rehearsal

    every = rehearsal.steps_of(probe.loop)
    picked = pick(
        [rehearsal.computed(groups) for groups in every],
        min(STEPS, max(FEWEST, round(SHARE * total))),
    )
    chosen = [every[one.index] for one in picked]
    probe.step(chosen[0], checkpoint=way.checkpoint, parts=way.parts)  # kernels are made, once
    spent, peak, began = [], 0, time.perf_counter()
    order = [len(chosen) - 1, *range(len(chosen) - 1)]  # the longest first: it tells the memory
    took: dict[int, Spent] = {}
    for number in order:
        took[number], high = probe.step(chosen[number], checkpoint=way.checkpoint, parts=way.parts)
        peak = max(peak, high)
        rehearsal.bound_pool(peak - rehearsal.held())
        if len(took) >= FEWEST and time.perf_counter() - began > LONGEST_S:
            break
    spent = [took.get(number) or _nearest(took, number) for number in range(len(chosen))]
    return scaled(picked, spent).times(total / len(every)), peak, len(took) + 1


def _nearest(took: dict[int, Spent], number: int) -> Spent:
    """What the step of the most like cost took, where there was no time to measure this one."""
    return took[min(took, key=lambda other: abs(other - number))]


def _validations(probe: Rehearsal, size: int) -> tuple[Spent, int]:
    """The validation rows once, and the bytes at the peak."""
    rows = probe.loop.data.valid
    order = batches.fixed([sample.length for sample in rows], size)
    picked = pick([_tokens([rows[i] for i in chosen]) for chosen in order], FEWEST)
    spent, peak = [], 0
    for one in picked:
        took, high = probe.weigh([rows[i] for i in order[one.index]], size)
        spent.append(took)
        peak = max(peak, high)
    return scaled(picked, spent), peak


def _filling(probe: Rehearsal) -> Spent:
    """Computing the rest of the trunk cache, at the pace of the rows that are in it by now."""
    loop = probe.loop
    if not loop.trunk or not probe.filled:
        return Spent()
    left = loop.trunk.bytes_for([*loop.data.train, *loop.data.valid])
    return probe.filling.times(left / probe.filled)


def _saves(loop: Loop, settings: Train, archive_dir: Path) -> tuple[Spent, int]:
    """All checkpoints of the run, and the disk they take at most."""
    from trainer.lora import adapter, rehearsal, state

    size = rehearsal.trainable_bytes(loop)
    times = 2 + loop.plan.steps / settings.save_every
    disk = 2 * size + 2 * 3 * size + loop.plan.trunk_bytes * loop.plan.trunk
    if size > SLOW_DISK:
        return Spent(4 * size / SLOW_DISK).times(times), disk
    with tempfile.TemporaryDirectory(prefix="preflight-", dir=archive_dir) as name:
        clock, used = time.perf_counter(), time.process_time()
        adapter.save(Path(name), loop.model, loop.config)
        state.save(Path(name), loop.model, loop.optimizer, loop.at, "")
        once = Spent(time.perf_counter() - clock, time.process_time() - used)
    return once.times(times), disk


def _tokens(samples: Sequence[Sample]) -> int:
    return sum(sample.length for sample in samples)


def _unmeasured(choice: Choice, limit: float, watts: float) -> Forecast:
    """Before the 4-bit copy is loaded nothing but its memory is known."""
    return Forecast(watts, choice.bytes, 0, choice.bytes, round(limit))
