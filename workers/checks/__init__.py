"""The chain of checks, cheap ones first. Each is one small function: a reason code, or "".

A pair is rejected with the first reason found. Each kind of task has the chain that fits it: a
summary does not have to stand in one sentence, a refusal does not have to be grounded. `VERSION`
names the rule set; it changes when any rule does, so that stored verdicts can be told apart and
made again.
"""

from __future__ import annotations

from collections.abc import Callable

from exchange.records import TaskKind
from exchange.text.reading import Claim
from workers.checks import fluency, form, grounding, premises, rephrased, standing
from workers.checks.attribution import attributed
from workers.checks.context import Context
from workers.checks.events import undated_event
from workers.checks.kinds import kind_of, larger_kind_of
from workers.checks.language import mixed_language
from workers.checks.meeting import meets_in_sentence
from workers.checks.sort import right_sort

VERSION = "2"

Check = Callable[[Claim, Context], str]

_WHOLE: tuple[Check, ...] = (form.question_mark, form.repetition, form.chopped)
_SOUND: tuple[Check, ...] = (form.prompt_echo, mixed_language, fluency.garbled)
_ALONE: tuple[Check, ...] = (
    undated_event,
    standing.unanchored,
    standing.meta_reference,
    standing.deictic,
    standing.pronoun_only,
)
_GROUNDED: tuple[Check, ...] = (
    grounding.grounded_number,
    grounding.grounded_date,
    grounding.grounded_name,
    grounding.grounded,
)

CHAINS: dict[TaskKind, tuple[Check, ...]] = {
    "chunk": (
        form.length,
        *_WHOLE,
        *_SOUND,
        *_ALONE,
        form.leaked,
        right_sort,
        *_GROUNDED,
        fluency.disagreement,
        meets_in_sentence,
        attributed,
    ),
    "dense": (form.summary_length, *_WHOLE, *_SOUND, *_ALONE, *_GROUNDED, fluency.disagreement),
    "whois": (
        form.length,
        *_WHOLE,
        *_SOUND,
        *_ALONE,
        form.leaked,
        *_GROUNDED,
        fluency.disagreement,
    ),
    "rephrase": (
        form.length,
        *_WHOLE,
        *_SOUND,
        *_ALONE,
        rephrased.keeps_facts,
        rephrased.asks_the_same,
        rephrased.other_words,
    ),
    "refusal": (form.length, form.chopped, form.repetition, *_SOUND, standing.meta_reference),
    "replay": (form.free_length, form.chopped, form.repetition, *_SOUND),
}
_REFUSAL: tuple[Check, ...] = (premises.refuses, premises.adds_nothing)
_CORRECTION: tuple[Check, ...] = (
    premises.denies,
    premises.corrects,
    premises.grounded_or_asked,
    fluency.disagreement,
)


def chain(context: Context) -> tuple[Check, ...]:
    """The checks of a task, in order."""
    found = CHAINS[context.task.kind]
    if context.task.kind != "refusal":
        return found
    return found + (_CORRECTION if context.task.given.get("true") else _REFUSAL)


def first_objection(claim: Claim, context: Context) -> str:
    """The reason code of the first rule that objects, or "" when the pair is accepted."""
    for check in chain(context):
        reason = check(claim, context)
        if reason:
            return reason
    return ""


__all__ = ["CHAINS", "VERSION", "Claim", "Context", "first_objection", "kind_of", "larger_kind_of"]
