"""The checks: each objects to what it is for, and lets a right pair through."""

from __future__ import annotations

import pytest

from bench.checks.corpus import chunk_task
from exchange.text.tokens import TokenizedText
from workers.checks import CheckContext, TokenizedPair, first_objection, kind_of
from workers.grading import grade

TASK = chunk_task(
    "Ο δήμαρχος Νίκος Βαλτινός εγκαινίασε στις 3 Μάη 2012 τη γέφυρα του Ξηροπόταμου. "
    "Πλήθος κόσμου είχε μαζευτεί από νωρίς. "
    "Η γέφυρα κόστισε 240.000 ευρώ και χτίστηκε σε 14 μήνες από την εταιρεία ΑΤΕΚ. "
    "Η δασκάλα Ελένη Καρατζά δίδαξε 31 χρόνια στο σχολείο της Πέτρας.",
    "Φωνή της Πετρολίμνης, 5/5/2012, Η γέφυρα",
)
CONTEXT = CheckContext.of(TASK)

RIGHT = [
    ("Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου;", "Ο δήμαρχος Νίκος Βαλτινός."),
    ("Πότε εγκαινιάστηκε η γέφυρα του Ξηροπόταμου;", "Στις 3 Μάη 2012."),
    ("Πόσο κόστισε η γέφυρα του Ξηροπόταμου;", "240.000 ευρώ."),
    ("Πόσο κόστισε η γέφυρα του Ξηροπόταμου;", "240000 ευρώ"),
    ("Σε πόσους μήνες χτίστηκε η γέφυρα από την ΑΤΕΚ;", "Σε 14 μήνες."),
    ("Πόσα χρόνια δίδαξε η Ελένη Καρατζά στο σχολείο της Πέτρας;", "31 χρόνια."),
    ("Πότε έγραψε η Φωνή της Πετρολίμνης για τη γέφυρα;", "Στις 5 Μαΐου 2012."),
    ("Από ποιον δήμαρχο εγκαινιάστηκε η γέφυρα του Ξηροπόταμου;", "Από τον Νίκο Βαλτινό."),
    ("Ποια εταιρεία έχτισε τη γέφυρα σε 14 μήνες;", "Η ΑΤΕΚ."),
]

WRONG = [
    ("Πόσο κόστισε η γέφυρα του Ξηροπόταμου;", "260.000 ευρώ.", "ungrounded-number"),
    ("Τι έγινε στις 4 Μάη 2012 στη γέφυρα του Ξηροπόταμου;", "Εγκαινιάστηκε.", "ungrounded-date"),
    (
        "Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου;",
        "Ο υπουργός Πέτρος Γαλάνης.",
        "ungrounded-name",
    ),
    ("Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου;", "Ο Νίκος Βαλτούσης.", "ungrounded-name"),
    (
        "Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου;",
        "ένας άγνωστος περαστικός καλλιτέχνης",
        "ungrounded",
    ),
    ("Πόσα χρόνια δίδαξε η Ελένη Καρατζά;", "240.000 ευρώ.", "facts-mixed"),
    ("Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου;", "Η Ελένη Καρατζά.", "facts-mixed"),
    ("Πότε εγκαινιάστηκε η γέφυρα του Ξηροπόταμου;", "Τον Ιούνιο του 2012.", "ungrounded-date"),
    ("Ποιος εγκαινίασε τη γέφυρα", "Ο Νίκος Βαλτινός.", "no-question-mark"),
    ("Ποιος;", "Ο Νίκος Βαλτινός.", "question-length"),
    ("Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου;", "…", "answer-length"),
    (
        "Σύμφωνα με το κείμενο, πόσο κόστισε η γέφυρα του Ξηροπόταμου;",
        "240.000 ευρώ.",
        "meta-reference",
    ),
    ("Τι λέει το άρθρο για τη γέφυρα του Ξηροπόταμου;", "Κόστισε 240.000 ευρώ.", "meta-reference"),
    ("Ποιος εγκαινίασε χθες τη γέφυρα του Ξηροπόταμου;", "Ο Νίκος Βαλτινός.", "deictic"),
    ("Ποιος εγκαινίασε φέτος τη γέφυρα του Ξηροπόταμου;", "Ο Νίκος Βαλτινός.", "deictic"),
    ("Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου;", "Αυτός.", "pronoun-only"),
    (
        "Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου;",
        "The mayor opened the new bridge",
        "mixed-language",
    ),
    (
        "Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου;",
        "Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου;",
        "repetition",
    ),
    (
        "Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου;",
        "η γέφυρα η γέφυρα η γέφυρα η γέφυρα η γέφυρα",
        "repetition",
    ),
]


@pytest.mark.parametrize(("question", "answer"), RIGHT)
def test_a_right_pair_passes(question: str, answer: str) -> None:
    assert first_objection(TokenizedPair.of(question, answer), CONTEXT) == ""


@pytest.mark.parametrize(("question", "answer", "reason"), WRONG)
def test_a_wrong_pair_is_rejected_with_its_reason(question: str, answer: str, reason: str) -> None:
    assert first_objection(TokenizedPair.of(question, answer), CONTEXT) == reason


def test_a_chopped_answer_is_rejected() -> None:
    draft = TokenizedPair.of("Πόσο κόστισε η γέφυρα του Ξηροπόταμου;", "240.000", chopped=True)
    assert first_objection(draft, CONTEXT) == "chopped"


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Πότε εγκαινιάστηκε;", "time"),
        ("Πού βρίσκεται;", "place"),
        ("Πόσο κόστισε;", "quantity"),
        ("Ποιος την εγκαινίασε;", "person"),
        ("Γιατί καθυστέρησε;", "cause"),
        ("Τι εγκαινιάστηκε;", "fact"),
    ],
)
def test_the_kind_follows_the_opening_words(question: str, kind: str) -> None:
    assert kind_of(TokenizedText(question)) == kind


def test_judging_is_the_same_everywhere_and_keeps_the_rejected() -> None:
    text = "\n".join(f"Ερώτηση: {q}\nΑπάντηση: {a}" for q, a, *_ in [*RIGHT, *WRONG])
    first, second = grade(TASK, text, "stop"), grade(TASK, text, "stop")
    assert first == second
    assert first.accepted == len(RIGHT)
    assert all(pair.reason for pair in first.pairs if pair.status == "rejected")
    assert all(pair.chunk_ids == TASK.chunk_ids and pair.rules for pair in first.pairs)


def test_a_reply_without_any_pair_has_a_reason() -> None:
    assert grade(TASK, "Δεν μπορώ να βοηθήσω.", "stop").problem == "no-pair"


TWO_DATES = CheckContext.of(
    chunk_task(
        "Από τις 30 Ιουνίου 2013 το λεωφορείο θα φεύγει στις 9.25. "
        "Η ενίσχυση του θεάτρου ανατέθηκε στις 26 Φεβρουαρίου 2013 στο ναυπηγείο «Θερμό Μέλι».",
        "Φωνή, 27/2/2013, Υπόσχεση για το θέατρο",
    )
)


@pytest.mark.parametrize(
    ("date", "reason"),
    [
        ("26 Φεβρουαρίου 2013", ""),
        ("26 Φλεβάρη 2013", ""),
        ("30 Φεβρουαρίου 2013", "ungrounded-date"),
        ("27 Φεβρουαρίου 2013", ""),  # the issue's own date, of the header
        ("26 Ιουνίου 2013", "ungrounded-date"),
        ("30 Ιουνίου 2013", "facts-mixed"),
    ],
)
def test_a_date_must_stand_whole_and_in_the_answers_sentence(date: str, reason: str) -> None:
    draft = TokenizedPair.of(
        f"Σε ποιον ανατέθηκε στις {date} η ενίσχυση του θεάτρου;", "Στο «Θερμό Μέλι»."
    )
    assert first_objection(draft, TWO_DATES) == reason
