from __future__ import annotations

import subprocess
import sys

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
    assert dates.format_date("2008-01-02", "qq") == "2/1/2008"


@pytest.mark.parametrize(
    ("language", "long"),
    [
        ("el", "2 Ιανουαρίου 2008"),
        ("en", "January 2, 2008"),
        ("en-GB", "2 January 2008"),
        ("de", "2. Januar 2008"),
        ("ja", "2008年1月2日"),
    ],
)
def test_the_long_form_is_the_languages_own(language: str, long: str) -> None:
    assert dates.format_date("2008-01-02", language) == long
    assert dates.parse_date(long, language=language) == "2008-01-02"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "May 3, 2004"),
        ("en", "Published: Monday, 3rd of May 2004 at 10.15"),
        ("en", "5/3/04"),
        ("en-GB", "3/5/04"),
        ("el", "3/5/04"),
        ("el", "3 του Μάη 2004"),
        ("el", "3 Μαΐου 2004"),
        ("el", "Δευ, 03 Μαϊ 2004"),
        ("el", "ΔΕΥΤΕΡΑ 3 ΜΑΪΟΥ 2004"),
        ("de", "Montag, 3. Mai 2004, 10:15 Uhr"),
        ("fr", "Publié le 3 mai 2004 à 10h15"),
        ("fr", "le 03.05.2004"),
        ("es", "3 de mayo de 2004"),
        ("pt", "3 de maio de 2004"),
        ("ru", "3 мая 2004 г."),
        ("hu", "2004. május 3."),
        ("lt", "2004 m. gegužės 3 d."),
        ("ja", "2004年5月3日 10時15分"),
        ("zh", "2004年05月03日"),
        ("ko", "2004년 5월 3일"),
        ("ko", "2004. 5. 3."),
        ("th", "3 พฤษภาคม 2547"),
        ("hi", "3 मई 2004"),
        ("vi", "3 tháng 5, 2004"),
        ("tr", "3 Mayıs 2004"),
        ("el", "Mon, 03 May 2004 10:15:00 +0300"),
        ("el", "Monday, 03-May-04 10:15:00 GMT"),
        ("el", "Mon May  3 10:15:00 EEST 2004"),
        ("el", "1083579300000"),
        ("el", "1083579300"),
        ("el", "20040503"),
        ("el", "20040503T101500Z"),
        ("el", "20040503101500"),
        ("el", "2004-05-03T10:15:00.000+03:00"),
        ("qq", "2004-05-03"),
        ("qq", "3/5/2004"),
    ],
)
def test_the_date_of_a_field_is_read_in_its_language(language: str, text: str) -> None:
    assert dates.parse_date(text, language=language) == "2004-05-03"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "yesterday"),
        ("en", "12 monkeys 1999"),
        ("el", "12 πουλιά 1999"),
        ("de", "vor 3 Tagen"),
    ],
)
def test_what_names_no_day_is_no_date(language: str, text: str) -> None:
    assert dates.parse_date(text, language=language) == ""


def test_links_and_pairs_are_asked_without_a_library() -> None:
    script = (
        "import sys; from exchange.text import dates; dates.parse_date('3/5/2004');"
        "dates.find_dates('3 Μάη 2004'); dates.parse_date('ποτέ 12');"
        "print([m for m in ('babel', 'dateparser') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
