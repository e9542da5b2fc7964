"""Intervals that hold what they promise, seen on simulated stories."""

from __future__ import annotations

import math
import random
import statistics as plain

import pytest
from scipy import stats

from trainer.statistics import (
    ClusteredEstimate,
    bootstrap_interval,
    calibration_error,
    clustered_mean,
    clustered_ratio,
    design_effect,
    difference,
    effective_freedom,
    equal_size_bins,
    equal_width_bin,
    error_if_calibrated,
    holm_adjust,
    mcnemar_p,
    paired_difference,
    questions_needed,
    sum_by_cluster,
    t_quantile,
    t_two_sided_p,
    wilson_interval,
    with_least_error,
)

DRAWS = 400


def stories(rng: random.Random, count: int, mean: float) -> tuple[list[float], list[str]]:
    """Stories of two to six questions that share most of their luck."""
    values, clusters = [], []
    for number in range(count):
        luck = rng.gauss(mean, 1)
        for _ in range(rng.randint(2, 6)):
            values.append(luck + rng.gauss(0, 0.5))
            clusters.append(str(number))
    return values, clusters


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.7062047), (2, 4.3026527), (10, 2.2281389), (63, 1.9983405), (1e6, 1.9599664)],
)
def test_students_t_is_that_of_the_tables(freedom: float, expected: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(expected, rel=1e-4)


def test_one_value_a_cluster_gives_the_textbook_standard_error() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 3.0]
    found = clustered_mean(values, [str(n) for n in range(6)])
    assert found.mean == pytest.approx(1.0)
    assert found.error == pytest.approx(plain.stdev(values) / math.sqrt(6))
    assert found.freedom == 5


def test_a_question_asked_twice_teaches_nothing_new() -> None:
    values, clusters = [0.0, 1.0, 1.0, 0.0, 1.0], list("abcde")
    once, twice = clustered_mean(values, clusters), clustered_mean(values * 2, clusters * 2)
    assert twice.error == pytest.approx(once.error) and twice.mean == pytest.approx(once.mean)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = random.Random(3)
    hits = naive = 0
    for _ in range(DRAWS):
        values, clusters = stories(rng, 30, 0.3)
        found = clustered_mean(values, clusters)
        hits += found.low <= 0.3 <= found.high
        alone = 1.96 * plain.stdev(values) / math.sqrt(len(values))
        naive += abs(plain.fmean(values) - 0.3) <= alone
    assert 0.92 <= hits / DRAWS <= 0.98
    assert naive / DRAWS < 0.85  # what the clusters are for


UNEQUAL = {
    "one story has half of the questions": [60, *[4] * 15],
    "sizes fall by a tenth": [max(1, round(40 * 0.9**n)) for n in range(30)],
    "twelve of one to twenty": [1, 2, 3, 5, 7, 9, 11, 13, 15, 17, 19, 20],
}


@pytest.mark.parametrize("sizes", UNEQUAL.values(), ids=UNEQUAL)
def test_unequal_stories_claim_no_more_than_equal_ones(sizes: list[int]) -> None:
    rng = random.Random(8)
    claims = old = 0
    for _ in range(DRAWS * 2):
        values, clusters = [], []
        for number, size in enumerate(sizes):
            luck = rng.gauss(0, 0.6)
            values += [luck + rng.gauss(0, 1) for _ in range(size)]
            clusters += [str(number)] * size
        found = clustered_mean(values, clusters)
        claims += not found.low <= 0 <= found.high
        half = t_quantile(0.975, len(sizes) - 1) * found.error
        old += abs(found.mean) > half
    assert 0.02 <= claims / (DRAWS * 2) <= 0.075
    assert claims < old


def test_a_story_counts_by_its_share_and_equal_ones_as_in_textbooks() -> None:
    assert effective_freedom([3.0] * 12) == pytest.approx(11)
    assert effective_freedom([50.0, *[1.0] * 50]) < 5  # half of it is one story
    assert effective_freedom([1.0, 0.0]) == pytest.approx(1)
    assert clustered_mean([1.0, 0.0], ["a", "b"]).freedom == pytest.approx(1)
    wide = paired_difference([1.0] * 60, [0.0] * 59 + [0.9], [str(n // 2) for n in range(60)])
    assert wide is not None and (wide.clusters, wide.worth) == (30, 30)
    names = ["0"] * 60 + [str(n) for n in range(1, 61)]
    uneven = paired_difference([0.0, 1.0] * 60, [0.5] * 120, names)
    assert uneven is not None and uneven.clusters == 61 and uneven.worth < 6
    assert f"they count as {uneven.worth}" in uneven.warning


def test_differences_by_rounding_alone_are_no_spread() -> None:
    found = paired_difference([0.1] * 12, [0.0] * 12, ["0"] * 3 + ["1"] * 2 + ["2"] * 7)
    assert found is not None and found.gain.p == 0.25
    found = paired_difference([0.4, 0.5, 0.7, 0.9], [0.1, 0.2, 0.4, 0.6], list("abcd"))
    assert found is not None and found.gain.p == 0.125


def test_the_difference_of_two_gains_is_covered_too() -> None:
    rng = random.Random(4)
    hits = 0
    for _ in range(DRAWS // 2):
        one = clustered_mean(*stories(rng, 40, 0.5))
        other = clustered_mean(*stories(rng, 15, 0.1))
        found = difference(one, other)
        hits += found.low <= 0.4 <= found.high
        assert 14 <= found.freedom <= 53
    assert 0.91 <= hits / (DRAWS // 2) <= 0.985


def test_no_spread_is_no_interval_and_one_story_is_no_sample() -> None:
    found = clustered_mean([1.0, 1.0, 1.0], ["a", "b", "b"])
    assert (found.low, found.high) == (1.0, 1.0)
    assert difference(found, found) == ClusteredEstimate(
        0.0, 0.0, pytest.approx(2 * found.freedom), 3
    )
    with pytest.raises(ValueError, match="1 clusters"):
        clustered_mean([0.0, 1.0], ["a", "a"])


def test_a_ratio_of_lengths_weighs_long_references_more() -> None:
    sums = sum_by_cluster([10.0, 30.0, 5.0], ["a", "b", "b"], weights=[10.0, 10.0, 20.0])
    assert clustered_ratio(sums).mean == pytest.approx(45 / 40)
    alike = sum_by_cluster([2.0, 4.0, 6.0], ["a", "b", "c"], weights=[1.0, 2.0, 3.0])
    assert (clustered_ratio(alike).low, clustered_ratio(alike).high) == (
        2.0,
        2.0,
    )  # every answer twice as long


def test_a_p_value_is_where_the_interval_touches_zero() -> None:
    edge = ClusteredEstimate(t_quantile(0.975, 12), 1.0, 12, 13)
    assert edge.p == pytest.approx(0.05) and edge.low == pytest.approx(0.0)
    assert t_two_sided_p(2.2281389, 10) == pytest.approx(0.05, rel=1e-5)
    assert clustered_mean([0.0] * 4, list("abcd")).p == 1.0
    assert clustered_mean([1.0] * 4, list("abcd")).p == 2 * 0.5**4  # four stories, all won


def test_the_bootstrap_agrees_with_students_t_and_plain_percentiles_are_narrower() -> None:
    values, clusters = stories(random.Random(5), 60, 0.3)
    sums = sum_by_cluster(values, clusters)
    rows = list(zip(sums.tops, sums.bottoms, strict=True))
    t = clustered_ratio(sums)
    found = bootstrap_interval(rows, lambda totals: totals[:, 0] / totals[:, 1])
    plain_one = bootstrap_interval(rows, lambda totals: totals[:, 0] / totals[:, 1], expanded=False)
    assert found.value == pytest.approx(t.mean)
    assert found.low == pytest.approx(t.low, abs=0.06 * (t.high - t.low))
    assert found.high == pytest.approx(t.high, abs=0.06 * (t.high - t.low))
    assert found.low < plain_one.low < plain_one.high < found.high
    assert found == bootstrap_interval(
        rows, lambda totals: totals[:, 0] / totals[:, 1]
    )  # no luck in it


def test_the_bootstrap_takes_figures_that_are_no_mean() -> None:
    rows = [(float(n % 3), float(n % 2), 1.0) for n in range(80)]
    found = bootstrap_interval(
        rows, lambda t: 2 * t[:, 0] * t[:, 1] / (t[:, 0] + t[:, 1]) / t[:, 2]
    )
    assert 0 < found.low < found.value < found.high < 1


def test_mcnemar_is_the_coin_of_the_flips() -> None:
    assert mcnemar_p(0, 0) == 1.0 and mcnemar_p(5, 5) == 1.0
    assert mcnemar_p(1, 9) == mcnemar_p(9, 1) == pytest.approx(22 / 1024)
    assert mcnemar_p(500, 700) < 1e-7
    assert mcnemar_p(26_000, 24_500) == pytest.approx(2.5417e-11, rel=1e-4)  # and it ends


@pytest.mark.parametrize(("won", "lost"), [(0, 7), (12, 30), (499, 500), (2100, 1900)])
def test_mcnemar_and_wilson_are_those_of_scipys_own_tests(won: int, lost: int) -> None:
    found = stats.binomtest(won, won + lost, 0.5)
    assert mcnemar_p(won, lost) == pytest.approx(found.pvalue, rel=1e-9)
    interval = found.proportion_ci(0.95, method="wilson")
    assert wilson_interval(won, won + lost) == pytest.approx((interval.low, interval.high))


def test_wilson_stays_between_zero_and_one_and_widens_where_questions_repeat() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    low, high = wilson_interval(0, 10)
    assert low == pytest.approx(0.0) and high == pytest.approx(0.2775, abs=1e-4)
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    one, other = wilson_interval(80, 100), wilson_interval(80, 100, effect=4.0)
    assert other[0] < one[0] and other[1] > one[1]


def test_holm_multiplies_the_smallest_most_and_never_reorders() -> None:
    assert holm_adjust([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm_adjust([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm_adjust([]) == []


def test_questions_that_repeat_each_other_are_worth_less() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 0.0]
    assert design_effect(values * 5, list("abcdef") * 5) == pytest.approx(5.8, abs=0.01)
    assert design_effect(values, list("abcdef")) == 1.0
    assert design_effect([1.0, 1.0], ["a", "b"]) == 1.0


def test_half_the_difference_needs_four_times_the_questions() -> None:
    seen = clustered_mean(*stories(random.Random(6), 100, 0.3))
    one, other = (questions_needed(seen, 400, matters) for matters in (0.4, 0.2))
    assert other == pytest.approx(4 * one, rel=0.05)
    assert questions_needed(seen, 400, 0.4, alpha=0.01) > one


def test_a_comparison_counts_wins_ties_and_losses_and_warns_under_fifty_stories() -> None:
    found = paired_difference([1, 1, 0, 1], [0, 1, 1, 1], ["a", "a", "b", "c"])
    assert found is not None
    assert (found.wins, found.ties, found.losses) == (1, 2, 1)
    assert (found.one, found.other, found.gain.mean) == (0.75, 0.75, 0.0)
    assert found.clusters == 3 and "only 3 stories" in found.warning and found.flips_p == 1.0
    assert paired_difference([1, 0], [0, 0], ["a", "a"]) is None
    many = paired_difference([1.0] * 50, [0.5] * 50, [str(n) for n in range(50)])
    assert many is not None and not many.warning


def test_that_nobody_of_few_differs_is_no_certainty() -> None:
    few = with_least_error(clustered_mean([0.0] * 20, [str(n) for n in range(20)]))
    many = with_least_error(clustered_mean([0.0] * 400, [str(n) for n in range(400)]))
    assert few.high == pytest.approx(wilson_interval(0, 20)[1]) and few.low == -few.high
    assert many.high < 0.01 < 0.15 < few.high
    seen = clustered_mean([0.0, 1.0, 1.0], ["a", "b", "c"])
    assert with_least_error(seen) == seen


def test_equal_confidences_are_in_one_bin_whatever_their_order() -> None:
    sure = [0.7] * 40 + [0.7 + 1e-12] * 20 + [0.9] * 40
    bins = equal_size_bins(sure, 10)
    assert len(set(bins[:60])) == 1 and len(set(bins[60:])) == 1 and bins[0] != bins[60]
    right = [float(n % 10 < 7) for n in range(60)] + [float(n % 10 < 9) for n in range(40)]
    assert calibration_error(sure, right, bins) == pytest.approx(0.0, abs=1e-9)
    assert len(set(equal_size_bins([n / 100 for n in range(100)], 10))) == 10
    assert equal_width_bin(0.7, 10) == equal_width_bin(0.7 - 1e-13, 10) == 7
    assert equal_width_bin(1.0, 10) == 9


def test_perfect_calibration_has_an_error_of_its_own_that_more_answers_shrink() -> None:
    """A system that is right as often as it says is found at that error, and no other is."""
    rng = random.Random(5)
    for count in (50, 800):
        sure = [rng.uniform(0.3, 1.0) for _ in range(count)]
        bins = equal_size_bins(sure, 10)
        honest = [
            calibration_error(sure, [float(rng.random() < one) for one in sure], bins)
            for _ in range(200)
        ]
        expected = error_if_calibrated(sure, bins)
        assert expected == pytest.approx(plain.mean(honest), rel=0.1)
    boastful = [float(rng.random() < one - 0.25) for one in sure]
    assert calibration_error(sure, boastful, bins) > 3 * expected
    assert error_if_calibrated([0.8] * 800, [0] * 800) < error_if_calibrated([0.8] * 50, [0] * 50)
