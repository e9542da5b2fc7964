"""What is computed once for each row and kept on disk: shards of arrays, found by the row's tokens.

A shard is a file in safetensors format, written whole or not at all: the arrays of some rows one
after another, the key of each row, and a checksum. A damaged one is deleted, and its rows are
missing again; the folder may be deleted at any time. The activation cache and the teacher's logits
are kept so.
"""

from __future__ import annotations

import itertools
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import orjson

from exchange.display import format_bytes
from exchange.errors import BadFile
from exchange.inference.weights import METADATA, read_header
from trainer.training.adapter import save_arrays

SHARD_BYTES = 64 << 20  # what a kill while filling can cost, and what is held in memory meanwhile
SPARE_BYTES = 1 << 30  # stays free beside what is kept: checkpoints need room too
_KINDS = {  # NumPy has no bf16
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": np.uint16,
    "uint32": np.uint32,
}


@dataclass(frozen=True, slots=True)
class _RowLocation:
    path: Path
    offset: int  # bytes
    length: int  # lines of the array


class RowShards:
    """Arrays of (lines, width) by key. Only the holder of the GPU's lock writes."""

    def __init__(self, folder: Path, name: str, width: int, dtype: Any) -> None:
        """Open what is there; a damaged shard is deleted.

        Args:
            folder: for arrays of this sort alone.
            name: of the array in the files.
            dtype: of MLX.
        """
        self.folder, self.width, self.dtype = folder, width, dtype
        self._name = name
        self._kind = np.dtype(_KINDS[str(dtype).rpartition(".")[2]])
        self._rows: dict[bytes, _RowLocation] = {}
        self._pending: list[tuple[bytes, Any]] = []
        self._held = 0
        self.damaged = 0  # shards that were thrown away
        self.added_bytes = 0  # by this process
        self.open_files()

    def open_files(self) -> None:
        """Look at the files again: somebody has put some there."""
        known = {row.path for row in self._rows.values()}
        for path in sorted(self.folder.glob("[0-9]*.safetensors")):
            if path in known:
                continue
            try:
                self._rows.update(self._index(path))
            except (BadFile, OSError, ValueError, KeyError, TypeError):
                path.unlink(missing_ok=True)
                self.damaged += 1

    @property
    def line_bytes(self) -> int:
        """What a line of an array takes on disk."""
        return self.width * self._kind.itemsize

    def __contains__(self, key: bytes) -> bool:
        return key in self._rows

    def add(self, key: bytes, values: mx.array) -> None:
        """Take a row's array; it is on disk when the next `flush` has written it."""
        held = self.as_read(values)
        self._pending.append((key, held))
        self._held += held.nbytes
        self.added_bytes += held.nbytes

    def flush(self, *, least: int = 0) -> None:
        """Write what was added, if it is so many bytes.

        Raises:
            CannotWrite: the disk is full; what was written before stays.
        """
        if not self._pending or self._held < least:
            return
        rows, self._pending, self._held = self._pending, [], 0
        self.folder.mkdir(parents=True, exist_ok=True)
        names = (self.folder / f"{number:05}.safetensors" for number in itertools.count())
        path = next(name for name in names if not name.exists())
        data = np.concatenate([values for _, values in rows])
        about = {
            "rows": orjson.dumps([(key.hex(), len(values)) for key, values in rows]).decode(),
            "crc32": str(zlib.crc32(data.data)),
        }
        save_arrays(path, {self._name: mx.array(data).view(self.dtype)}, about)
        self._rows.update(self._index(path))

    def read(self, key: bytes) -> Any:
        """A row's array as NumPy reads it, (lines, width).

        Raises:
            KeyError: there is none.
            OSError: its shard has gone since.
        """
        row = self._rows[key]
        count = row.length * self.width
        read = np.fromfile(row.path, self._kind, count, offset=row.offset)
        return read.reshape(row.length, self.width)

    def as_read(self, values: mx.array) -> Any:
        """Computed values of our type as `read` gives what was kept of them."""
        return np.array(values.view(mx.uint16) if self._kind == np.uint16 else values)

    def empty(self, rows: int, length: int) -> Any:
        """Zeros for several rows, of the type that `read` gives: (rows, length, width)."""
        return np.zeros((rows, length, self.width), self._kind)

    def _index(self, path: Path) -> dict[bytes, _RowLocation]:
        """Where each row of a shard stands.

        Raises:
            BadFile, ValueError, KeyError, TypeError: it is not what was written.
        """
        header, first = read_header(path)
        begin, end = header[self._name]["data_offsets"]
        about = header[METADATA]
        rows = orjson.loads(about["rows"])
        with path.open("rb") as file:
            file.seek(first + begin)
            if end - begin != self.line_bytes * sum(length for _, length in rows):
                raise ValueError("another width or number type")
            crc, left = 0, end - begin
            while left and (part := file.read(min(left, 1 << 20))):
                crc, left = zlib.crc32(part, crc), left - len(part)
            if crc != int(about["crc32"]):
                raise ValueError("changed since it was written")
        found, at = {}, first + begin
        for key, length in rows:
            found[bytes.fromhex(key)] = _RowLocation(path, at, length)
            at += length * self.line_bytes
        return found


def tokens_key(tokens: Sequence[int], *also: int) -> bytes:
    """The key of a row: of its tokens as they are computed, and whatever else decides."""
    return blake2b(np.array([*tokens, *also], np.int32).tobytes(), digest_size=16).digest()


def disk_refusal(
    folder: Path, needed: int, allowed_gb: float, question: str, confirm: Callable[[str], bool]
) -> str:
    """Why so much is not kept in a folder; "" when it may be.

    Args:
        allowed_gb: taken without asking.
        question: asked when more is needed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed and free < needed + SPARE_BYTES:
        return f"it needs {format_bytes(needed)} and {format_bytes(free)} are free"
    if needed > allowed_gb * 1e9 and not confirm(question):
        return f"{format_bytes(needed)} are more than [train] trunk_gb allows"
    return ""
