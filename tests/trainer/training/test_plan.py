"""From measured steps to a run, and from a footprint to a way that fits: without a model."""

from __future__ import annotations

import pytest

from exchange.errors import UserError
from trainer.training.plan import (
    ComputeMode,
    RunForecast,
    TimeSpent,
    WeightedPick,
    extrapolate,
    pick_strata,
)
from trainer.training.preflight.memory_fallback import RowFootprint, choose_mode

GB = 1e9


def test_the_picked_steps_stand_for_all_and_the_dearest_is_among_them() -> None:
    costs = [7.0 * (number % 50) for number in range(500)]
    picked = pick_strata(costs, 20)
    assert len(picked) == 20 and sum(one.weight for one in picked) == 500
    assert costs[picked[-1].index] == max(costs) and picked[-1].weight == 1


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_a_cost_of_any_form_is_met(power: float) -> None:
    lengths = [16 + 8 * (number * number % 61) for number in range(400)]
    took = [TimeSpent(length**power, 2 * length**power) for length in lengths]
    picked = pick_strata(lengths, 18)
    whole = extrapolate(picked, [took[one.index] for one in picked])
    assert whole.seconds == pytest.approx(sum(one.seconds for one in took), rel=0.03)
    assert whole.cpu_s == pytest.approx(2 * whole.seconds)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_steps_are_all_measured(count: int) -> None:
    assert sorted(one.index for one in pick_strata([1.0] * count, 20)) == list(range(count))
    assert pick_strata([5.0], 20) == [WeightedPick(0, 1)]


def test_a_footprint_is_a_line_through_one_row_and_two() -> None:
    footprint = RowFootprint.of(3_000, 3_500)
    assert (footprint.peak(1), footprint.peak(8)) == (3_000, 6_500)
    assert footprint.fits(6_499) == 7 and footprint.fits(2_999) == 0


def test_energy_is_watts_times_time() -> None:
    hour = RunForecast(65, ahead=TimeSpent(3600), before=TimeSpent(5))
    assert hour.kwh == pytest.approx(0.065) and hour.total.seconds == 3605


PLAIN, TWICE = RowFootprint(5 * GB, 1 * GB), RowFootprint(5 * GB, 0.3 * GB)


def measure(checkpoint: bool) -> RowFootprint:
    return TWICE if checkpoint else PLAIN


def test_what_fits_is_left_as_it_is() -> None:
    choice = choose_mode(measure, 8, 13 * GB, checkpoint=False)
    assert choice.mode == ComputeMode() and not choice.reasons


def test_first_activations_are_computed_twice() -> None:
    choice = choose_mode(measure, 8, 8 * GB, checkpoint=False)
    assert choice.mode == ComputeMode(checkpoint=True)
    assert "13 GB are needed" in choice.reasons[0] and "8 GB may be used" in choice.reasons[0]


def test_then_a_batch_is_computed_in_parts() -> None:
    choice = choose_mode(measure, 8, 6 * GB, checkpoint=False)
    assert choice.mode == ComputeMode(checkpoint=True, parts=3)
    assert choice.bytes <= 6 * GB and "in 3 parts of 3 rows" in choice.reasons[1]


def test_then_a_4_bit_copy_is_tuned() -> None:
    choice = choose_mode(measure, 8, 4 * GB, checkpoint=True, saved_by_4_bit=3 * GB)
    assert choice.mode.bits == 4 and choice.bytes <= 4 * GB
    assert "4-bit copy" in choice.reasons[0]


@pytest.mark.parametrize("saved", [0, 3 * GB])
def test_what_fits_in_no_way_is_refused_in_one_line(saved: float) -> None:
    with pytest.raises(UserError, match="it would swap, so it is not started"):
        choose_mode(measure, 8, 2 * GB, checkpoint=False, saved_by_4_bit=saved)
