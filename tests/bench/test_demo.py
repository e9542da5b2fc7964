"""What counts as right, which questions are asked, and what comes of the marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.demo import pairs, questions, recall
from bench.demo.results import ChunkFacts, DemoResults, facts_in
from exchange.records import Chunk, Pair
from kkoracle.demo.newspaper import PrintedFact, SampleNewspaper

ASIDE = "Η συζήτηση συνεχίζεται."


def fact(frame: str, place: str, number: int, known: bool = True) -> PrintedFact:
    return PrintedFact(
        f"Η πυρκαγιά {place} έκαψε {number} στρέμματα.",
        f"Πόσα στρέμματα έκαψε η πυρκαγιά {place};",
        f"{number} στρέμματα.",
        (f"Πόση έκταση έκαψε η πυρκαγιά {place};", f"Πόσο δάσος κάηκε {place};"),
        frame,
        "quantity",
        known,
    )


FIRE, FLOOD = fact("fire", "στην Πέτρα", 40), fact("flood", "στον Λόφο", 7, known=False)


def pair(question: str, answer: str, chunk: str = "c1") -> Pair:
    name = Pair.make_id("t", question, answer)
    return Pair(
        id=name,
        task_id="t",
        chunk_ids=(chunk,),
        question=question,
        answer=answer,
        kind="quantity",
        status="accepted",
    )


def printed(*accepted: Pair) -> DemoResults:
    texts = {
        "c1": (f"{FIRE.sentence} {ASIDE}", (FIRE,)),
        "c2": (FLOOD.sentence, (FLOOD,)),
        "c3": (ASIDE, ()),
    }
    pieces = {
        name: ChunkFacts(Chunk(name, "s", index, text, "h"), facts)
        for index, (name, (text, facts)) in enumerate(texts.items())
    }
    return DemoResults(SampleNewspaper("n", (), {}), Path(), Path(), pieces, {}, accepted)


def test_a_pair_is_right_in_any_wording_whatever_accents_and_points() -> None:
    asked = (FIRE.question, *FIRE.rephrasings, FIRE.question.upper())
    for question in asked:
        assert printed().right(pair(question, "40 ΣΤΡΕΜΜΑΤΑ")) is FIRE


@pytest.mark.parametrize(
    ("question", "answer", "chunk"),
    [
        (FIRE.question, "7 στρέμματα.", "c1"),
        (FIRE.question, "40 στρέμματα δάσους.", "c1"),
        (FIRE.question, FIRE.answer, "c2"),  # right, but not what that chunk says
        (FLOOD.question, FIRE.answer, "c1"),
        (FIRE.question, FIRE.answer, "gone"),
    ],
)
def test_any_other_word_or_chunk_makes_it_wrong(question: str, answer: str, chunk: str) -> None:
    assert printed().right(pair(question, answer, chunk)) is None


def test_a_fact_is_held_only_whole() -> None:
    assert facts_in([FIRE, FLOOD], f"{ASIDE} {FIRE.sentence}") == (FIRE,)
    assert facts_in([FIRE], FIRE.sentence[:-12]) == ()
    assert facts_in([FIRE], "X" + FIRE.sentence) == ()


def test_a_wrong_pair_counts_against_the_frame_it_is_about() -> None:
    found = pairs.figures(
        printed(
            pair(FIRE.question, FIRE.answer),
            pair("Πόσα στρέμματα έκαψε η πυρκαγιά στην Άρτα;", "40 στρέμματα."),
            pair("Η συζήτηση συνεχίζεται;", "Συνεχίζεται."),  # about a sentence that holds no fact
            pair("Πόσα έκαψε η πυρκαγιά στον Λόφο;", "7", "c2"),
            pair("Τι συνεχίζεται;", "Η συζήτηση.", "c3"),
        )
    )
    assert found["pairs_right"] == 0.25
    assert (found["pairs_right_new_frames"], found["pairs_about_new_frames"]) == (0.0, 1)
    assert (found["chunks_with_pair"], found["chunks_with_pair_all"]) == (1.0, 1.0)
    assert (found["facts_per_chunk"], found["facts_held_per_chunk"]) == (0.5, 1.0)


def test_nothing_accepted_gives_nulls_and_no_error() -> None:
    found = pairs.figures(printed())
    assert found["pairs_right"] is None and found["chunks_with_pair"] == 0.0


def test_wrong_answers_are_distinct_and_of_other_stories_nearest_first() -> None:
    one = questions.TaughtFact("a", FIRE)
    others = [
        questions.TaughtFact("a", fact("fire", "στην Πέτρα του Λόφου", 1)),  # of the same story
        questions.TaughtFact("b", fact("fire", "κάπου πολύ μακριά", 2)),
        questions.TaughtFact("c", fact("fire", "στην Άνω Πέτρα", 3)),
        questions.TaughtFact("d", fact("fire", "στην Κάτω Πέτρα", 40)),  # the same answer
        questions.TaughtFact("e", fact("fire", "στην Άνω Κάτω Πέτρα", 3)),  # as c's
        questions.TaughtFact("f", fact("fire", "στη Χώρα", 5)),
    ]
    wrong = questions.nearest(one, FIRE.rephrasings[0], [one, *others])
    assert wrong == ("3 στρέμματα.", "5 στρέμματα.", "2 στρέμματα.")


def test_the_gain_is_that_of_the_taught_over_that_of_the_unseen() -> None:
    items = tuple(
        questions.ClosedBookQuestion(split, f"{split}{n // 2}", "q", ("a", "b", "c", "d"))
        for split, count in ((questions.TAUGHT, 40), (questions.HELD_OUT, 20))
        for n in range(count)
    )
    asked = questions.ClosedBookTest(items, 0, {}, {}, "")
    base = recall.SystemMarks([0.0] * 60, [0.0] * 60)
    taught = [float(n % 4 > 0) for n in range(40)]
    tuned = recall.SystemMarks(taught + [float(n % 4 == 0) for n in range(20)], taught + [0.0] * 20)
    found = recall.figures(asked, (base, tuned))
    assert (found["recall_gain"], found["unseen_gain"]) == (0.75, 0.25)
    assert found["recall_minus_unseen"] == 0.5
    assert 0 < found["recall_minus_unseen_low"] < 0.5 < found["recall_minus_unseen_high"]
    assert found["exact_gain"] == 0.75 and found["unseen_exact_gain_high"] == 0.0
    assert (found["recall_base"], found["exact_tuned"]) == (0.0, 0.75)
