"""A dataset of two newspapers on its way: taught, asked, searched and traced under its own name."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from tests.trainer.conftest import RECIPE, Desk, make_learner
from tests.trainer.filling import answer, fill, question, town
from trainer.dataset import read_split
from trainer.evaluate.records import Evaluation

SETTINGS = "epochs = 8\n[evaluate]\nmax_tokens = 12\nabsent = 0\ndisturbed = 0\njudge = false\n"
FEW = ("-n", "12", "--systems", "base,tuned,tuned+rag")
PAPERS = {"one": 0, "two": 1000}  # the number of the first story of each


@dataclass(frozen=True)
class Press(Desk):
    """The desk of two papers; `press` stands for both, and is not the archive of the settings."""

    @property
    def archive(self) -> Path:
        return self.folder / "data" / "press"


def place(number: int) -> str:
    return f"Νέα από την πόλη {town(number)}. "


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory) -> Press:
    folder = tmp_path_factory.mktemp("press")
    desk = Press(folder, make_learner(folder))
    desk.configure(RECIPE.replace("samples = 2", "samples = 0") + SETTINGS)
    for name, first in PAPERS.items():
        fill(folder / "data" / name, 12, archive=name, first=first, rephrased=12, aside=place)
    return desk


@pytest.fixture(scope="module")
def said(press: Press) -> str:
    """What the commands have said, from the dataset to the report."""
    return "".join(
        press.cli(*words).stdout
        for words in (
            ("dataset", "build", "press", "--of", "one", "--of", "two"),
            ("train", "press"),
            ("evaluate", "press", *FEW),
        )
    )


def test_it_is_taught_and_evaluated_like_any_archive_and_told_apart_by_paper(
    press: Press, said: str
) -> None:
    taught = {row.origin.paper for row in read_split(press.dataset, "train")}
    assert taught == {"one", "two"}
    summary = orjson.loads((press.run_folder() / "summary.json").read_bytes())
    assert summary["valid_after"] < 0.8 * summary["valid_before"]
    found = Evaluation.read(press.run_folder() / "evaluation")
    assert [system.name for system in found.systems] == ["base", "tuned", "tuned+rag"]
    assert {item.slices["paper"] for item in found.items.values() if item.slices.get("paper")} == {
        "one",
        "two",
    }
    searched = [answer for answer in found.answers["tuned+rag"].values() if answer.sources]
    assert searched
    # Each step names the next one so that it works on this archive, not on that of the settings.
    assert "next: `kkoracle train press`" in said
    assert "next: `kkoracle evaluate press`" in said


def test_what_is_asked_is_searched_in_all_papers_and_traced_to_the_right_one(
    press: Press, said: str
) -> None:
    for name, first in PAPERS.items():
        told = press.cli("search", "--archive", "press", "--json", answer(first, 0).split()[-1])
        urls = {one["url"] for one in orjson.loads(told.stdout)["mentions"]}
        assert {int(url.rpartition("/")[2]) >= 1000 for url in urls} == {False, True}
        row = next(row for row in read_split(press.dataset, "train") if row.origin.paper == name)
        found = orjson.loads(press.cli("trace", row.id, "press", "--json").stdout)
        assert found["story"]["archive"] == name
        asked = ("--answer", row.answer, "--question", row.question)
        (nearest, *_) = orjson.loads(press.cli("trace", *asked, "press", "--json").stdout)[
            "stories"
        ]
        assert (nearest["archive"], nearest["story"]) == (name, row.story)
    unknown = press.refuses("trace", "ffffffff", "press")
    assert "no pair begins with ffffffff" in unknown


def test_a_chat_searches_them_too(press: Press, said: str) -> None:
    import subprocess
    import sys

    from tests.conftest import cli_environment

    done = subprocess.run(
        [sys.executable, "-m", "kkoracle", "chat", "press", "--way", "tuned+rag"],
        input=f"{question(1003, 0)}\n/sources\n",
        cwd=press.folder,
        env=cli_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert town(1003) in done.stdout or "[1]" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("crawl", "press", "--no-fetch"),
        ("import", "{folder}", "press"),
        ("status", "press"),
        ("estimate", "press"),
        ("recheck", "press"),
        ("live", "press", "--once"),
        ("install-service", "press", "--print"),
        ("backup", "{folder}/copies", "press"),
    ],
)
def test_what_is_done_for_a_newspaper_by_itself_names_the_papers_and_changes_nothing(
    press: Press, said: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    copy = Press(tmp_path / "copy", press.model)
    shutil.copytree(press.folder, copy.folder)
    before = sorted(path.name for path in copy.archive.iterdir())
    told = copy.refuses(*(word.format(folder=tmp_path) for word in words), code=2)
    assert "press is made of one and two" in told and "name one of them" in told
    after = sorted(path.name for path in copy.archive.iterdir())
    assert [name for name in after if name not in before and not name.endswith(".lock")] == []
