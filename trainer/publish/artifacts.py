"""Where published things are, and how a folder or file of them comes to be whole or not at all."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from exchange.files import write_atomic

FOLDER = "published"


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


SMALLEST_GAIN = 0.01  # nats per token


@dataclass(frozen=True, slots=True)
class FusedModel:
    """What a fused folder was made of, and what its weighing said; kept beside the folder."""

    model: str
    model_sha: str
    dataset: str
    checkpoint: str
    adapter_sha: str
    bits: int
    type: str  # of the weights
    weighed: dict[str, FusionLosses] = field(default_factory=dict)  # by split

    def made_of(self) -> tuple[str, ...]:
        """Two folders with an equal answer hold the same model."""
        return (self.model_sha, self.checkpoint, self.adapter_sha, str(self.bits))

    def worst(self) -> float:
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

    def forget(self, bits: int) -> None:
        """Before the folder is made anew: a record must never describe another folder."""
        self._record(bits).unlink(missing_ok=True)

    def _record(self, bits: int) -> Path:
        return self.model(bits).with_suffix(".json")
