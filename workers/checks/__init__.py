"""The chain of checks, cheap ones first. Each is one small function: a reason code, or "".

A pair is rejected with the first reason found. Each kind of task has the chain that fits it: a
summary does not have to stand in one sentence, a refusal does not have to be grounded. `VERSION`
names the rule set; it changes when any rule does, so that stored verdicts can be told apart and
made again.
"""

from __future__ import annotations

from collections.abc import Callable

from exchange.records import TaskKind
from exchange.text.tokens import TokenizedPair
from workers.checks import (
    attribution,
    form,
    grounding,
    polarity,
    rivals,
    self_contained,
    task_specific,
)
from workers.checks.context import CheckContext, kind_of, larger_kind_of

VERSION = "4"

Check = Callable[[TokenizedPair, CheckContext], str]

_WHOLE: tuple[Check, ...] = (
    form.question_mark,
    form.repetition,
    form.trailing,
    form.chopped,
)
_SOUND: tuple[Check, ...] = (form.prompt_echo, form.mixed_language, form.garbled)
_ALONE: tuple[Check, ...] = (
    self_contained.undated_event,
    self_contained.unanchored,
    self_contained.meta_reference,
    self_contained.deictic,
    self_contained.pronoun_only,
)
_GROUNDED: tuple[Check, ...] = (
    grounding.grounded_number,
    grounding.grounded_date,
    grounding.grounded_name,
    grounding.grounded,
)

CHAINS: dict[TaskKind, tuple[Check, ...]] = {
    "chunk": (
        grounding.obeys,
        form.length,
        *_WHOLE,
        *_SOUND,
        *_ALONE,
        form.leaked,
        form.right_answer_type,
        *_GROUNDED,
        form.disagreement,
        grounding.co_occurs_in_sentence,
        rivals.other_value,
        polarity.polarity,
        attribution.attributed,
    ),
    "dense": (
        grounding.obeys,
        form.summary_length,
        *_WHOLE,
        *_SOUND,
        *_ALONE,
        *_GROUNDED,
        form.disagreement,
    ),
    "whois": (
        grounding.obeys,
        form.length,
        *_WHOLE,
        *_SOUND,
        *_ALONE,
        form.leaked,
        *_GROUNDED,
        form.disagreement,
    ),
    "rephrase": (
        form.length,
        *_WHOLE,
        *_SOUND,
        *_ALONE,
        task_specific.keeps_facts,
        task_specific.asks_the_same,
        task_specific.other_words,
    ),
    "refusal": (form.length, form.chopped, form.repetition, *_SOUND, self_contained.meta_reference),
    "replay": (form.free_length, form.chopped, form.repetition, *_SOUND),
}
_REFUSAL: tuple[Check, ...] = (task_specific.refuses, task_specific.adds_nothing)
_CORRECTION: tuple[Check, ...] = (
    task_specific.denies,
    task_specific.corrects,
    task_specific.grounded_or_asked,
    form.disagreement,
)


def chain(context: CheckContext) -> tuple[Check, ...]:
    """The checks of a task, in order."""
    found = CHAINS[context.task.kind]
    if context.task.kind != "refusal":
        return found
    return found + (_CORRECTION if context.task.given.get("true") else _REFUSAL)


def first_objection(claim: TokenizedPair, context: CheckContext) -> str:
    """The reason code of the first rule that objects, or "" when the pair is accepted."""
    for check in chain(context):
        reason = check(claim, context)
        if reason:
            return reason
    return ""


__all__ = [
    "CHAINS",
    "VERSION",
    "CheckContext",
    "TokenizedPair",
    "first_objection",
    "kind_of",
    "larger_kind_of",
]
