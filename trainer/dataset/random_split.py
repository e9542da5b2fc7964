"""The split as it was once done: 70/15/15 by pair, at random; kept to show what it hides.

Written to a folder of its own, so that nobody takes its `test` for one.
"""

from __future__ import annotations

from pathlib import Path

from exchange.errors import NotEnoughData
from exchange.lock import DATASET_LOCK, FileLock
from trainer.console import StageProgress
from trainer.dataset import build, leakage, mix
from trainer.dataset.build import DatasetBuild, DatasetRequest, read_source
from trainer.dataset.rows import DatasetRow, Manifest
from trainer.dataset.settings import DatasetSettings
from trainer.dataset.split import Split, hash_fraction

FOLDER = "dataset-researcher"
TRAIN, VALID = 0.70, 0.15  # test has the rest


def build_random_split(
    archive_dir: Path,
    settings: DatasetSettings,
    asked: DatasetRequest | None = None,
    report: StageProgress = lambda what, done, total: None,
) -> DatasetBuild:
    """Write `train`, `valid` and `test` by the hash of each pair, and say what leaks.

    Raises:
        UserError: no accepted pairs, or a full disk.
    """
    asked = asked or DatasetRequest()
    folder = archive_dir / FOLDER
    with FileLock(archive_dir / DATASET_LOCK):
        source, corpus = read_source(archive_dir, settings, asked, report)
        if not source.rows:
            raise NotEnoughData(
                "no accepted pairs yet: run `kkoracle crawl` and `kkoracle work` first"
            )
        split: dict[Split, list[DatasetRow]] = {"train": [], "valid": [], "test": []}
        source.rows = [row for row in source.rows if row.id not in source.wordings]
        for row in source.rows:
            at = hash_fraction(row.id, settings.key)
            split["train" if at < TRAIN else "valid" if at < TRAIN + VALID else "test"].append(row)
        train, test = split["train"], split["test"]
        shared = leakage.sibling_share(test, train)
        taught = {row.cluster for row in train}
        crossing = len({row.cluster for row in test if row.cluster in taught})
        manifest = Manifest(
            archive=corpus.archive if corpus else archive_dir.name,
            version=1,
            method="researcher",
            line={"key": settings.key, "unseen": 0.0, "valid": 0.0, "cutoff": ""},
            system=asked.system if settings.system else "",
            input=source.described,
            left_out=dict(sorted((+source.left_out).items())),
            mix=mix.describe_mix(train, settings),
            splits={name: build.describe_rows(rows) for name, rows in split.items()},
            leak={
                "siblings_in_train": round(shared, 4),
                "siblings_if_random": round(leakage.random_sibling_share(source.rows, TRAIN), 4),
                "clusters_crossing": crossing,
            },
            files={},
            warnings=[
                f"this split leaks: {shared:.0%} of the test pairs have a sibling in "
                f"train, and {crossing} clusters stand in both; what it measures is not what the "
                "model knows of stories it never saw"
            ],
        )
        return DatasetBuild(build.write_dataset(folder, split, {}, manifest), source.bad, folder)
