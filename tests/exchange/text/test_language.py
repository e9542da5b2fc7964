"""The lists of each language, and that the rules hold none."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from exchange.text.fold import fold
from exchange.text.language import FOLDER, OTHER, every, load_language

ROOT = Path(__file__).parents[3]
UNFOLDED = {"abbreviations", "stop_words", "sentence_openers", "event_names"}


def test_every_language_has_its_stemmer_and_mark() -> None:
    assert load_language("el").stemmer == "greek" and load_language("el").decimal_mark == ","
    assert load_language("en").texts["vague_name"] == "somebody"
    assert load_language("sv").code == "sv" and load_language("sv").stemmer == ""


def test_the_lists_of_all_languages_are_joined_in_order() -> None:
    both = every()
    assert both.list_of("question_words")[:2] == ("ποτε", "που")
    assert "when" in both.list_of("question_words")
    assert {"ο", "the"} <= both.words("question_stop_words")
    assert both.months["γεν"] == 1


def test_a_list_that_no_language_has_is_an_error() -> None:
    with pytest.raises(KeyError):
        every().words("no such list")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_patterns_compile_and_words_are_folded(path: Path) -> None:
    raw = tomllib.loads(path.read_text("utf-8"))
    for name, alternatives in raw.get("patterns", {}).items():
        assert alternatives, name
        re.compile("|".join(alternatives))
    for name, words in raw.get("words", {}).items():
        if name not in UNFOLDED:
            assert words.split() == fold(words).split(), name
    for beginnings in raw.get("beginnings", {}).values():
        assert all(fold(one).split() == one.split() for one in beginnings)


def test_every_list_is_used_and_named_in_code() -> None:
    code = "".join(
        path.read_text("utf-8")
        for room in ("exchange", "crawler", "workers", "trainer")
        for path in (ROOT / room).rglob("*.py")
    )
    for path in FOLDER.glob("*.toml"):
        for table in ("words", "beginnings", "lists", "patterns", "texts"):
            for name in tomllib.loads(path.read_text("utf-8")).get(table, {}):
                computed = name.startswith(("asks_", "vague_"))
                assert computed or f'"{name}"' in code or f"'{name}'" in code, name
    assert (FOLDER / f"{OTHER}.toml").exists()
