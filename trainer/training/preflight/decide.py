"""The decision before a run: go on as it began, as asked for, in another mode, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from exchange import machine
from exchange.display import format_bytes
from exchange.errors import TooLarge
from exchange.inference import models, runtime
from trainer.training.plan import ComputeMode, PreflightPlan, RunForecast
from trainer.training.preflight.measure import measure_run, memory_limit
from trainer.training.preflight.memory_fallback import BITS, PER_WEIGHT, memory_error
from trainer.training.settings import TrainSettings

if TYPE_CHECKING:
    from trainer.training.loop import TrainingLoop


def check_weights(folder: Path, settings: TrainSettings, watts: float) -> PreflightPlan | None:
    """Look at a model's files before they are loaded; None when they fit.

    Returns:
        The decision for a 4-bit copy, when these weights alone take more than may be used.

    Raises:
        UserError: a 4-bit copy would not fit either.
    """
    limit = settings.memory_gb * 1e9 or machine.usable_memory()
    size = sum(path.stat().st_size for path in folder.glob("model*.safetensors"))
    config = models.read_config(folder)
    quantised = "quantization" in config or "quantization_config" in config
    needed = float(size if quantised else size * _widened(config))
    if needed <= limit:
        return None
    smaller = size / _bytes_each(config) * PER_WEIGHT
    if quantised or smaller > limit:
        raise memory_error(needed if quantised else smaller, limit)
    reason = (
        f"the weights alone take {format_bytes(needed)} and {format_bytes(limit)} may be used: "
        f"a {BITS}-bit copy "
        "of the model is tuned instead"
    )
    forecast = RunForecast(watts, round(smaller), 0, round(smaller), round(limit))
    return PreflightPlan(ComputeMode(bits=BITS), (reason,), forecast, 0.0)


def decide_mode(
    loop: TrainingLoop,
    tokenizer: Any,
    settings: TrainSettings,
    stored: PreflightPlan | None,
    archive_dir: Path,
    watts: float,
) -> PreflightPlan:
    """What the whole run takes and how it is computed; in a group, as the leader finds it.

    Args:
        stored: what was found when this run began; it stands, if it still fits and nobody wants
            another batch or checkpoints by now.

    Raises:
        UserError: the run does not fit in memory or on the disk.
    """
    from trainer.training import dry_run

    if not loop.group.leader:
        mode = ComputeMode(**orjson.loads(loop.group.broadcast(b"")))
        return PreflightPlan(mode, (), RunForecast(watts), 0.0)
    plan = _recalled(loop, settings, stored)
    if plan is None:
        plan = measure_run(loop, tokenizer, settings, watts=watts, archive_dir=archive_dir)
        plan = replace(plan, batch=settings.batch, checkpoint=settings.grad_checkpoint)
    if plan.mode.bits and loop.group.size > 1:
        raise TooLarge("this model does not fit: name one that is quantised already in [model]")
    loop.group.broadcast(orjson.dumps(asdict(plan.mode)))
    dry_run.limit_pool(plan.forecast.pool_bytes)
    return plan


def quantized_copy(
    folder: Path, kept_in: Path, reasons: tuple[str, ...], note: Callable[[str], None]
) -> Path:
    """The 4-bit copy of a model, made once and kept.

    Raises:
        UserError: the disk is full, or mlx-lm cannot read the model.
    """
    for reason in reasons:
        note(reason)
    kept = kept_in / f"{folder.name}-{BITS}bit"
    if not kept.exists():
        note(f"converting {folder} to {BITS} bit, once")
        kept_in.mkdir(parents=True, exist_ok=True)
        models.convert(str(folder), kept, BITS)
    models.check_folder(kept)
    return kept


def _recalled(
    loop: TrainingLoop, settings: TrainSettings, stored: PreflightPlan | None
) -> PreflightPlan | None:
    from trainer.training import checkpoints

    if stored is None or not checkpoints.saved_step(loop.run.folder):
        return None
    limit = memory_limit(settings)
    asked = (stored.batch, stored.checkpoint)
    if stored.forecast.peak_bytes > limit or asked != (settings.batch, settings.grad_checkpoint):
        return None
    return replace(stored, forecast=replace(stored.forecast, limit_bytes=round(limit)))


def _bytes_each(config: dict[str, Any]) -> int:
    return 4 if config.get("torch_dtype", config.get("dtype")) == "float32" else 2


def _widened(config: dict[str, Any]) -> int:
    """How much larger weights are in memory: on a CPU they are float32."""
    return 4 // _bytes_each(config) if runtime.on_cpu() else 1
