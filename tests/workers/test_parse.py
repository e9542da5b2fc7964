"""The lenient parser: what models do to the line format, and what is left of it."""

from __future__ import annotations

import pytest

from workers.grading import PairDraft, parse

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
