"""Questions asked twice are told from questions that only look alike."""

from __future__ import annotations

import random

import pytest

from exchange.text.similarity import (
    SIMILAR,
    QuestionSignature,
    SignatureIndex,
    jaccard,
    question_signature,
)
from exchange.text.stems import stem

ASKED = "Πότε εγκαινιάστηκε η γέφυρα του Ξηροπόταμου στην Πέτρα;"


def same(one: str, other: str) -> bool:
    left, right = question_signature(one), question_signature(other)
    return left.key == right.key and jaccard(left.stems, right.stems) >= SIMILAR


@pytest.mark.parametrize(
    "again",
    [
        "Ποτε εγκαινιαστηκε η γεφυρα του Ξηροποταμου στην Πετρα;",
        "Η γέφυρα του Ξηροπόταμου στην Πέτρα πότε εγκαινιάστηκε;",
        "πότε εγκαινιάστηκε, στην Πέτρα, η γέφυρα του Ξηροπόταμου",
        "Πότε εγκαινιάστηκε γέφυρα του Ξηροπόταμου της Πέτρας;",
    ],
)
def test_other_accents_order_case_and_articles_are_the_same_question(again: str) -> None:
    assert same(ASKED, again)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Τι έγινε στη Λάρισα το 2012;", "Τι έγινε στη Λάρισα το 2013;"),
        ("Τι δήλωσε χτες ο Νίκος Βαλτινός;", "Τι δήλωσε χτες ο Γιώργος Βαλτινός;"),
        ("Πότε ανέβηκε η τιμή του ψωμιού;", "Πόσο ανέβηκε η τιμή του ψωμιού;"),
        (
            "Ποιος μίλησε στην πρώτη συγκέντρωση των εργατών του λιμανιού της πόλης;",
            "Ποιος μίλησε στη δεύτερη συγκέντρωση των εργατών του λιμανιού της πόλης;",
        ),
        (
            "Ποια σωματεία ψήφισαν την απεργία στο εργοστάσιο του νησιού;",
            "Ποια σωματεία δεν ψήφισαν την απεργία στο εργοστάσιο του νησιού;",
        ),
    ],
)
def test_a_date_a_name_an_ordinal_or_a_negation_makes_another_question(
    one: str, other: str
) -> None:
    assert not same(one, other)


def test_the_index_finds_the_nearest_but_never_the_one_beside() -> None:
    index = SignatureIndex(least=0.1)
    index.add("first", question_signature(ASKED))
    index.add("other", question_signature("Πότε κάηκε η γέφυρα του Ξηροπόταμου στην Πέτρα;"))
    assert index.nearest(question_signature(ASKED)) == ("first", 1.0)
    assert index.nearest(question_signature(ASKED), beside="first")[0] == "other"
    assert index.nearest(question_signature("Ποιος έχτισε το σχολείο;")) == ("", 0.0)


@pytest.mark.parametrize("least", [0.5, 0.8])
def test_of_many_questions_without_a_name_the_same_is_found_as_by_comparing_all(
    least: float,
) -> None:
    rng = random.Random(7)
    said = [
        "απεργία",
        "δήμος",
        "γέφυρα",
        "σχολείο",
        "εργάτης",
        "πλατεία",
        "νερό",
        "δρόμος",
        "μισθός",
        "λιμάνι",
    ]
    index, asked = SignatureIndex(least), dict[str, QuestionSignature]()
    found = 0
    for number in range(1500):
        words = rng.sample(said, rng.randint(0, 6))
        signature = question_signature(f"Τι έγινε με {' '.join(words)};")
        values = {
            name: jaccard(signature.stems, other.stems)
            for name, other in asked.items()
            if other.key == signature.key
        }
        best = max(values, key=lambda name: values[name], default="")
        wanted = (best, values[best]) if best and values[best] >= least else ("", 0.0)
        assert index.nearest(signature) == wanted
        found += bool(wanted[0])
        index.add(str(number), signature)
        asked[str(number)] = signature
    assert found > 1000


def test_stems_meet_across_cases_and_keep_short_words_apart() -> None:
    assert stem("πετρασ") == stem("πετρα")
    assert stem("βαλτινοσ") == stem("βαλτινου") == stem("βαλτινο")
    assert stem("μαη") != stem("μια")
    assert stem("2012") == "2012"
