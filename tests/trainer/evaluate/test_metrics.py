"""What each metric says of answers whose worth is plain."""

from __future__ import annotations

import pytest

from exchange.inference.engine import Likelihood
from trainer.evaluate.metrics import ALL_METRICS, MetricInput
from trainer.evaluate.metrics import wording as chrf_metric
from trainer.evaluate.metrics.wording import declines
from trainer.evaluate.records import NAME, EvalAnswer, EvalItem

BY_NAME = {measure.info.name: measure for measure in ALL_METRICS}
ITEM = EvalItem(
    "i",
    "test_recall",
    "Πόσα χρήματα ενέκρινε στις 3 Μαΐου 2012 το συμβούλιο;",
    "Ενέκρινε 240.000 ευρώ στις 4 Ιούνη 2012, όπως είπε ο Νίκος Βαλτινός.",
    "c",
    kind="quantity",
    gold="Στις 3 Μαΐου 2012 το συμβούλιο συνεδρίασε. Ενέκρινε 240.000 ευρώ στις 4 Ιουνίου 2012, "
    "όπως είπε ο δήμαρχος Νίκος Βαλτινός.",
    header="Φωνή, 5/6/2012, Τίτλος",
    distractors=("Α.", "Β.", "Γ."),
)
RIGHT = "240000 ευρώ, στις 4/6/2012, είπε ο Βαλτινός (ο Νίκος)."


def value(name: str, text: str, item: EvalItem = ITEM, *weights: Likelihood) -> float | None:
    return BY_NAME[name].value(
        MetricInput(item, EvalAnswer(item.id, text, 1, 1, 0.1, "stop"), weights)
    )


def test_every_metric_has_a_name_of_its_own_and_a_versioned_signature() -> None:
    assert len(BY_NAME) == len(ALL_METRICS)
    for name, measure in BY_NAME.items():
        assert NAME.fullmatch(name)
        assert "|v:" in measure.info.signature and "\n" not in measure.info.signature
        assert measure.info.splits


@pytest.mark.parametrize(
    ("text", "dates", "numbers", "names"),
    [
        (ITEM.reference, 1, 1, 1),
        (RIGHT, 1, 1, 1),
        ("250.000 ευρώ στις 4/6/2012, λέει του Νίκου Βαλτινού", 1, 0, 1),
        ("240.000 ευρώ στις 4/7/2012, είπε ο Νίκος Βαλτινός", 0, 1, 1),
        ("240.000 ευρώ στις 4/6/2012, είπε ο Νίκος Καρράς", 1, 1, 0),
        ("", 0, 0, 0),
    ],
)
def test_dates_numbers_and_names_are_compared_in_any_spelling_and_case(
    text: str, dates: int, numbers: int, names: int
) -> None:
    assert value("dates", text) == dates
    assert value("numbers", text) == numbers
    assert value("names", text) == names
    assert value("facts", text) == dates * numbers * names


def test_what_the_question_says_already_is_no_fact_to_find() -> None:
    echo = EvalItem(
        "i", "test_recall", "Τι έγινε στις 3 Μαΐου 2012;", "Στις 3 Μαΐου 2012 έβρεξε.", "c"
    )
    assert not BY_NAME["facts"].applies(echo) and not BY_NAME["dates"].applies(echo)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RIGHT, 1.0),
        ("Ενέκρινε 240.000 ευρώ και άλλα 500 για τη βιβλιοθήκη.", 0.0),
        ("Ενέκρινε 240.000 ευρώ, είπε ο Στέλιος Μωράκης.", 0.0),
        ("Ενέκρινε 240.000 ευρώ στις 4 Ιούνη 2013.", 0.0),
        ("Μάλλον κάποιοι άλλοι άνθρωποι μίλησαν εκεί για πράγματα άσχετα.", 0.0),
        ("Δεν γνωρίζω πόσα χρήματα ήταν.", 1.0),
        ("", None),
    ],
)
def test_an_answer_is_grounded_when_its_chunk_says_it(text: str, expected: float | None) -> None:
    assert value("groundedness", text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Δεν γνωρίζω.",
        "ΔΕΝ ΞΕΡΩ ΤΙΠΟΤΑ ΓΙ ΑΥΤΟ",
        "Λυπάμαι, δεν έχω πληροφορίες για τον Ζλάτο.",
        "Δεν βρίσκω κάτι τέτοιο στο αρχείο της εφημερίδας.",
        "Δεν υπάρχουν στοιχεία για αυτό.",
        "Δε μπορώ να απαντήσω σε αυτό.",
        "Αυτό δεν αναφέρεται στο αρχείο.",
        "I do not know that.",
        "I don't have any record of this.",
    ],
)
def test_declining_is_recognised(text: str) -> None:
    assert declines(text)
    assert value("abstention", text) == 1.0 and value("declined", text) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "Ο δήμαρχος δεν ενέκρινε το έργο.",
        "Δεν υπήρξαν τραυματίες.",
        "Οι εργάτες δεν πληρώθηκαν για δύο μήνες.",
        "Ο Νίκος Βαλτινός.",
        "They do not pay.",
        "",
    ],
)
def test_an_answer_that_denies_something_is_no_declining(text: str) -> None:
    assert not declines(text)


def test_a_choice_is_by_mean_and_a_tie_is_wrong() -> None:
    true, near, far = Likelihood(-6.0, 6), Likelihood(-3.0, 2), Likelihood(-8.0, 2)
    assert value("choice", "", ITEM, true, near, far, far) == 1.0  # -1 against -1.5
    assert value("choice", "", ITEM, near, true, far, far) == 0.0
    assert value("choice", "", ITEM, true, true, far, far) == 0.0
    assert value("choice", RIGHT) is None and value("bits", RIGHT) is None  # no likelihoods


def test_bits_are_a_character_so_that_tokenizers_compare() -> None:
    import math

    length = len(ITEM.reference)
    few, many = Likelihood(-math.log(2) * length, 5), Likelihood(-math.log(2) * length, 50)
    for likelihood in (few, many):
        assert value("bits", "", ITEM, likelihood) == pytest.approx(1.0)


def test_length_style_and_overlap_of_the_reference_with_itself() -> None:
    assert value("length", ITEM.reference) == 1.0
    assert value("style", ITEM.reference) == 0.0
    assert value("chrf", ITEM.reference) == pytest.approx(100.0)
    assert value("exact", "ενεκρινε 240.000 ΕΥΡΩ στις 4 ιουνη 2012 οπως ειπε ο νικος βαλτινος") == 1
    assert value("length", "240.000 ευρώ") < 0.5  # type: ignore[operator]
    shouted = value("style", ITEM.reference.upper())
    assert shouted is not None and shouted > 0.1


def test_overlap_agrees_with_the_published_definition() -> None:
    # By hand, orders 1 and 2 (longer ones do not exist): "αβ" and "αγ" share one letter of two
    # and no pair, so precision and recall are (0.5 + 0) / 2 each.
    assert chrf_metric.chrf_score("αβ", "αγ") == pytest.approx(25.0)
    assert chrf_metric.chrf_score("ΆΒΓ", "αβγ") == pytest.approx(100.0)
    assert chrf_metric.chrf_score("", "αβγ") == 0.0
    # Recall counts twice: what is missing costs more than what is too much.
    assert chrf_metric.chrf_score("αβγδ", "αβγ") > chrf_metric.chrf_score("αβγ", "αβγδ")


def test_forgetting_counts_the_words_that_matter() -> None:
    general = EvalItem(
        "g", "test_general", "Ποια είναι η πρωτεύουσα της Γαλλίας;", "Το Παρίσι.", "g"
    )
    assert value("forgetting", "Η πρωτεύουσα είναι το Παρίσι", general) == 1.0
    assert value("forgetting", "Η Ρώμη.", general) == 0.0
    assert not BY_NAME["forgetting"].applies(EvalItem("g", "test_general", "Είναι;", "", "g"))
