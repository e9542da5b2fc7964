from __future__ import annotations

import pytest

from crawler.extract.charset import as_utf8, clean, decode

TEXT = "<p>Άλλη μέρα στην Άνω Πόλη. Η Άννα είπε: «Άρα φεύγω». Άγνωστο πότε.</p>"
QUOTED = TEXT + "<p>“Άσε” – είπε</p>"
LATIN = "<script>var a = 'plain ascii';</script>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (TEXT.encode("cp1253"), TEXT),
        (QUOTED.encode("cp1253"), QUOTED),
        ((LATIN + TEXT + LATIN).encode("cp1253"), LATIN + TEXT + LATIN),
        (TEXT.encode("iso-8859-7"), TEXT),
        ((LATIN + TEXT).encode("iso-8859-7"), LATIN + TEXT),
        (QUOTED.encode("utf-8"), QUOTED),
        (QUOTED.encode("utf-8-sig"), QUOTED),
        (QUOTED.encode("utf-16"), QUOTED),
    ],
)
@pytest.mark.parametrize("announced", ["", "utf-8", "iso-8859-1", "windows-1253"])
def test_greek_bytes_are_read_right_whatever_was_announced(
    body: bytes, text: str, announced: str
) -> None:
    assert decode(body, announced) == text
    assert as_utf8(body, announced) == text.encode()


def test_utf8_with_a_broken_byte_stays_utf8() -> None:
    body = (TEXT * 3).encode("utf-8") + b"\xff"
    assert decode(body).startswith(TEXT)


def test_pages_of_other_languages_believe_what_is_announced() -> None:
    assert decode("Café".encode("latin-1"), "latin-1", "cp1252") == "Café"
    body = b'<meta charset="iso-8859-2">' + "ł".encode("iso-8859-2")
    assert decode(body, "", "cp1252").endswith("ł")
    assert decode("é".encode("latin-1"), "no-such-codec", "latin-1") == "é"


def test_a_line_is_cleaned_as_people_read_it() -> None:
    assert clean(" Η\u00adλέ\u00a0ξη \n\u200b και;\u037e ") == "Ηλέ ξη και;;"
    assert clean("می\u200cخواهم क्\u200dष") == "می\u200cخواهم क्\u200dष"  # they join or part letters
    assert clean("1990\x961995 \x93ναι\x94") == "1990–1995 “ναι”"
    assert clean("Α\u0301ρης") == "Άρης"


@pytest.mark.parametrize(
    "text", ["  δύο  λέξεις ", "δύο\u00a0λέξεις", "δύο\tλέξεις\n", "δυ\u0301ο λέξεις"]
)
def test_white_space_of_every_kind_becomes_single_blanks(text: str) -> None:
    assert clean(text) == "δύο λέξεις"


def test_a_page_in_utf8_is_handed_on_as_it_is() -> None:
    body = TEXT.encode()
    assert as_utf8(body) is body
    assert as_utf8(body + b"\xff") == (TEXT + "\ufffd").encode()
