from __future__ import annotations

from crawler.breaker import ENOUGH, WINDOW, Breaker


def notes(breaker: Breaker, outcomes: str) -> list[bool]:
    return [breaker.note(mark == "+") for mark in outcomes]


def test_it_opens_when_half_of_the_last_answers_were_errors() -> None:
    assert notes(Breaker(), "-" * ENOUGH) == [False] * (ENOUGH - 1) + [True]
    assert any(notes(Breaker(), "+-" * ENOUGH))
    assert not any(notes(Breaker(), "++-" * 20))


def test_a_few_errors_say_nothing() -> None:
    assert not any(notes(Breaker(), "-" * (ENOUGH - 1)))


def test_an_answer_that_is_well_never_opens_it() -> None:
    breaker = Breaker()
    notes(breaker, "-" * (ENOUGH - 1))
    assert breaker.note(True) is False


def test_after_it_has_opened_it_judges_anew() -> None:
    breaker = Breaker()
    assert notes(breaker, "-" * 2 * ENOUGH).count(True) == 2
    assert not breaker.healthy
    notes(breaker, "+" * WINDOW)
    assert breaker.healthy
