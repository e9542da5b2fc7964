"""Question and answer meet in one place of the chunk.

Grounding alone passes answers that mix facts of different sentences (48 such pairs, 5 right).
"""

from __future__ import annotations

from exchange.text.reading import Claim, Reading
from workers.checks.context import Context

MEET_OVERLAP = 0.5  # share of the question's stems that stand near the answer
ENOUGH = 2  # stems of the question in a sentence that goes on about its subject


def meets_in_sentence(claim: Claim, context: Context) -> str:
    """Question and answer meet in one sentence, or in two neighbours.

    A neighbour may name whom the sentence speaks of, but the sentence that holds the answer must
    itself hold a part of the question; else facts of two sentences were mixed.
    """
    if len(context.sentences) < 2:
        return ""
    said = (claim.answer.stems - claim.question.stems) & context.stems
    asked = (claim.question.stems & context.stems) - context.header.stems
    if not asked or not said:
        return ""
    dated = (claim.question.dates | claim.answer.dates) - context.header.dates
    for index, home in enumerate(context.sentences):
        if said.isdisjoint(home.stems) or asked.isdisjoint(home.stems):
            continue
        # A sentence that has a date of its own does not borrow its neighbour's.
        if home.dates and not dated <= home.dates:
            continue
        near = frozenset().union(
            *(s.stems for s in context.sentences[max(0, index - 1) : index + 2])
        )
        if said <= near and len(asked & near) / len(asked) >= MEET_OVERLAP:
            return ""
        if _goes_on(home, said, asked, claim):
            return ""
    return "facts-mixed"


def _goes_on(home: Reading, said: frozenset[str], asked: frozenset[str], claim: Claim) -> bool:
    """The sentence goes on about what was named further up: it holds the whole answer, enough of
    the question, and names nobody whom the pair does not name."""
    enough = len(asked & home.stems) >= min(ENOUGH, len(asked))
    told = {word.stem for word in home.names if word.stem and not word.month}
    named = told <= claim.question.stems | claim.answer.stems
    return enough and named and said <= home.stems
