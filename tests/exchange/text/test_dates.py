from __future__ import annotations

import pytest

from exchange.text import dates

MONTHS = (
    """
Γενάρη Ιανουαρίου|Φλεβάρη Φεβρουαρίου|Μάρτη Μαρτίου|Απρίλη Απριλίου|Μάη Μαΐου|Ιούνη Ιουνίου
Ιούλη Ιουλίου|Αύγουστο Αυγούστου|Σεπτέμβρη Σεπτεμβρίου|Οχτώβρη Οκτωβρίου|Νοέμβρη Νοεμβρίου
Δεκέμβρη Δεκεμβρίου""".strip()
    .replace("\n", "|")
    .split("|")
)


@pytest.mark.parametrize("number", range(1, 13))
def test_demotic_and_formal_months_are_read(number: int) -> None:
    for month in MONTHS[number - 1].split():
        for form in (month, month.upper()):
            assert dates.parse_date(f"Τετάρτη 2 {form} 2008 - ΣΕΛ. 2") == f"2008-{number:02}-02"


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("1/2/1999", "1999-02-01"),
        ("01.02.1999", "1999-02-01"),
        ("1999-02-01T10:00", "1999-02-01"),
        ("Σάββατο 8 Απρίλη - Κυριακή 9 Απρίλη 2017", "2017-04-08"),
        ("Σάββατο 31 Δεκέμβρη - Κυριακή 1 Γενάρη 2006", "2005-12-31"),
        ("Τις 5 Μάη ήρθε, στις 6 Ιούνη 1998 έφυγε", "1998-06-06"),
        ("3η του Μάη του 1998", "1998-05-03"),
        ("31/2/1999", ""),
        ("12 πουλιά 1999", ""),
        ("", ""),
        ("1/1/9999", ""),
    ],
)
def test_a_date_is_found_or_nothing(text: str, iso: str) -> None:
    assert dates.parse_date(text) == iso


def test_a_profile_may_add_months() -> None:
    assert dates.parse_date("5 Θεριστή 1950", {"Θεριστή": 6}) == "1950-06-05"


def test_dates_are_written_as_readers_write_them() -> None:
    assert dates.format_date("2008-01-02") == "2/1/2008"
