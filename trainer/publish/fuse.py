"""Fuse a run's adapter into its model, measure what that lost, and keep both in one folder."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from exchange import lock, machine
from exchange.display import format_bytes
from exchange.files import atomic_folder, write_atomic
from exchange.inference import runtime
from exchange.inference.engine import BASE, TUNED
from exchange.inference.runtime import context_length
from exchange.project import Project
from trainer.abstention import adapter_sha
from trainer.console import ProgressCallback
from trainer.dataset import Manifest, read_split
from trainer.dataset.build import FOLDER as DATASET
from trainer.dataset.split import Split
from trainer.publish import tokenizer
from trainer.tokenization import TokenizedSample, encode_rows
from trainer.tuned_model import TunedModel

FOLDER = "published"
SMALLEST_GAIN = 0.01  # nats per token


@dataclass(frozen=True, slots=True)
class FusionLosses:
    """Losses over the same rows, in nats per answer token."""

    rows: int
    base: float
    tuned: float  # base and adapter, before they were fused
    fused: float

    @property
    def lost(self) -> float:
        """The share of what the training gained that fusing has lost; 0 where nothing was gained.

        Gains under a hundredth of a nat are noise, and shares of noise say nothing.
        """
        gain = self.base - self.tuned
        return (self.fused - self.tuned) / gain if gain > SMALLEST_GAIN else 0.0


@dataclass(frozen=True, slots=True)
class FusedModel:
    """What a fused folder was made of, and its measured losses; kept beside the folder."""

    model: str
    model_sha: str
    dataset: str
    checkpoint: str
    adapter_sha: str
    bits: int
    type: str  # of the weights
    weighed: dict[str, FusionLosses] = field(default_factory=dict)  # by split
    scale: float = 1.0  # strength of the adapter

    def identity(self) -> tuple[str, ...]:
        """Two folders with an equal identity hold the same model."""
        return (self.model_sha, self.checkpoint, self.adapter_sha, str(self.bits), str(self.scale))

    def largest_loss(self) -> float:
        """The largest share of a gain that was lost."""
        return max((one.lost for one in self.weighed.values()), default=0.0)


class ArtifactFolder:
    """The folder of one run's published things: `published/RUN` of the archive."""

    def __init__(self, archive_dir: Path, run: str) -> None:
        self.folder = archive_dir / FOLDER / run

    def model(self, bits: int = 0) -> Path:
        """The fused model, in Hugging Face layout."""
        return self.folder / (f"model-{bits}bit" if bits else "model")

    @property
    def gguf(self) -> Path:
        """GGUF files and the Modelfile."""
        return self.folder / "gguf"

    def fused(self, bits: int = 0) -> FusedModel | None:
        """The record of a whole fused folder; None while there is none."""
        path = self._record(bits)
        if not path.exists() or not self.model(bits).is_dir():
            return None
        try:
            raw: dict[str, Any] = orjson.loads(path.read_bytes())
            weighed = {name: FusionLosses(**one) for name, one in raw.pop("weighed").items()}
            return FusedModel(**raw, weighed=weighed)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None  # made again: the weights are what costs, and those are quickly fused

    def ggufs(self) -> list[Path]:
        """GGUF files of the fused model that stands here now, the newest last."""
        record = self._record(0)
        if not record.exists():
            return []
        made = record.stat().st_mtime_ns
        files = [(path.stat().st_mtime_ns, path) for path in self.gguf.glob("*.gguf")]
        return [path for when, path in sorted(files) if when >= made]

    def record(self, fused: FusedModel) -> None:
        """Write the record; from now on the folder counts as done."""
        write_atomic(
            self._record(fused.bits), orjson.dumps(asdict(fused), option=orjson.OPT_INDENT_2)
        )

    def drop_record(self, bits: int) -> None:
        """Before the folder is made anew: a record must never describe another folder."""
        self._record(bits).unlink(missing_ok=True)

    def _record(self, bits: int) -> Path:
        return self.model(bits).with_suffix(".json")


WARN_ABOVE = 0.01  # share of the gain that fusing may lose before it is worth a line
BATCH = 8  # rows measured together
SPLITS: tuple[Split, ...] = ("train", "valid")


def fuse_run(
    project: Project,
    archive_dir: Path,
    tuned: TunedModel,
    *,
    bits: int = 0,
    scale: float = 1.0,
    rows: int = 128,
    callback: ProgressCallback,
) -> FusedModel:
    """Write the fused model, unless it stands there already.

    Evaluates MLX: a process that called this must not fork.

    Args:
        bits: quantise after fusing, for mlx-lm alone; 0: not.
        scale: strength of the adapter.
        rows: of each split, measured before and after; 0: none.

    Raises:
        UserError: no dataset to measure on, the GPU in use, a full disk.
    """
    artifacts = ArtifactFolder(archive_dir, tuned.run.name)
    config = tuned.config
    wanted = FusedModel(
        model=config.model,
        model_sha=config.model_sha,
        dataset=config.dataset,
        checkpoint=tuned.checkpoint,
        adapter_sha=adapter_sha(tuned.adapter),
        bits=bits,
        type="",
        scale=scale,
    )
    existing = artifacts.fused(bits)
    if existing and existing.identity() == wanted.identity():
        return existing
    if rows and config.dataset != Manifest.read(archive_dir / DATASET).sha:
        callback.log(
            "the dataset was built anew since this run: the fused model is measured on the new one"
        )
    with lock.hold_gpu(project.data, shared=True):
        before = _before(tuned, archive_dir / DATASET, rows, scale, callback) if rows else {}
        artifacts.drop_record(bits)
        kind = _write(tuned, artifacts.model(bits), bits, scale, callback)
        weighed = _after(artifacts.model(bits), archive_dir / DATASET, rows, before, callback)
    made = FusedModel(**{name: getattr(wanted, name) for name in _MADE}, type=kind, weighed=weighed)
    artifacts.record(made)
    return made


_MADE = ("model", "model_sha", "dataset", "checkpoint", "adapter_sha", "bits", "scale")


def _write(
    tuned: TunedModel, target: Path, bits: int, scale: float, callback: ProgressCallback
) -> str:
    from trainer.training.fuse import write_fused as write_weights

    with atomic_folder(target) as folder:
        kind = write_weights(
            tuned.base,
            tuned.adapter,
            folder,
            bits=bits,
            scale=scale,
            progress=lambda done, total: callback.on_progress(
                "writing MB", done // 10**6, total // 10**6
            ),
        )
        tokenizer.copy_tokenizer(tuned.base, folder)
        if (tuned.base / "generation_config.json").exists():
            shutil.copy(tuned.base / "generation_config.json", folder)
    return kind


def _before(
    tuned: TunedModel, dataset: Path, rows: int, scale: float, callback: ProgressCallback
) -> dict[Split, tuple[float, float]]:
    """Losses of base and of base with adapter, by split."""
    from exchange.inference.mlx import base_and_adapter

    callback.log(f"measuring {tuned.name} without and with its adapter")
    loaded = base_and_adapter.load_models(tuned.base, tuned.adapter, [scale])
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
            f"the fused model is not measured: its {format_bytes(size)} exceed the "
            f"{format_bytes(machine.usable_memory())} of memory that are free; --bits 4 makes one "
            "that fits"
        )
        return {}
    callback.log("measuring the fused model")
    model, encoder = runtime.load(folder)
    samples = _samples(model, encoder, dataset, rows)
    return {
        split: FusionLosses(len(samples[split]), *losses, _loss(model, samples[split], callback))
        for split, losses in before.items()
    }


def _samples(
    model: Any, encoder: Any, dataset: Path, rows: int
) -> dict[Split, list[TokenizedSample]]:
    """The first rows of each split: ids are hashes, so they come from all over the archive."""
    longest = context_length(model) or 1 << 30
    return {
        split: encode_rows(encoder, read_split(dataset, split)[:rows], longest)[0]
        for split in SPLITS
    }


def _loss(model: Any, samples: list[TokenizedSample], callback: ProgressCallback) -> float:
    """Nats per token of the answers."""
    from trainer.training.loss import Loss, summed_loss

    nats = summed_loss(Loss(model), samples, BATCH, callback.progress("validating"))
    model.eval()
    return nats / sum(sample.targets for sample in samples)
