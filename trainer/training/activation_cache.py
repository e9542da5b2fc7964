"""The activation cache: what the frozen layers make of each row, computed once, kept on disk.

One folder per model, number of frozen layers and number type. In it, shards in safetensors
format, each written whole or not at all: the activations of some rows one after another, the hash
of each row's tokens, and a checksum. A row is found by its tokens, so another split, subset, batch
size or order reuses what is there, and changed tokens are simply other rows. The folder may be
deleted at any time.
"""

from __future__ import annotations

import itertools
import shutil
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import orjson

from exchange.display import format_bytes
from exchange.errors import BadFile, ModelUnfit, Stopped
from exchange.inference.weights import METADATA, read_header
from trainer.tokenization import TokenizedSample
from trainer.training import batches
from trainer.training.adapter import save_arrays, tuned_layers
from trainer.training.frozen_layers import FrozenLayers
from trainer.training.settings import TrainSettings

Array = mx.array
FOLDER = "trunk"
ROWS = 8  # computed together; a constant, so that a row's numbers do not hang on [train] batch
SHARD_BYTES = 64 << 20  # what a kill while filling can cost, and what is held in memory meanwhile
SPARE_BYTES = 1 << 30  # stays free beside the cache: checkpoints need room too
_KINDS = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16}  # NumPy has no bf16


@dataclass(frozen=True, slots=True)
class _RowLocation:
    path: Path
    offset: int  # bytes
    length: int  # tokens


class NotSeparable(ModelUnfit):
    """A model whose layers cannot be run apart: nothing is frozen, or its body has another
    shape."""


class ActivationCache:
    """Activations of rows at the first tuned layer. Only the holder of the GPU's lock fills it."""

    def __init__(self, folder: Path, model_sha: str, model: Any, tuned: int) -> None:
        """Open what is there; a damaged shard is deleted, and its rows are missing again.

        Args:
            folder: the archive's folder for this (`FOLDER`); shared by runs and sweeps.
            tuned: how many of the last layers learn; fewer than the model has.

        Raises:
            NotSeparable: see there.
        """
        self.frozen = FrozenLayers(model, tuned)
        if not self.frozen.separable():
            raise NotSeparable("the model cannot be taken apart below its tuned layers")
        self._model = model
        sketch = self.frozen.activations(mx.array([[1]]))  # never evaluated
        self.width, self.dtype = int(sketch.shape[-1]), sketch.dtype
        name = str(self.dtype).rpartition(".")[2]
        self._kind = np.dtype(_KINDS[name])
        self.folder = folder / f"{model_sha}-{self.frozen.count}-{name}"
        self._rows: dict[bytes, _RowLocation] = {}
        self.damaged = 0  # shards that were thrown away
        for path in sorted(self.folder.glob("[0-9]*.safetensors")):
            try:
                self._rows.update(self._index(path))
            except (BadFile, OSError, ValueError, KeyError, TypeError):
                path.unlink(missing_ok=True)
                self.damaged += 1

    def bytes_for(self, samples: Iterable[TokenizedSample]) -> int:
        """Disk that the rows not yet here would take."""
        tokens = sum(sample.length for sample in self._missing(samples))
        return tokens * self.width * self._kind.itemsize

    def fill(
        self,
        samples: Sequence[TokenizedSample],
        progress: Callable[[int, int], None] = lambda done, total: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Compute the rows that are missing; a kill costs at most one shard of them.

        Raises:
            UserError: the disk is full, or `stop` said so (exit code 3); what is written stays.
        """
        was_training = self._model.training
        self._model.eval()
        try:
            self._fill(self._missing(samples), progress, stop)
        finally:
            self._model.train(was_training)

    def _fill(
        self,
        missing: list[TokenizedSample],
        progress: Callable[[int, int], None],
        stop: Callable[[], bool],
    ) -> None:
        pending: list[tuple[bytes, Any]] = []
        done = held = 0
        for chosen in batches.fixed_batches([sample.length for sample in missing], ROWS):
            rows = [missing[i] for i in chosen]
            computed = self._numpy(self.frozen.activations(batches.make_batch(rows).inputs))
            for number, row in enumerate(rows):
                pending.append((_key(row), computed[number, : row.length].copy()))
                held += pending[-1][1].nbytes
            done += len(rows)
            if held >= SHARD_BYTES or done == len(missing):
                self._write(pending)
                pending, held = [], 0
            progress(done, len(missing))
            if stop() and done < len(missing):
                raise Stopped("stopped: the same command goes on from there")

    def hidden(self, samples: Sequence[TokenizedSample], length: int) -> Array:
        """Rows of activations, zeros right of them: (rows, length, width) in the model's type.

        Raises:
            KeyError: a row was not filled.
            OSError: its shard has gone since.
        """
        hidden = np.zeros((len(samples), length, self.width), self._kind)
        for number, sample in enumerate(samples):
            row = self._rows[_key(sample)]
            count = row.length * self.width
            read = np.fromfile(row.path, self._kind, count, offset=row.offset)
            hidden[number, : row.length] = read.reshape(row.length, self.width)
        return mx.array(hidden).view(self.dtype)

    # -- shards -----------------------------------------------------------------------------

    def _missing(self, samples: Iterable[TokenizedSample]) -> list[TokenizedSample]:
        return list(
            {key: sample for sample in samples if (key := _key(sample)) not in self._rows}.values()
        )

    def _numpy(self, array: Array) -> Any:
        return np.array(array.view(mx.uint16) if self._kind == np.uint16 else array)

    def _write(self, rows: list[tuple[bytes, Any]]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        names = (self.folder / f"{number:05}.safetensors" for number in itertools.count())
        path = next(name for name in names if not name.exists())
        data = np.concatenate([values for _, values in rows])
        about = {
            "rows": orjson.dumps([(key.hex(), len(values)) for key, values in rows]).decode(),
            "crc32": str(zlib.crc32(data.data)),
        }
        save_arrays(path, {"hidden": mx.array(data).view(self.dtype)}, about)
        self._rows.update(self._index(path))

    def _index(self, path: Path) -> dict[bytes, _RowLocation]:
        """Where each row of a shard stands.

        Raises:
            BadFile, ValueError, KeyError, TypeError: it is not what was written.
        """
        header, first = read_header(path)
        begin, end = header["hidden"]["data_offsets"]
        about = header[METADATA]
        rows = orjson.loads(about["rows"])
        row_bytes = self.width * self._kind.itemsize
        with path.open("rb") as file:
            file.seek(first + begin)
            if end - begin != row_bytes * sum(length for _, length in rows):
                raise ValueError("another width or number type")
            crc, left = 0, end - begin
            while left and (part := file.read(min(left, 1 << 20))):
                crc, left = zlib.crc32(part, crc), left - len(part)
            if crc != int(about["crc32"]):
                raise ValueError("changed since it was written")
        found, at = {}, first + begin
        for key, length in rows:
            found[bytes.fromhex(key)] = _RowLocation(path, at, length)
            at += length * row_bytes
        return found


def open_activation_cache(
    archive_dir: Path,
    model_sha: str,
    model: Any,
    settings: TrainSettings,
    samples: Sequence[TokenizedSample],
    *,
    confirm: Callable[[str], bool],
    log: Callable[[str], None],
) -> ActivationCache | None:
    """The cache for these rows, not yet filled; None, and the reason logged, when it is not used.

    Args:
        settings: `trunk_gb` of disk are taken without asking; 0: no cache at all.
        confirm: asked, with the size in words, when more is needed.
    """
    tuned, folder = tuned_layers(model, settings), archive_dir / FOLDER
    if not settings.trunk_gb or tuned >= len(model.layers):
        return None
    try:
        cache = ActivationCache(folder, model_sha, model, tuned)
    except NotSeparable as error:
        log(f"no activation cache: {error}")
        return None
    if cache.damaged:
        log(f"{cache.damaged} damaged files of the activation cache are computed anew")
    needed = cache.bytes_for(samples)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed and free < needed + SPARE_BYTES:
        log(
            f"no activation cache: it needs {format_bytes(needed)} and {format_bytes(free)} are "
            "free"
        )
        return None
    if needed > settings.trunk_gb * 1e9 and not confirm(
        f"Keep what the {cache.frozen.count} frozen layers make of every row "
        f"({format_bytes(needed)} "
        f"in {cache.folder}), so that they are computed once?"
    ):
        log(f"no activation cache: {format_bytes(needed)} are more than [train] trunk_gb allows")
        return None
    return cache


def _key(sample: TokenizedSample) -> bytes:
    """Of the tokens that are computed; what is predicted last is no part of them."""
    return blake2b(np.array(sample.tokens[:-1], np.int32).tobytes(), digest_size=16).digest()
