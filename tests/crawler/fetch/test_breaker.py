from __future__ import annotations

from crawler.fetch.politeness import BREAKER_WINDOW, MIN_OUTCOMES, HostBreaker


def notes(breaker: HostBreaker, outcomes: str) -> list[bool]:
    return [breaker.add(mark == "+") for mark in outcomes]


def test_it_opens_when_half_of_the_last_answers_were_errors() -> None:
    assert notes(HostBreaker(), "-" * MIN_OUTCOMES) == [False] * (MIN_OUTCOMES - 1) + [True]
    assert any(notes(HostBreaker(), "+-" * MIN_OUTCOMES))
    assert not any(notes(HostBreaker(), "++-" * 20))


def test_a_few_errors_say_nothing() -> None:
    assert not any(notes(HostBreaker(), "-" * (MIN_OUTCOMES - 1)))


def test_an_answer_that_is_well_never_opens_it() -> None:
    breaker = HostBreaker()
    notes(breaker, "-" * (MIN_OUTCOMES - 1))
    assert breaker.add(True) is False


def test_after_it_has_opened_it_judges_anew() -> None:
    breaker = HostBreaker()
    assert notes(breaker, "-" * 2 * MIN_OUTCOMES).count(True) == 2
    assert not breaker.healthy
    notes(breaker, "+" * BREAKER_WINDOW)
    assert breaker.healthy
