"""What a finished demo says fits a screen, in words that a newcomer reads, with what comes next."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from exchange.errors import OK
from exchange.machine import typed_program
from kkoracle.demo import progress
from kkoracle.demo.newspaper.vocabulary import known_frames, new_frames, read_glosses
from kkoracle.demo.plan import DemoPlan
from tests.conftest import ROOT, cli_environment

QUESTION = "Πόσο κόστισε τελικά η επισκευή του φράγματος στη Μακρινή και Πολύ Ψηλή Θυμαροκαμάρα;"


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a demo leaves, of the parts that its end reads."""
    folder = tmp_path / ".demo"
    run = folder / "data" / "demo" / "runs" / "default"
    run.mkdir(parents=True)
    fact = {"question": QUESTION, "rephrasings": [], "frame": "work_cost"}
    (folder / "truth.json").write_bytes(orjson.dumps({"stories": [{"facts": [fact]}]}))
    row = {"group": "trained", "question": QUESTION, "reference": "98.300 ευρώ."}
    row |= {"base": "Δεν ξέρω.", "tuned": "98.300 ευρώ.", "tuned_exact": True}
    share = {"group": "trained", "rows": 20, "base_exact": 0, "tuned_exact": 0.75}
    share |= {"base_loss": 1.8, "tuned_loss": 0.1}
    (run / "compare.json").write_bytes(orjson.dumps({"rows": [row], "shares": [share]}))
    counters = {f"rejected.some-reason-{n}": 40 - n for n in range(20)}
    monkeypatch.setattr(progress, "spool_counters", lambda _: {"pairs.accepted": 829, **counters})
    monkeypatch.setattr(progress, "read_counters", lambda _: {"pages.done": 227})
    monkeypatch.setattr(progress, "describe_valid", lambda _: "taught rows in other words")
    monkeypatch.chdir(tmp_path)
    return folder


def test_every_line_of_the_summary_fits_80_columns(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = {"crawl and generate": 93.0, "build the dataset": 2.0, "train": 70.0, "compare": 9.0}
    progress.print_summary(finished, DemoPlan(180, 8765, 7), times)
    summary, _, following = capsys.readouterr().out.partition("Next")
    assert [line for line in summary.splitlines() if len(line) > progress.WIDTH] == []
    assert "some-reason-0 40, some-reason-1 39, some-reason-2 38, 17 more" in " ".join(
        summary.split()
    )
    assert "\n  cd .demo\n" in following
    assert f"kkoracle status  # {progress.STATUS}" in following
    (learn,) = [line for line in following.splitlines() if "archive learn" in line]
    first = shlex.split(learn)[0]  # typed in a folder of its own, wherever that is
    assert first == "kkoracle" or Path(first).is_absolute()


def test_a_greek_question_has_its_english_beside_it(finished: Path) -> None:
    lines = progress.example_lines(finished)
    assert lines[0] == ("taught", QUESTION)
    assert lines[1] == ("", "(What did the works cost in the end?)")
    assert "Tuned: 98.300 ευρώ." in lines[2][1]
    frames = {frame.id for frame in (*known_frames(), *new_frames())}
    assert {*read_glosses()} == frames


def test_what_comes_next_runs_as_it_is_typed(finished: Path) -> None:
    program = shlex.split(typed_program(finished))
    if not (Path(sys.executable).with_name("kkoracle")).exists():
        assert program[1:] == ["-m", "kkoracle"]
    said = subprocess.run(
        [*program, "archive", "list"],
        cwd=finished,
        env=cli_environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        check=False,
    )
    assert said.returncode == OK, said.stderr
