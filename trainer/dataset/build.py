"""Build the dataset of one archive: read, place, mix, check, write; all of it or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from exchange.errors import NotEnoughData, UsageError
from exchange.files import atomic_path, write_hashed
from exchange.lock import DATASET_LOCK, FileLock
from exchange.machine import gc_paused
from exchange.store.corpus import Corpus
from exchange.store.export import FILE as EXPORTED
from exchange.store.export import FolderCorpus
from exchange.store.joined_corpus import open_corpus
from exchange.text import dates
from trainer.console import StageProgress
from trainer.dataset import assign, import_rows, leakage, rephrasings
from trainer.dataset import mix as mixing
from trainer.dataset import source as sources
from trainer.dataset.builds import record_build
from trainer.dataset.rows import CHUNKS, LEAKAGE, MANIFEST, DatasetRow, Manifest
from trainer.dataset.settings import DatasetSettings
from trainer.dataset.source import DatasetSource, general_rows
from trainer.dataset.split import (
    MIN_HELD_OUT,
    WANTED_CLUSTERS,
    Split,
    SplitAssignment,
    SplitRule,
    assign_stories,
    check_crossing,
)

# Put a dataset on disk: everything under temporary names first, the manifest last.


def write_dataset(
    folder: Path,
    split: Mapping[Split, Sequence[DatasetRow]],
    extra: Mapping[str, bytes],
    manifest: Manifest,
) -> Manifest:
    """Write every split and the extra files, and the manifest with their hashes.

    A crash between two renames leaves files that the manifest does not describe; readers check
    that and say so, and the next build finishes the renames first (`assign.load_history`).

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


def describe_rows(rows: Sequence[DatasetRow], line: SplitRule | None = None) -> dict[str, Any]:
    """The figures of one split; of one that is as of a date also how much came later."""
    late = [row for row in rows if line and line.dated and line.is_late(row.origin.published)]
    after = {"after": len(late), "stories_after": len({row.story for row in late})} if late else {}
    papers = Counter(row.origin.paper for row in rows if row.origin.paper)
    return {
        **after,
        **({"papers": dict(sorted(papers.items()))} if papers else {}),
        "rows": len(rows),
        "stories": len({row.story for row in rows if row.story}),
        "clusters": len({row.cluster for row in rows if row.cluster}),
        "characters": sum(len(row.question) + len(row.answer) for row in rows),
        "kinds": dict(sorted(Counter(row.kind for row in rows).items())),
    }


FOLDER = "dataset"
_DISJOINT: tuple[Split, ...] = ("train", "valid", "test_unseen")
LATE_SHARE = 0.3  # share of stories after the cut-off from which we say how to teach them


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """What a build is asked for beside the settings."""

    system: str = ""
    language: str = "el"
    origin: Path | None = None  # an export, a file or a folder of rows; None: the spool
    new_cutoff: bool = False
    as_of: str = ""  # a day in any form: teach what was printed up to it, ask about what came later


def _read_day(text: str, language: str) -> str:
    """A day as people write it, as ISO; a month or a year without its day is none."""
    found = dates.parse_date(text, None, language)
    if not found:
        raise UsageError(f"{text!r} is no day: write it as 2015-12-31, 31/12/2015 or in words")
    return found


@dataclass(frozen=True, slots=True)
class DatasetBuild:
    """A manifest, the lines that were no rows (place, reason), and where the files are."""

    manifest: Manifest
    bad: list[tuple[str, str]]
    folder: Path


def build_dataset(
    archive_dir: Path,
    settings: DatasetSettings,
    asked: DatasetRequest | None = None,
    report: StageProgress = lambda what, done, total: None,
) -> DatasetBuild:
    """Write the splits, `places.tsv`, `leakage.json`, `manifest.json` in the archive's `dataset`.

    The same input and settings give the same bytes. What an earlier build placed stays where it
    is, whatever was added since.

    Raises:
        UserError: nothing crawled or accepted yet, too few stories, a crossing cluster, no day,
            a full disk. The earlier dataset is then as it was.
    """
    asked = asked or DatasetRequest()
    system = asked.system if settings.system else ""
    as_of = _read_day(asked.as_of, asked.language) if asked.as_of else ""
    folder = archive_dir / FOLDER
    with FileLock(archive_dir / DATASET_LOCK), gc_paused():
        source, corpus = read_source(archive_dir, settings, asked, report)
        if not source.rows:
            raise NotEnoughData(
                import_rows.nothing_taught(source, asked.origin)
                if asked.origin
                else "no accepted pairs yet: run `kkoracle crawl` and `kkoracle work` first"
            )
        before = assign.load_history(folder)
        rows = assign.without_repeated_questions(source, before.places if before else {})
        plain, rephrased = rephrasings.separate_rephrasings(rows)
        testing = sum(row.id not in source.wordings for row in rephrased)
        drawn = assign.decide_split(
            source, settings, testing, before, new_cutoff=asked.new_cutoff, as_of=as_of
        )
        line = drawn.line
        places = assign_stories(source.stories, line, drawn.places)
        sides = assign.rows_by_side(plain, source, places, line)
        taught = mixing.relabel_boundary(sides["train"], archive_dir, settings, line)
        train = mixing.mix_train(taught, settings, line, drawn.places, source.left_out)
        again = rephrasings.split_rephrasings(rephrased, train, line, settings, source)
        train = train + again.wordings
        split: dict[Split, list[DatasetRow]] = {
            "train": train,
            "valid": sides["valid"] if line.valid else again.valid,
            "test_recall": again.test_recall,
        }
        split["test_unseen"] = sides["unseen"]
        check_crossing(
            (row.cluster, name)
            for name in _DISJOINT
            if name != "valid" or line.valid
            for row in split[name]
        )
        leak = leakage.nearest_train_rows(
            {name: rows for name, rows in split.items() if name != "train"},
            train,
            lambda done, total: report("looking for leaks", done, total),
        )
        chunks = b""
        if corpus is not None:
            count = int(settings.text / (1 - settings.text) * len(train))
            origins = {row.story: row.origin for row in train}
            wanted = {name for row in train for name in row.chunks}
            with corpus:
                chunks = b"".join(
                    chunk.to_json() + b"\n" for chunk in corpus.chunks() if chunk.id in wanted
                )
                if count:
                    split["train"] = train + mixing.text_rows(
                        corpus.chunks(), origins, places, count, line, asked.language, system
                    )
        split["test_general"] = general_rows(asked.language, system)
        _refuse_empty(split, len(source.rows))
        manifest = Manifest(
            archive=corpus.archive if corpus else archive_dir.name,
            version=drawn.version,
            method="clusters",
            line=line.described(),
            system=system,
            input=source.described,
            left_out=dict(sorted((+source.left_out).items())),
            mix=mixing.describe_mix(split["train"], settings),
            splits={name: describe_rows(rows, line) for name, rows in split.items()},
            leak={
                "siblings_in_train": leakage.sibling_share(split["test_unseen"], train),
                "siblings_if_random": round(leakage.random_sibling_share(plain, 0.7), 4),
                "near_train": {name: found["near"] for name, found in leak.items()},
            },
            files={},
            warnings=_warnings(split, places, line, source, settings),
        )
        extra = {
            assign.FILE: assign.assignments_to_bytes(places),
            LEAKAGE: orjson.dumps(leak, option=orjson.OPT_APPEND_NEWLINE),
            **({CHUNKS: chunks} if chunks else {}),
        }
        manifest = write_dataset(folder, split, extra, manifest)
        record_build(archive_dir, manifest, split)
        return DatasetBuild(manifest, source.bad, folder)


def read_source(
    archive_dir: Path, settings: DatasetSettings, asked: DatasetRequest, report: StageProgress
) -> tuple[DatasetSource, Corpus | None]:
    """The rows of a build, and the archive they are from (None: rows that others made)."""
    system = asked.system if settings.system else ""

    def reading(done: int, total: int) -> None:
        report("reading pairs", done, total)

    corpus: Corpus
    if asked.origin is None:
        corpus = open_corpus(archive_dir)
    elif (asked.origin / EXPORTED).exists():
        corpus = FolderCorpus(asked.origin)
    else:
        return import_rows.read_rows(asked.origin, system, reading), None
    with corpus:
        return sources.rows_of_corpus(corpus, settings, system, reading), corpus


def _refuse_empty(split: dict[Split, list[DatasetRow]], count: int) -> None:
    settings = ("key", "valid", "unseen")
    for name, setting in zip(_DISJOINT, settings, strict=True):
        if not split[name]:
            raise NotEnoughData(
                f"{name} would be empty ({count} rows in all): raise [dataset] {setting}, or crawl "
                "more first"
            )


def _warnings(
    split: dict[Split, list[DatasetRow]],
    places: dict[str, SplitAssignment],
    line: SplitRule,
    source: DatasetSource,
    settings: DatasetSettings,
) -> list[str]:
    found = []
    if settings.cutoff and settings.cutoff != line.cutoff and not line.dated:
        found.append(
            f"[dataset] cutoff = {settings.cutoff} is not in force: the first build fixed "
            f"{line.cutoff or 'none'}; `--new-cutoff` begins a new version with yours"
        )
    held = {row.cluster for row in split["test_unseen"]}
    if len(held) < WANTED_CLUSTERS:
        found.append(
            f"only {len(held)} clusters are held out ({WANTED_CLUSTERS} wanted, and "
            f"{MIN_HELD_OUT:.0%} at least): "
            "intervals will be wide"
        )
    if line.valid:
        found.append("too few rephrasings: valid is whole clusters, and test_recall is empty")
    late = sum(line.is_late(date) for _cluster, date in source.stories.values())
    if line.dated:
        found += _as_of_warnings(split, line, late)
    elif late > LATE_SHARE * len(source.stories):
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


def _as_of_warnings(
    split: dict[Split, list[DatasetRow]], line: SplitRule, late: int
) -> Iterable[str]:
    """What a dataset as of a date cannot tell: too little after it, or before."""
    if not late:
        yield f"no story was printed after {line.cutoff}: nothing is asked about the time since"
    held = {row.cluster for row in split["test_unseen"] if not line.is_late(row.origin.published)}
    if not held:
        yield f"no story up to {line.cutoff} is held out: after it compares with nothing before it"
