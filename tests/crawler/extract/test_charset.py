from __future__ import annotations

import pytest

from crawler.extract.charset import as_utf8, clean, decode
from exchange.text.charset_labels import codec_of

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


CAFE = "<p>The café of Zoë, naïve as ever, serves crème brûlée and good tea all day.</p>"


@pytest.mark.parametrize("language", ["en", "fr", "", "de"])
@pytest.mark.parametrize("announced", ["iso-8859-1", "ISO_8859-1", "windows-1252", "latin1"])
def test_a_latin_page_that_says_so_is_not_read_as_greek(language: str, announced: str) -> None:
    assert decode(CAFE.encode("cp1252"), announced, language=language) == CAFE
    in_meta = f'<meta charset="{announced}">{CAFE}'
    assert decode(in_meta.encode("cp1252"), language=language) == in_meta


def test_a_latin_page_that_says_nothing_is_not_read_as_greek() -> None:
    assert decode(CAFE.encode("cp1252"), language="en") == CAFE
    assert decode(CAFE.encode("cp1252")) == CAFE


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("gb2312", "gb18030", "<p>朱镕基总理在镕城讲话。</p>"),  # 镕 is not in gb2312 itself
        ("x-sjis", "cp932", "<p>①東京の高橋さん－はしご高は髙と書く。</p>"),
        ("EUC-KR", "cp949", "<p>똠방각하 펲시콜라</p>"),
        ("iso-8859-1", "cp1252", "<p>“quoted” – and a dash…</p>"),
        ("windows-1251", "cp1251", "<p>Вчера в городе прошёл дождь.</p>"),
        ("koi8-r", "koi8-r", "<p>Вчера в городе прошёл дождь.</p>"),
        ("iso-8859-9", "cp1254", "<p>“İstanbul’da yağmur yağdı”</p>"),
        ("tis-620", "cp874", "<p>กรุงเทพ “ฝนตก”</p>"),
        ("big5", "big5hkscs", "<p>香港嘅天氣</p>"),
        ("iso-2022-jp", "iso2022_jp", "<p>東京の天気</p>"),
        ("utf-16le", "utf-16-le", "<p>Καλημέρα σε όλους</p>" * 3),
    ],
)
def test_labels_mean_what_they_mean_to_browsers(label: str, codec: str, text: str) -> None:
    assert decode(text.encode(codec), label, language="xx") == text
    assert as_utf8(text.encode(codec), label, language="xx") == text.encode()


@pytest.mark.parametrize(
    "label",
    ["idna", "punycode", "undefined", "unicode_escape", "rot13", "hex", "a\0b", "no-such", "é"],
)
def test_what_is_no_charset_of_pages_is_no_announcement(label: str) -> None:
    assert decode(CAFE.encode("cp1252"), label, language="en") == CAFE
    assert codec_of(label) == ""


def test_an_announced_charset_that_does_not_decode_gives_way_to_the_next() -> None:
    text = '<meta charset="windows-1251"><p>Вчера в городе прошёл дождь, сегодня светит солнце.</p>'
    assert decode(text.encode("cp1251"), "euc-jp", language="ru") == text


def test_what_nothing_announces_is_guessed_by_its_language() -> None:
    text = "<p>Сегодня в городе светит солнце, а вчера весь день шёл сильный дождь.</p>" * 4
    for language in ("ru", ""):
        assert decode(text.encode("cp1251"), language=language) == text
    assert decode((TEXT * 2).encode("cp1253"), language="el") == TEXT * 2


def test_a_page_told_to_be_greek_is_greek_whatever_it_announces() -> None:
    assert decode(TEXT.encode("cp1253"), "windows-1251", "greek") == TEXT


def test_a_line_is_cleaned_as_people_read_it() -> None:
    assert clean(" Η\u00adλέ\u00a0ξη \n\u200b και;\u037e ") == "Ηλέ ξη και;;"
    assert clean("می\u200cخواهم क्\u200dष") == "می\u200cخواهم क्\u200dष"  # they join or part letters
    assert clean("1990\x961995 \x93ναι\x94") == "1990–1995 “ναι”"
    assert clean("Α\u0301ρης") == "Άρης"


def test_control_characters_never_pass() -> None:
    controls = [*range(9), *range(14, 32), 127, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
    text = "".join(f"α{chr(code)}β " for code in [*controls, 0xFFFE, 0xFFFF, 0xD800, 0xDFFF])
    assert set(clean(text)) == set("αβ ")
    assert clean("".join(map(chr, range(0x80, 0xA0)))).isprintable()


@pytest.mark.parametrize(
    "text", ["  δύο  λέξεις ", "δύο\u00a0λέξεις", "δύο\tλέξεις\n", "δυ\u0301ο λέξεις"]
)
def test_white_space_of_every_kind_becomes_single_blanks(text: str) -> None:
    assert clean(text) == "δύο λέξεις"


def test_a_page_in_utf8_is_handed_on_as_it_is() -> None:
    body = TEXT.encode()
    assert as_utf8(body) is body
    assert as_utf8(body + b"\xff") == (TEXT + "\ufffd").encode()
