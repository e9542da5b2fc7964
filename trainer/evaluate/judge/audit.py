"""Whether a judge may be believed, and what it prefers if it may.

It must find faults that were planted in right answers, whichever answer stands first, so that it
can be tried without a person's labels. Each fault takes a right answer and returns it with the
fault in it, or "" where it has no place for it. All of them are pure; what is random follows from
the answer itself. Only a judge that passed is asked to compare systems.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from exchange.store.review import Review
from exchange.text.language import every
from exchange.text.tokens import TokenizedText
from trainer.console import StageProgress
from trainer.evaluate.judge.pairwise import (
    Contested,
    Judge,
    contests_of,
    correct_by_votes,
    prefer_both_orders,
)
from trainer.evaluate.records import (
    FACT_SPLITS,
    EvalAnswer,
    EvalItem,
    FaultCount,
    JudgeAudit,
    Preference,
    as_dicts,
)
from trainer.statistics import wilson_interval

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_YEAR = re.compile(r"\b(?:1[89]|20)\d\d\b")
_NOT, _NO = every().texts["not"], every().texts["no"]
_DENIED = re.compile(rf"\b[{_NOT[0].upper()}{_NOT[0]}]{_NOT[1:]}? ")
# Past and present endings of verbs that newspapers tell facts with; three letters before them.
_VERB = re.compile(rf"\b\w[α-ωάέήίόύώϊϋΐΰ]{{2,}}(?:{every().pattern('verb_ends')})\b")
_LEAST = 4  # words of an answer that can be cut in two


def negated(answer: str, other: str) -> str:
    """Says the opposite: a «δεν» is taken out or put before the first verb, else «Όχι» first."""
    if _DENIED.search(answer):
        return _upper_first(_DENIED.sub("", answer, count=1))
    verb = _VERB.search(answer)
    if verb is None:
        return f"{_NO} {_lower_first(answer)}"
    before, rest = answer[: verb.start()], _lower_first(answer[verb.start() :])
    return _upper_first(f"{before}{_NOT} {rest}")


def swapped_number(answer: str, other: str) -> str:
    """One number that is no year is another one of as many digits."""
    for match in _NUMBER.finditer(answer):
        if not _YEAR.fullmatch(match[0]):
            return answer[: match.start()] + _changed(match[0]) + answer[match.end() :]
    return ""


def swapped_date(answer: str, other: str) -> str:
    """The year is a few years off."""
    match = _YEAR.search(answer)
    if not match:
        return ""
    off = random.Random(answer).choice((-4, -3, -2, 2, 3, 4))
    return answer[: match.start()] + str(int(match[0]) + off) + answer[match.end() :]


def swapped_name(answer: str, other: str) -> str:
    """A name is one of another answer."""
    mine, theirs = _names(answer), _names(other)
    for name in mine:
        for instead in theirs:
            if instead not in mine:
                return answer.replace(name, instead, 1)
    return ""


def truncated(answer: str, other: str) -> str:
    """The second half is missing."""
    words = answer.split()
    return " ".join(words[: len(words) // 2]) + " …" if len(words) >= _LEAST else ""


def padded(answer: str, other: str) -> str:
    """The answer to another question stands behind it."""
    return f"{answer} {other}" if other and other not in answer else ""


FAULTS: dict[str, Callable[[str, str], str]] = {
    "negation": negated,
    "number": swapped_number,
    "date": swapped_date,
    "name": swapped_name,
    "truncation": truncated,
    "padding": padded,
}


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _changed(number: str) -> str:
    """Another number: its first digit is another one."""
    first = int(number[0])
    return str(first % 9 + 1) + number[1:]


def _names(text: str) -> list[str]:
    """Capitalised words as they are written, in order."""
    names = {word.folded for word in TokenizedText(text).names if not word.month}
    return [
        word
        for word in re.findall(r"[^\W\d_]+", text)
        if word[0].isupper()
        and TokenizedText(f"α {word}").names
        and TokenizedText(f"α {word}").names[0].folded in names
    ]


FAULTS_PER_KIND = 30  # planted faults of a kind
MIN_FAULTS = 15  # with fewer the interval reaches from a coin to a perfect judge
# A judge that throws a coin is right in both orders once in four; one that is right more often than
# not, in both orders, is worth asking. The lower end of Wilson's 95 % interval must be above it.
MIN_DETECTION = 0.5
MAX_POSITION_BIAS = 0.15  # how far the share of what stands first may be from a half


def audit_judge(
    judge: Judge, items: Sequence[EvalItem], progress: Callable[[], None] = lambda: None
) -> JudgeAudit:
    """Plant every kind of fault in references and let the judge choose.

    Args:
        items: with a gold chunk and a reference each; faults that need another answer take the
            next item's.
    """
    planted = plant_faults(items)
    said = prefer_both_orders(judge, [row for rows in planted.values() for row in rows], progress)
    faults = [
        FaultCount(name, len(rows), sum(one.value == 1.0 for one in said if one.other == name))
        for name, rows in planted.items()
    ]
    share = _first_share(said)
    reason = _reason(faults, share)
    return JudgeAudit(
        judge.name, judge.signature, not reason, reason, round(share, 4), as_dicts(faults)
    )


def plant_faults(items: Sequence[EvalItem]) -> dict[str, list[Contested]]:
    """Right answers against the same with a fault in it, by its kind."""
    planted: dict[str, list[Contested]] = {name: [] for name in FAULTS}
    usable = [item for item in items if item.gold and item.reference]
    for number, item in enumerate(usable):
        other = usable[(number + 1) % len(usable)].reference
        for name, plant in FAULTS.items():
            wrong = plant(item.reference, other)
            if wrong and wrong != item.reference and len(planted[name]) < FAULTS_PER_KIND:
                planted[name].append((item, "right", name, item.reference, wrong))
    return planted


def _first_share(said: Sequence[Preference]) -> float:
    """How often what stood first was preferred, over both orders."""
    given = [share for one in said for share in (one.first, 1 - one.second)]
    return sum(0.5 + 0.5 * ((share > 0.5) - (share < 0.5)) for share in given) / max(1, len(given))


def _reason(faults: Sequence[FaultCount], share: float) -> str:
    """Why the judge is not believed; "" when it is."""
    few = [f"{fault.name} {fault.asked}" for fault in faults if fault.asked < MIN_FAULTS]
    if few:
        return f"too few faults could be planted ({MIN_FAULTS} of a kind wanted): {', '.join(few)}"
    if abs(share - 0.5) > MAX_POSITION_BIAS:
        return f"it prefers what stands {'first' if share > 0.5 else 'second'} ({share:.0%} of all)"
    missed = [
        fault.name
        for fault in faults
        if wilson_interval(fault.caught, fault.asked)[0] <= MIN_DETECTION
    ]
    return f"it does not find these faults surely enough: {', '.join(missed)}" if missed else ""


# What a reader of the report asks: is tuned better than nothing, than passages, and do they add up?
JUDGED_PAIRS = (("tuned", "base"), ("tuned", "base+rag"), ("tuned+rag", "base+rag"))


def run_judge(
    judge: Judge,
    items: Sequence[EvalItem],
    answers: Mapping[str, Mapping[str, EvalAnswer]],
    count: int,
    votes: tuple[Path, str],
    report: StageProgress,
) -> tuple[JudgeAudit, list[Preference]]:
    """The audit, and what the judge prefers of `count` questions' answers; nothing if it failed.

    Args:
        votes: the folder of `review.sqlite` and the run whose votes count.
    """
    usable = [item for item in items if item.split in FACT_SPLITS and item.gold and item.reference]
    pairs = [pair for pair in JUDGED_PAIRS if pair[0] in answers and pair[1] in answers]
    compared = [
        (item, one_, other, answers[one_][item.id].text, answers[other][item.id].text)
        for one_, other in pairs
        for item in usable[:count]
        if item.id in answers[one_] and item.id in answers[other]
    ]
    planted = [row for rows in plant_faults(usable).values() for row in rows]
    most, done = judge.missing(contests_of([*planted, *compared])), 0

    def one() -> None:
        nonlocal done
        done += 1
        report("judging", done, most)

    found = audit_judge(judge, usable, one)
    if not found.passed:
        return found, []
    said = prefer_both_orders(judge, compared, one)
    review = Review.read(votes[0])
    if review is not None:
        try:
            human = correct_by_votes(items, said, review.votes(), votes[1])
        finally:
            review.close()
        found = found.replace(human=human)
    return found, said
