"""A text as it is compared: its own paragraphs, and their fingerprints, which are hashes of five
words in a row, with a sample that two texts share whenever they share a passage.

The sample is taken by winnowing (Schleimer, Wilkerson and Aiken, SIGMOD 2003): of every `WINDOW`
hashes in a row the smallest. Two texts with `WINDOW + LENGTH - 1` = 12 words in common, in a row,
have a fingerprint in common for certain; a story keeps about 2 in 9 of its hashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from zlib import crc32

from exchange.text.fold import words
from exchange.text.language import every
from exchange.text.scripts import count_words

LENGTH = 5  # words of a shingle
WINDOW = 8
SHORT = 40  # words; so short a text keeps all of its hashes
_BYTES = 5  # 40 bits: whatever collides is told apart by the texts themselves
_MASK = (1 << 8 * _BYTES) - 1
# One multiplier for each place in a shingle: odd, 64 bits, without a pattern (those of MurmurHash
# and SplitMix). The high bits of the sum are mixed best.
_MIX = (
    0xFF51AFD7ED558CCD,
    0xC4CEB9FE1A85EC53,
    0x9E3779B97F4A7C15,
    0xBF58476D1CE4E5B9,
    0x94D049BB133111EB,
)
_PAGE = re.compile(
    rf"(?:\b(?:{every().pattern('page_word')})\.?\s*:?\s*\d+(?:\s*[-–,]\s*\d+)*)[\s.)]*$", re.I
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class ComparedText:
    """A text as it is compared, the site's own paragraphs left out."""

    in_order: list[int]
    prints: frozenset[int]
    numbers: frozenset[str]
    length: int


def compared_text(paragraphs: Iterable[str], boilerplate: frozenset[str]) -> ComparedText:
    """The text of the paragraphs that are not the site's."""
    own = [paragraph for paragraph in paragraphs if paragraph not in boilerplate]
    folded = folded_words(own)
    in_order = shingles(folded)
    numbers = frozenset(numbers_in(" ".join(own)))
    return ComparedText(in_order, frozenset(in_order), numbers, len(folded))


def boilerplate_share(paragraphs: list[str], boilerplate: frozenset[str]) -> float:
    """Words in the site's own paragraphs, of all."""
    whole = sum(map(count_words, paragraphs))
    return sum(count_words(p) for p in paragraphs if p in boilerplate) / max(1, whole)


def paragraphs_of(text: str) -> list[str]:
    """The paragraphs of a text, without the line that says on which page it goes on."""
    return _PAGE.sub("", text.rstrip()).split("\n\n")


def shingles(folded: Sequence[str]) -> list[int]:
    """Hashes of all runs of five words, in order; of a shorter text the one that it is."""
    if not folded:
        return []
    if len(folded) < LENGTH:
        return [stable_hash(" ".join(folded))]
    a = [crc32(word.encode()) for word in folded]
    return [
        ((v * _MIX[0] + w * _MIX[1] + x * _MIX[2] + y * _MIX[3] + z * _MIX[4]) >> 24) & _MASK
        for v, w, x, y, z in zip(a, a[1:], a[2:], a[3:], a[4:], strict=False)
    ]


def stable_hash(text: str) -> int:
    """A stable hash of a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=_BYTES).digest(), "big")


def winnow(hashes: Sequence[int]) -> set[int]:
    """The sample of a text's hashes: the smallest of every window."""
    if len(hashes) <= SHORT:
        return set(hashes)
    return set(map(min, *(hashes[at : len(hashes) - WINDOW + 1 + at] for at in range(WINDOW))))


def folded_words(paragraphs: Iterable[str]) -> list[str]:
    """The words of paragraphs as they are compared."""
    return words(" ".join(paragraphs))


def numbers_in(text: str) -> set[str]:
    """The numbers of a text: what stories that come every week differ in."""
    return set(_NUMBER.findall(text))


def containment(small: set[int], large: set[int]) -> float:
    """How much of `small` stands in `large`."""
    return len(small & large) / len(small) if small else 0.0
