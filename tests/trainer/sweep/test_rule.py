"""Grid, rounds, parts and the rule, without a model."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from exchange.errors import UsageError
from trainer.dataset.rows import Row
from trainer.sweep import budget, grid, rule, subset
from trainer.sweep.tries import Try


def tried(rate: float, loss: float, steps: int = 100, number: int = 0) -> Try:
    losses = (loss,) if math.isfinite(loss) else ()
    return Try(number, rate, steps * 8, steps, not losses, losses, 1.0, 1.0)


def bowl(rate: float, best: float, steps: int = 100) -> Try:
    return tried(rate, math.exp(math.log(rate / best) ** 2), steps)


# -- the grid ----------------------------------------------------------------------------------


def test_rates_stand_at_equal_ratios_with_two_digits() -> None:
    rates = grid.geometric(*grid.around(2e-4), 6)
    assert rates[0] == 2.5e-5 and rates[-1] == 8e-4
    assert all(later / earlier == pytest.approx(2, rel=0.05) for earlier, later in pairwise(rates))


@pytest.mark.parametrize(
    ("low", "high", "count"),
    [(1e-3, 1e-4, 6), (0, 1e-3, 6), (1e-4, 2, 6), (1e-4, 1e-3, 2), (1e-4, 1.1e-4, 30)],
)
def test_a_range_that_is_none_is_refused(low: float, high: float, count: int) -> None:
    with pytest.raises(UsageError):
        grid.geometric(low, high, count)


# -- the rounds --------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1_500, 20_000, 150_000])
def test_the_rounds_stay_below_their_share_and_grow(rows: int) -> None:
    plan = budget.plan(rows, 8, 3, 6, 0.10)
    assert plan is not None and plan.share <= 0.10 * (1 - budget.RESERVE)
    assert all(later.rows >= 1.9 * earlier.rows for earlier, later in pairwise(plan.rounds))
    assert plan.rounds[0].tries == 6 and plan.rounds[0].steps >= budget.FEWEST_STEPS


def test_a_set_too_small_for_a_part_of_it_has_no_plan() -> None:
    assert budget.plan(300, 8, 3, 6, 0.10) is None
    assert budget.plan(300, 8, 3, 6, 1.0) is not None


# -- the parts ---------------------------------------------------------------------------------


def row(name: str, source: str = "") -> Row:
    return Row(name, f"{name};", "Ναι.", "fact", name, name, rephrase_of=source)


def test_a_part_teaches_what_it_is_judged_by_and_is_the_beginning_of_the_next() -> None:
    train = [row(f"t{number}") for number in range(200)]
    valid = [row(f"v{number}", f"t{number * 3}") for number in range(60)]
    found = subset.order(train, valid, 7)
    small, asking = subset.judges(found, 40)
    large, _ = subset.judges(found, 80)
    taught = {one.id for one in found.train[:40]}
    assert asking and small and all(one.rephrase_of in taught for one in small)
    assert large[: len(small)] == small
    assert subset.order(train[::-1], valid, 7).train == found.train


def test_where_validation_asks_about_held_out_stories_taught_rows_judge() -> None:
    found = subset.order([row(f"t{n}") for n in range(50)], [row(f"v{n}") for n in range(50)], 7)
    judges, asking = subset.judges(found, 30)
    assert not asking and judges == list(found.train[:30])


# -- the rule ----------------------------------------------------------------------------------


@pytest.mark.parametrize("best", [1.1e-4, 2e-4, 2.7e-4, 3.9e-4])
def test_the_lowest_point_lies_between_the_rates_that_were_tried(best: float) -> None:
    found = rule.best_of([bowl(rate, best) for rate in (5e-5, 1e-4, 2e-4, 4e-4, 8e-4)])
    assert found is not None and found.rate == pytest.approx(best, rel=0.01)


def test_beside_a_rate_that_diverged_the_best_try_stands() -> None:
    found = rule.best_of([tried(1e-4, 2.0), tried(2e-4, 1.0), tried(4e-4, math.inf)])
    assert found is not None and found.rate == 2e-4
    assert rule.best_of([tried(1e-4, math.inf)]) is None


def test_a_drift_downwards_is_carried_on_half_way_and_one_upwards_is_not_believed() -> None:
    down = [rule.Best(100, 4e-4, 4e-4), rule.Best(200, 4e-4 * 2**-0.4, 4e-4)]
    assert rule.drift(down) == pytest.approx(-0.2)
    assert rule.choose(down, 3200) == pytest.approx(down[-1].rate * 16**-0.2, rel=0.05)
    steep = [rule.Best(100, 4e-4, 4e-4), rule.Best(200, 1e-4, 1e-4)]
    assert rule.drift(steep) == rule.STEEPEST
    assert rule.drift([steep[1], rule.Best(400, 8e-4, 8e-4)]) == 0.0


def test_the_next_round_takes_the_best_and_both_neighbours_beyond_the_grid_if_need_be() -> None:
    rates = [1e-4, 2e-4, 4e-4, 8e-4]
    assert rule.neighbours(rates, 2e-4, 3, 2) == [1e-4, 2e-4, 4e-4]
    assert rule.neighbours(rates, 8e-4, 3, 2) == [4e-4, 8e-4, 1.6e-3]
    assert rule.neighbours(rates, 1e-4, 3, 2) == [5e-5, 1e-4, 2e-4]
