"""The store of answers: nothing is answered twice, and a kill costs one line at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from exchange.errors import UserError
from exchange.inference.engine import Likelihood
from exchange.recipes.prompts import PromptTemplate
from trainer.evaluate.rag import Document, SearchIndex
from trainer.evaluate.records import EvalItem
from trainer.evaluate.settings import EvaluateSettings
from trainer.evaluate.systems.answer_cache import AnswerCache, answer_key
from trainer.evaluate.systems.build import ModelClients, SystemResources, build_systems
from trainer.evaluate.systems.client import Messages, ModelOutput
from trainer.evaluate.systems.strategies import ZeroShotStrategy
from trainer.evaluate.systems.system import EvalSystem

ITEMS = [
    EvalItem(str(n), "test_recall", f"Ερώτηση {n};", f"Απάντηση {n}.", str(n)) for n in range(5)
]


class Parrot:
    """Says the question back, counts what it was asked, and can stop or fail on the way."""

    key, about, likelihood = "parrot", "a parrot", True

    def __init__(self, stop_after: int = 99, fails: bool = False) -> None:
        self.asked: list[str] = []
        self.stop_after, self.fails = stop_after, fails

    def fits(self, prompt: Messages, max_tokens: int) -> bool:
        return True

    def answer(
        self,
        prompts: Sequence[Messages],
        max_tokens: int,
        ended: Callable[[int, ModelOutput], None],
        stop: Callable[[], bool],
    ) -> None:
        for number, prompt in enumerate(prompts):
            if len(self.asked) == self.stop_after:
                return
            self.asked.append(prompt[-1]["content"])
            error = "too-long" if self.fails else ""
            ended(number, ModelOutput(prompt[-1]["content"], 3, 4, 0.5, "stop", error))

    def loglikelihood(
        self,
        prompts: Sequence[Messages],
        completions: Sequence[str],
        weighed: Callable[[int, Likelihood], None],
        stop: Callable[[], bool],
    ) -> None:
        for number, completion in enumerate(completions):
            self.asked.append(completion)
            weighed(number, Likelihood(-float(len(completion)), 2))


def system(parrot: Parrot, folder: Path) -> EvalSystem:
    return EvalSystem(
        "base", "base", ZeroShotStrategy(), parrot, AnswerCache(folder, parrot.key), 16
    )


def nothing() -> None:
    """Nobody watches."""


def test_a_cell_is_computed_once(tmp_path: Path) -> None:
    first = Parrot()
    said = system(first, tmp_path).answer(ITEMS, nothing)
    weighed = system(first, tmp_path).loglikelihood(ITEMS, nothing)
    assert [one.text for one in said] == [item.question for item in ITEMS]
    assert len(first.asked) == 10
    again = Parrot()
    of = system(again, tmp_path)
    assert of.missing(ITEMS, ITEMS) == (set(), set())
    assert of.answer(ITEMS, nothing) == said and of.loglikelihood(ITEMS, nothing) == weighed
    assert again.asked == []


def test_another_length_or_question_is_another_cell(tmp_path: Path) -> None:
    system(Parrot(), tmp_path).answer(ITEMS, nothing)
    longer = system(Parrot(), tmp_path)
    longer.max_tokens = 32
    assert len(longer.missing(ITEMS, [])[0]) == 5
    changed = [EvalItem("0", "test_recall", "Άλλη ερώτηση;", "Απάντηση 0.", "0"), *ITEMS[1:]]
    assert len(system(Parrot(), tmp_path).missing(changed, [])[0]) == 1


def test_a_stopped_evaluation_goes_on_where_it_was(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="to go on") as stopped:
        system(Parrot(stop_after=2), tmp_path).answer(ITEMS, nothing)
    assert stopped.value.exit_code == 3
    rest = Parrot()
    system(rest, tmp_path).answer(ITEMS, nothing)
    assert rest.asked == [item.question for item in ITEMS[2:]]


def test_a_line_that_was_cut_short_costs_that_line_alone(tmp_path: Path) -> None:
    system(Parrot(), tmp_path).answer(ITEMS, nothing)
    path = tmp_path / "parrot.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    rest = Parrot()
    system(rest, tmp_path).answer(ITEMS, nothing)
    assert rest.asked == [ITEMS[-1].question]
    whole = AnswerCache(tmp_path, "parrot")
    assert len(whole.said) == 5 and whole.damaged == 1


@pytest.mark.parametrize(
    "hostile",
    [
        b"[]",
        b"null",
        b'{"cell": 3}',
        b'{"cell":"a","said":{}}',
        b'{"cell":"a","logprob":"x","tokens":1}',
        b"\xff\xfe",
    ],
)
def test_lines_that_are_none_of_ours_are_passed_over(tmp_path: Path, hostile: bytes) -> None:
    (tmp_path / "parrot.jsonl").write_bytes(hostile + b"\n")
    store = AnswerCache(tmp_path, "parrot")
    assert store.damaged == 1 and not store.said and not store.weighed


def test_an_answer_that_failed_is_asked_again(tmp_path: Path) -> None:
    system(Parrot(fails=True), tmp_path).answer(ITEMS, nothing)
    again = Parrot()
    system(again, tmp_path).answer(ITEMS, nothing)
    assert len(again.asked) == 5


def test_two_items_with_one_prompt_are_one_cell(tmp_path: Path) -> None:
    twins = [EvalItem(name, "test_recall", "Ίδια;", "Α.", name) for name in ("a", "b")]
    parrot = Parrot()
    said = system(parrot, tmp_path).answer(twins, nothing)
    assert len(parrot.asked) == 1 and [one.item for one in said] == ["a", "b"]
    assert (
        answer_key([{"role": "user", "content": "Ίδια;"}], 16)
        in AnswerCache(tmp_path, "parrot").said
    )


def test_the_names_that_a_report_shows_are_those_that_are_asked_for() -> None:
    asked = EvaluateSettings(systems=("base+rag", "few-shot-3", "rag", "tuned"))
    assert asked.systems == ("rag", "few-shot-3", "tuned")
    for name in ("few-shot-0", "few-shot-33", "few-shot-x", "base+ragg"):
        with pytest.raises(ValueError, match="known are"):
            EvaluateSettings(systems=(name,))


@pytest.mark.parametrize(
    ("systems", "names"),
    [
        (("few-shot-2", "base"), ["few-shot-2", "base"]),
        (("few-shot", "few-shot-3"), ["few-shot-1", "few-shot-3"]),
        (("few-shot-3", "base+rag"), ["few-shot-3", "base+rag"]),
    ],
)
def test_few_shot_is_asked_with_the_number_that_it_is_named_by(
    systems: tuple[str, ...], names: list[str], tmp_path: Path
) -> None:
    settings = EvaluateSettings(systems=systems, shots=(1, 3))
    found = build_systems(settings, ModelClients(Parrot(), None, None), resources(tmp_path))
    assert [one.name for one in found] == names
    assert {one.kind for one in found} <= {"few-shot", "base", "rag"}


def resources(folder: Path) -> SystemResources:
    index = SearchIndex.build(
        [Document(str(n), "Φωνή", f"Το σχολείο {n} άνοιξε.", str(n)) for n in range(5)], "k"
    )
    template = PromptTemplate("t", "{passages}\n{question}")
    return SystemResources(index, index, template, folder, lambda: False)


def test_what_did_not_fit_the_context_is_counted(tmp_path: Path) -> None:
    client = Parrot()
    client.fits = lambda prompt, max_tokens: len(prompt[-1]["content"]) < 80  # type: ignore[method-assign]
    settings = EvaluateSettings(systems=("base", "base+rag"), passages=4)
    base, rag = build_systems(settings, ModelClients(client, None, None), resources(tmp_path))
    asked = [
        EvalItem("1", "test_recall", "Ποιο σχολείο άνοιξε;", "Το 1.", "1"),
        EvalItem("2", "test_recall", "Πότε;", "Χθες.", "2"),  # finds nothing: nothing to leave out
    ]
    for system in (base, rag):
        system.answer(asked, lambda: None)
    assert base.shortened == (0, 2) and rag.shortened == (1, 2)
