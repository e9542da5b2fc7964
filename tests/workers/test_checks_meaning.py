"""The checks on what a pair says: values, dates that are meant, rivals, denials, attribution."""

from __future__ import annotations

import pytest

from bench.checks.corpus import chunk_task
from workers.checks import CheckContext, TokenizedPair, first_objection
from workers.grading import grade


def context(language: str, header: str, text: str) -> CheckContext:
    return CheckContext.of(chunk_task(text, header, language))


def judge(where: CheckContext, question: str, answer: str) -> str:
    language = where.task.language
    return first_objection(TokenizedPair.of(question, answer, language=language), where)


ENGLISH = context(
    "en",
    "The Harbour Post, 14/3/2019, Council buys the old mill",
    "Corvane council voted on Tuesday to buy the old mill for 2.75 million dollars, a rise of 6.4 "
    "per cent on the first offer. Fourteen councillors backed the plan while three opposed it.\n"
    "Mayor Edith Rowntree thanked the owner, Osbert Quill, who had asked for twelve months to "
    "clear the yard. The mill has 365 windows and 55 doors, and it did not burn in the fire of "
    "Feb. 9 that destroyed Marlow warehouse.\n"
    "The works will probably begin before summer, according to engineer Prudence Haddow. "
    "“The roof is the worst part of that building, and it leaks everywhere,” said Haddow.\n"
    "Visitors to the museum fell from 40,000 in 2016 to 31,000 in 2018.",
)

GREEK = context(
    "el",
    "Ηχώ της Βαλτούσας, 14/3/2019, Ο δήμος αγοράζει τον μύλο",
    "Το δημοτικό συμβούλιο της Βαλτούσας αποφάσισε την Τρίτη να αγοράσει τον παλιό μύλο προς 2,75 "
    "εκατομμύρια ευρώ. Υπέρ ψήφισαν δεκατέσσερις σύμβουλοι, ενώ τρεις καταψήφισαν.\n"
    "Ο δήμαρχος Θωμάς Κρεμμύδας ευχαρίστησε τον ιδιοκτήτη Ορέστη Γαλανό. Ο μύλος έχει 365 "
    "παράθυρα και 55 πόρτες και δεν κάηκε στη φωτιά της 9ης Φλεβάρη.\n"
    "Σύμφωνα με τη μηχανικό Πηνελόπη Χατζάκη, η στέγη στάζει από παντού.\n"
    "Οι επισκέπτες του μουσείου μειώθηκαν από 40.000 το 2016 σε 31.000 το 2018.",
)

RIGHT = [
    (ENGLISH, "For how much did Corvane council vote to buy the old mill in March 2019?"),
    (ENGLISH, "How many councillors backed the plan for the old mill in Corvane in March 2019?"),
    (ENGLISH, "When did Corvane council vote in 2019 to buy the old mill?"),
    (ENGLISH, "When was the fire that destroyed Marlow warehouse in 2019?"),
    (ENGLISH, "How many doors does the old mill of Corvane have, as reported in March 2019?"),
    (ENGLISH, "Who owned the old mill that Corvane council voted to buy in March 2019?"),
    (ENGLISH, "How many visitors did the museum of Corvane have in 2018?"),
    (ENGLISH, "What did engineer Prudence Haddow say of the roof of the Corvane mill in 2019?"),
    (ENGLISH, "Did the old mill of Corvane burn in the fire of February 9, 2019?"),
    (GREEK, "Πόσο θα κοστίσει στο δήμο Βαλτούσας ο παλιός μύλος, κατά την απόφαση του 2019;"),
    (GREEK, "Πόσοι σύμβουλοι ψήφισαν υπέρ της αγοράς του μύλου στη Βαλτούσα τον Μάρτη του 2019;"),
    (GREEK, "Πότε αποφάσισε το δημοτικό συμβούλιο της Βαλτούσας να αγοράσει τον παλιό μύλο;"),
    (GREEK, "Πόσες πόρτες έχει ο μύλος της Βαλτούσας;"),
    (GREEK, "Πόσοι ήταν οι επισκέπτες του μουσείου της Βαλτούσας το 2018;"),
    (GREEK, "Πώς είναι η στέγη του μύλου της Βαλτούσας, σύμφωνα με την Πηνελόπη Χατζάκη;"),
]
ANSWERS = [
    "$2,750,000",
    "14",
    "On 12 March 2019.",
    "On February 9, 2019.",
    "55 doors.",
    "Osbert Quill.",
    "31 thousand.",
    "She said that it is the worst part of the building and leaks everywhere.",
    "No, it did not burn.",
    "2.750.000 ευρώ.",
    "14 σύμβουλοι.",
    "Στις 12 Μαρτίου 2019.",
    "Πενήντα πέντε.",
    "31.000",
    "Στάζει από παντού.",
]


@pytest.mark.parametrize(
    ("where", "question", "answer"),
    [(where, question, answer) for (where, question), answer in zip(RIGHT, ANSWERS, strict=True)],
)
def test_values_are_right_in_whatever_spelling(
    where: CheckContext, question: str, answer: str
) -> None:
    assert judge(where, question, answer) == ""


@pytest.mark.parametrize(
    ("where", "question", "answer", "reason"),
    [
        (ENGLISH, RIGHT[0][1], "275 million dollars.", "ungrounded-number"),
        (ENGLISH, RIGHT[0][1], "2.75 million euros.", "wrong-unit"),
        (ENGLISH, RIGHT[0][1], "2.75 thousand dollars.", "ungrounded-number"),
        (ENGLISH, RIGHT[1][1], "Fifteen.", "ungrounded-number"),
        (ENGLISH, RIGHT[2][1], "On 13 March 2019.", "ungrounded-date"),
        (ENGLISH, RIGHT[4][1], "365 doors.", "other-value"),
        (ENGLISH, RIGHT[5][1], "Edith Rowntree.", "other-value"),
        (ENGLISH, RIGHT[6][1], "40,000", "other-value"),
        (ENGLISH, RIGHT[8][1], "Yes, the old mill burned.", "polarity"),
        (
            ENGLISH,
            "How did the number of visitors to the museum of Corvane change from 2016 to 2018?",
            "The visitors rose from 40,000 to 31,000.",
            "polarity",
        ),
        (
            ENGLISH,
            "What is the worst part of the old mill of Corvane, as of March 2019?",
            "The roof is the worst part, and it leaks everywhere.",
            "unattributed-claim",
        ),
        (
            ENGLISH,
            "When will the works on the old mill of Corvane begin, as of March 2019?",
            "The works begin before summer.",
            "unattributed-claim",
        ),
        (ENGLISH, "Who voted last Tuesday in Corvane to buy the mill?", "The council.", "deictic"),
        (ENGLISH, "What did Corvane council recently vote to buy?", "The old mill.", "deictic"),
        (
            ENGLISH,
            "What did Corvane council vote to buy in March?",
            "The old mill.",
            "undated-event",
        ),
        (
            ENGLISH,
            RIGHT[5][1],
            "The owner was Osbert Quill.\n\nSource: The Harbour Post",
            "trailing-text",
        ),
        (ENGLISH, RIGHT[5][1], "The owner, that is “Osbert Quill", "chopped"),
        (
            ENGLISH,
            RIGHT[7][1],
            "She said that the roof, le toit de la maison, leaks everywhere.",
            "mixed-language",
        ),
        (GREEK, RIGHT[9][1], "275 εκατομμύρια ευρώ.", "ungrounded-number"),
        (GREEK, RIGHT[9][1], "2,75 χιλιάδες ευρώ.", "ungrounded-number"),
        (GREEK, RIGHT[11][1], "Στις 13 Μαρτίου 2019.", "ungrounded-date"),
        (GREEK, RIGHT[12][1], "365 πόρτες.", "other-value"),
        (GREEK, RIGHT[13][1], "40.000", "other-value"),
        (
            GREEK,
            "Τι έπαθε ο μύλος της Βαλτούσας στη φωτιά της 9ης Φλεβάρη 2019;",
            "Κάηκε στη φωτιά.",
            "polarity",
        ),
        (
            GREEK,
            "Πώς είναι η στέγη του μύλου της Βαλτούσας τον Μάρτη του 2019;",
            "Η στέγη στάζει από παντού.",
            "unattributed-claim",
        ),
    ],
)
def test_what_only_looks_right_is_told(
    where: CheckContext, question: str, answer: str, reason: str
) -> None:
    assert judge(where, question, answer) == reason


def test_any_language_has_its_marks_months_and_countries() -> None:
    german = context(
        "de",
        "Hafenbote, 14/3/2019, Rat kauft Mühle",
        "Der Rat von Korvan kaufte am 12. März 2019 die alte Mühle für 2,75 Millionen Euro. "
        "Die Mühle hat 365 Fenster und 55 Türen.",
    )
    question = "Für wie viel Geld kaufte der Rat von Korvan am 12. März 2019 die alte Mühle?"
    assert judge(german, question, "Für 2.750.000 Euro.") == ""
    assert judge(german, question, "Für 275 Millionen Euro.") == "ungrounded-number"
    doors = "Wie viele Türen hat die alte Mühle in Korvan, die 2019 gekauft wurde?"
    assert judge(german, doors, "55 Türen.") == ""
    assert judge(german, doors, "365 Türen.") == "other-value"
    assert judge(german, "Was kaufte der Rat von Korvan gestern?", "Die alte Mühle.") == "deictic"


def test_a_pair_carries_the_sentence_that_supports_it() -> None:
    (question, answer) = RIGHT[5][1], ANSWERS[5]
    (pair,) = grade(ENGLISH.task, f"Question: {question}\nAnswer: {answer}", "stop").pairs
    assert pair.status == "accepted"
    assert pair.quote.startswith("Mayor Edith Rowntree thanked the owner, Osbert Quill")
    (wrong,) = grade(ENGLISH.task, f"Question: {question}\nAnswer: Ann Grey.", "stop").pairs
    assert (wrong.status, wrong.quote) == ("rejected", "")


@pytest.mark.parametrize("language", ["el", "en", "de", "qaa"])
def test_digits_that_are_no_date_or_number_break_nothing(language: str) -> None:
    odd = "On 99/99/2014 and 31/02/2013, 1.2.3.4 of 0,0.0, 7.7.2012 %, $ 5 € ½ ٣ (3.000.00) III."
    where = context(language, "Post, 29/2/2012, No title", f"{odd} {odd}\n\n{odd}")
    assert judge(where, f"What was said on 99/99/2014 of {odd[:40]}?", odd) != "no-question-mark"
    bare = context(language, "", "")
    assert judge(bare, "How many people came to Corvane in 2014?", "Five.") != ""
