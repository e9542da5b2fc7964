"""An answer leads back to the bytes that the newspaper's server sent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crawler.frontier import pages
from crawler.frontier.raw_store import RawStore
from exchange.records import Story
from exchange.store.db import transaction
from exchange.store.spool import Spool
from exchange.text.controls import printable
from tests.conftest import cli_environment, run_cli
from tests.trainer.filling import answer, fill, town
from trainer.dataset import Manifest
from trainer.training.run_config import RunConfig
from trainer.training.runs import TAUGHT, TrainingRun

BODY = "<html><b>Το έκανε ο Νίκος.</b></html>".encode("cp1253")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    archive = tmp_path / "data" / "paper"
    (tmp_path / "kkoracle.toml").write_text('data = "data"\narchive = "paper"\n', "utf-8")
    fill(archive, 30, aside=lambda number: f"Στην πόλη {town(number)} χιόνισε ως το βράδυ. ")
    db = pages.connect(archive)
    with transaction(db):
        db.execute(
            "INSERT INTO pages(id, key, url, kind, priority, state, status, body_hash) "
            "VALUES (1, 'page-3', '/3', 'story', 0, 'done', 200, 'abc')"
        )
        RawStore(db).put(1, BODY)
    db.close()
    assert run_cli("dataset", "build", cwd=tmp_path).returncode == 0
    return tmp_path


def row_of(folder: Path, page: str) -> str:
    for name in ("train", "valid", "test_unseen"):
        for line in (folder / "data/paper/dataset" / f"{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            if row["origin"]["page"] == page:
                return str(row["id"])
    raise AssertionError(page)


def test_every_step_from_a_row_to_its_page_is_shown(folder: Path) -> None:
    done = run_cli("trace", row_of(folder, "page-3"), cwd=folder)
    assert done.returncode == 0, done.stderr
    for part in ("http://x/3", "2001-02-03", "prompt el/chunk", f"{len(BODY)} bytes, sha256 abc"):
        assert part in done.stdout
    assert answer(3, 0) in done.stdout.replace("\n", " ")
    page = subprocess.run(
        [sys.executable, "-m", "kkoracle", "trace", row_of(folder, "page-3"), "--html"],
        cwd=folder,
        env=cli_environment(),
        capture_output=True,
        check=True,
    )
    assert page.stdout == BODY


def test_what_an_older_store_holds_steers_no_terminal(folder: Path) -> None:
    """Its texts came in by an earlier rule."""
    spool = Spool.open(folder / "data" / "paper")
    record = spool.db.execute("SELECT record FROM stories WHERE page='page-3'").fetchone()[0]
    story = Story.from_json(record)
    evil = story.replace(title="\x1b]0;x\x07\x1b[2J\u202eevil", section="\x9b31m")
    spool.db.execute("UPDATE stories SET record=? WHERE page='page-3'", (evil.to_json(),))
    spool.close()
    for arguments in ((row_of(folder, "page-3"),), ("--answer", f"{town(3)}, χιόνι")):
        done = run_cli("trace", *arguments, cwd=folder)
        assert done.returncode == 0 and "evil" in done.stdout
        assert printable(done.stdout) == done.stdout


def traced(folder: Path, said: str, *more: str) -> list[dict[str, Any]]:
    done = run_cli("trace", "--answer", said, *more, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["stories"]
    return found


def test_an_answer_in_free_words_leads_to_its_story_with_date_link_and_page(folder: Path) -> None:
    said = f"Χιόνισε στην πόλη {town(3)} και στο Παρίσι."
    first = traced(folder, said)[0]
    about = [first[name] for name in ("url", "published", "title")]
    assert about == ["http://x/3", "2001-02-03", "Τίτλος"]
    assert first["missing"] == ["Παρίσι"] and 0.3 < first["share"] < 1
    assert first["page"] == {"key": "page-3", "status": 200, "sha256": "abc", "bytes": len(BODY)}
    assert town(3) in first["chunks"][0]["text"] and first["chunks"][0]["number"] == 1
    done = run_cli("trace", "paper", "--answer", said, cwd=folder)
    assert "[1] 2001-02-03, Τίτλος" in done.stdout and "http://x/3" in done.stdout
    assert "not there: Παρίσι" in done.stdout


def test_the_question_says_which_of_many_is_meant_and_taught_pairs_are_told(folder: Path) -> None:
    archive = folder / "data/paper"
    run = TrainingRun(archive, "default")
    run.begin(RunConfig("m", "s", Manifest.read(archive / "dataset").sha, {}), restart=True)
    for split, taught in (("train", True), ("test_unseen", False)):
        rows = (folder / f"data/paper/dataset/{split}.jsonl").read_text().splitlines()
        row = json.loads(rows[0])
        asked, said = (turn["content"] for turn in row["messages"][-2:])
        found = traced(folder, said, "--question", asked, "-n", "1")
        assert [one["url"] for one in found] == [row["origin"]["url"]]
        pairs = {pair["id"]: pair for pair in found[0]["pairs"]}
        assert pairs[row["id"]]["share"] == 1
        assert {pair["taught"] for pair in pairs.values()} == {taught}


def test_taught_means_the_run_that_is_named_and_not_the_dataset_of_today(folder: Path) -> None:
    archive = folder / "data/paper"
    row = json.loads((archive / "dataset/train.jsonl").read_text().splitlines()[0])
    said = row["messages"][-1]["content"]

    def taught(*more: str) -> set[bool | None]:
        found = traced(folder, said, "--question", row["messages"][-2]["content"], *more)
        return {pair["taught"] for one in found for pair in one["pairs"] if pair["id"] == row["id"]}

    for name in ("before", "listed"):
        run = TrainingRun(archive, name)
        run.begin(RunConfig("m", "s", "of-an-earlier-build", {}), restart=True)
    (run.folder / TAUGHT).write_text(f"{row['id']}\n", "utf-8")
    assert taught("--name", "listed") == {True}
    assert taught("--name", "before") == {None}
    assert taught("--name", "never-trained") == {False}


def test_what_cannot_be_followed_is_one_line(folder: Path) -> None:
    for name, said in (
        ("ffffffffffff", "no pair begins with"),
        ("x", "is no id of a pair"),
        ("%' OR 1", "is no id of a pair"),
    ):
        done = run_cli("trace", name, cwd=folder)
        assert done.returncode == 1 and said in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    refused: tuple[tuple[tuple[str, ...], int, str], ...] = (
        (("--answer", "zzz qqq"), 1, "holds a word of this answer"),
        (("--answer", "x", "--html"), 2, "--answer takes the place"),
        ((), 2, "--answer with the words"),
    )
    for arguments, code, line in refused:
        done = run_cli("trace", *arguments, cwd=folder)
        assert done.returncode == code and line in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    done = run_cli("trace", row_of(folder, "page-4"), "--html", cwd=folder)
    assert done.returncode == 1 and "not in the raw store" in done.stderr
