"""Where sentences end, and how many words a text has, in every script."""

from __future__ import annotations

import pytest

from exchange.text.scripts import (
    count_words,
    glue_after,
    has_words,
    main_script,
    writes_without_blanks,
)
from exchange.text.sentences import split_sentences


def join(sentences: list[str]) -> str:
    text = ""
    for sentence in sentences:
        text += (glue_after(text) if text else "") + sentence
    return text


@pytest.mark.parametrize(
    ("language", "whole"),
    [
        ("el", ["Κατά τον ν. 4387/2016 ισχύει.", "Τέλος."]),
        ("el", ["Μίλησε ο Χρ. Λειβάδης για την υπ. αριθμ. 5 απόφαση.", "Μετά έφυγε."]),
        ("el", ["Το άρθ. 16 και η οδός Βασ. Όλγας.", "Ο Δημ. Αηδονάς το ξέρει."]),
        ("el", ["Ήταν στο Ιράκ.", "Η ομάδα έβαλε γκολ.", "Τίποτε άλλο."]),
        ("el", ["«Πρώτα αυτό.", "Μετά το άλλο», είπε.", "Κι έφυγε."]),
        ("el", ["Κανείς…", "Ήρθε;", "Ναι!"]),
        ("en", ["He met Sen. Hill and Dr. Who on Jan. 5 at noon.", "She left."]),
        ("en", ["The end.", "Mr. J. K. Mill wrote it for $3.5 million."]),
        ("de", ["Er kam z. B. die Straße entlang.", "Am 3. Mai war er da."]),
        ("ru", ["Он жил на ул. ленина в доме.", "Потом уехал."]),
        ("fr", ["Il a dit. étrange, non?", "Élise vint."]),
        ("pl", ["To jest. łatwe zdanie.", "Łatwe."]),
        ("ja", ["船は朝に港を出た。", "客は八十人だった！", "本当ですか？", "はい。"]),
        ("zh", ["船早上离开了港口。", "有八十名乘客！", "真的吗？"]),
        ("hi", ["जहाज सुबह निकला।", "अस्सी यात्री थे।", "क्या हुआ?"]),
        ("ar", ["غادرت السفينة الميناء.", "ماذا حدث؟", "لا أعرف."]),
        ("ko", ["배가 항구를 떠났다.", "승객은 팔십 명이었다."]),
    ],
)
def test_sentences_end_where_their_readers_end_them(language: str, whole: list[str]) -> None:
    paragraph = join(whole)
    assert split_sentences(paragraph, language) == whole


def test_a_language_that_nobody_knows_is_split_all_the_same() -> None:
    assert split_sentences("Una frase. Otra frase.", "qaa") == ["Una frase.", "Otra frase."]
    assert split_sentences("", "qaa") == []


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("Το πλοίο έφυγε - το πρωί", 6, 6),
        ("船は朝に港を出た。客は八十人だった。", 6, 10),
        ("船早上离开了港口，有八十名乘客。", 6, 10),
        ("เรือออกจากท่าในตอนเช้าพร้อมผู้โดยสารแปดสิบคน", 7, 14),
        ("배가 아침에 항구를 떠났다.", 4, 4),
        ("2005年に NATO は会議を開いた。", 5, 9),
        ("。！？", 0, 1),
        ("", 0, 0),
    ],
)
def test_words_are_counted_by_script(text: str, least: int, most: int) -> None:
    assert least <= count_words(text) <= most
    assert has_words(text, least) and not has_words(text, most + 1)


def test_the_script_of_a_text_is_that_of_most_letters() -> None:
    assert main_script("Το NATO είναι εδώ και μένει") == "GREEK"
    assert main_script("船は朝に港を出た") == "HIRAGANA"
    assert main_script("船早上离开了港口") == "CJK"
    assert main_script("12, 13!") == ""
    assert writes_without_blanks("เรือออก") and not writes_without_blanks("배가 港 항구를 떠났다")
