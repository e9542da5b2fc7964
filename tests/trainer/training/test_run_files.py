"""What is written about a run and a comparison: curve, shares, files, folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.errors import UsageError
from trainer.evaluate import compare_records
from trainer.evaluate.compare import read_questions
from trainer.evaluate.compare_records import HELD_OUT, TRAINED, BaseTunedComparison, ComparisonRow
from trainer.training.callbacks import StepMetrics
from trainer.training.console import plot_losses
from trainer.training.run_config import RunConfig, make_run_config
from trainer.training.runs import STATE, TrainingRun
from trainer.training.settings import TrainSettings

ROWS = (
    ComparisonRow(TRAINED, "Πότε;", "Το 1998.", "δεν ξέρω", "το 1998"),
    ComparisonRow(TRAINED, "Ποιος;", "Ο Νίκος | <b>", "Ο Νίκος b", "Η Άννα"),
)


def test_the_curve_shows_both_losses_within_its_frame() -> None:
    text = plot_losses(
        [(n, 6 / n) for n in range(1, 101)], [(0, 6.0), (50, 3.0), (100, 2.5)], 40, 8
    )
    lines = text.splitlines()
    assert len(lines) == 8 + 3
    assert all(len(line) <= 8 + 1 + 40 for line in lines[:9])
    assert text.count("o") >= 3 and "6.00" in lines[0] and "step 100" in text


def test_a_curve_of_nothing_and_of_one_point_do_not_fail() -> None:
    assert plot_losses([], []) == ""
    assert "1.00" in plot_losses([(1, 1.0)], [])


def test_accents_case_and_full_stops_do_not_decide_an_exact_match() -> None:
    assert ROWS[0].tuned_exact and not ROWS[0].base_exact
    assert ROWS[1].base_exact
    assert not ComparisonRow(TRAINED, "q", "", "", "").tuned_exact


def test_shares_and_files_say_the_same(tmp_path: Path) -> None:
    share = compare_records.group_scores(TRAINED, ROWS, 5.0, 0.5)
    assert (share.base_exact, share.tuned_exact) == (0.5, 0.5)
    assert share.tuned_overlap < 1
    found = BaseTunedComparison("tiny", "default", "last", "abc", ROWS, (share,))
    assert found.share(TRAINED) == share and found.share(HELD_OUT) is None
    data, text = compare_records.write_comparison(found, tmp_path)
    assert '"tuned_exact": true' in data.read_text("utf-8")
    assert "| trained | 2 | 50% | 50% |" in text.read_text("utf-8")
    assert "&lt;b>" in text.read_text("utf-8")


def test_overlap_counts_a_word_as_often_as_it_stands_in_both() -> None:
    assert compare_records.word_f1("α α β", "α β β") == pytest.approx(2 / 3)
    assert compare_records.word_f1("", "α") == 0.0


def test_a_run_goes_on_only_with_what_it_was_begun_with(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    one = make_run_config("m", tmp_path, "data1", TrainSettings())
    run = TrainingRun(tmp_path, "first")
    assert run.begin(one, restart=False) is None
    assert (
        run.begin(
            make_run_config("m", tmp_path, "data1", TrainSettings(save_every=7)), restart=False
        )
        is None
    )
    assert (
        run.begin(make_run_config("m", tmp_path, "data0", TrainSettings()), restart=False) is None
    )  # no step yet
    assert run.begin(one, restart=False) is None
    (run.folder / STATE).touch()
    with pytest.raises(UsageError, match=r"dataset was data1, is data2; lr was 0.0002, is 0.1"):
        run.begin(make_run_config("m", tmp_path, "data2", TrainSettings(lr=0.1)), restart=False)
    assert (
        run.begin(make_run_config("m", tmp_path, "data2", TrainSettings(lr=0.1)), restart=True)
        is None
    )


def test_a_run_that_began_before_a_setting_was_there_goes_on_without_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    now = make_run_config("m", tmp_path, "data1", TrainSettings())
    settings = {name: value for name, value in now.settings.items() if name != "until_learned"}
    earlier = RunConfig(now.model, now.model_sha, now.dataset, settings)
    assert earlier.sha == now.sha and not earlier.differences(now)
    other = make_run_config("m", tmp_path, "data1", TrainSettings(until_learned=True))
    assert other.sha != now.sha
    assert earlier.differences(other) == ["until_learned was False, is True"]


def test_a_run_forgets_what_happened_after_its_state(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path, "a")
    run.folder.mkdir(parents=True)
    run.record([StepMetrics(n, 0.0, 1.0, 0.1, 1.0, 10, 1.0) for n in range(1, 6)])
    with (run.folder / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 6, "lo')  # cut short by a kill
    assert len(run.metrics()[0]) == 5  # who looks on while it is written sees whole lines
    run.rewind(3)
    assert [step for step, _ in run.metrics()[0]] == [1, 2, 3]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "Ω", ".hidden", "x" * 65])
def test_a_run_s_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no name for a run"):
        TrainingRun(tmp_path, name)


def test_questions_come_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    path.write_text("Πότε;\n\n  Ποιος;  \n", "utf-8")
    assert read_questions(path) == ["Πότε;", "Ποιος;"]
