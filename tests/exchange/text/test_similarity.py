"""Questions asked twice are told from questions that only look alike."""

from __future__ import annotations

import pytest

from exchange.text.similarity import SIMILAR, SignatureIndex, jaccard, question_signature
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
    index = SignatureIndex()
    index.add("first", question_signature(ASKED))
    index.add("other", question_signature("Πότε κάηκε η γέφυρα του Ξηροπόταμου στην Πέτρα;"))
    assert index.nearest(question_signature(ASKED)) == ("first", 1.0)
    assert index.nearest(question_signature(ASKED), beside="first")[0] == "other"
    assert index.nearest(question_signature("Ποιος έχτισε το σχολείο;")) == ("", 0.0)


def test_stems_meet_across_cases_and_keep_short_words_apart() -> None:
    assert stem("πετρασ") == stem("πετρα")
    assert stem("βαλτινοσ") == stem("βαλτινου") == stem("βαλτινο")
    assert stem("μαη") != stem("μια")
    assert stem("2012") == "2012"
