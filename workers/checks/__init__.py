"""The chain of checks, cheap ones first. Each is one small function: a reason code, or "".

A pair is rejected with the first reason found. `VERSION` names the rule set; it changes when any
rule does, so that stored verdicts can be told apart and made again.
"""

from __future__ import annotations

from collections.abc import Callable

from exchange.records import PairKind
from workers.checks.context import Context
from workers.checks.form import chopped, length, question_mark, repetition
from workers.checks.grounding import grounded, meets_in_sentence
from workers.checks.language import mixed_language
from workers.checks.standing import deictic, meta_reference, pronoun_only
from workers.parse import Draft

VERSION = "1"

Check = Callable[[Draft, Context], str]

CHAIN: tuple[Check, ...] = (
    chopped,
    length,
    question_mark,
    repetition,
    meta_reference,
    deictic,
    pronoun_only,
    mixed_language,
    grounded,
    meets_in_sentence,
)

_KINDS: tuple[tuple[PairKind, tuple[str, ...]], ...] = (
    ("time", ("ποτε", "ποια ημερομηνια", "ποια χρονια", "ποιο ετοσ", "ποια μερα")),
    ("place", ("που ", "σε ποια πολη", "σε ποιο χωριο", "σε ποιο σημειο")),
    ("quantity", ("ποσο", "ποσα", "ποσεσ", "ποσοι", "ποσουσ", "ποσων", "ποιο ποσο")),
    ("person", ("ποιοσ", "ποια ηταν η", "ποιοι", "ποιον", "ποιου")),
    ("cause", ("γιατι", "για ποιο λογο", "για ποιον λογο", "ποια ηταν η αιτια")),
)


def first_objection(draft: Draft, context: Context) -> str:
    """The reason code of the first rule that objects, or "" when the pair is accepted."""
    for check in CHAIN:
        reason = check(draft, context)
        if reason:
            return reason
    return ""


def kind_of(draft: Draft) -> PairKind:
    """What the question asks for, by its opening words."""
    from exchange.text.fold import fold

    opening = fold(draft.question) + " "
    for kind, starts in _KINDS:
        if opening.startswith(starts):
            return kind
    return "fact"


__all__ = ["CHAIN", "VERSION", "Context", "first_objection", "kind_of"]
