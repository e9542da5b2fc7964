"""What builds leave behind: each is noted, and what changed between two is told by row."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from exchange.errors import BadFile, NotFound
from exchange.store.review import Label, Review
from tests.trainer.conftest import Desk
from tests.trainer.dataset.test_build import SETTINGS, rows
from tests.trainer.filling import fill, town
from trainer.dataset import DatasetRequest, build_dataset, builds, read_split
from trainer.dataset.build import FOLDER as DATASET
from trainer.dataset.settings import DatasetSettings


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    fill(
        tmp_path,
        60,
        published=lambda n: f"{2001 + n % 2}-02-03",
        section=lambda n: "" if n % 4 else "Πολιτική",
    )
    return tmp_path


def build(archive: Path, at: float, settings: DatasetSettings = SETTINGS) -> str:
    """Build, and say when; a clock's second is too long for a test."""
    sha = build_dataset(archive, settings).manifest.sha
    os.utime(archive / builds.FOLDER / f"{sha}.json", (at, at))
    return sha


def test_a_build_is_noted_with_its_shares(archive: Path) -> None:
    sha = build(archive, 1)
    (noted,) = builds.list_builds(archive)
    assert noted.sha == sha == noted.manifest.sha
    found = rows(archive)
    assert noted.shares["kind"]["fact"] == {name: len(some) for name, some in found.items()}
    assert noted.shares["year"]["2001"]["train"] == sum(
        row.origin.published[:4] == "2001" for row in found["train"]
    )
    assert set(noted.shares["section"]) == {"Πολιτική", builds.UNKNOWN}
    assert build(archive, 2) == sha and len(builds.list_builds(archive)) == 1


def test_what_came_and_went_between_two_builds_is_told_and_nothing_moved(archive: Path) -> None:
    first = build(archive, 1)
    before = rows(archive)
    gone = before["train"][0].id
    Review.open(archive).add_label(Label(pair_id=gone, verdict="reject", reason="wrong"))
    fill(archive, 20, first=60)
    second = build(archive, 2)
    assert [noted.sha for noted in builds.list_builds(archive)] == [second, first]
    change = builds.compare_builds(archive, first, second)
    assert change.gone == {"train": [gone]} and change.moved == []
    after = {row.id: name for name, some in rows(archive).items() for row in some}
    told = {row: name for name, some in change.added.items() for row in some}
    known = {row.id for some in before.values() for row in some}
    assert told == {row: name for row, name in after.items() if row not in known}
    back = builds.compare_builds(archive, second, first)
    assert back.added == {"train": [gone]} and sum(map(len, back.gone.values())) == len(told)


def test_another_key_moves_rows_and_the_comparison_says_which(archive: Path) -> None:
    first = build(archive, 1)
    before = {row.id: name for name, some in rows(archive).items() for row in some}
    second = build(archive, 2, SETTINGS.model_copy(update={"key": "other"}))
    after = {row.id: name for name, some in rows(archive).items() for row in some}
    change = builds.compare_builds(archive, first, second)
    assert change.moved and sorted(change.moved) == sorted(
        (row, before[row], name)
        for row, name in after.items()
        if row in before and before[row] != name
    )


def test_rows_of_somebody_else_may_be_called_anything(tmp_path: Path) -> None:
    lines = [
        {"id": f"row\t{n}\n\x85", "question": f"{town(n)}: τι;", "answer": "Ναι.", "story": str(n)}
        for n in range(80)
    ]
    for count in (79, 80):
        file = tmp_path / f"{count}.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines[:count]), "utf-8")
        build_dataset(tmp_path / "paper", SETTINGS, DatasetRequest(origin=file))
    (newest, first) = builds.list_builds(tmp_path / "paper")
    change = builds.compare_builds(tmp_path / "paper", first.sha, newest.sha)
    assert [*change.added.values()] == [["row\t79\n\x85"]] and not change.moved and not change.gone


def test_old_notes_make_room_and_a_damaged_one_is_told(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds, "KEPT", 2)
    shas = []
    for number in range(3):
        fill(archive, 1, first=60 + number)
        shas.append(build(archive, number))
    assert [noted.sha for noted in builds.list_builds(archive)] == shas[:0:-1]
    assert len(list((archive / builds.FOLDER).iterdir())) == 4
    (archive / builds.FOLDER / f"{shas[1]}.rows.zst").write_bytes(b"no")
    with pytest.raises(BadFile, match="unusable"):
        builds.compare_builds(archive, shas[1], shas[2])
    (archive / builds.FOLDER / f"{shas[1]}.json").write_bytes(b"no")
    assert [noted.sha for noted in builds.list_builds(archive)] == [shas[2]]
    for sha in ("../dataset/manifest", shas[0]):
        with pytest.raises(NotFound):
            builds.compare_builds(archive, sha, shas[2])


def test_a_dataset_of_before_there_were_notes_is_noted_as_it_stands(archive: Path) -> None:
    build(archive, 1)
    (noted,) = builds.list_builds(archive)
    shutil.rmtree(archive / builds.FOLDER)
    builds.note_current(archive, archive / DATASET)
    (again,) = builds.list_builds(archive)
    assert (again.sha, again.manifest) == (noted.sha, noted.manifest)
    assert again.shares == noted.shares


def test_the_rows_nearest_to_a_taught_one_come_first(archive: Path) -> None:
    build(archive, 1)
    found = builds.nearest_rows(archive / DATASET, 5)
    values = [row["similarity"] for row in found]
    assert len(found) == 5 and values == sorted(values, reverse=True)
    assert builds.nearest_rows(archive, 5) == []


def test_the_command_says_what_changed_since_the_build_before(built: Desk) -> None:
    first = built.cli("dataset", "build").stdout
    assert "since the build before: 0 rows added, 0 gone, 0 moved" in first
    row = read_split(built.dataset, "train")[0]
    Review.open(built.archive).add_label(Label(pair_id=row.id, verdict="reject", reason="wrong"))
    fill(built.archive, 2, first=20)
    said = built.cli("dataset", "build").stdout
    assert re.search(r"since the build before: [1-6] rows added, 1 gone, 0 moved", said), said
