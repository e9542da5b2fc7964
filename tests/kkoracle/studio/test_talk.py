"""Rounds of a comparison, their votes, and the talk as a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from exchange.errors import UsageError
from kkoracle.studio import comparison
from kkoracle.studio.comparison import ALL_ALIKE, NONE_RIGHT, ComparisonRound, Talk
from kkoracle.studio.systems import STOPPED, StudioAnswer, StudioSource
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import EVIL

SYSTEMS = ("base", "tuned", "RAG")
SOURCE = StudioSource("Φωνή, 5/1/2008, Τίτλος", "https://paper.example/story?id=1", "Κείμενο.")


def answered(blind: bool = True, text: str = "Το 2012.") -> ComparisonRound:
    begun = comparison.begin_round("Πότε;", "default", SYSTEMS, blind)
    given = tuple(
        StudioAnswer(name, f"{text} ({place})", 0.5, 7, (SOURCE,) if name == "RAG" else ())
        for place, name in enumerate(begun.systems)
    )
    return ComparisonRound(begun.question, begun.run, begun.systems, given, blind)


def test_a_blind_round_is_shuffled_and_names_nobody_before_the_vote() -> None:
    orders = {comparison.begin_round("Πότε;", "", SYSTEMS, True).systems for _ in range(200)}
    assert len(orders) == 6 and all(sorted(order) == sorted(SYSTEMS) for order in orders)
    of = answered()
    assert [of.name(place) for place in range(3)] == ["A", "B", "C"]
    voted, _ = comparison.record_vote(of, "B", "", "me")
    assert voted.name(1) == f"B: {of.systems[1]}"


def test_an_open_round_keeps_its_order_and_says_who_it_is() -> None:
    of = answered(blind=False)
    assert of.systems == SYSTEMS and of.name(0) == "A: base"


def test_a_vote_is_stored_by_system_not_by_letter() -> None:
    of = answered()
    _, best = comparison.record_vote(of, "C", "Το 2013.", "me")
    assert best.choice == "best" and best.best == of.systems[2] and best.better == "Το 2013."
    assert best.systems == of.systems and best.answers[0] == "Το 2012. (0)"
    assert [
        comparison.record_vote(of, choice, "", "me")[1].choice for choice in (ALL_ALIKE, NONE_RIGHT)
    ] == [
        "alike",
        "none",
    ]


def test_the_tally_counts_shown_best_and_blindly_best() -> None:
    votes = [comparison.record_vote(answered(blind), "A", "", "me")[1] for blind in (False, False)]
    blind = answered()
    votes.append(
        comparison.record_vote(blind, comparison.LETTERS[blind.systems.index("RAG")], "", "me")[1]
    )
    assert comparison.count_votes(votes) == [
        ("base", 3, 2, 0),
        ("RAG", 3, 1, 1),
        ("tuned", 3, 0, 0),
    ]


def test_the_files_hold_answers_votes_and_sources_once_it_is_open() -> None:
    of = answered()
    for write in (comparison.to_markdown, comparison.to_html):
        before = write("paper", [of])
        assert "Πότε" in before and "Το 2012." in before
        assert "tuned" not in before and SOURCE.url not in before
        after = write("paper", [comparison.record_vote(of, "A", "Το 2013.", "me")[0]])
        assert "tuned" in after and SOURCE.url in after and "Φωνή, 5/1/2008" in after
        assert "A is best" in after and "Το 2013." in after


def test_hostile_text_is_text_in_both_files() -> None:
    of = answered(text=f"{EVIL}\n# τίτλος\n[x](javascript:alert(1))")
    html = comparison.to_html(EVIL, [of])
    assert "<img" not in html and "<script" not in html
    read = MarkdownIt().render(comparison.to_markdown(EVIL, [of]))
    assert "<img" not in read and "<script" not in read and "<a href" not in read
    assert read.count("<h1>") == 1 and "# τίτλος" in read


def test_a_page_saved_runs_nothing(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "talk.html"
    page.write_text(comparison.to_html(EVIL, [answered(text=EVIL)]), "utf-8")
    seen = browser.look(page.as_uri(), "document.body.innerText.includes('onerror')")
    assert seen["owned"] is None and len(seen["requests"]) == 1


def test_each_system_hears_what_it_said_itself() -> None:
    talk = Talk([answered(blind=False)])
    talk.begin(comparison.begin_round("Και πού;", "default", SYSTEMS, False, follows=True))
    (before,) = talk.said_by("tuned")
    assert (before.question, before.answer) == ("Πότε;", "Το 2012. (1)")
    with pytest.raises(UsageError, match="still being answered"):
        talk.begin(talk.rounds[0])


def test_a_question_that_was_stopped_keeps_whole_answers_and_no_empty_round() -> None:
    talk = Talk()
    talk.begin(comparison.begin_round("Πότε;", "", SYSTEMS, False))
    talk.add(StudioAnswer("base", "Το 2012."))
    talk.add(StudioAnswer("tuned", "", error=STOPPED))
    talk.end()
    (left,) = talk.rounds
    assert left.whole and left.systems == ("base",) and not talk.busy
    talk.begin(comparison.begin_round("Πού;", "", SYSTEMS, False))
    talk.end("no memory")
    assert talk.rounds == [left] and talk.error == "no memory"
