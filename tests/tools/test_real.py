"""`make real`: what it takes for right, and what it demands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kkoracle.demo.newspaper import build_newspaper
from tools.real import is_right, problems

GOOD = {
    "stories": 60,
    "form": 0.9,
    "pairs": 40,
    "open": 0,
    "base_loss": 3.0,
    "tuned_loss": 1.0,
    "served": "x",
    "chat": "x",
    "mlx_lm": "x",
}


def test_the_newspapers_own_pairs_are_right_and_those_of_a_neighbour_are_not() -> None:
    wrong = 0
    for story in build_newspaper(7, 60, language="en").stories:
        facts = [{"sentence": fact.sentence} for fact in story.facts]
        for fact, other in zip(story.facts, story.facts[1:], strict=False):
            assert is_right(fact.question, fact.answer, facts)
            wrong += is_right(fact.question, other.answer, facts)
    assert wrong <= 2, "two facts of a story may share a number"


def test_an_answer_without_anything_specific_is_not_right() -> None:
    facts = [{"sentence": "On 3 May 2016 ninety people came to Velmor."}]
    assert not is_right("How many people came to Velmor?", "many people.", facts)
    assert not is_right("How many people came to Velmor?", "80 people.", facts)
    assert not is_right("How many people came to Velmor?", "Ninety people.", [])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"stories": 59}, "stories"),
        ({"form": 0.1}, "form"),
        ({"pairs": 1}, "pairs"),
        ({"open": 2}, "open"),
        ({"tuned_loss": 3.0}, "beat"),
        ({"chat": ""}, "chat"),
    ],
)
def test_what_is_not_as_it_should_be_is_named(change: dict[str, object], word: str) -> None:
    assert problems(GOOD) == []
    (said,) = problems({**GOOD, **change})
    assert word in said


def test_without_a_network_it_is_one_line(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "tools" / "real_model.sh"
    said = subprocess.run(
        ["sh", str(script), sys.executable, str(tmp_path / "venv"), str(tmp_path / "model")],
        cwd=script.parents[1],
        env={"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 1
    (line,) = said.stderr.splitlines()
    assert "cannot be fetched" in line and "Traceback" not in said.stdout
    assert not (tmp_path / "model").exists()
