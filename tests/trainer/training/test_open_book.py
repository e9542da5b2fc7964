"""Rows that are taught with their text too: which, how they read, and what they cost."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest

from exchange.errors import NotEnoughData
from exchange.recipes.prompts import template_in_language
from exchange.records import Chunk
from tests.trainer.conftest import Desk
from trainer.dataset import DatasetRow, read_chunks, read_split
from trainer.tokenization import PASSAGE_PLACEHOLDERS, tokenize_sample
from trainer.training.open_book import OpenBook, OpenBookRow
from trainer.training.settings import TrainSettings

TEMPLATE = template_in_language("rag", "el", PASSAGE_PLACEHOLDERS)


def shown(desk: Desk, share: float, seed: int = 7) -> tuple[list[DatasetRow], list[OpenBookRow]]:
    rows = read_split(desk.dataset, "train")
    settings = TrainSettings(open_book=share, seed=seed)
    return rows, OpenBook(rows, read_chunks(desk.dataset), TEMPLATE, settings).rows(0)


def book(*facts: tuple[str, str, str]) -> OpenBook:
    """Of rows, each of a text, a question and an answer."""
    rows = [
        DatasetRow(str(n), question, answer, "fact", "story", "story", chunks=(str(n),))
        for n, (_, question, answer) in enumerate(facts)
    ]
    chunks = {
        str(n): Chunk(str(n), "story", 0, text, "The Voice, 3/5/2004")
        for n, (text, _, _) in enumerate(facts)
    }
    return OpenBook(rows, chunks, TEMPLATE, TrainSettings(open_book=1))


def drawn(made: OpenBook, number: int, epochs: int = 8) -> list[tuple[str, str]]:
    """What stands before the answer of a row, and the answer, in each of some epochs."""
    found = []
    for epoch in range(epochs):
        (row,) = [one for one in made.rows(epoch) if one.id == f"{number}:open"]
        *asked, answer = row.turns()
        found.append((asked[-1]["content"], answer["content"]))
    return found


def test_the_text_stands_before_the_question_and_says_the_answer(trained: Desk) -> None:
    rows, found = shown(trained, 1.0)
    by_id = {row.id: row for row in rows}
    assert len(found) == sum(row.is_fact for row in rows) > 0
    for one in found:
        row = by_id[one.id.removesuffix(":open")]
        *asked, answer = one.turns()
        text = asked[-1]["content"]
        assert answer["content"] != row.answer  # that one can be known by heart
        assert text.index(answer["content"]) < text.index(row.question)


def test_a_share_is_chosen_by_the_seed_and_not_by_the_order(trained: Desk) -> None:
    rows, few = shown(trained, 0.5)
    assert len(few) == max(1, round(0.5 * sum(row.is_fact for row in rows)))
    turned = OpenBook(
        rows[::-1], read_chunks(trained.dataset), TEMPLATE, TrainSettings(open_book=0.5)
    )
    assert few == turned.rows(0)
    assert {one.id for one in few} != {one.id for one in shown(trained, 0.5, seed=8)[1]}


def test_without_the_texts_it_says_what_to_do(trained: Desk) -> None:
    rows = read_split(trained.dataset, "train")
    with pytest.raises(NotEnoughData, match="dataset build"):
        OpenBook(rows, {}, TEMPLATE, TrainSettings(open_book=0.5))


ELECTIONS = [
    (
        f"On 2 May {year} the town chose {name} with {votes} votes and paid {paid}%. Rain fell.",
        f"Who was chosen on 2 May {year}?",
        f"{name}, with {votes} votes and {paid}%.",
    )
    for year, name, votes, paid in (
        (2001, "Ann Archer", "1,412", 13),
        (2002, "Ben Barker", "2,731", 27),
        (2003, "Cleo Carter", "4,018", 34),
        (2005, "Dan Draper", "3,555", 41),
        (2006, "Eve Ember", "9,120", 58),
        (2007, "Fay Fuller", "7,003", 66),
    )
]


def test_numbers_and_names_make_way_for_others_of_their_kind_in_text_and_answer_alike() -> None:
    said = drawn(book(*ELECTIONS), 0)
    names = {name for _, _, answer in ELECTIONS for name in [answer.partition(",")[0]]}
    seen: set[tuple[str, ...]] = set()
    for text, answer in said:
        found = re.fullmatch(r"(\w+ \w+), with (\d,\d{3}) votes and (\d\d)%\.", answer)
        assert found
        assert found[1] in names - {"Ann Archer"}
        assert f"chose {found[1]} with {found[2]} votes and paid {found[3]}%. Rain" in text
        assert "Ann" not in text and "1,412" not in text and "13" not in text
        # Day and year stand in the question; the newspaper's date is a number of another shape.
        assert "3/5/2004" in text and text.count("2 May 2001") == 2
        seen.add(found.groups())
    assert len(seen) > 5  # drawn anew for every epoch
    assert said == drawn(book(*ELECTIONS), 0)  # by the seed


@pytest.mark.parametrize(
    ("text", "question", "answer"),
    [
        ("The mayor left.", "Who left?", "The mayor."),  # nothing in it is a number or a name
        ("Old Ann Archer left.", "Where was Ann born?", "Ann Archer left."),  # it is asked about
        ("The sum was 12,500 euros.", "How much?", "The sum was 12,5."),  # a part of another
    ],
)
def test_what_the_question_says_or_the_text_does_not_stays(
    text: str, question: str, answer: str
) -> None:
    for before, after in drawn(book((text, question, answer), *ELECTIONS), 0):
        assert text in before and after == answer


def test_a_number_like_no_other_gets_other_digits() -> None:
    fact = ("In the 36th hour 12.345.678 birds came.", "Which hour?", "The 36th, 12.345.678 birds.")
    for text, answer in drawn(book(fact), 0):
        found = re.fullmatch(r"The (\d\dth), (\d\d\.\d{3}\.\d{3}) birds\.", answer)
        assert found and f"In the {found[1]} hour {found[2]} birds came." in text
    assert len(set(drawn(book(fact), 0))) == 8


def test_a_row_that_would_become_too_long_stays_as_it_was(trained: Desk) -> None:
    from exchange.inference import runtime

    _, tokenizer = runtime.load(trained.model)
    made = book(*ELECTIONS)

    def encoded(rows: Sequence[OpenBookRow]) -> list[list[int]]:
        return [tokenize_sample(tokenizer, row.id, row.turns()).tokens for row in rows]

    first = [tokenize_sample(tokenizer, row.id, row.turns()) for row in made.rows(0)]
    again = made.encoded(tokenizer, first, 10_000, 1)
    assert [sample.tokens for sample in again] == encoded(made.rows(1)) != encoded(made.rows(0))
    assert made.encoded(tokenizer, first, 10, 1) == first


def test_the_plan_counts_them_and_another_share_is_another_run(trained: Desk) -> None:
    def planned(share: str) -> dict[str, int]:
        done = trained.cli("train", "--name", "shown", "--open-book", share, "--dry-run", "--json")
        plan: dict[str, int] = json.loads(done.stdout)["plan"]
        return plan

    plain, half = planned("0"), planned("0.5")
    rows, few = shown(trained, 0.5)
    assert plain["train_rows"] == len(rows)
    assert half["train_rows"] == len(rows) + len(few)
    assert half["tokens"] > plain["tokens"]
