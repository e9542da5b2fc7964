"""The judge's part of an evaluation: audited first, then the systems that matter are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from exchange.store.review import Review
from trainer.evaluate.judge import Judge, audit_judge, correct_by_votes, prefer_both_orders
from trainer.evaluate.judge.audit import FAULTS_PER_KIND
from trainer.evaluate.judge.faults import FAULTS
from trainer.evaluate.records import EvalAnswer, EvalItem, JudgeAudit, Preference
from trainer.evaluate.systems.build import FACT_SPLITS

# What a reader of the report asks: is tuned better than nothing, than passages, and do they add up?
JUDGED_PAIRS = (("tuned", "base"), ("tuned", "base+rag"), ("tuned+rag", "base+rag"))


def run_judge(
    judge: Judge,
    items: Sequence[EvalItem],
    answers: Mapping[str, Mapping[str, EvalAnswer]],
    count: int,
    votes: tuple[Path, str],
    report: Callable[[str, int, int], None],
) -> tuple[JudgeAudit, list[Preference]]:
    """The audit, and what the judge prefers of `count` questions' answers; nothing if it failed.

    Args:
        votes: the folder of `review.sqlite` and the run whose votes count.
    """
    usable = [item for item in items if item.split in FACT_SPLITS and item.gold and item.reference]
    pairs = [pair for pair in JUDGED_PAIRS if pair[0] in answers and pair[1] in answers]
    chosen = usable[:count]
    most = 2 * (len(FAULTS) * FAULTS_PER_KIND + len(pairs) * len(chosen))  # some need not be asked
    done = 0

    def one() -> None:
        nonlocal done
        done += 1
        report("judging", done, most)

    found = audit_judge(judge, usable, one)
    if not found.passed:
        return found, []
    said = prefer_both_orders(
        judge,
        [
            (item, one_, other, answers[one_][item.id].text, answers[other][item.id].text)
            for one_, other in pairs
            for item in chosen
            if item.id in answers[one_] and item.id in answers[other]
        ],
        one,
    )
    review = Review.read(votes[0])
    if review is not None:
        try:
            human = correct_by_votes(items, said, review.votes(), votes[1])
        finally:
            review.close()
        found = found.replace(human=human)
    return found, said
