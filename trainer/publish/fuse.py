"""Fuse a run's adapter into its model, and weigh what came of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from exchange import lock, machine
from exchange.display import format_bytes
from exchange.files import atomic_folder, sha256_of
from exchange.inference import runtime
from exchange.inference.engine import BASE, TUNED
from exchange.inference.runtime import context_length
from exchange.project import Project
from trainer.dataset import Manifest, read_split
from trainer.dataset.build import FOLDER as DATASET
from trainer.dataset.split import Split
from trainer.progress import ProgressCallback
from trainer.publish import tokenizer
from trainer.publish.artifacts import (
    ArtifactFolder,
    FusedModel,
    FusionLosses,
)
from trainer.tokenization import TokenizedSample, encode_rows
from trainer.tuned_model import TunedModel

WARN_ABOVE = 0.01  # share of the gain that fusing may lose before it is worth a line
BATCH = 8  # rows weighed together
SPLITS: tuple[Split, ...] = ("train", "valid")


def fuse_run(
    project: Project,
    archive_dir: Path,
    tuned: TunedModel,
    *,
    bits: int = 0,
    rows: int = 128,
    callback: ProgressCallback,
) -> FusedModel:
    """Write the fused model, unless it stands there already.

    Evaluates MLX: a process that called this must not fork.

    Args:
        bits: quantise after fusing, for mlx-lm alone; 0: not.
        rows: of each split, weighed before and after; 0: none.

    Raises:
        UserError: no dataset to weigh on, the GPU in use, a full disk.
    """
    place = ArtifactFolder(archive_dir, tuned.run.name)
    config = tuned.config
    wanted = FusedModel(
        model=config.model,
        model_sha=config.model_sha,
        dataset=config.dataset,
        checkpoint=tuned.checkpoint,
        adapter_sha=sha256_of(tuned.adapter / "adapters.safetensors")[:12],
        bits=bits,
        type="",
    )
    there = place.fused(bits)
    if there and there.made_of() == wanted.made_of():
        return there
    if rows and config.dataset != Manifest.read(archive_dir / DATASET).sha:
        callback.log("the dataset was built anew since this run: it is weighed on the new one")
    with lock.hold_gpu(project.data, shared=True):
        before = _before(tuned, archive_dir / DATASET, rows, callback) if rows else {}
        place.forget(bits)
        kind = _write(tuned, place.model(bits), bits, callback)
        weighed = _after(place.model(bits), archive_dir / DATASET, rows, before, callback)
    made = FusedModel(**{name: getattr(wanted, name) for name in _MADE}, type=kind, weighed=weighed)
    place.record(made)
    return made


_MADE = ("model", "model_sha", "dataset", "checkpoint", "adapter_sha", "bits")


def _write(tuned: TunedModel, target: Path, bits: int, callback: ProgressCallback) -> str:
    from trainer.training.fuse import write_fused as write_weights

    with atomic_folder(target) as folder:
        kind = write_weights(
            tuned.base,
            tuned.adapter,
            folder,
            bits=bits,
            progress=lambda done, total: callback.on_progress(
                "writing MB", done // 10**6, total // 10**6
            ),
        )
        tokenizer.copy_tokenizer(tuned.base, folder)
        if (tuned.base / "generation_config.json").exists():
            shutil.copy(tuned.base / "generation_config.json", folder)
    return kind


def _before(
    tuned: TunedModel, dataset: Path, rows: int, callback: ProgressCallback
) -> dict[Split, tuple[float, float]]:
    """Losses of base and of base with adapter, by split."""
    from exchange.inference.mlx import base_and_adapter

    callback.log(f"weighing {tuned.name} without and with its adapter")
    loaded = base_and_adapter.load_models(tuned.base, tuned.adapter)
    base, adapted = loaded.models[BASE], loaded.models[TUNED]
    samples = _samples(base, loaded.tokenizer, dataset, rows)
    return {
        split: (_loss(base, some, callback), _loss(adapted, some, callback))
        for split, some in samples.items()
    }


def _after(
    folder: Path,
    dataset: Path,
    rows: int,
    before: dict[Split, tuple[float, float]],
    callback: ProgressCallback,
) -> dict[str, FusionLosses]:
    """The fused model over the same rows, where it fits into memory."""
    if not before:
        return {}
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    size *= 2 if runtime.on_cpu() else 1  # there it is computed in float32
    if size > machine.usable_memory():
        callback.log(
            f"the fused model is not weighed: its {format_bytes(size)} exceed the "
            f"{format_bytes(machine.usable_memory())} of memory that are free; --bits 4 makes one "
            "that fits"
        )
        return {}
    callback.log("weighing the fused model")
    model, words = runtime.load(folder)
    samples = _samples(model, words, dataset, rows)
    return {
        split: FusionLosses(len(samples[split]), *losses, _loss(model, samples[split], callback))
        for split, losses in before.items()
    }


def _samples(
    model: Any, words: Any, dataset: Path, rows: int
) -> dict[Split, list[TokenizedSample]]:
    """The first rows of each split: ids are hashes, so they come from all over the archive."""
    longest = context_length(model) or 1 << 30
    return {
        split: encode_rows(words, read_split(dataset, split)[:rows], longest)[0] for split in SPLITS
    }


def _loss(model: Any, samples: list[TokenizedSample], callback: ProgressCallback) -> float:
    """Nats per token of the answers."""
    from trainer.training.loss import Loss, summed_loss

    nats = summed_loss(Loss(model), samples, BATCH, callback.progress("validating"))
    model.eval()
    return nats / sum(sample.targets for sample in samples)
