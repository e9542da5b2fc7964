"""The dataset: time and memory for 150,000 pairs, what leaks, what moves, what is dropped.

The pairs are the sample newspaper's questions, of as many newspapers as are needed. Built twice
from two equal spools, then once more after a tenth was added that holds a later month and stories
that tie two clusters together. Beside it the split by pair at random.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import orjson

from bench import processes
from bench.dataset import filling, repeated
from bench.registry import BenchSettings, Figures
from exchange.errors import ProgramFailed
from trainer.dataset import DatasetRow, read_split
from trainer.dataset.build import FOLDER
from trainer.dataset.random_split import FOLDER as RANDOM
from trainer.dataset.split import Split

SEED = 11
NOT_FOR_JUDGING = ("cpu_s", "cpu_again_s", "rss_mb")
STORIES, QUICK = 50_000, 2_000
SIDES: tuple[Split, ...] = ("train", "valid", "test_recall", "test_unseen")


def options(parser: argparse.ArgumentParser) -> None:
    """How many stories, and where the files go."""
    parser.add_argument("--stories", type=int, default=0, help=f"default {STORIES:,}")
    parser.add_argument("--dir", type=Path, help="keep the files here")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Fill, build, build again, add, build; then judge what was written against what was put in."""
    stories = args.stories or (QUICK if settings.quick else STORIES)
    folder = args.dir or Path(tempfile.mkdtemp(prefix="kk-bench-dataset-"))
    try:
        return _measure(folder, stories, settings)
    finally:
        if not args.dir:
            shutil.rmtree(folder, ignore_errors=True)


def _measure(folder: Path, stories: int, settings: BenchSettings) -> Figures:
    one, other = folder / "one" / "data" / "paper", folder / "other" / "data" / "paper"
    settings.log(f"filling a spool with {stories:,} stories ...")
    truth = filling.fill(one, stories, SEED)
    other.parent.mkdir(parents=True)
    shutil.copytree(one, other)
    settings.log("building ...")
    first = _build(folder / "one")
    _build(folder / "other")
    same = _files(one / FOLDER) == _files(other / FOLDER)
    before = _rows(one)
    accepted = orjson.loads((one / FOLDER / "manifest.json").read_bytes())["input"]["accepted"]
    settings.log("adding a tenth ...")
    truth |= filling.add(one, stories, stories // 10, SEED)
    again = _build(folder / "one")
    after = _rows(one)
    settings.log("the split by pair ...")
    _build(folder / "other", "--split", "researcher")
    leak = orjson.loads((other / RANDOM / "manifest.json").read_bytes())["leak"]
    manifest = orjson.loads((one / FOLDER / "manifest.json").read_bytes())
    return {
        "stories": stories,
        "pairs": accepted,
        "rows": sum(len(rows) for rows in before.values()),
        "cpu_s": round(first.cpu_s, 1),
        "cpu_again_s": round(again.cpu_s, 1),
        "rss_mb": round(max(first.rss_mb, again.rss_mb)),
        "clusters_crossing": _crossing(before, truth) + _crossing(after, truth),
        "moved_rows": _moved(before, after),
        "byte_identical": same,
        "held_out_clusters": manifest["splits"]["test_unseen"]["clusters"],
        "left_out": manifest["left_out"],
        "siblings_in_train": manifest["leak"]["siblings_in_train"],
        "random_siblings_in_train": leak["siblings_in_train"],
        "random_clusters_crossing": leak["clusters_crossing"],
        **repeated.measure(2_000 if settings.quick else 20_000, SEED),
    }


def _build(project: Path, *arguments: str) -> processes.ResourceUsage:
    """`kkoracle dataset build` as a user runs it, in a process of its own."""
    (project / "kkoracle.toml").write_text('data = "data"\narchive = "paper"\n', "utf-8")
    command = [sys.executable, "-m", "kkoracle", "dataset", "build", *arguments]
    env = processes.command_environment()
    taken = processes.run(command, project, env, project / "build.log")
    if taken.code:
        raise ProgramFailed((project / "build.log").read_text("utf-8"))
    return taken


def _rows(archive: Path) -> dict[Split, list[DatasetRow]]:
    counts = orjson.loads((archive / FOLDER / "manifest.json").read_bytes())["splits"]
    return {split: read_split(archive / FOLDER, split) for split in SIDES if counts[split]["rows"]}


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _moved(before: dict[Split, list[DatasetRow]], after: dict[Split, list[DatasetRow]]) -> int:
    """Rows that stand in another split than before, or in none."""
    now = {row.id: split for split, rows in after.items() for row in rows}
    return sum(now.get(row.id) != split for split, rows in before.items() for row in rows)


def _crossing(rows: dict[Split, list[DatasetRow]], truth: dict[str, str]) -> int:
    """Planted clusters of stories that stand both in train and in a test of unseen stories."""
    taught = {truth[row.story] for row in rows["train"]}
    return len({truth[row.story] for row in rows["test_unseen"]} & taught)
