"""Grid, rounds, parts and the rule, without a model."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from exchange.errors import UsageError
from trainer.dataset.rows import DatasetRow
from trainer.training.sweep import search_space, trials
from trainer.training.sweep.trials import Trial


def tried(rate: float, loss: float, steps: int = 100, number: int = 0) -> Trial:
    losses = (loss,) if math.isfinite(loss) else ()
    return Trial(number, rate, steps * 8, steps, not losses, losses, 1.0, 1.0)


def bowl(rate: float, best: float, steps: int = 100) -> Trial:
    return tried(rate, math.exp(math.log(rate / best) ** 2), steps)


# -- the grid ----------------------------------------------------------------------------------


def test_rates_stand_at_equal_ratios_with_two_digits() -> None:
    rates = search_space.geometric_grid(*search_space.default_range(2e-4), 6)
    assert rates[0] == 2.5e-5 and rates[-1] == 8e-4
    assert all(later / earlier == pytest.approx(2, rel=0.05) for earlier, later in pairwise(rates))


@pytest.mark.parametrize(
    ("low", "high", "count"),
    [(1e-3, 1e-4, 6), (0, 1e-3, 6), (1e-4, 2, 6), (1e-4, 1e-3, 2), (1e-4, 1.1e-4, 30)],
)
def test_a_range_that_is_none_is_refused(low: float, high: float, count: int) -> None:
    with pytest.raises(UsageError):
        search_space.geometric_grid(low, high, count)


# -- the rounds --------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1_500, 20_000, 150_000])
def test_the_rounds_stay_below_their_share_and_grow(rows: int) -> None:
    plan = search_space.plan_rounds(rows, 8, 3, 6, 0.10)
    assert plan is not None and plan.share <= 0.10 * (1 - search_space.RESERVE)
    assert all(later.rows >= 1.9 * earlier.rows for earlier, later in pairwise(plan.rounds))
    assert plan.rounds[0].tries == 6 and plan.rounds[0].steps >= search_space.FEWEST_STEPS


def test_a_set_too_small_for_a_part_of_it_has_no_plan() -> None:
    assert search_space.plan_rounds(300, 8, 3, 6, 0.10) is None
    assert search_space.plan_rounds(300, 8, 3, 6, 1.0) is not None


# -- the parts ---------------------------------------------------------------------------------


def row(name: str, source: str = "") -> DatasetRow:
    return DatasetRow(name, f"{name};", "Ναι.", "fact", name, name, rephrase_of=source)


def test_a_part_teaches_what_it_is_judged_by_and_is_the_beginning_of_the_next() -> None:
    train = [row(f"t{number}") for number in range(200)]
    valid = [row(f"v{number}", f"t{number * 3}") for number in range(60)]
    found = search_space.order_rows(train, valid, 7)
    small, asking = search_space.judging_rows(found, 40)
    large, _ = search_space.judging_rows(found, 80)
    taught = {one.id for one in found.train[:40]}
    assert asking and small and all(one.rephrase_of in taught for one in small)
    assert large[: len(small)] == small
    assert search_space.order_rows(train[::-1], valid, 7).train == found.train


def test_where_validation_asks_about_held_out_stories_taught_rows_judge() -> None:
    found = search_space.order_rows(
        [row(f"t{n}") for n in range(50)], [row(f"v{n}") for n in range(50)], 7
    )
    judges, asking = search_space.judging_rows(found, 30)
    assert not asking and judges == list(found.train[:30])


# -- the rule ----------------------------------------------------------------------------------


@pytest.mark.parametrize("best", [1.1e-4, 2e-4, 2.7e-4, 3.9e-4])
def test_the_lowest_point_lies_between_the_rates_that_were_tried(best: float) -> None:
    found = trials.best_of([bowl(rate, best) for rate in (5e-5, 1e-4, 2e-4, 4e-4, 8e-4)])
    assert found is not None and found.rate == pytest.approx(best, rel=0.01)


def test_beside_a_rate_that_diverged_the_best_try_stands() -> None:
    found = trials.best_of([tried(1e-4, 2.0), tried(2e-4, 1.0), tried(4e-4, math.inf)])
    assert found is not None and found.rate == 2e-4
    assert trials.best_of([tried(1e-4, math.inf)]) is None


def test_a_drift_downwards_is_carried_on_half_way_and_one_upwards_is_not_believed() -> None:
    down = [trials.RoundBest(100, 4e-4, 4e-4), trials.RoundBest(200, 4e-4 * 2**-0.4, 4e-4)]
    assert trials.drift(down) == pytest.approx(-0.2)
    assert trials.choose_rate(down, 3200) == pytest.approx(down[-1].rate * 16**-0.2, rel=0.05)
    steep = [trials.RoundBest(100, 4e-4, 4e-4), trials.RoundBest(200, 1e-4, 1e-4)]
    assert trials.drift(steep) == trials.STEEPEST
    assert trials.drift([steep[1], trials.RoundBest(400, 8e-4, 8e-4)]) == 0.0


def test_the_next_round_takes_the_best_and_both_neighbours_beyond_the_grid_if_need_be() -> None:
    rates = [1e-4, 2e-4, 4e-4, 8e-4]
    assert trials.neighbouring_rates(rates, 2e-4, 3, 2) == [1e-4, 2e-4, 4e-4]
    assert trials.neighbouring_rates(rates, 8e-4, 3, 2) == [4e-4, 8e-4, 1.6e-3]
    assert trials.neighbouring_rates(rates, 1e-4, 3, 2) == [5e-5, 1e-4, 2e-4]
