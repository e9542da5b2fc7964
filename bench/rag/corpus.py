"""Chunks of made news, and questions about them with every name in another case."""

from __future__ import annotations

import datetime as dt
import random
import unicodedata
from collections import Counter
from dataclasses import dataclass

from exchange.text.fold import fold
from kkoracle.demo.newspaper.inflect import Noun, slash_date, upper_first
from kkoracle.demo.newspaper.slots import SlotSampler
from kkoracle.demo.newspaper.vocabulary import (
    CONNECTIVES,
    TRAINING,
    SentenceFrame,
    known_frames,
    new_frames,
)
from kkoracle.demo.newspaper.writer import slot_letters

CHARACTERS = 1_200  # a chunk
FACTS = 4  # in a chunk
INVENTED = 0.5  # share of names made of syllables: an archive has tens of thousands of names
QUESTION_POOL = 4_000  # facts that are kept to choose questions from
VARIANTS = ("plain", "inflected", "bare", "capitals")


@dataclass(frozen=True, slots=True)
class QuestionVariants:
    """One fact's question in every way, and the number of its chunk."""

    chunk: int
    ways: dict[str, str]


@dataclass(frozen=True, slots=True)
class SampleCorpus:
    """Chunks as (head, text), and questions that only one of them answers."""

    chunks: list[tuple[str, str]]
    asked: list[QuestionVariants]


def make(count: int, seed: int) -> SampleCorpus:
    """The same for the same seed."""
    rng = random.Random(seed)
    draw = SlotSampler(TRAINING, rng, INVENTED)
    frames = [(frame, slot_letters(frame)) for frame in (*known_frames(), *new_frames())]
    chunks: list[tuple[str, str]] = []
    kept: list[tuple[int, str, str]] = []
    told: Counter[str] = Counter()
    share = QUESTION_POOL / (count * FACTS)
    for number in range(count):
        day = dt.date(1998 + number % 25, 1 + number % 12, 2 + number % 27)
        sentences = []
        for frame, names in rng.sample(frames, FACTS):
            slots = {letter: draw.slot(letter, day) for letter in names}
            title, sentence, question, *_ = frame.fill(slots)
            sentences.append(upper_first(sentence))
            told[fold(question)] += 1
            if rng.random() < share:
                kept.append((number, question, _otherwise(frame, slots)))
        length = sum(map(len, sentences))
        while length < CHARACTERS:
            sentences.append(_filler(draw, rng))
            length += len(sentences[-1])
        rng.shuffle(sentences)
        chunks.append((f"Φωνή, {slash_date(day)}, {upper_first(title)}", " ".join(sentences)))
    asked = [
        QuestionVariants(
            number,
            {
                "plain": question,
                "inflected": inflected,
                "bare": without_accents(inflected),
                "capitals": without_accents(inflected).upper(),
            },
        )
        for number, question, inflected in kept
        if told[fold(question)] == 1
    ]
    return SampleCorpus(chunks, asked)


def without_accents(text: str) -> str:
    """The text as people type who leave the accents out."""
    marks = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in marks if not unicodedata.combining(c)))


def _otherwise(frame: SentenceFrame, slots: dict[str, object]) -> str:
    """The frame's question with every noun moved on by one case."""
    moved = {
        letter: Noun(value.gender, value.gen, value.acc, value.nom)
        if isinstance(value, Noun)
        else value
        for letter, value in slots.items()
    }
    return frame.fill(moved)[2]


def _filler(draw: SlotSampler, rng: random.Random) -> str:
    """A sentence without a fact."""
    sentence = rng.choice(CONNECTIVES)
    slots = {
        "p": draw.person().o if "{p}" in sentence else "",
        "v": draw.place().ston if "{v}" in sentence else "",
        "c": draw.company().ston if "{c}" in sentence else "",
    }
    return upper_first(sentence.format(**slots))
