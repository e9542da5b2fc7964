"""`kkoracle estimate` on what is assumed, what was tried, and what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exchange.machine import kwh
from exchange.project import Project
from exchange.store.spool import Spool
from tests.conftest import fill_spool, run_cli
from workers import estimate as generating

PROFILE = """\
name = "Φωνή"
base = "https://paper.example"
[[ranges]]
url = "/issue.do?publDate={d}/{m}/{yyyy}"
since = 2010-01-01
until = 2010-01-31
[kinds.issue]
role = "index"
path = '/issue\\.do'
key = ["publDate"]
date = "publDate"
"""


def look(folder: Path, code: int = 0) -> dict[str, Any]:
    done = run_cli("estimate", "--json", cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return {**told, **{stage["name"]: stage for stage in told["stages"]}}


def test_before_the_first_request_dates_are_counted_and_the_rest_is_assumed(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    make_project('[crawl]\nprofile = "paper.toml"\ndelay = 2\n[power]\nwatts = 40\n')
    (tmp_path / "paper.toml").write_text(PROFILE, "utf-8")
    found = look(tmp_path)
    assert found["crawl"]["seconds"] == [2 * 31 * 21, 2 * 31 * 46]
    assert "31 issues in the profile" in found["crawl"]["basis"]
    for stage in ("crawl", "generate", "train"):
        assert "assumed" in found[stage]["basis"]
    least, most = found["generate"]["seconds"]
    assert 0 < least < most
    assert found["generate"]["kwh"][1] == pytest.approx(kwh(40, most))
    assert found["fits"] and not (tmp_path / "data").exists()


def test_what_was_tried_counts_before_what_is_assumed(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    project = make_project('[crawl]\nprofile = "paper.toml"\n')
    (tmp_path / "paper.toml").write_text(PROFILE, "utf-8")
    fill_spool(project, 90).close()
    (project.archive_dir() / generating.PROBE_FILE).write_text('{"tasks_per_h": [50, 90]}')
    found = look(tmp_path)
    assert "90 tasks are open" in found["generate"]["basis"]
    assert "50 to 90 tasks an hour (tried by `work --probe`)" in found["generate"]["basis"]
    assert found["generate"]["seconds"][0] >= 3600.0


def test_a_person_reads_a_line_for_each_stage(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    make_project('[crawl]\nprofile = "paper.toml"\n')
    (tmp_path / "paper.toml").write_text(PROFILE, "utf-8")
    said = run_cli("estimate", cwd=tmp_path).stdout
    for wanted in ("crawl", "generate", "train", "in all", "at 65 W ([power] watts)"):
        assert wanted in said


def test_counters_that_were_measured_count_before_all(tmp_path: Path) -> None:
    Spool.open(tmp_path).close()
    counters = {
        "stories": 400,
        "chunks.live": 1200,
        "tasks.done": 1000,
        "tasks.new": 200,
        "pairs.accepted": 4000,
    }
    found = generating.estimate_generation(tmp_path, counters, (10, 20), 100.0)
    assert found.tasks == (230, 260) and found.per_hour == (100.0, 100.0)
    assert found.pairs == (4920, 5040)
    assert "assumed" not in found.basis


def test_further_wordings_are_told_in_hours_beforehand(tmp_path: Path) -> None:
    Spool.open(tmp_path).close()
    counters = {"stories": 400, "chunks.live": 1200, "tasks.done": 1000, "pairs.accepted": 4000}
    plain = generating.estimate_generation(tmp_path, counters, (0, 0), 100.0)
    found = generating.estimate_generation(
        tmp_path, counters, (0, 0), 100.0, wordings=0.5, rephrased=400
    )
    assert plain.seconds == (0.0, 0.0)
    assert found.tasks == (3600, 3600)  # two for each of 2,000 pairs, and 400 are there
    assert found.seconds == (9 * 3600.0, 9 * 3600.0)
    assert found.pairs == plain.pairs
    assert "further wordings ([plan] wordings), 9.0 to 9.0 hours" in found.basis
