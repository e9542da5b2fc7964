"""Put a dataset on disk: everything under temporary names first, the manifest last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from exchange.files import atomic_path, write_hashed
from trainer.dataset.rows import MANIFEST, DatasetRow, Manifest
from trainer.dataset.split import Split


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
    pieces: dict[str, Iterable[bytes]] = {
        **{f"{name}.jsonl": (row.to_line() for row in rows) for name, rows in split.items()},
        **{name: (data,) for name, data in extra.items()},
    }
    with ExitStack() as stack:  # it closes in reverse: the manifest gets its name last
        described = stack.enter_context(atomic_path(folder / MANIFEST))
        partial = {name: stack.enter_context(atomic_path(folder / name)) for name in pieces}
        files = {name: write_hashed(partial[name], pieces[name]) for name in pieces}
        manifest = replace(manifest, files=files)
        write_hashed(described, (manifest.to_json(),))
    for path in folder.glob("*.jsonl"):
        if path.name not in files:  # a split of the build before that this one does not have
            path.unlink()
    return manifest


def describe_rows(rows: Sequence[DatasetRow]) -> dict[str, Any]:
    """The figures of one split."""
    return {
        "rows": len(rows),
        "stories": len({row.story for row in rows if row.story}),
        "clusters": len({row.cluster for row in rows if row.cluster}),
        "characters": sum(len(row.question) + len(row.answer) for row in rows),
        "kinds": dict(sorted(Counter(row.kind for row in rows).items())),
    }
