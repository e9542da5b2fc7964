"""Rules of single kinds of task: refusals, corrections, and questions in other words.

A question of a correction rests on something false: `given["false"]` is what was put into it,
`given["true"]` what stood there before.
"""

from __future__ import annotations

import re

from exchange.records import TOO_ALIKE
from exchange.text.language import every
from exchange.text.similarity import jaccard, question_signature
from exchange.text.stems import is_same_word
from exchange.text.tokens import TokenizedPair, TokenizedText
from workers.checks.context import CheckContext, kind_of

ALIKE = 0.6  # word Jaccard of a rephrased question to its source: the same wording from here on
_DENIES = re.compile(rf"\b({every().pattern('denies')})\b")
_REFUSES = re.compile(every().pattern("refuses"))


def denies(claim: TokenizedPair, context: CheckContext) -> str:
    """It says that the question is wrong, and does not answer as if it were right."""
    return "" if _DENIES.search(claim.answer.line) else "premise-accepted"


def corrects(claim: TokenizedPair, context: CheckContext) -> str:
    """It says what is right: the true date, or the true name."""
    true = TokenizedText(context.task.given["true"], context.task.language)
    if true.dates:
        return "" if true.dates <= claim.answer.dates else "not-corrected"
    if not true.numbers <= claim.answer.numbers:
        return "not-corrected"
    answer_words = [word.folded for word in claim.answer.words]
    found = all(
        any(is_same_word(word.folded, other) for other in answer_words)
        for word in true.words
        if word.capital
    )
    return "" if found else "not-corrected"


def refuses(claim: TokenizedPair, context: CheckContext) -> str:
    """It says that it does not know."""
    return "" if _REFUSES.search(claim.answer.line) else "not-refused"


def adds_nothing(claim: TokenizedPair, context: CheckContext) -> str:
    """A refusal that tells names or numbers of its own invents while refusing."""
    question = claim.question
    if not claim.answer.numbers <= question.numbers_held:
        return "invented-number"
    if not claim.answer.dates <= question.dates:
        return "invented-number"
    known = [word.folded for word in question.words]
    for word in claim.answer.names:
        if not any(is_same_word(word.folded, other) for other in known):
            return "invented-name"
    return ""


def grounded_or_asked(claim: TokenizedPair, context: CheckContext) -> str:
    """A correction may repeat what the question says; the rest stands in the chunk."""
    question = claim.question
    known_years = context.calendar.years | question.numbers
    if not claim.answer.numbers <= context.numbers | known_years:
        return "ungrounded-number"
    if not all(d in question.calendar or context.dates_hold(d) for d in claim.answer.calendar):
        return "ungrounded-date"
    known = [word.folded for word in question.words]
    for word in claim.answer.names:
        if word.month:
            if word.month not in question.months and not context.speaks_of(word.month):
                return "ungrounded-name"
        elif not context.names(word.folded) and not any(
            is_same_word(word.folded, other) for other in known
        ):
            return "ungrounded-name"
    return ""


def _source(context: CheckContext) -> TokenizedText:
    """The question that was to be put in other words."""
    return TokenizedText(context.task.given["question"], context.task.language)


def keeps_facts(claim: TokenizedPair, context: CheckContext) -> str:
    """Digits, months and names are those of the source, none lost and none added."""
    source, question = _source(context), claim.question
    if source.numbers != question.numbers or source.calendar != question.calendar:
        return "rephrase-number"
    if source.months != question.months:
        return "rephrase-number"
    one = {word.folded for word in source.names if not word.month}
    other = {word.folded for word in question.names if not word.month}
    question_words = {word.folded for word in question.words}
    kept = all(any(is_same_word(name, word) for word in question_words) for name in one)
    known = {word.folded for word in source.words}
    added = not all(any(is_same_word(name, word) for word in known) for name in other)
    return "rephrase-name" if added or not kept else ""


def asks_the_same(claim: TokenizedPair, context: CheckContext) -> str:
    """Who stays who and when stays when: another kind of question has another answer."""
    kind, wanted = kind_of(claim.question), kind_of(_source(context))
    return "" if kind == wanted or "fact" in (kind, wanted) else "rephrase-kind"


def other_words(claim: TokenizedPair, context: CheckContext) -> str:
    """Too near to its source to be a test of anything."""
    source = _source(context)
    one, other = claim.question.folded, source.folded
    if len(one & other) > ALIKE * len(one | other):
        return TOO_ALIKE
    # Small words apart it may still be the same one, and would be left out of every test set.
    asked, told = question_signature(claim.question.text), question_signature(source.text)
    return TOO_ALIKE if jaccard(asked.stems, told.stems) > ALIKE else ""
