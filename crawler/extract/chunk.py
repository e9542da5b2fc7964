"""Cut a story into chunks: whole sentences, about as long as the profile asks. Pure functions."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import TYPE_CHECKING

from exchange.records import Chunk, Story
from exchange.text import dates
from exchange.text.scripts import glue_after, writes_without_blanks
from exchange.text.sentences import split_sentences

if TYPE_CHECKING:
    from crawler.profile import ChunkSettings

LONGEST = 3  # times the size: a longer "sentence" is a list or a table, and is cut at a blank
SHORTEST = 0.25  # of the size: a shorter rest joins the chunk before it
_PAUSE = re.compile("[、，；：」』）·;:,]")
_NO_DATE = dict.fromkeys(dates.date_fields(dt.date.min), "")
_GAPS = re.compile(r"\s*,(?:[\s,./-]*,)+\s*")  # also ", //," of a date's numbers


def chunks(story: Story, shape: ChunkSettings, newspaper: str, language: str = "el") -> list[Chunk]:
    """The chunks of a story in order. Repeated text is kept once, as its id is its content."""
    head = header(story, shape, newspaper, language)
    made: dict[str, Chunk] = {}
    for text in pack_sentences(story.text.split("\n\n"), shape.size, language):
        name = Chunk.make_id(story.id, text)
        if name not in made:
            made[name] = Chunk(name, story.id, len(made), text, head)
    return list(made.values())


def header(story: Story, shape: ChunkSettings, newspaper: str, language: str = "el") -> str:
    """One line that says where the text stood: "Φωνή, 2 Ιανουαρίου 2008, Τίτλος"; gaps closed.

    The date is in the language's long form; a template may ask for its numbers.
    """
    published = story.published
    numbers = dates.date_fields(dt.date.fromisoformat(published)) if published else _NO_DATE
    line = shape.header.format(
        name=newspaper,
        date=dates.format_date(published, language) if published else "",
        title=story.title,
        section=story.section,
        **numbers,
    )
    return _GAPS.sub(", ", " ".join(line.split())).strip(" ,")


def pack_sentences(paragraphs: list[str], size: int, language: str = "el") -> list[str]:
    """Pack sentences into texts of about `size` characters; paragraphs are parted by a newline.

    A text ends before the sentence that would leave it further from `size` than it is.
    """
    texts: list[str] = []
    glues: list[str] = []  # what would stand between a text and the one before it
    for paragraph in paragraphs:
        for position, sentence in enumerate(_pieces(paragraph, size, language)):
            glue = "\n"
            if position:
                glue = glue_after(texts[-1])
            grown = len(texts[-1]) + len(glue) + len(sentence) if texts else 0
            if not texts or (grown > size and grown - size > size - len(texts[-1])):
                texts.append(sentence)
                glues.append(glue)
            else:
                texts[-1] += glue + sentence
    if len(texts) > 1 and len(texts[-1]) < SHORTEST * size:
        rest = texts.pop()
        texts[-1] += glues[-1] + rest
    return texts


def _pieces(paragraph: str, size: int, language: str) -> list[str]:
    pieces: list[str] = []
    for sentence in split_sentences(paragraph, language):
        # A full stop is not all scripts' custom: in Thai a blank parts what would be sentences.
        unparted = len(sentence) > size and writes_without_blanks(sentence)
        longest = size if unparted else LONGEST * size
        while len(sentence) > longest:
            at = _cut(sentence, size)
            pieces.append(sentence[:at].strip())
            sentence = sentence[at:].strip()
        if sentence:
            pieces.append(sentence)
    return pieces


def _cut(sentence: str, size: int) -> int:
    """Where a sentence that is too long is cut: never inside a word, if there is a way not to."""
    blank = sentence.rfind(" ", size // 2, size)
    if blank > 0:
        return blank
    if pauses := [match.end() for match in _PAUSE.finditer(sentence, size // 2, size)]:
        return pauses[-1]
    blank = sentence.find(" ", size, LONGEST * size)
    if blank > 0 and not writes_without_blanks(sentence[:blank]):
        return blank
    at = size
    while at < len(sentence) - 1 and unicodedata.category(sentence[at])[0] == "M":
        at += 1  # a mark stays on its letter
    return at
