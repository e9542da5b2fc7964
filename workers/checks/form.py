"""Form: is it a whole question with a whole answer?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from exchange.text.language import every
from exchange.text.tokens import TokenizedPair, WordToken
from workers.checks.context import CheckContext

QUESTION_CHARS = (10, 400)
ANSWER_CHARS = (1, 1500)
SUMMARY_CHARS = (60, 3000)  # a summary shorter than a sentence is none
SENTENCE_WORDS = 8  # from here on an answer is a sentence, and a sentence has an end
REPEATS = 4  # the same word running, or the same three words this often, is a loop
_MARKS = (";", "?")
_FINAL = (".", "!", ";", "?", "…")
_CLOSING = "»\"'”)]  "
# What an answer cannot end with: the model was cut, or lost its thread.
_DANGLING = every().words("dangling")
_ECHO = re.compile(every().pattern("prompt_echo"))


def chopped(claim: TokenizedPair, context: CheckContext) -> str:
    """The reply was cut inside this answer: by the engine's word, or by how it ends."""
    words, text = claim.answer.words, claim.answer.text.rstrip(_CLOSING)
    if claim.chopped or text.endswith((",", "-", "–", "(", "«", ":")):
        return "chopped"
    if len(words) > 1 and words[-1].folded in _DANGLING:
        return "chopped"
    ended = text.endswith(_FINAL) or claim.answer.text.rstrip().endswith(_FINAL)
    return "chopped" if len(words) >= SENTENCE_WORDS and not ended else ""


def length(claim: TokenizedPair, context: CheckContext) -> str:
    """Too short to ask anything, or so long that it cannot be one pair."""
    if not QUESTION_CHARS[0] <= len(claim.question.text) <= QUESTION_CHARS[1]:
        return "question-length"
    if not ANSWER_CHARS[0] <= len(claim.answer.text) <= ANSWER_CHARS[1] or not claim.answer.words:
        return "answer-length"
    return ""


def summary_length(claim: TokenizedPair, context: CheckContext) -> str:
    """The same for an answer that has to say much."""
    if not QUESTION_CHARS[0] <= len(claim.question.text) <= QUESTION_CHARS[1]:
        return "question-length"
    if not SUMMARY_CHARS[0] <= len(claim.answer.text) <= SUMMARY_CHARS[1]:
        return "answer-length"
    return ""


def free_length(claim: TokenizedPair, context: CheckContext) -> str:
    """A general answer may be a word or a page."""
    if not ANSWER_CHARS[0] <= len(claim.answer.text) <= SUMMARY_CHARS[1] or not claim.answer.words:
        return "answer-length"
    return ""


def question_mark(claim: TokenizedPair, context: CheckContext) -> str:
    """A question ends with `;` (U+037E counts, the parser made them one) or `?`."""
    return "" if claim.question.text.rstrip("»\"' ").endswith(_MARKS) else "no-question-mark"


def repetition(claim: TokenizedPair, context: CheckContext) -> str:
    """The model ran in circles, or the answer is the question."""
    words = claim.answer.words
    if words == claim.question.words or loops(words):
        return "repetition"
    return ""


def loops(words: Sequence[WordToken]) -> bool:
    """The same word many times running, or the same three words many times."""
    if len(words) < REPEATS:
        return False
    run = 1
    for before, word in pairwise(words):
        run = run + 1 if word.folded == before.folded else 1
        if run >= REPEATS:
            return True
    if len(words) < 3 * REPEATS - 2:  # overlapping triples of one word are runs
        return False
    triples: dict[tuple[str, ...], int] = {}
    folded = [word.folded for word in words]
    for triple in zip(folded, folded[1:], folded[2:], strict=False):
        triples[triple] = triples.get(triple, 0) + 1
        if triples[triple] >= REPEATS:
            return True
    return False


def prompt_echo(claim: TokenizedPair, context: CheckContext) -> str:
    """The model recites its instruction."""
    found = _ECHO.search(claim.question.line) or _ECHO.search(claim.answer.line)
    return "prompt-echo" if found else ""


def leaked(claim: TokenizedPair, context: CheckContext) -> str:
    """The question already says its answer, so that nothing is asked."""
    said = claim.answer.stems
    if claim.answer.numbers:
        return ""  # «14 καθηγητές», asked of the 14th: the number may mean another thing
    return "answer-in-question" if said and said <= claim.question.stems else ""
