"""Polarity: what the text denies is not told as so, and what rose did not fall.

Negation reaches over the words behind it up to the end of the clause, as in NegEx (Chapman et al.
2001); directions are pairs of opposite words in each language's file.
"""

from __future__ import annotations

from functools import lru_cache

from exchange.text.language import every
from exchange.text.tokens import TokenizedPair, TokenizedText
from workers.checks.context import CheckContext

SCOPE = 5  # words behind a negation within which it denies the first that says something
_NEGATORS = every().words("negators")
_YES, _NO = every().words("yes"), every().words("no")
_OPPOSITES = tuple(
    tuple(tuple(side.split()) for side in line.split("|")) for line in every().list_of("opposites")
)


def polarity(claim: TokenizedPair, context: CheckContext) -> str:
    """The text denies what the pair tells, or the other way round."""
    question, answer = claim.question, claim.answer
    denied = _denied(question) | _denied(answer)
    says_no = bool(answer.words) and answer.words[0].folded in _NO
    negative = says_no or _negates(question) or _negates(answer)
    source = context.best_sentence(claim)
    if source is None:
        return ""
    held = _denied(source)
    told = (question.stems | answer.stems) & source.stems
    if not negative and told & held:
        return "polarity"
    if denied & answer.stems & source.stems and not held:
        return "polarity"
    return "polarity" if _opposed(claim, source) else ""


def _negates(text: TokenizedText) -> bool:
    return not text.folded.isdisjoint(_NEGATORS)


def _denied(text: TokenizedText) -> frozenset[str]:
    """Stems behind a negation, in its clause."""
    found: set[str] = set()
    if not _negates(text):
        return frozenset()
    for index, word in enumerate(text.words):
        if word.folded in _NEGATORS:
            for other in range(index + 1, min(index + 1 + SCOPE, len(text.words))):
                if other in text.breaks:
                    break
                if text.words[other].stem:
                    found.add(text.words[other].stem)
                    break
    return frozenset(found)


@lru_cache(maxsize=1 << 16)
def _directions(folded: str) -> tuple[tuple[int, int], ...]:
    """The lines of opposites that a word belongs to, and its side."""
    return tuple(
        (number, side)
        for number, sides in enumerate(_OPPOSITES)
        for side, beginnings in enumerate(sides)
        if folded.startswith(beginnings)
    )


def _opposed(claim: TokenizedPair, source: TokenizedText) -> bool:
    """A direction of the answer whose opposite alone stands in the text."""
    told = frozenset[tuple[int, int]]().union(*map(_directions, claim.answer.folded))
    if not told:
        return False
    held = frozenset[tuple[int, int]]().union(*map(_directions, source.folded))
    return any((n, 1 - side) in held and (n, side) not in held for n, side in told)
