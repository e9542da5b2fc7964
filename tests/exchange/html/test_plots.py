"""Plots are well-formed pictures whose marks stand where their values are."""

from __future__ import annotations

import re
import time
from datetime import datetime
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from exchange.html.axes import downsample, format_tick, time_ticks, value_ticks
from exchange.html.plots import Band, Curve, bars, lines, ranked_bars

SVG = "{http://www.w3.org/2000/svg}"


def parsed(plot: str) -> ElementTree.Element:
    return ElementTree.fromstring(plot)


def texts(plot: str) -> list[str]:
    return [element.text or "" for element in parsed(plot).iter(f"{SVG}text")]


def path(plot: str, number: int = 0) -> list[tuple[float, float]]:
    line = list(parsed(plot).iter(f"{SVG}polyline"))[number]
    pairs = [point.split(",") for point in line.attrib["points"].split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_nothing_to_draw_draws_nothing() -> None:
    assert lines("Pages", [Curve("fetched", [])]) == ""
    assert bars("Years", ("stories",), {}) == bars("Years", ("stories",), {"2001": (0,)}) == ""
    assert ranked_bars("Reasons", {}) == ranked_bars("Reasons", {"none": 0}) == ""


def test_a_line_rises_as_its_values_do_and_zero_is_on_the_axis() -> None:
    spots = path(lines("Pages", [Curve("fetched", [(0, 0), (10, 50), (20, 100)])]))
    assert [x for x, _ in spots] == sorted(x for x, _ in spots)
    (_, first), (_, middle), (_, last) = spots
    assert first > middle > last and middle == pytest.approx((first + last) / 2, abs=0.2)


def test_one_point_is_a_dot_and_level_values_are_drawn() -> None:
    assert "<circle" in lines("Loss", [Curve("training", [(1, 2.5)])], zero=False)
    (_, first), (_, last) = path(lines("Loss", [Curve("t", [(1, 2.0), (9, 2.0)])], zero=False))
    assert first == last


def test_what_is_expected_is_dashed_and_its_band_is_named() -> None:
    now = time.time()
    drawn = lines(
        "Pages",
        [
            Curve("fetched", [(now - 7200, 0), (now, 100)]),
            Curve("expected", [(now, 100), (now + 7200, 200)], dashed=True),
        ],
        times=True,
        band=Band(now + 6000, now + 9000, "end, likely"),
    )
    assert "stroke-dasharray" in drawn and {"fetched", "expected", "end, likely"} <= set(
        texts(drawn)
    )
    (band,) = [one for one in parsed(drawn).iter(f"{SVG}rect") if one.attrib.get("class") == "band"]
    end = path(drawn, 1)[-1][0]
    left = float(band.attrib["x"])
    assert left < end < left + float(band.attrib["width"])


def test_many_points_become_as_many_as_can_be_seen() -> None:
    many = [(float(step), float(step % 7)) for step in range(100_000)]
    few = downsample(many, 300)
    assert len(few) == 300 and few[0] == many[0] and few[-1] == many[-1]
    assert all(value == pytest.approx(3, abs=0.2) for _, value in few[1:-1])


def test_ticks_are_round_and_inside() -> None:
    assert value_ticks(-0.12, 0.41, 5) == [0.0, 0.2, 0.4]
    assert value_ticks(1.0, 1.0, 5) == [1.0]
    assert all(-3 <= tick <= 17 for tick in value_ticks(-3, 17, 5))


def test_axes_have_round_numbers() -> None:
    assert value_ticks(0, 100) == [0, 50, 100]
    assert value_ticks(0, 730) == [0, 200, 400, 600]
    assert [format_tick(v) for v in (0, 0.25, 950, 12_500, 2_500_000)] == [
        "0",
        "0.25",
        "950",
        "12.5k",
        "2.5M",
    ]


@pytest.mark.parametrize(
    ("span", "like"),
    [(1800, r"\d\d:\d\d"), (40 * 86400, r"\d+ \w{3}"), (4000 * 86400, r"\w{3} \d{4}")],
)
def test_times_are_named_as_their_span_needs_it(span: float, like: str) -> None:
    found = time_ticks(1_700_000_000, 1_700_000_000 + span)
    assert 2 <= len(found) <= 7
    assert all(re.fullmatch(like, name) for _, name in found), found


@pytest.mark.parametrize("begin", ["2026-03-29", "2026-10-25"])
def test_no_time_is_named_twice_on_a_day_of_23_or_25_hours(athens: ZoneInfo, begin: str) -> None:
    start = datetime.fromisoformat(f"{begin}T01:00").replace(tzinfo=athens).timestamp()
    found = time_ticks(start, start + 5 * 3600)
    assert len({at for at, _ in found}) == len({name for _, name in found}) == len(found) >= 4


def test_bars_stand_on_each_other_and_say_their_numbers() -> None:
    drawn = bars("Stories", ("read", "held"), {"2001": (3, 1), "2002": (4, 0)})
    assert "2001: read 3, held 1" in drawn and {"2001", "2002"} <= set(texts(drawn))
    tall = [
        float(one.attrib["height"])
        for one in parsed(drawn).iter(f"{SVG}rect")
        if one.attrib.get("rx") is None
    ]
    assert tall[0] == pytest.approx(3 * tall[1], abs=0.3) and tall[3] == 0


def test_names_of_others_stay_text() -> None:
    evil = '"><script>x</script>'
    for drawn in (
        bars(evil, (evil,), {evil: (1,)}),
        ranked_bars(evil, {evil: 1}),
        lines(evil, [Curve(evil, [(0, 1)])]),
    ):
        assert "<script>" not in drawn
        parsed(drawn)
