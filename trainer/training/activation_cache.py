"""The activation cache: what the frozen layers make of each row, computed once, kept on disk.

One folder per model, number of frozen layers and number type. A row is found by its tokens, so
another split, subset, batch size or order reuses what is there, and changed tokens are simply
other rows (`row_shards`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx

from exchange.display import format_bytes
from exchange.errors import ModelUnfit, Stopped
from trainer.tokenization import TokenizedSample
from trainer.training import batches
from trainer.training.adapter import tuned_layers
from trainer.training.frozen_layers import FrozenLayers
from trainer.training.row_shards import SHARD_BYTES, RowShards, disk_refusal, tokens_key
from trainer.training.settings import TrainSettings

Array = mx.array
FOLDER = "trunk"
ROWS = 8  # computed together; a constant, so that a row's numbers do not hang on [train] batch


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
        name = str(sketch.dtype).rpartition(".")[2]
        self.folder = folder / f"{model_sha}-{self.frozen.count}-{name}"
        self._shards = RowShards(self.folder, "hidden", int(sketch.shape[-1]), sketch.dtype)
        self.damaged = self._shards.damaged

    @property
    def added_bytes(self) -> int:
        """What this process has computed."""
        return self._shards.added_bytes

    def bytes_for(self, samples: Iterable[TokenizedSample]) -> int:
        """Disk that the rows not yet here would take."""
        return sum(sample.length for sample in self._missing(samples)) * self._shards.line_bytes

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
        done = 0
        for chosen in batches.fixed_batches([sample.length for sample in missing], ROWS):
            rows = [missing[i] for i in chosen]
            computed = self.frozen.activations(batches.make_batch(rows).inputs)
            mx.eval(computed)
            for number, row in enumerate(rows):
                self._shards.add(_key(row), computed[number, : row.length])
            done += len(rows)
            self._shards.flush(least=0 if done == len(missing) else SHARD_BYTES)
            progress(done, len(missing))
            if stop() and done < len(missing):
                self._shards.flush()
                raise Stopped("stopped: the same command goes on from there")

    def hidden(self, samples: Sequence[TokenizedSample], length: int) -> Array:
        """Rows of activations, zeros right of them: (rows, length, width) in the model's type.

        Rows that were not filled, such as those that an epoch draws anew, are computed and not
        kept: they do not come again.

        Raises:
            OSError: a row's shard has gone since.
        """
        hidden = self._shards.empty(len(samples), length)
        missing = [number for number, one in enumerate(samples) if _key(one) not in self._shards]
        if missing:
            rows = [samples[number] for number in missing]
            computed = self._shards.as_read(
                self.frozen.activations(batches.make_batch(rows).inputs)
            )
            for number, values, row in zip(missing, computed, rows, strict=True):
                hidden[number, : row.length] = values[: row.length]
        for number in set(range(len(samples))).difference(missing):
            sample = samples[number]
            hidden[number, : sample.length] = self._shards.read(_key(sample))
        return mx.array(hidden).view(self._shards.dtype)

    def _missing(self, samples: Iterable[TokenizedSample]) -> list[TokenizedSample]:
        keyed = ((_key(row), row) for sample in samples for row in sample.rows())
        return list({key: row for key, row in keyed if key not in self._shards}.values())


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
    refused = disk_refusal(
        folder,
        needed,
        settings.trunk_gb,
        f"Keep what the {cache.frozen.count} frozen layers make of every row "
        f"({format_bytes(needed)} in {cache.folder}), so that they are computed once?",
        confirm,
    )
    if refused:
        log(f"no activation cache: {refused}")
        return None
    return cache


def _key(sample: TokenizedSample) -> bytes:
    """Of the tokens that are computed; what is predicted last is no part of them."""
    return tokens_key(sample.tokens[:-1])
