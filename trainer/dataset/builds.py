"""Which datasets were built, what each held, and what changed between two.

Beside the dataset each build leaves its manifest, its shares and the place of every row. A story
never changes sides within a version, so between two builds of one version no row may have moved.

    dataset-builds/SHA.json       the manifest, and rows by split for kind, year and section
    dataset-builds/SHA.rows.zst   the ids of the rows by split, as JSON
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from heapq import nlargest
from pathlib import Path
from typing import Any

import orjson
import zstandard

from exchange.errors import BadFile, NotFound, UserError
from exchange.files import write_atomic
from trainer.dataset.rows import LEAKAGE, DatasetRow, Manifest, read_split
from trainer.dataset.split import Split

log = logging.getLogger(__name__)

FOLDER = "dataset-builds"
KEPT = 20  # builds; of 150,000 rows one takes some 3 MB
UNKNOWN = "unknown"  # a year or section that the story does not tell
FACETS = ("kind", "year", "section")
_LEVEL = 3  # of zstd; ids are hashes, which no level makes smaller
Shares = dict[str, dict[str, dict[str, int]]]  # facet -> value -> split -> rows


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """One build: what it was made of and came to."""

    sha: str
    at: float  # seconds since the epoch; the last time, where the same came out again
    manifest: Manifest
    shares: Shares


@dataclass(frozen=True, slots=True)
class BuildChange:
    """From an earlier build to a later one, by id of the row."""

    added: dict[str, list[str]] = field(default_factory=dict)  # by split
    gone: dict[str, list[str]] = field(default_factory=dict)
    moved: list[tuple[str, str, str]] = field(default_factory=list)  # row, from, to

    def summary(self) -> str:
        """In numbers, for people."""
        added, gone = (sum(map(len, rows.values())) for rows in (self.added, self.gone))
        return f"{added:,} rows added, {gone:,} gone, {len(self.moved):,} moved"


def record_build(
    archive_dir: Path, manifest: Manifest, split: Mapping[Split, Sequence[DatasetRow]]
) -> None:
    """Note a build that stands; a disk that is full costs the note, not the dataset."""
    folder = archive_dir / FOLDER
    ids = {name: [row.id for row in rows] for name, rows in split.items()}
    described = {"manifest": asdict(manifest), "shares": count_shares(split)}
    try:
        path = folder / f"{manifest.sha}.rows.zst"
        write_atomic(path, zstandard.compress(orjson.dumps(ids), _LEVEL))
        write_atomic(folder / f"{manifest.sha}.json", orjson.dumps(described))
        for old in list(_newest(folder))[KEPT:]:
            old.unlink(missing_ok=True)
            old.with_suffix(".rows.zst").unlink(missing_ok=True)
    except (UserError, OSError, TypeError) as error:  # an id of somebody's file may be no text
        log.warning("the build is not noted in %s: %s", folder, error)


def count_shares(split: Mapping[Split, Sequence[DatasetRow]]) -> Shares:
    """Rows by split for each kind, and for each year and section of those that have a story."""
    found: defaultdict[str, defaultdict[str, dict[str, int]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for name, rows in split.items():
        for row in rows:
            values = [row.kind]
            if row.story:
                values += [row.origin.published[:4] or UNKNOWN, row.origin.section or UNKNOWN]
            for facet, value in zip(FACETS, values, strict=False):
                counts = found[facet][value]
                counts[name] = counts.get(name, 0) + 1
    return {facet: dict(sorted(found[facet].items())) for facet in FACETS}


def list_builds(archive_dir: Path) -> list[BuildRecord]:
    """The builds that are noted, the newest first; one that cannot be read is left out."""
    found = []
    for path in _newest(archive_dir / FOLDER):
        try:
            raw = orjson.loads(path.read_bytes())
            manifest = Manifest(**raw["manifest"])
            found.append(BuildRecord(path.stem, path.stat().st_mtime, manifest, raw["shares"]))
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return found


def note_current(archive_dir: Path, dataset: Path) -> None:
    """Note the dataset that stands, where it was built before builds were noted.

    Raises:
        UserError: there is none, or its files are not those of its manifest.
    """
    manifest = Manifest.read(dataset)
    if (
        manifest.method == "clusters"
        and not (archive_dir / FOLDER / f"{manifest.sha}.json").exists()
    ):
        names: list[Any] = [name for name, of in manifest.splits.items() if of["rows"]]
        record_build(archive_dir, manifest, {name: read_split(dataset, name) for name in names})


def compare_builds(archive_dir: Path, earlier: str, later: str) -> BuildChange:
    """Rows that came, went and changed their split.

    Raises:
        UserError: a build is not noted, or what is noted is damaged.
    """
    before, after = _places(archive_dir, earlier), _places(archive_dir, later)
    found = BuildChange()
    for row, split in after.items():
        was = before.get(row)
        if was is None:
            found.added.setdefault(split, []).append(row)
        elif was != split:
            found.moved.append((row, was, split))
    for row, split in before.items():
        if row not in after:
            found.gone.setdefault(split, []).append(row)
    return found


def _places(archive_dir: Path, sha: str) -> dict[str, str]:
    if not sha.isalnum():
        raise NotFound(f"{sha!r} is no build")
    path = archive_dir / FOLDER / f"{sha}.rows.zst"
    try:
        ids = orjson.loads(zstandard.decompress(path.read_bytes()))
        return {row: split for split, rows in ids.items() for row in rows}
    except FileNotFoundError:
        raise NotFound(f"build {sha} is not noted here") from None
    except (OSError, ValueError, AttributeError, zstandard.ZstdError) as error:
        raise BadFile(f"{path} is unusable ({error}): delete it") from None


def _newest(folder: Path) -> Iterable[Path]:
    noted: list[tuple[float, Path]] = []
    for path in folder.glob("*.json"):
        try:
            noted.append((path.stat().st_mtime, path))
        except OSError:  # thrown away this very moment
            continue
    return (path for _, path in sorted(noted, reverse=True))


def nearest_rows(dataset: Path, count: int) -> list[dict[str, Any]]:
    """The test rows that come nearest to a taught one: split, id, nearest, similarity."""
    try:
        found = orjson.loads((dataset / LEAKAGE).read_bytes())
        rows = [{"split": split, **row} for split, part in found.items() for row in part["rows"]]
        return nlargest(count, rows, key=lambda row: row["similarity"])
    except (OSError, ValueError, TypeError, KeyError):
        return []  # of another version, or being written anew
