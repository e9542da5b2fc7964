"""`kkoracle search`: what a researcher types, and what he gets."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from exchange.store.spool import Spool
from exchange.text.controls import printable
from tests.conftest import run_cli
from tests.trainer.filling import answer, fill, town

EVIL = "\x1b[31mκόκκινο\x1b[0m [bold]έντονο[/] =1+1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    archive = tmp_path / "data" / "paper"
    (tmp_path / "kkoracle.toml").write_text('data = "data"\narchive = "paper"\n', "utf-8")
    fill(
        archive,
        30,
        published=lambda number: f"20{number:02d}-03-0{number % 9 + 1}",
        section=lambda number: EVIL if number == 4 else "Πόλη",
        aside=lambda number: f"Στην πόλη {town(number)} χιόνισε ως το βράδυ. {EVIL} ",
    )
    return tmp_path


def found(folder: Path, *words: str) -> list[str]:
    done = run_cli("search", "--json", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return [mention["published"] for mention in json.loads(done.stdout)["mentions"]]


def test_every_mention_is_listed_by_date_with_its_link(folder: Path) -> None:
    done = run_cli("search", town(3).upper(), cwd=folder)
    assert done.returncode == 0, done.stderr
    first, excerpt, link, counted = done.stdout.strip().splitlines()
    assert first.startswith("2003-03-04  Τίτλος (Πόλη)")
    assert town(3) in excerpt and link.strip() == "http://x/3"
    assert counted == "1 passage in 1 story"


def test_a_common_word_shows_the_first_and_says_how_many_there_are(folder: Path) -> None:
    done = run_cli("search", "χιόνισε", cwd=folder)
    assert done.stdout.count("http://x/") == 20
    assert done.stdout.rstrip().endswith(
        "30 passages in 30 stories; the oldest 20 are shown: -n 0 shows all"
    )
    assert run_cli("search", "χιόνισε", "-n", "0", cwd=folder).stdout.count("http://x/") == 30
    newest = run_cli("search", "χιόνισε", "-n", "1", "--newest", cwd=folder).stdout
    assert newest.startswith("2029-03-03") and "the newest 1 are shown" in newest


def test_dates_phrases_and_words_that_must_not_be_there(folder: Path) -> None:
    assert found(folder, "χιόνισε", "--from", "2010", "--to", "2011-03") == [
        "2010-03-02",
        "2011-03-03",
    ]
    assert found(folder, "χιονισε ως το ΒΡΑΔΥ") == found(folder, "χιόνισε")
    assert found(folder, "βράδυ ως") == []
    named = answer(5, 0).split()[-1].rstrip(".")
    beside = found(folder, town(5), named)
    assert beside == ["2005-03-06"] and found(folder, town(5), "--", f"-{named}") == []


def test_a_table_opens_in_a_spreadsheet_and_runs_nothing(folder: Path) -> None:
    done = run_cli("search", "χιόνισε", "--csv", cwd=folder)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 30 and rows[3]["url"] == "http://x/3"
    assert {row["passages"] for row in rows} == {"1"}
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())
    assert "\x1b" not in done.stdout


def test_nothing_of_a_page_is_obeyed_by_the_terminal(folder: Path) -> None:
    shown = run_cli("search", town(4), cwd=folder).stdout
    assert shown == printable(shown) and "[bold]έντονο[/] =1+1" in shown


def test_an_index_that_is_behind_is_brought_up_to_date(folder: Path) -> None:
    assert "30 passages" in run_cli("search", cwd=folder).stdout
    fill(
        folder / "data" / "paper",
        1,
        first=40,
        published=lambda number: "2040-01-01",
        aside=lambda number: "Κεραυνός έπεσε. ",
    )
    assert found(folder, "κεραυνό") == ["2040-01-01"]


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["αυτό", "δεν", "υπάρχει", "πουθενά"], "no passage of paper has all of these words", 1),
        (["ανύπαρκτο"], "no story of paper mentions this", 1),
        (["βράδυ ως"], "give them without quotes", 1),
        (["χιόνισε", "--from", "2050"], "30 others do", 1),
        (["χιόνισε", "--from", "yesterday"], "is no date", 2),
        (["χιόνισε", "--json", "--csv"], "not both", 2),
        (["..."], "give a word", 2),
        (["χιόνισε", "--archive", "other"], "does not exist yet", 1),
    ],
)
def test_what_cannot_be_found_is_one_line(
    folder: Path, words: list[str], said: str, code: int
) -> None:
    done = run_cli("search", *words, cwd=folder)
    assert done.returncode == code and said in done.stderr
    assert done.stderr.count("\n") == 1 and not done.stdout
    assert not (folder / "data" / "other").exists()


def test_an_archive_without_a_chunk_is_one_line(tmp_path: Path) -> None:
    Spool.open(tmp_path / "data" / "paper").close()
    (tmp_path / "kkoracle.toml").write_text('data = "data"\narchive = "paper"\n', "utf-8")
    done = run_cli("search", "γέφυρα", cwd=tmp_path)
    assert done.returncode == 1 and "no chunks to search yet" in done.stderr
