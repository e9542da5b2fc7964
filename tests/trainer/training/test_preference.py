"""Recipe `preference`: from what a run invents to a run that invents less."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exchange.errors import BadFile, NotEnoughData, NotFound, UsageError
from tests.trainer.conftest import ONE_THREAD, Desk
from tests.trainer.filling import fill
from tests.trainer.reading import lines, summary, until
from trainer.dataset import DatasetRow, read_split
from trainer.tokenization import TokenizedSample
from trainer.training.preference import FILE, Invention, choose_pairs, write_inventions
from trainer.training.row_selection import Continuation, ContinuationRequest, read_ids
from trainer.training.runs import TAUGHT, RunConfig
from trainer.training.settings import TrainSettings

PEOPLE = ("Βαλτινό", "Μωράκη", "Ρίζο", "Σκαρίμπα", "Κολοκάση", "Δέλτα")


@pytest.fixture(scope="module")
def asked(trained: Desk, tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, dict[str, Any]]:
    """A run that knows its rows but for six that came later, and what it said when it was asked."""
    folder = tmp_path_factory.mktemp("asked")
    shutil.copytree(trained.folder, folder, dirs_exist_ok=True)
    desk = replace(trained, folder=folder)
    for number, name in enumerate(PEOPLE):
        never = (f"Πού βρήκαν τότε τον {name};", f"Βρήκαν τον {name} στην πλατεία.")
        fill(desk.archive, 1, first=20 + number, extra=[never])
    desk.cli("dataset", "build")
    said = desk.cli("boundary", "-n", "0", "--samples", "0", "--json").stdout
    return desk, json.loads(said)


def inventions(desk: Desk, run: str = "default") -> list[dict[str, Any]]:
    return lines(desk.run_folder(run) / FILE)


def test_what_a_run_says_wrongly_stands_beside_what_is_right(
    asked: tuple[Desk, dict[str, Any]],
) -> None:
    desk, told = asked
    found = inventions(desk)
    assert len(found) == told["inventions"] > 0
    taught = {row.id: row for row in read_split(desk.dataset, "train")}
    facts = [one for one in found if one["id"] in taught]
    coined = [one for one in found if one["id"] not in taught]
    assert facts and coined and len(coined) <= told["answered"]
    for one in facts:
        assert one["messages"][-1]["content"] == taught[one["id"]].answer != one["rejected"]
    assert {one["kind"] for one in coined} == {"refusal"}
    assert all("Δεν το γνωρίζω" in one["messages"][-1]["content"] for one in coined)


def test_asked_again_it_asks_nothing_and_writes_the_same(
    asked: tuple[Desk, dict[str, Any]],
) -> None:
    desk, told = asked
    before = (desk.run_folder() / FILE).read_bytes()
    stored = sum(path.stat().st_size for path in desk.archive.glob("answers/*.jsonl"))
    again = desk.cli("boundary", "-n", "0", "--samples", "0", "--json")
    assert json.loads(again.stdout) == told and "loading" not in again.stderr
    assert (desk.run_folder() / FILE).read_bytes() == before
    assert stored == sum(path.stat().st_size for path in desk.archive.glob("answers/*.jsonl"))


def test_killed_while_it_asks_it_goes_on_and_asks_nothing_twice(
    asked: tuple[Desk, dict[str, Any]],
    tmp_path: Path,
    popen: Callable[..., subprocess.Popen[str]],
) -> None:
    calm, told = asked
    shutil.copytree(calm.folder, tmp_path / "desk")
    desk = replace(calm, folder=tmp_path / "desk")
    shutil.rmtree(desk.archive / "answers")
    (desk.run_folder() / FILE).unlink()
    words = ("boundary", "-n", "0", "--samples", "0", "--json")

    def cells() -> list[str]:
        kept = b"".join(path.read_bytes() for path in desk.archive.glob("answers/*.jsonl"))
        return re.findall(r'"cell":"(\w+)"', kept.decode(errors="ignore"))

    process = popen("-m", "kkoracle", *words, cwd=desk.folder, **ONE_THREAD)
    until(lambda: len(cells()) >= 3, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = len(cells())
    assert before < told["taught"] + told["coined"]
    told_again = json.loads(desk.cli(*words).stdout)
    assert told_again | {"path": ""} == told | {"path": ""}
    assert inventions(desk) == inventions(calm)
    assert len(cells()) == len(set(cells())) > before


def test_a_run_that_goes_on_with_them_invents_less(asked: tuple[Desk, dict[str, Any]]) -> None:
    desk, told = asked
    words = ("--name", "surer", "--continue", "default", "--recipe", "preference")
    words += ("--epochs", "12")
    plan = json.loads(desk.cli("train", *words, "--dry-run", "--json").stdout)["plan"]
    assert plan["pairs"] == told["inventions"]
    said = desk.cli("train", *words).stdout
    assert f"{plan['pairs']} inventions are rejected" in said
    metrics = lines(desk.run_folder("surer") / "metrics.jsonl")
    shown = [entry["preferred"] for entry in metrics if entry.get("preferred") is not None]
    assert sum(shown[:3]) / 3 < 0.9 < min(shown[-3:])  # the right answer grows the likelier one
    end = summary(desk.run_folder("surer"))
    assert end["taught_after"] < min(0.25, end["taught_before"])  # and nothing is lost for that
    taught, before = (read_ids(desk.run_folder(name) / TAUGHT) for name in ("surer", "default"))
    assert taught == before | {one["id"] for one in inventions(desk)}
    desk.cli("boundary", "-n", "0", "--samples", "0", "--name", "surer")
    assert len(inventions(desk, "surer")) < 0.5 * told["inventions"]


class Shelf:
    """An archive's folder with a dataset's rows and a run that was asked, without any model."""

    def __init__(self, folder: Path, count: int = 40) -> None:
        self.archive, self.run = folder, folder / "runs" / "first"
        self.run.mkdir(parents=True)
        (self.run / "adapters.safetensors").write_bytes(b"weights")
        self.rows = [
            DatasetRow(
                f"r{n}", f"Ποιος ήρθε το 19{n:02};", f"Ήρθε ο {n}.", "fact", f"s{n % 9}", "c"
            )
            for n in range(count)
        ]
        (self.run / TAUGHT).write_text("\n".join(row.id for row in self.rows[:-10]))

    def asked(self, *found: Invention) -> None:
        write_inventions(self.run, self.run, found)

    def chosen(
        self, replay: float = 3.0, without: frozenset[str] = frozenset(), name: str = "second"
    ) -> Continuation:
        request = ContinuationRequest("first", replay, without)
        return choose_pairs(self.archive, self.rows, request, name)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_pairs_are_of_the_rows_as_the_dataset_has_them_now(shelf: Shelf) -> None:
    known, other, gone, moved = shelf.rows[:4]
    unknown = {"id": "coined", "question": "Ποιος είναι ο Ζυρ;", "answer": "Δεν ξέρω."}
    coined = replace(known, kind="refusal", **unknown)
    dropped = replace(coined, id="dropped", kind="fact")  # taught, and no row any more
    stranger = replace(coined, id="stranger", story="elsewhere")
    shelf.asked(
        Invention(known, "Ήρθε ο άλλος."),
        Invention(other, other.answer.upper()),  # right in other signs
        Invention(gone, " "),
        Invention(replace(moved, question="Μια άλλη;"), "Ήρθε."),
        Invention(coined, "Ο δήμαρχος."),
        Invention(stranger, "Ο παπάς."),
        Invention(dropped, "Ο γιατρός."),
    )
    shelf.rows[0] = replace(known, answer="Ήρθε ο ίδιος.")
    found = shelf.chosen()
    assert found.rejected == {known.id: "Ήρθε ο άλλος.", "coined": "Ο δήμαρχος."}
    assert [row.answer for row in found.new] == ["Ήρθε ο ίδιος.", "Δεν ξέρω."]
    assert {row.id for row in found.old} == {row.id for row in shelf.rows[1:30]}
    assert not shelf.chosen(replay=0).old
    assert "2 pairs and 29 old rows" in found.described()
    shelf.asked(Invention(known, "Ήρθε κάποιος."), Invention(coined, "Ο δήμαρχος."))
    assert shelf.chosen().described() != found.described()  # another run than the one before
    assert set(shelf.chosen(without=frozenset({known.id})).rejected) == {"coined"}
    assert set(shelf.chosen(without=frozenset({"coined"})).rejected) == {known.id}


def test_other_runs_show_other_old_rows_and_each_the_same(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 700)
    shelf.asked(Invention(shelf.rows[0], "Ήρθε ο άλλος."), Invention(shelf.rows[1], "Κανείς."))
    second, third = ({row.id for row in shelf.chosen(name=n).old} for n in ("second", "third"))
    assert len(second) == len(third) == 512 and second != third
    assert {row.id for row in shelf.chosen().old} == second


def refusals(shelf: Shelf) -> Iterator[tuple[type[Exception], str, ContinuationRequest]]:
    """What is wrong one after the other, each with what is said and asked."""
    first = ContinuationRequest("first")
    yield UsageError, "give --continue RUN", ContinuationRequest()
    yield NotFound, "run 'none' has no last adapter", ContinuationRequest("none")
    yield NotFound, "has not been asked what it invents: `kkoracle boundary --name first`", first
    shelf.asked()
    yield NotEnoughData, "invented nothing about the rows of this dataset (0 inventions", first
    shelf.asked(Invention(shelf.rows[0], shelf.rows[0].answer))
    yield NotEnoughData, "so there is nothing to reject", first
    shelf.asked(Invention(shelf.rows[0], "Ήρθε."))
    (shelf.run / "adapters.safetensors").write_bytes(b"other weights")
    yield NotFound, "asked at another state of its adapter: `kkoracle boundary --name first`", first
    with (shelf.run / FILE).open("ab") as file:
        file.write(b"{}\n")
    (shelf.run / "adapters.safetensors").write_bytes(b"weights")
    yield BadFile, f"{FILE} line 2 is unusable", first


def test_what_cannot_be_gone_on_from_is_one_line(shelf: Shelf) -> None:
    for kind, words, request in refusals(shelf):
        with pytest.raises(kind) as told:
            choose_pairs(shelf.archive, shelf.rows, request, "second")
        assert words in str(told.value) and "\n" not in str(told.value)


def test_the_command_refuses_another_base_a_sweep_and_a_run_of_its_own(
    asked: tuple[Desk, dict[str, Any]], tiny_model: Path
) -> None:
    desk = asked[0]
    recipe = ("--recipe", "preference")
    assert "give --continue RUN" in desk.refuses("train", "--name", "x", *recipe, code=2)
    other = (*recipe, "--continue", "default", "--model", str(tiny_model))
    assert "was trained on" in desk.refuses("train", "--name", "x", *other)
    assert "a sweep begins from the base" in desk.refuses("sweep", *recipe, code=2)
    assert not desk.run_folder("x").exists()


def test_its_weight_makes_another_run_only_of_its_own_recipe() -> None:
    def sha(recipe: str, weight: float) -> str:
        made = TrainSettings.model_validate({"recipe": recipe, "preference_weight": weight})
        return RunConfig("m", "s", "d", made.model_dump()).sha

    assert sha("sft", 0.1) == sha("sft", 0.5)
    assert sha("preference", 0.1) != sha("preference", 0.5)


def test_a_pair_counts_with_both_answers_and_is_measured_by_one() -> None:
    other = TokenizedSample("a", list(range(14)), 4, 9)
    pair = TokenizedSample("a", list(range(10)), 4, 9, other)
    assert (pair.length, pair.width, pair.targets) == (9 + 13, 13, 6)
    assert [(row.length, row.rejected) for row in pair.rows()] == [(9, None), (13, None)]
