"""Pieces of an answer: whole letters, nothing of a stop text, together the whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from exchange.inference import runtime
from exchange.inference.detokenizer import Detokenizer, StopStrings
from tests.conftest import SENTENCES


def test_pieces_are_whole_letters_and_together_the_whole(tiny_model: Path) -> None:
    words = runtime.tokenizer(tiny_model)
    for text in (*SENTENCES, "Ελλάδα €\n\n  δυο κενά, 日本 και 🙂."):
        tokens = words.encode(text, add_special_tokens=False)
        decoder = Detokenizer(words)
        pieces = [decoder.add(token) for token in tokens]
        assert not any("\ufffd" in piece for piece in pieces)
        assert "".join(pieces) + decoder.end() == words.decode(tokens)


def test_bytes_that_never_become_a_letter_come_out_at_the_end(tiny_model: Path) -> None:
    words = runtime.tokenizer(tiny_model)
    tokens = [*words.encode("α", add_special_tokens=False), words.convert_tokens_to_ids("<0xCE>")]
    decoder = Detokenizer(words)
    assert "".join(decoder.add(token) for token in tokens) == "α"
    assert decoder.end() == "\ufffd"


@pytest.mark.parametrize(
    ("pieces", "texts", "said"),
    [
        (["ένα δύο"], ["δύο"], "ένα "),
        (["ένα δ", "ύ", "ο τρία"], ["δύο"], "ένα "),
        (["ααα", "αβ"], ["ααβ"], "αα"),
        (["α", "β", "γ"], ["βγδ"], "αβγ"),
        (["α", "β", "γ"], ["γ", "βγ"], "α"),
        (["α\n", "\n", "β"], ["\n\n"], "α"),
        (["αβγ"], [], "αβγ"),
    ],
)
def test_text_passes_up_to_the_first_stop(pieces: list[str], texts: list[str], said: str) -> None:
    stops = StopStrings(texts)
    passed = ""
    for piece in pieces:
        passed += stops.push(piece)
        if stops.hit:
            break
    assert passed + ("" if stops.hit else stops.end()) == said


def test_nothing_of_a_stop_is_ever_sent_however_the_text_is_cut() -> None:
    luck = random.Random(1)
    for _ in range(300):
        text = "".join(luck.choice("αβ") for _ in range(12))
        stop = "".join(luck.choice("αβ") for _ in range(luck.randint(1, 4)))
        stops, passed, at = StopStrings([stop]), "", 0
        while at < len(text) and not stops.hit:
            size = luck.randint(1, 4)
            passed += stops.push(text[at : at + size])
            at += size
        passed += "" if stops.hit else stops.end()
        assert passed == text.partition(stop)[0]
