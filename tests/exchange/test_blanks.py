from __future__ import annotations

import random
import sys

from exchange.text.blanks import single

SPACES = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]


def test_every_white_space_of_unicode_becomes_a_single_blank() -> None:
    assert len(SPACES) > 20
    for space in SPACES:
        for text in (f"α{space}β", f"{space}α β", f"α β{space}", f"α {space}{space} β"):
            assert single(text) == " ".join(text.split()), repr(space)


def test_it_is_what_taking_a_text_apart_gives_whatever_stands_in_it() -> None:
    drawn = random.Random(7)
    letters = "αβΓ;.\u00ad\u200b\ufeff\x00\x1c\x85" + "".join(SPACES) + " " * 20
    for _ in range(5000):
        text = "".join(drawn.choices(letters, k=drawn.randrange(12)))
        assert single(text) == " ".join(text.split()), repr(text)
