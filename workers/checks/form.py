"""Form: is it a whole, sound question with a whole answer of the type that was asked for?

Models that lose the thread glue words together, pile up articles, or put a feminine name behind
a masculine article. Each pattern of broken Greek is one that sound Greek does not have; there is
no dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from exchange.text.language import compile_phrases, every
from exchange.text.scripts import FULL_STOPS, QUESTION_MARKS
from exchange.text.stems import STEM
from exchange.text.tokens import TokenizedPair, TokenizedText
from exchange.text.vocabulary import WordToken
from workers.checks.context import (
    ADJACENT,
    ARTICLES,
    FEMININE,
    GENITIVES,
    MASCULINE,
    CheckContext,
    opens_with,
)
from workers.parse import trails

QUESTION_CHARS = (10, 400)
ANSWER_CHARS = (1, 1500)
SUMMARY_CHARS = (60, 3000)  # a summary shorter than a sentence is none
SENTENCE_WORDS = 8  # from here on an answer is a sentence, and a sentence has an end
GREEK_SHARE = 0.7  # of the letters; catches mixed language that language identifiers pass
STRANGERS = 2  # words of another language, in small letters, that the chunk does not have
REPEATS = 4  # the same word running, or the same three words this often, is a loop
_FINAL = (*FULL_STOPS, *QUESTION_MARKS)
_CLOSING = "»\"'”’)]」』）  "
# What an answer cannot end with: the model was cut, or lost its thread.
_DANGLING = every().words("dangling")
_ECHO = re.compile(every().pattern("prompt_echo"))
_TIME = compile_phrases(every().pattern("time"))
_COUNT = compile_phrases(every().pattern("count"))
_MEASURE = re.compile(rf"%|{every().pattern('measure')}")
_YEAR, _WHEN, _HOW_MANY = (every().list_of(f"asks_{what}") for what in ("year", "when", "how_many"))
_SMALL_WORDS = every().function_words
_YES_OR_NO = every().words("yes") | every().words("no")
_STRONG = every().words("strong_articles")
_NEVER_BEFORE_VERB = every().words("never_before_verb")
_VERB_PARTICLES = every().words("verb_particles")
_PREPOSITIONS = every().words("prepositions")
_NOMINATIVES = every().words("nominative_articles")
_AFTER_NOMINATIVE = every().words("after_nominative")
_DOUBLES = every().words("doubled_words")


def chopped(claim: TokenizedPair, context: CheckContext) -> str:
    """The reply was cut inside this answer: by the engine's word, or by how it ends."""
    words, text = claim.answer.words, claim.answer.text.rstrip(_CLOSING)
    if (
        claim.chopped
        or text.endswith((",", "-", "–", "(", "«", ":"))
        or _is_open(claim.answer.text)
    ):
        return "chopped"
    if len(words) > 1 and words[-1].folded in _DANGLING and not words[-2].digits:  # «85η»
        return "chopped"
    ended = text.endswith(_FINAL) or claim.answer.text.rstrip().endswith(_FINAL)
    return "chopped" if len(words) >= SENTENCE_WORDS and not ended else ""


def _is_open(text: str) -> bool:
    """A quotation or a bracket begins and does not end."""
    german = text.count("„")
    return (
        text.count("«") > text.count("»")
        or text.count("(") > text.count(")")
        or german > text.count("“") + text.count("”")
        or (not german and text.count("“") > text.count("”"))
        or text.count('"') % 2 == 1
    )


def trailing(claim: TokenizedPair, context: CheckContext) -> str:
    """Behind the answer stands what a model says to its reader: a source, a fence, an offer."""
    return "trailing-text" if trails(claim.answer.text) else ""


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
    return (
        "" if claim.question.text.rstrip(_CLOSING).endswith(QUESTION_MARKS) else "no-question-mark"
    )


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
    stems = claim.answer.stems
    if claim.answer.words and claim.answer.words[0].folded in _YES_OR_NO:
        return ""
    if claim.answer.numbers:
        return ""  # «14 καθηγητές», asked of the 14th: the number may mean another thing
    return "answer-in-question" if stems and stems <= claim.question.stems else ""


def right_answer_type(claim: TokenizedPair, context: CheckContext) -> str:
    """An answer without any time to "when", without any number to "how many"."""
    question, answer = claim.question.line, claim.answer
    if opens_with(question, _YEAR) and not any(not iso.startswith("--") for iso in answer.calendar):
        return "wrong-sort"
    if answer.numbers and not (opens_with(question, _WHEN) and _MEASURE.search(answer.text)):
        return ""
    if opens_with(question, _WHEN):
        return "" if answer.months or _TIME.search(f" {answer.line}") else "wrong-sort"
    if opens_with(question, _HOW_MANY):
        return "" if _COUNT.search(f" {answer.line}") else "wrong-sort"
    return ""


def garbled(claim: TokenizedPair, context: CheckContext) -> str:
    """Piled-up articles, doubled words, or words spelt as no Greek word is."""
    if context.task.language != "el":
        return ""
    for reading in (claim.answer, claim.question):
        if any(w.odd and not _printed(w.folded, context) for w in reading.words):
            return "garbled"
        if _broken_order(reading):
            return "garbled"
    return ""


def _printed(folded: str, context: CheckContext) -> bool:
    """Odd as it is, the newspaper has the word."""
    return folded in context.folded


def _broken_order(reading: TokenizedText) -> bool:
    words = reading.words
    for index, (before, word) in enumerate(pairwise(words)):
        one, two = before.folded, word.folded
        if word.capital or before.digits:
            continue
        if one == two and one not in _DOUBLES:
            return True
        if one in _STRONG and two in _STRONG:
            return True
        if one in _NEVER_BEFORE_VERB and two in _VERB_PARTICLES:
            return True
        if one in _PREPOSITIONS and two in _NOMINATIVES:
            after = words[index + 2].folded if index + 2 < len(words) else ""
            if after not in _AFTER_NOMINATIVE:
                return True
    return False


def disagreement(claim: TokenizedPair, context: CheckContext) -> str:
    """An article of another gender than the chunk puts before that name: «ο Μάγδα»."""
    if context.task.language != "el":
        return ""
    for reading in (claim.answer, claim.question):
        for before, word in pairwise(reading.spoken):
            if not word.capital:
                continue
            given = ARTICLES.get(before.folded, 0)
            if not given or word.month or word.greek < STEM:
                continue
            if before.folded in GENITIVES:
                continue  # it may belong to what stands before: «η μητέρα του Ελένη»
            known = context.gender(word.folded)
            other = known & ~ADJACENT and not known & given
            nominative = before.folded in _NOMINATIVES
            if other and (known & ADJACENT or (nominative and _unlike(given, word.folded))):
                return "disagreement"
    return ""


def _unlike(given: int, name: str) -> bool:
    """A nominative in -ς is masculine, others are not, save for foreign names."""
    if given & FEMININE:
        return name.endswith("σ")
    return bool(given & MASCULINE) and not name.endswith("σ")


def mixed_language(claim: TokenizedPair, context: CheckContext) -> str:
    """Words of another language than the newspaper's, save for those that the chunk holds.

    Greek is told by its letters; languages that share an alphabet by their small words.
    """
    if context.task.language != "el":
        foreign = sum(_is_foreign(reading, context) for reading in (claim.question, claim.answer))
        return "mixed-language" if foreign else ""
    letters = greek = strangers = 0
    for reading in (claim.question, claim.answer):
        for word in reading.words:
            if word.digits:
                continue
            folded = word.folded
            if word.greek < len(folded):
                if folded in context.folded:
                    continue  # an abbreviation or a foreign name, taken from the chunk
                if word.greek:
                    return "mixed-language"  # two alphabets in one word
                strangers += not word.capital
            letters += len(folded)
            greek += word.greek
    if strangers >= STRANGERS:
        return "mixed-language"
    return "mixed-language" if letters and greek / letters < GREEK_SHARE else ""


def _is_foreign(reading: TokenizedText, context: CheckContext) -> bool:
    """Two small words of one other language, neither of them the chunk's."""
    own = _SMALL_WORDS.get(context.task.language, frozenset())
    said = {word.folded for word in reading.words if not word.capital} - own
    return any(
        len((said & small) - context.folded) >= STRANGERS
        for language, small in _SMALL_WORDS.items()
        if language != context.task.language
    )
