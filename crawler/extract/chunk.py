"""Cut a story into chunks: whole sentences, about as long as the profile asks. Pure functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exchange.records import Chunk, Story
from exchange.text import dates
from exchange.text.sentences import split_sentences

if TYPE_CHECKING:
    from crawler.profile import ChunkSettings

LONGEST = 3  # times the size: a longer "sentence" is a list or a table, and is cut at a blank
SHORTEST = 0.25  # of the size: a shorter rest joins the chunk before it
_COMMAS = re.compile(r"(?:\s*,\s*){2,}")


def chunks(story: Story, shape: ChunkSettings, newspaper: str) -> list[Chunk]:
    """The chunks of a story in order. Repeated text is kept once, as its id is its content."""
    head = header(story, shape, newspaper)
    made: dict[str, Chunk] = {}
    for text in pack_sentences(story.text.split("\n\n"), shape.size):
        name = Chunk.make_id(story.id, text)
        if name not in made:
            made[name] = Chunk(name, story.id, len(made), text, head)
    return list(made.values())


def header(story: Story, shape: ChunkSettings, newspaper: str) -> str:
    """One line that says where the text stood: "Φωνή, 2/1/2008, Τίτλος"; gaps closed."""
    line = shape.header.format(
        name=newspaper,
        date=dates.format_date(story.published) if story.published else "",
        title=story.title,
        section=story.section,
    )
    return _COMMAS.sub(", ", " ".join(line.split())).strip(" ,")


def pack_sentences(paragraphs: list[str], size: int) -> list[str]:
    """Pack sentences into texts of about `size` characters; paragraphs are parted by a newline.

    A text ends before the sentence that would leave it further from `size` than it is.
    """
    texts: list[str] = []
    glues: list[str] = []  # what would stand between a text and the one before it
    for paragraph in paragraphs:
        for position, sentence in enumerate(_pieces(paragraph, size)):
            glue = " " if position else "\n"
            grown = len(texts[-1]) + 1 + len(sentence) if texts else 0
            if not texts or (grown > size and grown - size > size - len(texts[-1])):
                texts.append(sentence)
                glues.append(glue)
            else:
                texts[-1] += glue + sentence
    if len(texts) > 1 and len(texts[-1]) < SHORTEST * size:
        rest = texts.pop()
        texts[-1] += glues[-1] + rest
    return texts


def _pieces(paragraph: str, size: int) -> list[str]:
    pieces: list[str] = []
    for sentence in split_sentences(paragraph):
        while len(sentence) > LONGEST * size:
            at = sentence.rfind(" ", size // 2, size)
            at = at if at > 0 else size
            pieces.append(sentence[:at].strip())
            sentence = sentence[at:].strip()
        if sentence:
            pieces.append(sentence)
    return pieces
