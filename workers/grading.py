"""From a raw completion to graded pairs: parse, check, mark; nothing is thrown away."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import cast

from exchange.records import Pair, PairKind, Task
from exchange.text.language import every
from workers import checks
from workers.checks import CheckContext, TokenizedPair

# Read the line format leniently: models number, embolden and forget blank lines.
#
# The format costs 10 % fewer tokens than compact JSON, and most damaged replies still yield their
# whole pairs.

_LABEL = re.compile(
    rf"^[\s\-*•#>\d.)(]*\**\s*"
    rf"(?:(?P<asks>{every().pattern('question_labels')})|{every().pattern('answer_labels')})"
    rf"\s*\d*\s*\**\s*[:：]\s*\**\s*(?P<rest>.*)$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"^[\s\-*•#>]*(?:\d{1,2}\s*[.):]\s*)?")
_FINAL = tuple('.!…»")]·;?%€')


@dataclass(frozen=True, slots=True)
class PairDraft:
    """A pair as the model wrote it; `chopped` when the reply was cut inside it."""

    question: str
    answer: str
    chopped: bool = False


def parse(text: str, *, chopped: bool = False) -> list[PairDraft]:
    """The pairs of one completion, in order.

    Args:
        chopped: the model was cut off (finish reason other than "stop"), so the last answer may
            lack its end; it is marked unless it closes with final punctuation.
    """
    drafts: list[PairDraft] = []
    question: list[str] = []
    answer: list[str] | None = None
    for line in _lines(text):
        match = _LABEL.match(line)
        if match and match["asks"]:
            _close(drafts, question, answer)
            question, answer = [match["rest"]], None
        elif match:
            answer = [match["rest"]]
        elif answer is not None:
            answer.append(line)
        elif question:
            question.append(line)
    whole = len(drafts)
    _close(drafts, question, answer)
    if chopped and len(drafts) > whole and not drafts[-1].answer.endswith(_FINAL):
        drafts[-1] = PairDraft(drafts[-1].question, drafts[-1].answer, chopped=True)
    return drafts


def parse_questions(text: str) -> list[str]:
    """The questions of a reply that was asked for nothing else, one a line; labels are dropped."""
    found: dict[str, None] = {}
    for line in _lines(text):
        match = _LABEL.match(line)
        question = _clean([match["rest"] if match else _NUMBERED.sub("", line)])
        if question.endswith((";", "?")):
            found.setdefault(question)
    return list(found)


def parse_answer(text: str) -> str:
    """The one answer of a reply that was asked for no more; its paragraphs are kept."""
    kept: list[str] = []
    for line in _lines(text):
        match = _LABEL.match(line)
        if match and match["asks"]:
            continue  # the question, told again
        kept.append(_clean([match["rest"] if match else line]))
    return "\n".join(kept).strip()


def _lines(text: str) -> list[str]:
    return unicodedata.normalize("NFC", text).replace("\u037e", ";").splitlines()


def _close(drafts: list[PairDraft], question: list[str], answer: list[str] | None) -> None:
    if not question or answer is None:
        return
    draft = PairDraft(_clean(question), _clean(answer))
    if draft.question and draft.answer:
        drafts.append(draft)


def _clean(lines: list[str]) -> str:
    return " ".join(" ".join(lines).replace("**", "").split())


NO_PAIR = "no-pair"


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
