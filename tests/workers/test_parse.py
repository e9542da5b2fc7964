"""The lenient parser: what models do to the line format, and what is left of it."""

from __future__ import annotations

import time

import pytest

from workers.parse import PairDraft, parse, parse_answer

Q, A = "Πότε άνοιξε η γέφυρα του Ξηροπόταμου;", "Στις 3 Μάη 2012."


@pytest.mark.parametrize(
    "text",
    [
        f"Ερώτηση: {Q}\nΑπάντηση: {A}",
        f"ΕΡΩΤΗΣΗ: {Q}\n\nΑΠΑΝΤΗΣΗ: {A}\n\n",
        f"**Ερώτηση 1:** {Q}\n**Απάντηση 1:** {A}",
        f"1. Ερώτηση: {Q}\n   Απάντηση: {A}",
        f"- Ερωτηση : {Q}\n- Απαντηση : {A}",
        f"Ορίστε τα ζεύγη:\nΕρώτηση: {Q}\nΑπάντηση: {A}",
        "Ερώτηση: Πότε άνοιξε η\nγέφυρα του Ξηροπόταμου;\nΑπάντηση: Στις 3\nΜάη 2012.",
        f"Question: {Q}\nAnswer: {A}",
        f"Ε: {Q}".replace("Ε:", "Ερ:") + f"\nΑπ: {A}",
        f"Ερώτηση: {Q[:-1]}\u037e\nΑπάντηση: {A}",
        f"\ufeffΕρώτηση: {Q}\nΑπάντηση: {A}",
        f"Ερώτηση: {Q} Απάντηση: {A}",
        f"Q: {Q} A: {A}",
        f"Q1: {Q}\nA1: {A}",
        f"Ε1: {Q}\nΑ1: {A}",
        f"Ε: {Q}\nΑ: {A}",
        f"Frage: {Q}\nAntwort: {A}",
        f"1. {Q}\n{A}",
        f"1. {Q}\n   - {A}",
        f"1) **{Q}** {A}",
        f"**{Q}**\n{A}",
        f"### Ερώτηση 1\n{Q}\n### Απάντηση\n{A}",
        f"## Ερώτηση: {Q}\n## Απάντηση: {A}",
        f"```\nΕρώτηση: {Q}\nΑπάντηση: {A}\n```",
        f'[{{"question": "{Q}", "answer": "{A}"}}]',
        f'```json\n{{"pairs": [{{"ερώτηση": "{Q}", "απάντηση": "{A}"}}]}}\n```',
        f'{{"q": "{Q}", "a": "{A}"}}\n{{"q": "Πόσο;", "a": "Στις 3 Μ',
        f"<think>Ερώτηση: Ποια;\nΑπάντηση: Αυτή.</think>\nΕρώτηση: {Q}\nΑπάντηση: {A}",
        f"Πρώτα σκέφτομαι.\n</think>\nΕρώτηση: {Q}\nΑπάντηση: {A}",
        f"Ζεύγος 1\nΕρώτηση: {Q}\nΑπάντηση: {A}\n---\nΖεύγος 2",
        f"Ερώτηση: {Q}\nΑπάντηση: {A} (Πηγή: Φωνή, 5/5/2012)",
        f"Question: {Q}\nAnswer: {A}\n\nSource: The Voice",
        f"Question: {Q}\nAnswer: {A}\n\nLet me know if you need more pairs.",
        f"Ερώτηση: {Q}\nΑπάντηση: {A}\n**Ζευγάρι 2**\nΕλπίζω να βοήθησα!",
    ],
)
def test_a_pair_is_read_through_what_models_add(text: str) -> None:
    assert parse(text) == [PairDraft(Q, A)]


def test_pairs_keep_their_order() -> None:
    text = "\n".join(f"Ερώτηση: Ερώτημα {n};\nΑπάντηση: {n}." for n in range(6))
    assert [draft.answer for draft in parse(text)] == [f"{n}." for n in range(6)]


def test_a_question_without_an_answer_is_no_pair() -> None:
    assert parse(f"Ερώτηση: {Q}\nΕρώτηση: {Q}\nΑπάντηση: {A}") == [PairDraft(Q, A)]
    assert parse(f"Απάντηση: {A}") == []
    assert parse(f"Ερώτηση: {Q}\nΑπάντηση:") == []
    assert parse("") == []


def test_a_reply_cut_off_marks_only_a_last_answer_without_an_end() -> None:
    whole = f"Ερώτηση: {Q}\nΑπάντηση: {A}\n"
    assert [
        d.chopped for d in parse(whole + "Ερώτηση: Πόσο;\nΑπάντηση: Στις 3 Μ", chopped=True)
    ] == [
        False,
        True,
    ]
    assert parse(whole, chopped=True) == [PairDraft(Q, A)]
    # Cut inside a question: the pair before it is whole, whatever its last character.
    cut = f"Ερώτηση: {Q}\nΑπάντηση: Το 2012\nΕρώτηση: Πόσο κό"
    assert parse(cut, chopped=True) == [PairDraft(Q, "Το 2012")]


def test_letters_of_an_answers_own_list_are_no_labels() -> None:
    listed = "Δύο πράγματα:\na: η γέφυρα.\nb: ο δρόμος."
    assert parse(f"Ερώτηση: {Q}\nΑπάντηση: {listed}") == [PairDraft(Q, listed.replace("\n", " "))]
    said = "Κατά την ομάδα:\nA: η γέφυρα.\nB: ο δρόμος."
    assert parse(f"Q: {Q}\nA: {said}")[0].answer == said.replace("\n", " ")
    (answer,) = (draft.answer for draft in parse(f"Q: {Q}\nA: A 5.5 magnitude quake."))
    assert answer == "A 5.5 magnitude quake."


def test_several_pairs_may_stand_on_one_line() -> None:
    line = f"Ερώτηση: {Q} Απάντηση: {A} Ερώτηση: Πόσο κόστισε; Απάντηση: 5 ευρώ."
    assert parse(line) == [PairDraft(Q, A), PairDraft("Πόσο κόστισε;", "5 ευρώ.")]


def test_thoughts_without_an_end_and_chatter_hold_no_pair() -> None:
    assert parse(f"<think>Ερώτηση: {Q}\nΑπάντηση: {A}") == []
    assert parse("Τι θέλετε να γράψω; Πείτε μου.") == []
    assert parse('Use {braces} and "quotes" freely.') == []


def test_an_answer_alone_loses_what_stands_around_it() -> None:
    assert parse_answer(f"<think>χμ</think>\nΑπάντηση: {A}\n---\nΠηγή: Φωνή") == A
    assert parse_answer("Πρώτη.\n\nΔεύτερη.") == "Πρώτη.\n\nΔεύτερη."


BEGINNINGS = ("", "Question", "Question: who?", "1.", "**", "Answer: b. ", "*")


@pytest.mark.parametrize("begins", BEGINNINGS)
def test_a_reply_of_blanks_and_stars_is_no_work(begins: str) -> None:
    for filling in (" ", "*", " *"):
        started = time.process_time()
        parse(begins + filling * 20_000 + "x")
        assert time.process_time() - started < 2  # milliseconds; minutes where a pattern goes back
