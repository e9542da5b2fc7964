"""The afternoon of docs/scoring.md as it is typed: from a file to a table, without a model."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from kkoracle.api import OracleProject
from tests.conftest import ROOT, processes, run_cli, run_python
from tests.kkoracle.browser import Browser
from tests.trainer.reading import table
from trainer.scorer.fields import ReadOptions
from trainer.scorer.loaded import open_scorer

PAGE = (ROOT / "docs" / "scoring.md").read_text("utf-8")


def typed(folder: Path, line: str, code: int = 0) -> str:
    """Run a line of the page; what it printed."""
    assert line in " ".join(PAGE.split()), line
    done = run_cli(*line.split()[1:], cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sample was taught."""
    made = tmp_path_factory.mktemp("class")
    assert "74 scored answers" in typed(made, "kkoracle score init answers.json")
    said = typed(made, "kkoracle score train answers.json")
    assert "clearly better than length" in " ".join(said.split())
    return made


def test_it_is_tested_beside_what_understands_nothing(folder: Path) -> None:
    said = typed(folder, "kkoracle score eval")
    assert "unseen" in said and "length" in said
    entries = json.loads((folder / "kkoracle-data/scorer/runs/default/eval.json").read_text())
    assert {entry["test"] for entry in entries["entries"]} == {"unseen_answers", "unseen_questions"}


def test_a_file_without_guide_and_maximum_is_scored_on_the_scale_of_its_questions(
    folder: Path,
) -> None:
    rows = json.loads((folder / "answers.json").read_text())
    with (folder / "new.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Student", "Question", "Answer"])
        writer.writerows([n, row["question"], row["answer"]] for n, row in enumerate(rows))
    typed(folder, "kkoracle score apply --file new.csv --out scored.csv")
    found = table(folder / "scored.csv")
    assert [float(line["maximum"]) for line in found] == [row["maximum"] for row in rows]
    gap = [abs(float(line["score"]) - row["score"]) for line, row in zip(found, rows, strict=True)]
    assert sum(gap) / len(gap) < 0.4
    assert any(line["guide missed"] for line in found)


def test_the_lines_of_the_page_run_and_the_scorer_moves(folder: Path, tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    done = run_python("-c", block + 'print(scorer.save("marks"))\n', cwd=folder)
    assert done.returncode == 0, done.stderr
    assert re.search(r"[012]\.0 of 2\.0 (un)?sure 0\.\d+", done.stdout), done.stdout
    shutil.move(folder / "marks", tmp_path / "marks")
    shutil.copy(folder / "answers.json", tmp_path / "new.csv.json")
    arguments = ("--name", "./marks", "--file", "new.csv.json", "--out", "away.csv")
    run = run_cli("score", "apply", *arguments, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert len(table(tmp_path / "away.csv")) == 74


def test_what_was_taught_in_english_is_asked_in_english_unless_a_row_says_otherwise(
    folder: Path,
) -> None:
    loaded = open_scorer(OracleProject.open(data=folder / "kkoracle-data"))
    row = {"question": "Γιατί;", "answer": "Έτσι."}
    assert loaded.item(row).language == "en"
    assert loaded.item(row | {"language": "EL"}).language == "el"
    assert loaded.item(row | {"language": "en-GB"}).language == "en"
    assert loaded.item(row, ReadOptions(language="hu")).language == "hu"


def test_the_page_scores_in_a_browser_and_a_hostile_answer_stays_text(
    folder: Path, tmp_path: Path
) -> None:
    filled = {
        "question": "Why do people sweat when they run?",
        "answer": "Sweat cools the body. <img src=x onerror=\"window.owned='yes'\">",
    }
    fill = "; ".join(
        f"document.querySelector('[name={name}]').value = {json.dumps(text)}"
        for name, text in filled.items()
    )
    send = f"{fill}; document.querySelector('button').click()"
    with processes() as popen, Browser(tmp_path) as browser:
        served = popen("-u", "-m", "kkoracle", "score", "serve", "--port", "0", cwd=folder)
        assert served.stdout is not None
        address = re.search(r"http://\S+/score", served.stdout.readline())
        assert address
        page = address[0].replace("/score", "/docs")
        shown = "document.querySelector('#found').textContent"
        # A form stands there before the script that sends it has run.
        ready = "Boolean(window.form) && document.readyState === 'complete'"
        seen = browser.look(page, ready, (send, f"{shown}.includes('confidence')"))
    assert "Of the guide missed:" in seen["dom"] and seen["owned"] is None
    assert all(url.startswith(page.rpartition("/")[0]) for url in seen["requests"])


def test_a_greek_class_is_taught_in_its_language(tmp_path: Path) -> None:
    run_cli("score", "init", "el.json", "--language", "el", cwd=tmp_path)
    done = run_cli("score", "train", "el.json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "language: Greek" in done.stdout and "clearly better than length" in done.stdout
    about = json.loads((tmp_path / "kkoracle-data/scorer/runs/default/scorer.json").read_text())
    assert about["language"] == "el" and about["knows"]
