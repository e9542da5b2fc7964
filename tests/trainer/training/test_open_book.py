"""Rows that are taught with their text too: which, how they read, and what they cost."""

from __future__ import annotations

import json

import pytest

from exchange.errors import NotEnoughData
from exchange.recipes.prompts import template_in_language
from tests.trainer.conftest import Desk
from trainer.dataset import DatasetRow, read_chunks, read_split
from trainer.tokenization import PASSAGE_PLACEHOLDERS
from trainer.training.settings import TrainSettings
from trainer.training.teacher_prompts import OpenBookRow, open_book_rows

TEMPLATE = template_in_language("rag", "el", PASSAGE_PLACEHOLDERS)


def shown(desk: Desk, share: float, seed: int = 7) -> tuple[list[DatasetRow], list[OpenBookRow]]:
    rows = read_split(desk.dataset, "train")
    settings = TrainSettings(open_book=share, seed=seed)
    return rows, open_book_rows(rows, read_chunks(desk.dataset), TEMPLATE, settings)


def test_the_text_stands_before_the_question_and_the_answer_is_the_same(trained: Desk) -> None:
    rows, found = shown(trained, 1.0)
    chunks = read_chunks(trained.dataset)
    by_id = {row.id: row for row in rows}
    assert len(found) == sum(row.is_fact for row in rows) > 0
    for one in found:
        row = by_id[one.id.removesuffix(":open")]
        *asked, answer = one.turns()
        assert answer == row.turns()[-1]
        text = asked[-1]["content"]
        assert text.index(chunks[row.chunks[0]].text) < text.index(row.question)


def test_a_share_is_chosen_by_the_seed_and_not_by_the_order(trained: Desk) -> None:
    rows, few = shown(trained, 0.5)
    assert len(few) == max(1, round(0.5 * sum(row.is_fact for row in rows)))
    turned = open_book_rows(
        rows[::-1], read_chunks(trained.dataset), TEMPLATE, TrainSettings(open_book=0.5)
    )
    assert few == turned
    assert {one.id for one in few} != {one.id for one in shown(trained, 0.5, seed=8)[1]}


def test_without_the_texts_it_says_what_to_do(trained: Desk) -> None:
    rows = read_split(trained.dataset, "train")
    with pytest.raises(NotEnoughData, match="dataset build"):
        open_book_rows(rows, {}, TEMPLATE, TrainSettings(open_book=0.5))


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
