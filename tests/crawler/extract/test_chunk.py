from __future__ import annotations

import random

import pytest

from crawler.extract.chunk import chunks, header, pack_sentences
from crawler.profile import ChunkSettings
from exchange.records import Story
from exchange.text.sentences import split_sentences


def made(text: str, **changes: str) -> Story:
    values = {"published": "2008-01-02", "title": "Τίτλος", "section": ""} | changes
    return Story(
        id="s",
        url="u",
        archive="paper",
        published=values["published"],
        section=values["section"],
        title=values["title"],
        author="",
        text=text,
    )


@pytest.mark.parametrize(
    ("paragraph", "count"),
    [
        ("Ο κ. Βάλβης ήρθε. Έφυγε στις 5 μ.μ. στον Δήμο.", 2),
        ("Το 3.000 π.Χ. Έτσι λένε.", 1),
        ("Πότε ήρθε; Ποιος ξέρει! Κανείς… Τέλος.", 4),
        ("Η Α. Παππά και ο Κ. Θεός είναι εδώ.", 1),
        ("Είπε: «Φεύγω.» Και έφυγε.", 2),
        ("Βλ. σελ. 5. Ο αρ. 7 λείπει.", 2),
        ("1. Πρώτο. 2. Δεύτερο.", 2),
        ("Στις 4 Μάη 1998. 12 άτομα ήρθαν.", 2),
        ("χωρίς τέλος", 1),
        ("", 0),
        ("Τρία... και μετά.", 1),
    ],
)
def test_sentences_end_where_a_reader_ends_them(paragraph: str, count: int) -> None:
    assert len(split_sentences(paragraph)) == count
    assert " ".join(split_sentences(paragraph)) == paragraph


def test_chunks_are_whole_sentences_of_about_the_size() -> None:
    rng = random.Random(1)
    sentences = [f"Πρόταση {n} με {'λέξεις ' * rng.randint(2, 20)}τέλος." for n in range(200)]
    paragraphs = [" ".join(sentences[at : at + 5]) for at in range(0, 200, 5)]
    for size in (200, 600, 1200):
        texts = pack_sentences(paragraphs, size)
        assert " ".join(texts).replace("\n", " ") == " ".join(paragraphs)
        assert all(text.endswith(".") and text.startswith("Πρόταση") for text in texts)
        assert all(0.25 * size <= len(text) <= 2 * size for text in texts)
        assert abs(sum(map(len, texts)) / len(texts) - size) < 0.2 * size


def test_paragraphs_stay_apart_inside_a_chunk() -> None:
    assert pack_sentences(["Ένα εδώ.", "Δύο εκεί."], 200) == ["Ένα εδώ.\nΔύο εκεί."]


def test_text_without_sentences_is_still_bounded() -> None:
    texts = pack_sentences(["λέξη " * 5000], 200)
    assert max(map(len, texts)) <= 600
    assert max(map(len, pack_sentences(["α" * 5000], 200))) <= 600


def test_scripts_without_blanks_get_none_and_words_are_not_torn() -> None:
    sentence = "船は朝早くに港を出て、夕方には島に着いた。"
    texts = pack_sentences([sentence * 40], 120, "ja")
    assert "".join(texts) == sentence * 40
    assert all(text.endswith("。") and len(text) <= 240 for text in texts)
    thai = "เรือออกจากท่าในตอนเช้า " * 60
    parts = pack_sentences([thai.strip()], 200, "th")
    assert all(part.startswith("เรือ") and part.endswith("เช้า") for part in parts)
    assert max(map(len, parts)) <= 400
    running = "ก็" * 2000  # no blank at all: a mark stays on its letter
    assert all(part.startswith("ก") for part in pack_sentences([running], 199, "th"))


def test_a_long_sentence_is_cut_between_words_or_after_a_comma() -> None:
    words = [f"λέξη{n}" for n in range(400)]
    listed = pack_sentences([",".join(words)], 100)
    assert [word for text in listed for word in text.split(",") if word] == words
    spaced = pack_sentences([" ".join("x" * 150 for _ in range(20))], 100)
    assert all(set(word) == {"x"} and len(word) == 150 for text in spaced for word in text.split())


def test_an_inserted_paragraph_does_not_rename_its_neighbours() -> None:
    shape = ChunkSettings(size=80)
    parts = [
        f"Αυτή είναι η παράγραφος με αριθμό {n}, που είναι αρκετά μεγάλη για ένα κομμάτι."
        for n in range(5)
    ]
    before = {chunk.id for chunk in chunks(made("\n\n".join(parts)), shape, "Φωνή")}
    parts.insert(2, "Μια νέα παράγραφος που κανείς δεν περίμενε, ούτε ο ίδιος ο συντάκτης της.")
    after = {chunk.id for chunk in chunks(made("\n\n".join(parts)), shape, "Φωνή")}
    assert len(before) == 5
    assert before < after


def test_repeated_text_is_one_chunk() -> None:
    shape = ChunkSettings(size=80)
    line = "Το ίδιο ρεφρέν ακούγεται ξανά και ξανά σε όλη τη διάρκεια του τραγουδιού αυτού."
    found = chunks(made("\n\n".join([line] * 4)), shape, "Φωνή")
    assert len({chunk.id for chunk in found}) == len(found)
    assert [chunk.index for chunk in found] == list(range(len(found)))


def test_the_header_says_newspaper_date_and_title_without_gaps() -> None:
    shape = ChunkSettings()
    assert header(made("x"), shape, "Φωνή") == "Φωνή, 2 Ιανουαρίου 2008, Τίτλος"
    assert header(made("x", published=""), shape, "Φωνή") == "Φωνή, Τίτλος"
    assert header(made("x", title="", published=""), shape, "Φωνή") == "Φωνή"
    assert header(made("x"), shape, "Bote", "de") == "Bote, 2. Januar 2008, Τίτλος"
    numbers = ChunkSettings(header="{name}, {d}/{m}/{yyyy}, {title}")
    assert header(made("x"), numbers, "Φωνή") == "Φωνή, 2/1/2008, Τίτλος"
    assert header(made("x", published=""), numbers, "Φωνή") == "Φωνή, Τίτλος"
