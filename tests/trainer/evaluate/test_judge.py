"""The judge's audit: a fair and able judge passes, all others are found out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from exchange.store.review import Vote
from trainer.evaluate.judge import JudgeCase, audit_judge, correct_by_votes, prefer_both_orders
from trainer.evaluate.judge.audit import FAULTS, run_judge
from trainer.evaluate.records import EvalAnswer, EvalItem, Preference

NAMES = ("Νίκος Βαλτινός", "Ελένη Καρατζά", "Στέλιος Μωράκης", "Άννα Λυγερού", "Θωμάς Ρίζος")


def items(count: int = 40) -> list[EvalItem]:
    return [
        EvalItem(
            str(n),
            "test_unseen",
            f"Τι έγινε με το έργο {n};",
            f"Το συμβούλιο ενέκρινε {n + 10}0 ευρώ τον Μάη του {1990 + n % 20} για τον "
            f"{NAMES[n % 5]}.",
            str(n),
            gold=f"Κείμενο {n}.",
        )
        for n in range(count)
    ]


class Made:
    """A judge whose manner is known."""

    name, signature = "made", "judge|made|v:1"

    def __init__(self, manner: Callable[[JudgeCase], float]) -> None:
        self.manner = manner
        self.asked = 0
        self.stored: list[JudgeCase] = []

    def prefer(
        self, contests: Sequence[JudgeCase], progress: Callable[[], None] = lambda: None
    ) -> list[float]:
        for contest in contests:
            if contest not in self.stored:
                self.asked += 1
                progress()
            self.stored.append(contest)
        return [self.manner(contest) for contest in contests]

    def missing(self, contests: Sequence[JudgeCase]) -> int:
        return sum(contest not in self.stored for contest in contests)


def able(contest: JudgeCase) -> float:
    """Knows the reference."""
    return 0.9 if contest.first == contest.item.reference else 0.1


def test_a_judge_that_finds_the_faults_passes() -> None:
    found = audit_judge(Made(able), items())
    assert found.passed and found.reason == ""
    assert {fault["name"] for fault in found.faults} == set(FAULTS)
    assert all(fault["asked"] == fault["caught"] == 30 for fault in found.faults)
    assert found.first_share == 0.5


def test_what_was_judged_before_is_no_part_of_what_is_still_to_come(tmp_path: Path) -> None:
    some, judge = items(), Made(able)
    answers = {
        name: {one.id: EvalAnswer(one.id, text + one.id, 1, 1, 0.0, "stop") for one in some}
        for name, text in (("tuned", "ένα"), ("base", "δύο"))
    }
    steps: list[tuple[int, int]] = []

    def run(count: int) -> None:
        steps.clear()
        run_judge(
            judge,
            some,
            answers,
            count,
            (tmp_path, "default"),
            lambda what, done, total: steps.append((done, total)),
        )

    run(10)
    whole = 2 * (6 * 30 + 10)
    assert steps == [(n, whole) for n in range(1, whole + 1)]
    run(10)
    assert steps == []
    run(13)
    assert steps == [(n, 6) for n in range(1, 7)]


def test_a_kind_that_was_hardly_planted_is_not_passed() -> None:
    some = [
        one.replace(reference=f"Το συμβούλιο ενέκρινε {n + 10}0 ευρώ για τον {NAMES[n % 5]}.")
        if n > 2
        else one  # only these say a year
        for n, one in enumerate(items())
    ]
    found = audit_judge(Made(able), some)
    assert not found.passed and "too few faults" in found.reason and "date 3" in found.reason


def test_a_judge_that_always_says_a_fails() -> None:
    found = audit_judge(Made(lambda contest: 1.0), items())
    assert not found.passed and "stands first" in found.reason
    assert found.first_share == 1.0 and all(fault["caught"] == 0 for fault in found.faults)


def test_a_judge_that_always_says_b_fails() -> None:
    found = audit_judge(Made(lambda contest: 0.0), items())
    assert not found.passed and "stands second" in found.reason


def test_a_judge_that_throws_a_coin_fails() -> None:
    rng = random.Random(3)
    found = audit_judge(Made(lambda contest: rng.random()), items())
    assert not found.passed and "surely enough" in found.reason


@pytest.mark.parametrize("blind_to", sorted(FAULTS))
def test_a_judge_that_is_blind_to_one_fault_fails_and_the_fault_is_named(blind_to: str) -> None:
    faulty = {
        FAULTS[blind_to](item.reference, items()[(n + 1) % 40].reference)
        for n, item in enumerate(items())
    }

    def manner(contest: JudgeCase) -> float:
        if contest.first in faulty or contest.second in faulty:
            return 0.9 if contest.first in faulty else 0.1
        return able(contest)

    found = audit_judge(Made(manner), items())
    assert not found.passed and found.reason.endswith(blind_to)


def test_a_judge_that_likes_length_fails_on_padding() -> None:
    longer = Made(lambda contest: 0.5 + 0.001 * (len(contest.first) - len(contest.second)))
    assert "padding" in audit_judge(longer, items()).reason


def test_too_few_questions_to_try_a_judge_on_are_no_pass() -> None:
    assert not audit_judge(Made(able), items(3)).passed
    assert not audit_judge(Made(able), []).passed


def test_what_is_preferred_in_one_order_only_is_a_tie() -> None:
    (item,) = items(1)
    (said,) = prefer_both_orders(Made(lambda contest: 0.8), [(item, "a", "b", "ένα", "δύο")])
    assert (said.first, round(said.second, 6), said.value) == (0.8, 0.2, 0.5)
    manner = Made(lambda contest: 0.8 if contest.first == "ένα" else 0.3)
    (said,) = prefer_both_orders(manner, [(item, "a", "b", "ένα", "δύο")])
    assert said.value == 1.0


def test_equal_answers_are_a_tie_and_cost_nothing() -> None:
    judge = Made(able)
    (said,) = prefer_both_orders(judge, [(items(1)[0], "a", "b", "ίδια ", "ίδια")])
    assert said.value == 0.5 and judge.asked == 0


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_planted_fault_changes_the_answer_the_same_way_each_time(name: str) -> None:
    one, other = items(2)
    wrong = FAULTS[name](one.reference, other.reference)
    assert wrong and wrong != one.reference
    assert wrong == FAULTS[name](one.reference, other.reference)


def test_a_negated_answer_reads_like_a_sentence() -> None:
    plant = FAULTS["negation"]
    assert plant("Ενέκρινε 3 ευρώ.", "") == "Δεν ενέκρινε 3 ευρώ."
    assert plant("Το σχολείο δεν άνοιξε.", "") == "Το σχολείο άνοιξε."
    assert plant("Ο Νίκος.", "") == "Όχι ο Νίκος."


def test_people_s_votes_correct_a_judge_that_is_biased() -> None:
    questions = items(100)
    # The judge finds `tuned` better always; people find it better in 60 of 100.
    said = [Preference(item.id, "tuned", "base", 1.0, 1.0, 1.0) for item in questions]
    votes = [
        Vote(
            question=item.question,
            run="default",
            systems=("base", "tuned"),
            answers=("α", "β"),
            choice="best",
            best="tuned" if n % 5 < 3 else "base",
        )
        for n, item in enumerate(questions[:50])
    ]
    found = correct_by_votes(questions, said, votes, "default")["tuned - base"]
    assert found["votes"] == 50 and found["agreement"] == pytest.approx(0.6)
    assert found["value"] == pytest.approx(0.6) and found["low"] < 0.6 < found["high"]
    assert correct_by_votes(questions, said, votes, "another run") == {}
    seen = [
        Vote(
            question=v.question,
            run=v.run,
            systems=v.systems,
            answers=v.answers,
            choice=v.choice,
            best=v.best,
            blind=False,
        )
        for v in votes
    ]
    assert correct_by_votes(questions, said, seen, "default") == {}
