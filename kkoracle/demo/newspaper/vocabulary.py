"""The words of the newspaper: lists whose combinations are split in two by a hash.

`side` decides for every finished name, place, title, number and date whether the newspaper may
use it or the model's training text may; the two never share one. The lists stand in
`vocabulary.toml`; each is combined with a place or a number, so that no slot of a frame is a
short closed list.
"""

from __future__ import annotations

import tomllib
import zlib
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
