"""Batches and schedule: pure functions, so checked over many sizes."""

from __future__ import annotations

import random

import pytest

from exchange.inference import batch_width
from trainer.tokenization import TokenizedSample
from trainer.training import batches
from trainer.training.optimizer import learning_rate, warmup_steps
from trainer.training.settings import TrainSettings

LENGTHS = [random.Random(1).randint(20, 250) for _ in range(403)]


@pytest.mark.parametrize("size", [1, 4, 8, 16, 500])
def test_every_row_is_in_every_epoch_once(size: int) -> None:
    for number in range(3):
        order = batches.epoch_batches(LENGTHS, size, 7, number)
        assert sorted(index for batch in order for index in batch) == list(range(403))
        assert sum(len(batch) < size for batch in order) == (1 if 403 % size else 0)


def test_hardly_any_pad_is_computed() -> None:
    order = batches.epoch_batches(LENGTHS, 8, 7, 0)
    rows = [TokenizedSample(str(n), [0] * (length + 1), 1, 1) for n, length in enumerate(LENGTHS)]
    computed = batches.computed_tokens([rows[i] for i in batch] for batch in order)
    assert 1 - sum(LENGTHS) / computed <= 0.04
    for batch in order:
        spread = {batch_width.padded_length(LENGTHS[index]) for index in batch}
        assert max(spread) - min(spread) <= 2 * batch_width.PAD_TO


def test_order_and_company_change_with_the_epoch_and_only_with_it() -> None:
    same = [10] * 64
    assert batches.epoch_batches(same, 8, 7, 1) == batches.epoch_batches(same, 8, 7, 1)
    assert batches.epoch_batches(same, 8, 7, 1) != batches.epoch_batches(same, 8, 7, 2)
    assert batches.epoch_batches(same, 8, 7, 1) != batches.epoch_batches(same, 8, 8, 1)


def test_smaller_batches_more_of_them_see_the_same_rows_at_each_step() -> None:
    def steps(batch: int, accumulate: int) -> list[list[list[int]]]:
        settings = TrainSettings(batch=batch, accumulate=accumulate)
        return batches.epoch_steps(LENGTHS, settings, 1)

    whole = steps(8, 1)
    for batch, accumulate in ((4, 2), (2, 4), (1, 8)):
        parts = steps(batch, accumulate)
        assert [[i for rows in step for i in rows] for step in parts] == [rows for (rows,) in whole]
        assert max(len(rows) for step in parts for rows in step) == batch
    assert steps(8, 2) != whole


def test_validation_is_always_the_same() -> None:
    assert batches.fixed_batches(LENGTHS, 8) == batches.fixed_batches(LENGTHS, 8)
    assert sorted(i for batch in batches.fixed_batches(LENGTHS, 8) for i in batch) == list(
        range(403)
    )


def test_the_rate_rises_then_falls_and_never_is_nothing() -> None:
    steps, warmup = 1000, warmup_steps(1000, 0.03)
    rates = [learning_rate(step, steps, 2e-4, warmup) for step in range(steps)]
    assert warmup == 30
    assert rates[:30] == sorted(rates[:30]) and rates[29] == pytest.approx(2e-4)
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert 0 < rates[-1] < 1e-8 and rates[0] > 0


def test_the_shortest_runs_have_a_rate_too() -> None:
    assert learning_rate(0, 1, 1e-3, warmup_steps(1, 0.03)) == 1e-3
    assert learning_rate(0, 1, 1e-3, warmup_steps(1, 0.0)) == 1e-3
