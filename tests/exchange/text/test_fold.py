"""Folding: what is common is done the fast way, and means the same as letter by letter."""

from __future__ import annotations

import random
import sys
import unicodedata

import pytest

from exchange.text.fold import collapse_spaces, fold


def plain(text: str) -> str:
    """The same by the book: lower, decompose, drop the marks, compose."""
    letters = unicodedata.normalize("NFD", text.lower())
    bare = "".join(c for c in letters if unicodedata.category(c) != "Mn").replace("ς", "σ")
    return " ".join(unicodedata.normalize("NFC", bare).split())


@pytest.mark.parametrize(
    "text",
    [
        "Ο  ΆΝΘΡΩΠΟΣ και ο ΐδιος",
        "«Ναι» – 3.000 €…\n\tτέλος",
        "ἡ πόλις, ᾅδης, ὀξεῖα",
        unicodedata.normalize("NFD", "Πρωτομαγιά στην Καλαμάτα, μαΐου"),
        "École déjà vu, Łódź",
        "",
    ],
)
def test_words_are_bare_in_any_spelling(text: str) -> None:
    assert fold(text) == plain(text)


def test_any_mixture_of_letters_and_marks_is_folded_as_by_the_book() -> None:
    drawn = random.Random(7)
    blocks = ((0x20, 0x250), (0x300, 0x340), (0x370, 0x400), (0x1F00, 0x2000), (0x2010, 0x2030))
    for _ in range(2000):
        text = "".join(chr(drawn.randrange(*drawn.choice(blocks))) for _ in range(12))
        assert fold(text) == plain(text), repr(text)


SPACES = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]


def test_every_white_space_of_unicode_becomes_a_single_blank() -> None:
    assert len(SPACES) > 20
    for space in SPACES:
        for text in (f"α{space}β", f"{space}α β", f"α β{space}", f"α {space}{space} β"):
            assert collapse_spaces(text) == " ".join(text.split()), repr(space)


def test_it_is_what_taking_a_text_apart_gives_whatever_stands_in_it() -> None:
    drawn = random.Random(7)
    letters = "αβΓ;.\u00ad\u200b\ufeff\x00\x1c\x85" + "".join(SPACES) + " " * 20
    for _ in range(5000):
        text = "".join(drawn.choices(letters, k=drawn.randrange(12)))
        assert collapse_spaces(text) == " ".join(text.split()), repr(text)
