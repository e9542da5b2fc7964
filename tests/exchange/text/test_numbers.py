"""Numbers by their value: marks, words, multipliers, units, and dates that are no numbers."""

from __future__ import annotations

import pytest

from exchange.text.numbers import normalize_number
from exchange.text.tokens import TokenizedText


@pytest.mark.parametrize(
    ("token", "mark", "value"),
    [
        ("1.200", ",", "1200"),
        ("1.200", ".", "1.2"),
        ("1,200", ".", "1200"),
        ("1,200", ",", "1.2"),
        ("1.200", "", "1200"),
        ("11.25", ",", "11.25"),
        ("1.5", ",", "1.5"),
        ("16,70", ",", "16.7"),
        ("1,67", ",", "1.67"),
        ("1.234.567", ",", "1234567"),
        ("1.234,50", ",", "1234.5"),
        ("1,234.50", ".", "1234.5"),
        ("007", "", "7"),
        ("3.5.2012", ",", "3.5.2012"),
    ],
)
def test_a_mark_is_read_as_the_language_writes_it(token: str, mark: str, value: str) -> None:
    assert normalize_number(token, mark) == value


@pytest.mark.parametrize(
    ("text", "language", "numbers"),
    [
        ("Three ships, a dozen boats", "en", {"3", "12"}),
        ("two hundred and five thousand", "en", {"205000"}),
        ("twenty-nine goats and 44.6 billion", "en", {"29", "44600000000"}),
        ("a boat and one ship", "en", set()),
        ("five, six or two dozen", "en", {"5", "6", "24"}),
        ("δεκαπέντε ή τρία", "el", {"15", "3"}),
        ("δύο χιλιάδες τριακόσια άτομα", "el", {"2300"}),
        ("26 εκατομμύρια, όχι 26 χιλιάδες", "el", {"26000000", "26000"}),
        ("μιάμιση ώρα", "el", {"1.5"}),
        ("zwölf Millionen und 1.200 Euro", "de", {"12000000", "1200"}),
        ("10 000 euros", "fr", {"10000"}),
        ("10 000 άτομα", "el", {"10", "0"}),
    ],
)
def test_words_and_multipliers_are_numbers(text: str, language: str, numbers: set[str]) -> None:
    assert TokenizedText(text, language).numbers == numbers


@pytest.mark.parametrize(
    ("text", "language", "unit"),
    [
        ("3,8%", "el", "percent"),
        ("3,8 τοις εκατό", "el", "percent"),
        ("6.6 per cent", "en", "percent"),
        ("$44.6 billion", "en", "dollar"),
        ("5 € today", "en", "euro"),
        ("1.34 km", "en", "kilometre"),
        ("12 goats", "en", ""),
    ],
)
def test_a_number_keeps_its_unit(text: str, language: str, unit: str) -> None:
    (quantity,) = TokenizedText(text, language).quantities
    assert quantity.unit == unit


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("5 May 2014", "en"),
        ("May 5, 2014", "en"),
        ("the 5th of May 2014", "en"),
        ("2014-05-05", "en"),
        ("5 Μαΐου 2014", "el"),
        ("στις 5 του Μάη του 2014", "el"),
        ("5/5/2014", "el"),
        ("am 5. Mai 2014", "de"),
        ("le 5 mai 2014", "fr"),
    ],
)
def test_a_date_is_one_date_however_it_is_written(text: str, language: str) -> None:
    reading = TokenizedText(text, language)
    assert reading.dates == {"2014-05-05"}
    assert reading.numbers == {"2014"}


def test_a_date_may_be_told_in_part() -> None:
    assert TokenizedText("on Oct. 13", "en").calendar == {"--10-13"}
    assert "2024-03" in TokenizedText("in March 2024", "en").calendar
    assert TokenizedText("since 1997", "en").calendar == {"1997"}
    assert not TokenizedText("You may go, and march on", "en").months


def test_abbreviations_with_stops_are_one_word() -> None:
    assert [word.folded for word in TokenizedText("The U.S. left", "en").words] == [
        "the",
        "us",
        "left",
    ]
