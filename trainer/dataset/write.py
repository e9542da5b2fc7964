"""Put a dataset on disk: everything under temporary names first, the manifest last."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from exchange.errors import CannotWrite
from trainer.dataset import manifest as manifests
from trainer.dataset.manifest import Manifest
from trainer.dataset.rows import DatasetRow
from trainer.dataset.split import Split

_PARTIAL = ".partial"


def write_dataset(
    folder: Path,
    split: Mapping[Split, Sequence[DatasetRow]],
    extra: Mapping[str, bytes],
    manifest: Manifest,
) -> Manifest:
    """Write every split and the extra files, and the manifest with their hashes.

    A crash between two renames leaves files that the manifest does not describe; readers check
    that and say so.

    Raises:
        UserError: the folder cannot be written; what stood there is as it was.
    """
    names = [*(f"{name}.jsonl" for name in split), *extra, manifests.FILE]
    files: dict[str, dict[str, Any]] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part, rows in split.items():
            name = f"{part}.jsonl"
            files[name] = _write_hashed(folder / (name + _PARTIAL), (row.to_line() for row in rows))
        for name, data in extra.items():
            files[name] = _write_hashed(folder / (name + _PARTIAL), (data,))
        manifest = replace(manifest, files=files)
        _write_hashed(folder / (manifests.FILE + _PARTIAL), (manifest.to_json(),))
        for name in names:
            (folder / (name + _PARTIAL)).replace(folder / name)
    except OSError as error:
        for name in names:
            (folder / (name + _PARTIAL)).unlink(missing_ok=True)
        raise CannotWrite(f"cannot write the dataset in {folder}: {error.strerror}") from None
    for path in folder.glob("*.jsonl"):
        if path.name not in files:  # a split of the build before that this one does not have
            path.unlink()
    return manifest


def _write_hashed(path: Path, pieces: Any) -> dict[str, Any]:
    """Write the pieces, and say what the file is."""
    sha, size = sha256(), 0
    with path.open("wb") as file:
        for piece in pieces:
            sha.update(piece)
            size += len(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return {"sha256": sha.hexdigest(), "bytes": size}


def describe_rows(rows: Sequence[DatasetRow]) -> dict[str, Any]:
    """The figures of one split."""
    return {
        "rows": len(rows),
        "stories": len({row.story for row in rows if row.story}),
        "clusters": len({row.cluster for row in rows if row.cluster}),
        "characters": sum(len(row.question) + len(row.answer) for row in rows),
        "kinds": dict(sorted(Counter(row.kind for row in rows).items())),
    }
