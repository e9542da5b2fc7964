"""From a raw completion to graded pairs: parse, check, mark; nothing is thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from exchange.records import NO_PAIR, Pair, PairKind, Task
from workers import checks
from workers.checks import CheckContext, TokenizedPair
from workers.parse import PairDraft, parse, parse_answer, parse_questions

_QUOTED = ("chunk", "whois")  # kinds whose answer stands in a sentence of what was asked about


@dataclass(frozen=True, slots=True)
class GradedReply:
    """The pairs of one completion; `problem` says why there is none at all."""

    pairs: tuple[Pair, ...]
    problem: str = ""

    @property
    def accepted(self) -> int:
        return sum(pair.status == "accepted" for pair in self.pairs)


def grade(task: Task, completion: str, finish_reason: str) -> GradedReply:
    """Parse one completion and put each pair through the chain of checks of its kind.

    Pure: the same task and text give the same pairs with the same ids, on any machine.
    """
    drafts = read_drafts(task, completion, chopped=finish_reason != "stop")
    if not drafts:
        return GradedReply((), NO_PAIR)
    context = CheckContext.of(task)
    pairs: dict[str, Pair] = {}
    for draft in drafts:
        claim = TokenizedPair.of(draft.question, draft.answer, draft.chopped, task.language)
        reason = checks.first_objection(claim, context)
        source = None
        if not reason and task.kind in _QUOTED:
            source = context.best_sentence(claim)
        pair = Pair(
            id=Pair.make_id(task.id, draft.question, draft.answer),
            task_id=task.id,
            chunk_ids=task.chunk_ids,
            question=draft.question,
            answer=draft.answer,
            kind=_kind(task, claim),
            status="rejected" if reason else "accepted",
            reason=reason,
            rules=checks.VERSION,
            quote=source.text if source else "",
            rephrase_of=task.given.get("pair", "") if task.kind == "rephrase" else "",
        )
        pairs.setdefault(pair.id, pair)
    return GradedReply(tuple(pairs.values()))


def read_drafts(task: Task, completion: str, *, chopped: bool) -> list[PairDraft]:
    """The drafts of a reply, by what the task asked for: pairs, questions, or one answer."""
    if task.kind == "rephrase":
        answer = task.given.get("answer", "")
        questions = parse_questions(completion)
        return [PairDraft(question, answer) for question in questions] if answer else []
    if task.kind in ("refusal", "replay"):
        question = task.text if task.kind == "replay" else task.given.get("question", "")
        answer = parse_answer(completion)
        return [PairDraft(question, answer, chopped)] if question and answer else []
    return parse(completion, chopped=chopped)


def _kind(task: Task, claim: TokenizedPair) -> PairKind:
    if task.kind == "rephrase":
        return cast(PairKind, task.given.get("kind", "fact"))
    if task.kind == "refusal":
        return "correction" if task.given.get("true") else "refusal"
    if task.kind == "replay":
        return "replay"
    if task.kind == "dense":
        return checks.larger_kind_of(claim.question)
    return checks.kind_of(claim.question)
