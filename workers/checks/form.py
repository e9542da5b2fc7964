"""Form: is it a whole question with a whole answer?"""

from __future__ import annotations

from itertools import pairwise

from workers.checks.context import Context, tokens
from workers.parse import Draft

QUESTION_CHARS = (10, 400)
ANSWER_CHARS = (1, 1500)
REPEATS = 4  # the same word running, or the same three words this often, is a loop
_MARKS = (";", "?")


def chopped(draft: Draft, context: Context) -> str:
    """The reply was cut inside this answer."""
    return "chopped" if draft.chopped else ""


def length(draft: Draft, context: Context) -> str:
    """Too short to ask anything, or so long that it cannot be one pair."""
    if not QUESTION_CHARS[0] <= len(draft.question) <= QUESTION_CHARS[1]:
        return "question-length"
    if not ANSWER_CHARS[0] <= len(draft.answer) <= ANSWER_CHARS[1] or not tokens(draft.answer):
        return "answer-length"
    return ""


def question_mark(draft: Draft, context: Context) -> str:
    """A question ends with `;` (U+037E counts, the parser made them one) or `?`."""
    return "" if draft.question.rstrip("»\"' ").endswith(_MARKS) else "no-question-mark"


def repetition(draft: Draft, context: Context) -> str:
    """The model ran in circles, or the answer is the question."""
    words = tokens(draft.answer)
    if words and words == tokens(draft.question):
        return "repetition"
    run = 1
    for before, word in pairwise(words):
        run = run + 1 if word == before else 1
        if run >= REPEATS:
            return "repetition"
    triples: dict[tuple[str, ...], int] = {}
    for triple in zip(words, words[1:], words[2:], strict=False):
        triples[triple] = triples.get(triple, 0) + 1
        if triples[triple] >= REPEATS:
            return "repetition"
    return ""
