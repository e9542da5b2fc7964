"""Build the dataset of one archive: read, place, mix, check, write; all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from exchange.corpus import Corpus, SpoolCorpus
from exchange.errors import UserError
from exchange.export import FILE as EXPORTED
from exchange.export import FolderCorpus
from exchange.lock import FileLock
from trainer.dataset import general, leakage, lines, memory, placing, recall, writing
from trainer.dataset import mix as mixing
from trainer.dataset import source as sources
from trainer.dataset.manifest import Manifest
from trainer.dataset.rows import Row
from trainer.dataset.source import Source
from trainer.dataset.split import (
    LEAST,
    WANTED,
    Line,
    Place,
    Split,
    check_crossing,
    place_all,
)
from trainer.settings import Dataset

FOLDER = "dataset"
LEAKAGE = "leakage.json"
_APART: tuple[Split, ...] = ("train", "valid", "test_unseen")
LATE = 0.3  # share of stories after the cut-off from which we say how to teach them
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a build is asked for beside the settings."""

    system: str = ""
    language: str = "el"
    origin: Path | None = None  # an export, a file or a folder of rows; None: the spool
    new_cutoff: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """A manifest, the lines that were no rows (place, reason), and where the files are."""

    manifest: Manifest
    bad: list[tuple[str, str]]
    folder: Path


def build(
    archive_dir: Path,
    settings: Dataset,
    asked: Asked | None = None,
    report: Report = lambda what, done, total: None,
) -> Built:
    """Write the splits, `places.tsv`, `leakage.json`, `manifest.json` in the archive's `dataset`.

    The same input and settings give the same bytes. What an earlier build placed stays where it
    is, whatever was added since.

    Raises:
        UserError: nothing crawled or accepted yet, too few stories, a crossing cluster, a full
            disk. The earlier dataset is then as it was.
    """
    asked = asked or Asked()
    system = asked.system if settings.system else ""
    folder = archive_dir / FOLDER
    with FileLock(archive_dir / "dataset.lock"):
        source, corpus = read(archive_dir, settings, asked, report)
        if not source.rows:
            raise UserError("no accepted pairs yet: run `kkoracle crawl` and `kkoracle work` first")
        before = memory.load(folder)
        rows = placing.distinct(source, before.places if before else {})
        plain, rephrased = recall.apart(rows)
        drawn = placing.draw(source, settings, len(rephrased), before, new_cutoff=asked.new_cutoff)
        line = drawn.line
        places = place_all(source.stories, line, drawn.places)
        sides = placing.by_side(plain, source, places, line)
        train = mixing.mix(sides["train"], settings, line, drawn.places, source.left_out)
        split: dict[Split, list[Row]] = {"train": train}
        if line.valid:
            split["valid"] = sides["valid"]
            split["test_recall"] = []
            source.left_out["few_rephrasings"] += len(rephrased)
        else:
            split["valid"], split["test_recall"] = recall.choose(
                rephrased, train, line, settings.recall, source.left_out
            )
        split["test_unseen"] = sides["unseen"]
        check_crossing(
            (row.cluster, name)
            for name in _APART
            if name != "valid" or line.valid
            for row in split[name]
        )
        leak = leakage.nearest(
            {name: rows for name, rows in split.items() if name != "train"},
            train,
            lambda done, total: report("looking for leaks", done, total),
        )
        if settings.text and corpus is not None:
            count = int(settings.text / (1 - settings.text) * len(train))
            origins = {row.story: row.origin for row in train}
            with corpus:
                split["train"] = train + mixing.texts(
                    corpus.chunks(), origins, places, count, line, asked.language, system
                )
        split["test_general"] = general.rows(asked.language, system)
        _refuse_empty(split, len(source.rows))
        manifest = Manifest(
            archive=corpus.archive if corpus else archive_dir.name,
            version=drawn.version,
            method="clusters",
            line={
                "key": line.key,
                "unseen": line.unseen,
                "valid": line.valid,
                "cutoff": line.cutoff,
            },
            system=system,
            input=source.described,
            left_out=dict(sorted((+source.left_out).items())),
            mix=mixing.describe(split["train"], settings),
            splits={name: writing.describe(rows) for name, rows in split.items()},
            leak={
                "siblings_in_train": leakage.siblings(split["test_unseen"], train),
                "siblings_if_random": round(leakage.random_siblings(plain, 0.7), 4),
                "near_train": {name: found["near"] for name, found in leak.items()},
            },
            files={},
            warnings=_warnings(split, places, line, source),
        )
        extra = {
            memory.FILE: memory.to_bytes(places),
            LEAKAGE: orjson.dumps(leak, option=orjson.OPT_APPEND_NEWLINE),
        }
        return Built(writing.write(folder, split, extra, manifest), source.bad, folder)


def read(
    archive_dir: Path, settings: Dataset, asked: Asked, report: Report
) -> tuple[Source, Corpus | None]:
    """The rows of a build, and the archive they are from (None: rows that others made)."""
    system = asked.system if settings.system else ""

    def reading(done: int, total: int) -> None:
        report("reading pairs", done, total)

    corpus: Corpus
    if asked.origin is None:
        corpus = SpoolCorpus(archive_dir)
    elif (asked.origin / EXPORTED).exists():
        corpus = FolderCorpus(asked.origin)
    else:
        return lines.read(asked.origin, system, reading), None
    with corpus:
        return sources.read(corpus, settings, system, reading), corpus


def _refuse_empty(split: dict[Split, list[Row]], count: int) -> None:
    settings = ("key", "valid", "unseen")
    for name, setting in zip(_APART, settings, strict=True):
        if not split[name]:
            raise UserError(
                f"{name} would be empty ({count} rows in all): raise [dataset] {setting}, or crawl "
                "more first"
            )


def _warnings(
    split: dict[Split, list[Row]], places: dict[str, Place], line: Line, source: Source
) -> list[str]:
    found = []
    held = {row.cluster for row in split["test_unseen"]}
    if len(held) < WANTED:
        found.append(
            f"only {len(held)} clusters are held out ({WANTED} wanted, and {LEAST:.0%} at least): "
            "intervals will be wide"
        )
    if line.valid:
        found.append("too few rephrasings: valid is whole clusters, and test_recall is empty")
    late = sum(
        bool(line.cutoff) and date[:10] > line.cutoff for _cluster, date in source.stories.values()
    )
    if late > LATE * len(source.stories):
        found.append(
            f"{late} of {len(source.stories)} stories were printed after the cut-off "
            f"{line.cutoff} and are not taught: `--new-cutoff` begins a new version that does"
        )
    aside = sum(place.side == "quarantine" for place in places.values())
    if aside:
        found.append(f"{aside} stories tie clusters of different splits and are in none")
    if any(not row.story for row in split["train"] if row.kind not in ("replay", "text")):
        found.append("rows without a story: siblings of one text cannot be kept together")
    return found
