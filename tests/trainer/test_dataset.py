"""The dataset: split by cluster, byte-identical, whole or not at all."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from exchange.errors import UserError
from tests.trainer.conftest import Desk
from tests.trainer.filling import fill, question
from trainer.dataset import Manifest, build, read_split
from trainer.dataset.split import SPLITS, Shares, check_crossing, choose_key, place
from trainer.settings import Dataset

SHARES = Shares(0.1, 0.1)
SETTINGS = Dataset(valid=0.1, test=0.1)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def where(folder: Path) -> dict[str, str]:
    """Row id -> its split."""
    return {row.id: split for split in SPLITS for row in read_split(folder, split)}


def test_every_cluster_goes_to_one_split_and_no_accepted_row_is_lost(tmp_path: Path) -> None:
    fill(tmp_path, 60, cluster=lambda number: f"cluster-{number // 3}")
    manifest = build(tmp_path, SETTINGS)
    found = {split: read_split(tmp_path / "dataset", split) for split in SPLITS}
    clusters = [{row.cluster for row in rows} for rows in found.values()]
    assert sum(len(some) for some in clusters) == len(set.union(*clusters)) == 20
    assert sum(len(rows) for rows in found.values()) == 180
    assert [manifest.splits[split]["rows"] for split in SPLITS] == [
        len(found[split]) for split in SPLITS
    ]


def test_the_same_spool_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        fill(tmp_path / name / "paper", 30)
        build(tmp_path / name / "paper", SETTINGS)
    once = files(tmp_path / "one" / "paper" / "dataset")
    assert once == files(tmp_path / "other" / "paper" / "dataset")
    build(tmp_path / "one" / "paper", SETTINGS)
    assert once == files(tmp_path / "one" / "paper" / "dataset")


def test_rows_that_come_later_move_none(tmp_path: Path) -> None:
    fill(tmp_path, 30)
    build(tmp_path, SETTINGS)
    before = where(tmp_path / "dataset")
    fill(tmp_path, 300, first=30)
    build(tmp_path, SETTINGS)
    after = where(tmp_path / "dataset")
    assert len(after) == 990
    assert {row: after[row] for row in before} == before


def test_the_shares_are_those_asked_for() -> None:
    counts = Counter(place(f"cluster {n}", "key", Shares(0.05, 0.1)) for n in range(20_000))
    assert counts["test"] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert counts["valid"] / 20_000 == pytest.approx(0.05, abs=0.01)


def test_another_key_is_another_split(tmp_path: Path) -> None:
    fill(tmp_path, 60)
    build(tmp_path, SETTINGS)
    first = where(tmp_path / "dataset")
    build(tmp_path, Dataset(valid=0.1, test=0.1, key="other"))
    assert where(tmp_path / "dataset") != first


def test_a_small_archive_still_fills_every_split() -> None:
    for size in range(3, 40):
        clusters = {f"story {n}" for n in range(size)}
        key = choose_key("kkoracle", clusters, Shares(0.05, 0.05))
        assert {place(cluster, key, Shares(0.05, 0.05)) for cluster in clusters} == set(SPLITS)


def test_a_cluster_that_crosses_splits_fails_the_build() -> None:
    check_crossing([("a", "train"), ("b", "test"), ("a", "train")])
    with pytest.raises(UserError, match="cluster a stands in train and in test"):
        check_crossing([("a", "train"), ("b", "valid"), ("a", "test")])


def test_what_is_left_out_is_counted_with_its_reason(tmp_path: Path) -> None:
    said = question(0, 0).upper()  # folded it is the same question
    fill(tmp_path, 30, extra=[("  ", "κενό"), (said, "Το έκανε ο Νίκος Βαλτινός."),
                              ("Τι;", "με \0 μέσα")])  # fmt: skip
    manifest = build(tmp_path, SETTINGS)
    assert manifest.left_out["empty"] == 1
    assert manifest.left_out["nul"] == 1
    assert manifest.left_out["duplicate"] == 1
    assert manifest.input["accepted"] == 93
    assert manifest.input["rejected"] == {"no_question_mark": 30}


def test_a_question_that_train_asks_too_tests_nothing_and_is_left_out(tmp_path: Path) -> None:
    for number in range(40):
        fill(tmp_path, 1, 1, first=number, extra=[("Πόσο κάνει το ψωμί;", f"{number} δραχμές.")])
    manifest = build(tmp_path, SETTINGS)
    for split in ("valid", "test"):
        asked = {row.question for row in read_split(tmp_path / "dataset", split)}
        assert "Πόσο κάνει το ψωμί;" not in asked
    assert manifest.left_out["asked_in_train"] >= 2


def test_the_system_message_stands_before_every_question(tmp_path: Path) -> None:
    fill(tmp_path, 30)
    manifest = build(tmp_path, SETTINGS, system="Είσαι το αρχείο της Φωνής.")
    line = (tmp_path / "dataset" / "train.jsonl").read_text("utf-8").splitlines()[0]
    roles = [turn["role"] for turn in json.loads(line)["messages"]]
    assert roles == ["system", "user", "assistant"]
    assert manifest.system == "Είσαι το αρχείο της Φωνής."
    build(tmp_path, Dataset(valid=0.1, test=0.1, system=False), system="Είσαι το αρχείο.")
    assert read_split(tmp_path / "dataset", "train")[0].system == ""


def test_a_row_leads_back_to_its_pair_its_chunk_and_its_story(tmp_path: Path) -> None:
    fill(tmp_path, 30)
    build(tmp_path, SETTINGS)
    row = read_split(tmp_path / "dataset", "train")[0]
    assert row.id and row.task and row.story and len(row.chunks) == 1
    assert row.cluster == row.story


def test_no_pairs_too_few_stories_and_no_spool_are_one_line_each(desk: Desk) -> None:
    assert "run `kkoracle crawl` first" in desk.refuses("dataset", "build")
    fill(desk.archive, 1, 0)
    assert "no accepted pairs yet" in desk.refuses("dataset", "build")
    fill(desk.archive, 1, 3, first=1)
    assert "only 1 stories have accepted pairs" in desk.refuses("dataset", "build")
    assert not desk.dataset.exists()


def test_an_impossible_share_is_refused_before_anything_is_read(desk: Desk) -> None:
    line = desk.refuses("dataset", "build", "--valid", "0.9", code=2)
    assert "dataset.valid (from flag)" in line
    assert "less than a fifth" in desk.refuses(
        "dataset", "build", "--valid", "0.45", "--test", "0.45", code=2
    )


def test_an_edited_file_is_noticed_before_training(built: Desk) -> None:
    path = built.dataset / "train.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert "is not the file its manifest describes" in built.refuses("train")
    (built.dataset / "manifest.json").write_text("{")
    assert "manifest.json is unusable" in built.refuses("train")


def test_a_failed_build_leaves_the_earlier_one_as_it_was(tmp_path: Path) -> None:
    fill(tmp_path, 30)
    build(tmp_path, SETTINGS)
    before = files(tmp_path / "dataset")
    (tmp_path / "dataset" / "valid.jsonl.partial").mkdir()  # cannot be written over
    fill(tmp_path, 30, first=30)
    with pytest.raises((UserError, OSError)):
        build(tmp_path, SETTINGS)
    (tmp_path / "dataset" / "valid.jsonl.partial").rmdir()
    assert files(tmp_path / "dataset") == before
    assert Manifest.read(tmp_path / "dataset").splits["train"]["rows"] > 0
