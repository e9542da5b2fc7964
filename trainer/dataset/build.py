"""Build the dataset of one archive: read, split, check, write; all of it or nothing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from exchange.errors import UserError
from exchange.lock import FileLock
from exchange.spool import Spool
from exchange.text.fold import fold
from trainer.dataset import manifest as manifests
from trainer.dataset import source as sources
from trainer.dataset.manifest import Manifest
from trainer.dataset.rows import Row
from trainer.dataset.split import SPLITS, Shares, Split, check_crossing, choose_key, missing, place
from trainer.settings import Dataset

FOLDER = "dataset"
_PARTIAL = ".partial"


def build(
    archive_dir: Path,
    settings: Dataset,
    *,
    system: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Manifest:
    """Write `dataset/{train,valid,test}.jsonl` and `manifest.json` under the archive's folder.

    The same spool and settings give the same bytes. A key that an earlier build chose is kept,
    so rows that come later move none that were there.

    Raises:
        UserError: nothing crawled or accepted yet, too few stories, a crossing cluster, a full
            disk. The earlier dataset is then as it was.
    """
    spool = Spool.read(archive_dir)
    try:
        source = sources.read(spool, system if settings.system else "", progress)
    finally:
        spool.close()
    if not source.rows:
        raise UserError("no accepted pairs yet: run `kkoracle crawl` and `kkoracle work` first")
    folder = archive_dir / FOLDER
    shares = Shares(settings.valid, settings.test)
    key = _kept_key(folder, settings.key) or choose_key(
        settings.key, {row.cluster for row in source.rows}, shares
    )
    split = divide(source.rows, key, shares, source.left_out)
    check_crossing((row.cluster, name) for name, rows in split.items() for row in rows)
    empty = missing({name: len(rows) for name, rows in split.items()})
    if empty:
        raise UserError(
            f"{' and '.join(empty)} would be empty ({len(source.rows)} rows in all): raise "
            f"[dataset] {empty[0] if empty[0] != 'train' else 'key'}, or crawl more first"
        )
    contents = {name: b"".join(row.to_line() for row in rows) for name, rows in split.items()}
    manifest = Manifest(
        archive=archive_dir.name,
        key=key,
        shares={"valid": settings.valid, "test": settings.test},
        system=system if settings.system else "",
        input=source.described,
        left_out=dict(sorted(source.left_out.items())),
        splits={name: _describe(split[name]) for name in SPLITS},
        files={f"{name}.jsonl": {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
               for name, data in contents.items()},
    )  # fmt: skip
    with FileLock(archive_dir / "dataset.lock"):
        _write(folder, {f"{name}.jsonl": data for name, data in contents.items()}, manifest)
    return manifest


def divide(
    rows: Sequence[Row], key: str, shares: Shares, left_out: Counter[str]
) -> dict[Split, list[Row]]:
    """Rows by split, in the order given; a question that train asks too is no test of anything."""
    split: dict[Split, list[Row]] = {name: [] for name in SPLITS}
    for row in rows:
        split[place(row.cluster, key, shares)].append(row)
    trained = {fold(row.question) for row in split["train"]}
    for name in SPLITS[1:]:
        kept = [row for row in split[name] if fold(row.question) not in trained]
        left_out["asked_in_train"] += len(split[name]) - len(kept)
        split[name] = kept
    left_out += Counter()  # drops the zeros
    return split


def _kept_key(folder: Path, seed: str) -> str:
    """The key of the build before, if it grew from the same seed."""
    if not (folder / manifests.FILE).exists():
        return ""
    key = Manifest.read(folder).key
    return key if key.rpartition(":")[0] == seed else ""


def _describe(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "rows": len(rows),
        "stories": len({row.story for row in rows}),
        "clusters": len({row.cluster for row in rows}),
        "characters": sum(len(row.question) + len(row.answer) for row in rows),
        "kinds": dict(sorted(Counter(row.kind for row in rows).items())),
    }


def _write(folder: Path, files: dict[str, bytes], manifest: Manifest) -> None:
    """Everything under temporary names first, then renamed, the manifest last.

    A crash between two renames leaves files that the manifest does not describe; readers check
    that and say so.
    """
    everything = {**files, manifests.FILE: manifest.to_json()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in everything.items():
            with (folder / (name + _PARTIAL)).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for name in everything:
            (folder / (name + _PARTIAL)).replace(folder / name)
    except OSError as error:
        for name in everything:
            (folder / (name + _PARTIAL)).unlink(missing_ok=True)
        raise UserError(f"cannot write the dataset in {folder}: {error.strerror}") from None
