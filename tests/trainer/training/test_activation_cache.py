"""The activation cache through the command line; its numbers are checked in `cache_checks.py`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.trainer.conftest import RECIPE, Desk
from tests.trainer.reading import lines, result

UPPER = RECIPE + "epochs = 3\nlayers = 1\n"


def shards(desk: Desk) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in sorted(desk.archive.glob("trunk/*/*"))}


def losses(desk: Desk, name: str) -> list[float]:
    entries = lines(desk.run_folder(name) / "metrics.jsonl")
    return [entry.get("loss", entry.get("valid_loss")) for entry in entries]


def test_it_changes_nothing_but_the_time_and_damage_is_made_good(built: Desk) -> None:
    built.configure(UPPER)
    said = built.cli("train", "--name", "kept").stdout
    assert re.search(
        r"activation cache\W+[\d.]+ [kM]B; saves about 33% of an epoch's computing", said
    )
    path = next(iter(shards(built)))
    whole = path.read_bytes()

    said = built.cli("train", "--name", "plain", "--trunk-gb", "0").stdout
    assert re.search(r"activation cache\W+off; [\d.]+ [kM]B of disk would save about 33%", said)
    assert losses(built, "kept") == pytest.approx(losses(built, "plain"), abs=1e-5)

    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    said = built.cli("train", "--name", "again").stdout
    assert "1 damaged files of the activation cache are computed anew" in said
    assert path.read_bytes() == whole
    assert result(built.run_folder("again")) == result(built.run_folder("kept"))


def test_with_all_layers_tuned_there_is_none_and_the_plan_says_what_that_costs(
    trained: Desk,
) -> None:
    said = (trained.folder / "train.txt").read_text("utf-8")
    assert "off: every layer is tuned; an epoch of only the upper half would cost" in said
    assert not shards(trained)


def test_much_disk_is_asked_for_and_without_an_answer_it_trains_plainly(built: Desk) -> None:
    built.configure(RECIPE + "epochs = 2\nlayers = 1\ntrunk_gb = 0.0001\n")
    said = built.cli("train").stdout
    assert "are more than [train] trunk_gb allows" in said
    assert not shards(built)
    built.cli("train", "--name", "other", "--yes")
    assert shards(built)
