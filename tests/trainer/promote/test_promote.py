"""Run after run: each goes on from the one before, and answers only if it lost nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from exchange.errors import NotFound
from tests.conftest import SENTENCES
from tests.trainer.conftest import RECIPE, Desk, make_learner
from tests.trainer.filling import fill
from trainer.promote import versions
from trainer.promote.versions import Promotion
from trainer.training.row_selection import NEW, read_ids
from trainer.training.runs import TAUGHT

EPOCHS = "epochs = 24\npatience = 0\n"
GATE = "[promote]\nquestions = 40\nallowed = 0.3\n[evaluate]\nmax_tokens = 16\n"


def later(number: int) -> str:
    return f"2001-02-{3 + number // 10:02}"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Two runs: the first of 30 stories, promoted; the second goes on with 10 more."""
    folder = tmp_path_factory.mktemp("live")
    desk = Desk(folder, make_learner(folder))
    desk.configure(RECIPE.replace("samples = 2", "samples = 0") + EPOCHS + GATE)
    fill(desk.archive, 30, published=later)
    desk.cli("dataset", "build")
    desk.cli("train", "--name", "live-0001")
    desk.cli("promote", "--name", "live-0001")
    fill(desk.archive, 10, first=30, published=later)
    desk.cli("dataset", "build", "--new-cutoff")
    desk.cli("train", "--name", "live-0002", "--continue", "live-0001")
    return desk


@pytest.fixture
def copied(two: Desk, tmp_path: Path) -> Desk:
    """The same in a folder of its own."""
    shutil.copytree(two.folder, tmp_path / "live", symlinks=True)
    return Desk(tmp_path / "live", two.model)


def promoted(desk: Desk, *arguments: str, code: int = 0) -> dict[str, Any]:
    said = desk.cli("promote", "--json", *arguments, code=code)
    found: dict[str, Any] = json.loads(said.stdout)
    for check in found.get("checks", ()):  # a rollback measures nothing
        if check["low"] is not None:
            assert -1 <= check["low"] <= check["high"] <= 1, check  # as shares can differ
    return found


def test_the_second_run_begins_with_what_the_first_has_learned(two: Desk) -> None:
    one, other = two.run_folder("live-0001"), two.run_folder("live-0002")
    before, after = (json.loads((run / "summary.json").read_text()) for run in (one, other))
    assert after["valid_before"] == pytest.approx(before["valid_after"], rel=0.5)
    assert after["valid_before"] < 0.7 * before["valid_before"]


def test_a_run_that_goes_on_teaches_what_is_new_and_repeats_some_of_the_old(two: Desk) -> None:
    one, other = two.run_folder("live-0001"), two.run_folder("live-0002")
    assert read_ids(other / TAUGHT) == read_ids(one / TAUGHT) | read_ids(other / NEW)
    assert not read_ids(other / NEW) & read_ids(one / TAUGHT)
    rows = json.loads((other / "summary.json").read_text())["rows"]
    assert rows == len(read_ids(other / NEW)) + min(512, len(read_ids(one / TAUGHT)))


def test_a_later_story_is_taught_and_no_earlier_one_has_moved(two: Desk, copied: Desk) -> None:
    places = dict(
        line.split("\t", 1) for line in (two.dataset / "places.tsv").read_text().splitlines()
    )
    fill(copied.archive, 10, first=40, published=later)
    copied.cli("dataset", "build", "--new-cutoff")
    moved = dict(
        line.split("\t", 1) for line in (copied.dataset / "places.tsv").read_text().splitlines()
    )
    assert len(moved) == 50
    assert {story: moved[story] for story in places} == places
    version = json.loads((copied.dataset / "manifest.json").read_text())["version"]
    copied.cli("dataset", "build", "--new-cutoff")
    assert json.loads((copied.dataset / "manifest.json").read_text())["version"] == version


def test_a_run_that_gained_and_lost_nothing_answers_and_can_be_rolled_back(copied: Desk) -> None:
    decided = promoted(copied, "--name", "live-0002")
    assert decided["passed"], decided["reason"]
    checks = {check["name"]: check for check in decided["checks"]}
    assert checks["learned"]["low"] > 0
    assert checks["kept"]["stories"] > 5
    assert versions.promoted(copied.archive) == copied.run_folder("live-0002").resolve()
    assert promoted(copied, "--rollback") == {"rolled_back": "live-0002", "promoted": "live-0001"}
    assert "first that was promoted" in copied.refuses("promote", "--rollback")


def test_a_run_that_forgot_does_not_answer_and_it_is_said_why(copied: Desk) -> None:
    config = (copied.folder / "kkoracle.toml").read_text().replace(EPOCHS, "epochs = 60\n")
    (copied.folder / "kkoracle.toml").write_text(config.replace("lr = 5e-3", "lr = 3e-2"))
    copied.cli("train", "--name", "spoilt", "--continue", "live-0001", "--replay", "0")
    decided = promoted(copied, "--name", "spoilt", code=1)
    assert not decided["passed"]
    assert decided["harmful"]
    assert "old facts" in decided["reason"]
    assert versions.promoted(copied.archive) == copied.run_folder("live-0001").resolve()


def test_a_run_killed_between_its_decision_and_the_link_is_promoted_by_the_same_command(
    copied: Desk,
) -> None:
    folder = copied.run_folder("live-0002")
    Promotion("live-0002", "live-0001", True, False, "gained").save(folder)
    assert promoted(copied, "--name", "live-0002")["reason"] == "gained"
    assert versions.promoted(copied.archive) == folder.resolve()


def test_the_promoted_name_is_no_run_to_train(copied: Desk) -> None:
    assert "link to the promoted run" in copied.refuses("train", "--name", "live", code=2)
    assert "all" in copied.refuses("train", "--name", "again", "--continue", "live-0002")


def test_an_adapter_of_another_form_is_refused(copied: Desk) -> None:
    said = copied.refuses(
        "train", "--name", "other", "--continue", "live-0001", "--rank", "4", code=2
    )
    assert "another form" in said


def test_an_adapter_is_laid_over_no_other_model_than_its_own(copied: Desk) -> None:
    from tools.tiny_model import make_tiny_model

    other = make_tiny_model(copied.folder / "other", SENTENCES * 4, hidden=64, heads=4)
    config = (copied.folder / "kkoracle.toml").read_text().replace(EPOCHS, "epochs = 1\n")
    (copied.folder / "kkoracle.toml").write_text(config.replace(str(copied.model), str(other)))
    said = copied.refuses("train", "--name", "next", "--continue", "live-0001")
    assert "'live-0001' was trained on" in said and "name the same model again" in said
    # Begun anew, a run is held against its own base, and nothing leads back to the other's.
    copied.cli("train", "--name", "anew")
    assert promoted(copied, "--name", "anew", "--force")["against"] == ""
    assert "first that was promoted" in copied.refuses("promote", "--rollback")


def test_a_promoted_run_that_is_gone_is_told(copied: Desk) -> None:
    versions.require_whole(copied.archive)
    shutil.rmtree(copied.run_folder("live-0001"))
    with pytest.raises(NotFound, match="'live-0001' was promoted, and its folder is gone"):
        versions.require_whole(copied.archive)
    versions.point_to(copied.archive, "live-0002")
    versions.require_whole(copied.archive)


def test_thinning_keeps_what_answers_and_what_was_before_it(tmp_path: Path) -> None:
    for number in range(1, 7):
        folder = tmp_path / "runs" / f"live-{number:04}"
        folder.mkdir(parents=True)
        (folder / "adapters.safetensors").write_bytes(b"x" * 1000)
        against = f"live-{number - 1:04}" if number > 1 else ""
        Promotion(folder.name, against, number != 5, False, "").save(folder)
    names = [f"live-{number:04}" for number in range(1, 7)]
    Promotion("live-0006", "live-0004", True, False, "").save(tmp_path / "runs" / "live-0006")
    versions.point_to(tmp_path, "live-0006")
    assert versions.lineage(tmp_path) == [f"live-{number:04}" for number in (6, 4, 3, 2, 1)]
    gone = versions.thin(tmp_path, names, keep=3, disk_bytes=0)
    assert gone == ["live-0001", "live-0002", "live-0005"]
    assert versions.thin(tmp_path, names, keep=3, disk_bytes=1) == ["live-0003"]
