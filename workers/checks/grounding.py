"""Grounding: everything the pair claims stands in the chunk, and in one place of it.

Grounding alone passes answers that mix facts of different sentences (48 such pairs, 5 right), so
question and answer must also meet in the same sentence or its neighbours.
"""

from __future__ import annotations

import re

from exchange.text import dates
from exchange.text.dates import month
from workers.checks.context import Context, numbers, stems
from workers.parse import Draft

OVERLAP = 0.40  # share of the answer's stems that the chunk must hold; 0/16 invented pass
MEET_OVERLAP = 0.5  # share of the question's stems that stand near the answer
_NAME = re.compile(r"(?<![.!;«]\s)(?<!^)(?<!«)\b[Α-ΩΆ-ΏA-Z][^\W\d_]{2,}")


def grounded(draft: Draft, context: Context) -> str:
    """Every number and capitalised name, and enough of the words, stand in header or chunk."""
    if not numbers(draft.answer) <= context.numbers:
        return "ungrounded-number"
    if not numbers(draft.question) <= context.numbers:
        return "ungrounded-number"
    if not dates.every(f"{draft.question}\n{draft.answer}") <= context.dates:
        return "ungrounded-date"  # its parts may all be there, of two different dates
    for text in (draft.question, draft.answer):
        for name in _NAME.findall(text):
            if not context.names(name) and month(name) not in context.months:
                return "ungrounded-name"
    said = stems(draft.answer)
    if said and len(said & context.stems) / len(said) < OVERLAP:
        return "ungrounded"
    return ""


def meets_in_sentence(draft: Draft, context: Context) -> str:
    """Question and answer meet in one sentence, or in two neighbours.

    A neighbour may name whom the sentence speaks of, but the sentence that holds the answer must
    itself hold a part of the question; else facts of two sentences were mixed.
    """
    said = (stems(draft.answer) - stems(draft.question)) & context.stems
    asked = (stems(draft.question) & context.stems) - context.header_stems
    dated = dates.every(f"{draft.question}\n{draft.answer}") - context.header_dates
    if len(context.sentences) < 2 or not asked or not said:
        return ""
    for index, home in enumerate(context.sentences):
        neighbours = context.sentences[max(0, index - 1) : index + 2]
        near = frozenset().union(*(sentence.stems for sentence in neighbours))
        meets = bool(said & home.stems) and bool(asked & home.stems)
        # A sentence that has a date of its own does not borrow its neighbour's.
        fits = not home.dates or dated <= home.dates
        if meets and fits and said <= near and len(asked & near) / len(asked) >= MEET_OVERLAP:
            return ""
    return "facts-mixed"
