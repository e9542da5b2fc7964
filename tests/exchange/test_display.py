"""How figures and foreign text are written."""

from __future__ import annotations

import pytest

from exchange.display import (
    LEVEL_VARIABLE,
    format_bytes,
    format_count,
    format_duration,
    format_moment,
    format_moments,
    format_range,
    progress_bar,
)

DAY = 86_400.0


def test_durations_have_the_unit_that_people_use() -> None:
    assert [format_duration(s) for s in (0, 3.14, 5, 9.96, 89, 245, 600, 7100, 7380, 400_000)] == [
        "0 s",
        "3.1 s",
        "5 s",
        "10 s",
        "89 s",
        "4 min",
        "10 min",
        "2.0 h",
        "2.0 h",
        "4.6 days",
    ]


def test_a_range_is_one_time_where_it_is_narrow_and_names_one_unit_once() -> None:
    assert [format_range(s) for s in (None, (60, 61), (7200, 14_400), (600, 7200))] == [
        "unknown",
        "61 s",
        "2.0 to 4.0 h",
        "10 min to 2.0 h",
    ]


def test_a_moment_is_as_exact_as_it_is_near() -> None:
    now = 1_700_000_000.0
    near, far, farther = (format_moment(now + s, now) for s in (60, 3 * DAY, 500 * DAY))
    assert (near[2], far[2], len(farther)) == (":", " ", 11)
    assert format_moments(now, now + 30, now).startswith("about ")
    first, _, last = format_moments(now + 60, now + 3 * DAY, now).partition(" to ")
    assert ":" not in first and len(first) == len(last) == 6


def test_sizes_have_three_digits_and_decimal_units() -> None:
    sizes = (0, 999, 999_600, 740e6, 12.34e9, 13e9, 2e12)
    assert [format_bytes(size) for size in sizes] == [
        "0 B",
        "999 B",
        "1 MB",
        "740 MB",
        "12.3 GB",
        "13 GB",
        "2 TB",
    ]


def test_rough_counts_are_short() -> None:
    assert [format_count(n) for n in (0, 0.54, 4321, 12_345, 12_345_678)] == [
        "0",
        "0.54",
        "4,321",
        "12k",
        "12M",
    ]


@pytest.mark.parametrize("quiet", [True, False])
def test_progress_is_shown_but_where_quiet_was_asked_for(
    quiet: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("exchange.display.PROGRESS_LINE_S", 0.0)
    if quiet:
        monkeypatch.setenv(LEVEL_VARIABLE, "error")
    with progress_bar("pairs") as show:
        show(1, 2)
    assert ("1 of 2 pairs" in capsys.readouterr().err) is not quiet
