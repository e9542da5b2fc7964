"""A question said otherwise: the same facts asked for, in other words."""

from __future__ import annotations

from exchange.text.guard import guarded, similarity
from exchange.text.inflection import same_word
from exchange.text.reading import Claim, Reading
from workers.checks.context import Context
from workers.checks.kinds import kind_of

ALIKE = 0.6  # word Jaccard to the source from which it is the same wording


def keeps_facts(claim: Claim, context: Context) -> str:
    """Digits, months and names are those of the source, none lost and none added."""
    source, asked = Reading(context.task.given["question"]), claim.question
    if source.numbers != asked.numbers or source.months != asked.months:
        return "rephrase-number"
    one = {word.folded for word in source.names if not word.month}
    other = {word.folded for word in asked.names if not word.month}
    said = {word.folded for word in asked.words}
    kept = all(any(same_word(name, word) for word in said) for name in one)
    known = {word.folded for word in source.words}
    added = not all(any(same_word(name, word) for word in known) for name in other)
    return "rephrase-name" if added or not kept else ""


def asks_the_same(claim: Claim, context: Context) -> str:
    """Who stays who and when stays when: another kind of question has another answer."""
    kind, wanted = kind_of(claim.question), kind_of(Reading(context.task.given["question"]))
    return "" if kind == wanted or "fact" in (kind, wanted) else "rephrase-kind"


def other_words(claim: Claim, context: Context) -> str:
    """Too near to its source to be a test of anything."""
    source = context.task.given["question"]
    one = {word.folded for word in claim.question.words}
    other = {word.folded for word in Reading(source).words}
    if len(one & other) > ALIKE * len(one | other):
        return "rephrase-alike"
    # Small words apart it may still be the same one, and would be left out of every test set.
    alike = similarity(guarded(claim.question.text).stems, guarded(source).stems)
    return "rephrase-alike" if alike > ALIKE else ""
