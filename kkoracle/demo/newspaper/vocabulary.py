"""The words of the newspaper: lists whose combinations are split in two by a hash.

`side` decides for every finished name, place, title, number and date whether the newspaper may
use it or the model's training text may; the two never share one. The lists stand in
`vocabulary.toml`; each is combined with a place or a number, so that no slot of a frame is a
short closed list.

A sentence frame is one sentence with slots, and what to ask about it. Its question and answer only
copy spans of that sentence, in the same case, so that reading one sentence is enough to write the
pair. Half of the frames (`new_frames`) are never in the model's training text; they show what the
model does with sentences it has not met.

Slots, by letter: p q persons, v u places, o an association, b an institution, g a school, t j
teams, c a company, w a public work, s a sum, n a count, a an age, k an ordinal, d a past date,
e a coming date, h a time of day, x a title, m a demand, r a cause, f a product, y a year,
z a score.
"""

from __future__ import annotations

import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path

NEWSPAPER = "newspaper"
TRAINING = "training"
# One in three values belongs to the newspaper: it needs few, the training text needs many.
_SHARE = 3
_LISTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def side(value: str) -> str:
    """Which side a finished value belongs to; the same for ever (CRC-32 of its UTF-8)."""
    return NEWSPAPER if zlib.crc32(value.encode("utf-8")) % _SHARE == 0 else TRAINING


def phrases(text: str) -> tuple[str, ...]:
    """The phrases of a text that bars separate, in order; line breaks count as spaces."""
    return tuple(" ".join(part.split()) for part in text.split("|"))


def _words(name: str) -> tuple[str, ...]:
    return tuple(_LISTS[name].split())


def _inflected(name: str) -> tuple[tuple[str, str, str, str], ...]:
    """Gender, nominative, genitive, accusative of each."""
    return tuple((gender, who, whose, whom) for gender, who, whose, whom in _LISTS[name])


def _by_gender(name: str) -> dict[str, tuple[str, ...]]:
    return {gender: tuple(text.split()) for gender, text in _LISTS[name].items()}


MEN, WOMEN, SYLLABLES = _words("men"), _words("women"), _words("syllables")
SURNAME_STEMS, PLACE_STARTS = _words("surname_stems"), _words("place_starts")
SURNAME_ENDINGS, PLACE_ENDS = _inflected("surname_endings"), _inflected("place_ends")
PLACE_PREFIXES: tuple[str, ...] = tuple(_LISTS["place_prefixes"])
BRAND_ADJECTIVES, BRAND_NOUNS = _by_gender("brand_adjectives"), _by_gender("brand_nouns")
TITLE_HEADS, TITLE_TAILS = phrases(_LISTS["title_heads"]), phrases(_LISTS["title_tails"])
ASSOCIATIONS, INSTITUTIONS = _inflected("associations"), _inflected("institutions")
SCHOOLS, TEAMS, COMPANIES = _inflected("schools"), _inflected("teams"), _inflected("companies")
WORK_HEADS: tuple[tuple[str, str], ...] = tuple((who, whose) for who, whose in _LISTS["work_heads"])
WORK_OBJECTS, CAUSES = phrases(_LISTS["work_objects"]), phrases(_LISTS["causes"])
DEMANDS, PRODUCTS = phrases(_LISTS["demands"]), phrases(_LISTS["products"])
CONNECTIVES: tuple[str, ...] = tuple(_LISTS["connectives"].strip().splitlines())


@dataclass(frozen=True, slots=True)
class SentenceFrame:
    """One sentence frame.

    `templates` are headline, sentence, question, answer and two rephrasings, in that order.
    """

    id: str
    section: str
    kind: str
    templates: tuple[str, str, str, str, str, str]

    def fill(self, slots: dict[str, object]) -> tuple[str, ...]:
        """The six texts with the slots filled."""
        return tuple(template.format(**slots) for template in self.templates)


def parse_frames(text: str) -> tuple[SentenceFrame, ...]:
    """Reads frames from text: blocks of seven lines, the first `id section kind`."""
    frames = []
    for block in text.strip().split("\n\n"):
        head, *lines = block.strip().splitlines()
        name, section, kind = head.split()
        if len(lines) != 6:
            raise ValueError(f"frame {name}: six lines expected, found {len(lines)}")
        frames.append(SentenceFrame(name, section, kind, tuple(lines)))  # type: ignore[arg-type]
    return tuple(frames)


def known_frames() -> tuple[SentenceFrame, ...]:
    """The frames that the model's training text uses."""
    return parse_frames(Path(__file__).with_name("frames_known.txt").read_text("utf-8"))


def read_glosses() -> dict[str, str]:
    """What the question of each frame asks, in English, by the frame's id."""
    return tomllib.loads(Path(__file__).with_name("glosses.toml").read_text("utf-8"))


def new_frames() -> tuple[SentenceFrame, ...]:
    """The frames held out from the model's training text."""
    return parse_frames(Path(__file__).with_name("frames_new.txt").read_text("utf-8"))
