"""A newspaper's language: what its pages say, what their letters say, and whom to believe."""

from __future__ import annotations

import pytest

from exchange.text.detect import detect_language, language_code
from exchange.text.language import has_rules, load_language, texts_in

ENGLISH = "The ship left the port in the morning and the mayor of the town was on the quay. " * 3
GERMAN = "Das Schiff verließ am Morgen den Hafen, und der Bürgermeister stand auf dem Kai. " * 3
SWAHILI = "Meli iliondoka bandarini asubuhi na meya wa mji alikuwa gatini. " * 3
BULGARIAN = "Корабът напусна пристанището сутринта и кметът на града беше на кея. " * 3


@pytest.mark.parametrize(
    ("text", "tags", "language"),
    [
        (ENGLISH, [], "en"),
        (ENGLISH, ["en-US"], "en"),
        (GERMAN, ["de"], "de"),
        (GERMAN, [], "de"),
        (GERMAN, ["en"], "de"),  # the template's default
        (SWAHILI, ["en-US", "en-US"], "sw"),
        ("Το πλοίο έφυγε το πρωί από το λιμάνι.", ["en"], "el"),
        ("船は朝に港を出た。町長も岸壁にいた。", [], "ja"),
        ("船早上离开了港口，镇长也在码头上。", ["zh-Hans-CN"], "zh"),
        (BULGARIAN, ["bg"], "bg"),
        (BULGARIAN, ["en"], "bg"),
        ("", ["nb-NO"], "no"),
        ("12 345", [], ""),
        ("ok", [], ""),
    ],
)
def test_letters_overrule_tags_and_tags_overrule_guesses(
    text: str, tags: list[str], language: str
) -> None:
    assert detect_language([text], tags) == language


def test_most_pages_decide() -> None:
    assert detect_language([GERMAN, GERMAN, ENGLISH], ["de", "de", "en"]) == "de"


def test_tags_are_read_as_people_write_them() -> None:
    written = ["EN_us", "gr", "jp", "zh-Hant", "iw", "", "x", "1234", "english"]
    assert [language_code(tag) for tag in written] == [
        "en",
        "el",
        "ja",
        "zh",
        "he",
        "",
        "",
        "",
        "",
    ]


def test_a_language_without_lists_has_a_name_and_english_texts() -> None:
    assert load_language("ja").english_name == "Japanese" and not has_rules("ja")
    assert load_language("el").english_name == "Greek" and has_rules("el")
    assert "qaa" in load_language("qaa").english_name
    assert texts_in("ja") == texts_in("en")
