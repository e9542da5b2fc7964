"""Every kind of task: what is read out of its reply, by which rules, and as what it is kept."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.records import Pair, Task
from workers.grading import grade

CHUNK = (
    "Ο δήμαρχος Νίκος Βαλτινός εγκαινίασε στις 3 Μάη 2012 τη γέφυρα του Ξηροπόταμου. "
    "Η γέφυρα κόστισε 240.000 ευρώ και χτίστηκε σε 14 μήνες από την εταιρεία ΑΤΕΚ. "
    "Στη γιορτή μίλησε και η δασκάλα Ελένη Καρατζά."
)
HEADER = "Φωνή της Πετρολίμνης, 5/5/2012, Η γέφυρα"
SOURCE = {
    "pair": "p" * 24,
    "kind": "person",
    "answer": "Ο Νίκος Βαλτινός.",
    "question": "Ποιος εγκαινίασε στις 3 Μάη 2012 τη γέφυρα του Ξηροπόταμου;",
}


def task(sort: Any, /, text: str = CHUNK, header: str = HEADER, **given: str) -> Task:
    return Task(
        id="a" * 24,
        archive="paper",
        kind=sort,
        chunk_ids=("c1",),
        recipe="abcdef",
        text=text,
        header=header,
        language="el",
        given=given,
    )


def one(task: Task, reply: str, finish: str = "stop") -> Pair:
    (pair,) = grade(task, reply, finish).pairs
    return pair


def test_a_summary_may_draw_on_the_whole_chunk_and_is_kept_as_one() -> None:
    asked = (
        "Ερώτηση: Τι έγινε στα εγκαίνια της γέφυρας του Ξηροπόταμου τον Μάη του 2012;\nΑπάντηση: "
    )
    whole = (
        "Ο δήμαρχος Νίκος Βαλτινός εγκαινίασε τη γέφυρα στις 3 Μάη 2012. Η γέφυρα κόστισε "
        "240.000 ευρώ. Στη γιορτή μίλησε η Ελένη Καρατζά."
    )
    kept = one(task("dense"), asked + whole)
    assert (kept.status, kept.kind, kept.reason) == ("accepted", "summary", "")
    # A chunk's prompt asks for answers of three sentences too: each is held against the chunk.
    assert one(task("chunk"), asked + whole).reason == ""
    mixed = whole.replace("μίλησε η Ελένη Καρατζά", "μίλησε ο Μιχάλης Ρούσσος")
    assert one(task("chunk"), asked + mixed).reason == "ungrounded-name"
    assert one(task("dense"), asked + "Εγκαινιάστηκε.").reason == "answer-length"
    assert one(task("dense"), asked + whole.replace("240.000", "250.000")).reason == (
        "ungrounded-number"
    )


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Ποιες ήταν οι συνέπειες για τη γέφυρα του Ξηροπόταμου το 2012;", "cause"),
        ("Με ποια σειρά έγιναν τα γεγονότα στη γέφυρα του Ξηροπόταμου το 2012;", "timeline"),
        ("Τι έγινε στη γέφυρα του Ξηροπόταμου το 2012;", "summary"),
    ],
)
def test_a_dense_pair_is_kept_as_what_it_asks_for(question: str, kind: str) -> None:
    assert one(task("dense"), f"Ερώτηση: {question}\nΑπάντηση: {CHUNK}").kind == kind


def test_who_is_answers_may_join_stories_but_not_invent() -> None:
    card = task(
        "whois",
        f"{HEADER}\n{CHUNK}\n\nΦωνή, 2/2/2010, Εκλογές\nΟ Νίκος Βαλτινός εξελέγη "
        "δήμαρχος στις 31 Γενάρη 2010.",
        "Νίκος Βαλτινός",
    )
    told = grade(
        card,
        "Ερώτηση: Ποιος είναι ο Νίκος Βαλτινός;\nΑπάντηση: Είναι δήμαρχος· εξελέγη "
        "στις 31 Γενάρη 2010 και εγκαινίασε τη γέφυρα του Ξηροπόταμου στις 3 Μάη 2012.\n"
        "Ερώτηση: Ποιος δήμαρχος εγκαινίασε τη γέφυρα του Ξηροπόταμου στις 3 Μάη 2012;\n"
        "Απάντηση: Ο Νίκος Βαλτινός.\n"
        "Ερώτηση: Πότε εξελέγη ο Νίκος Βαλτινός;\nΑπάντηση: Στις 3 Γενάρη 2010.",
        "stop",
    ).pairs
    assert [(pair.reason, pair.kind) for pair in told] == [
        ("", "person"),
        ("", "person"),
        ("ungrounded-date", "time"),
    ]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("Ποιο πρόσωπο έκοψε την κορδέλα στον Ξηροπόταμο στις 3 Μάη 2012;", ""),
        ("1. Ποιο πρόσωπο έκοψε την κορδέλα στον Ξηροπόταμο στις 3 Μάη 2012;", ""),
        ("Ερώτηση: Ποιο πρόσωπο έκοψε την κορδέλα στον Ξηροπόταμο στις 3 Μάη 2012;", ""),
        ("Ποιο πρόσωπο έκοψε την κορδέλα στον Ξηροπόταμο στις 4 Μάη 2012;", "rephrase-number"),
        ("Ποιο πρόσωπο έκοψε την κορδέλα στον Ξηροπόταμο στις 3 Ιούνη 2012;", "rephrase-number"),
        ("Ποιο πρόσωπο έκοψε την κορδέλα στη γέφυρα στις 3 Μάη 2012;", "rephrase-name"),
        ("Ποιο πρόσωπο από τη Λάρισα ήταν στον Ξηροπόταμο στις 3 Μάη 2012;", "rephrase-name"),
        ("Ποιος εγκαινίασε τη γέφυρα του Ξηροπόταμου στις 3 Μάη 2012;", "rephrase-alike"),
        ("Γιατί έκοψαν κορδέλα στον Ξηροπόταμο στις 3 Μάη 2012;", "rephrase-kind"),
    ],
)
def test_a_rephrasing_keeps_the_facts_and_changes_the_words(reply: str, reason: str) -> None:
    pair = one(task("rephrase", SOURCE["question"], "", **SOURCE), reply)
    assert pair.reason == reason
    assert (pair.answer, pair.kind) == (SOURCE["answer"], "person")
    assert pair.rephrase_of == SOURCE["pair"] and pair.chunk_ids == ("c1",)


def test_two_wordings_make_two_pairs_and_chatter_makes_none() -> None:
    asked = task("rephrase", SOURCE["question"], "", **SOURCE)
    said = (
        "Ορίστε:\n"
        "- Ποιο πρόσωπο έκοψε την κορδέλα στον Ξηροπόταμο στις 3 Μάη 2012;\n"
        "- Από ποιον παραδόθηκε στις 3 Μάη 2012 το έργο του Ξηροπόταμου;"
    )
    two = grade(asked, said, "stop")
    assert [pair.status for pair in two.pairs] == ["accepted", "accepted"]
    assert grade(asked, "Δεν μπορώ.", "stop").problem == "no-pair"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("Αυτό δεν είναι σωστό: η γέφυρα του Ξηροπόταμου εγκαινιάστηκε στις 3 Μάη 2012.", ""),
        ("Απάντηση: Όχι το 2015· τα εγκαίνια έγιναν στις 3 Μάη 2012.", ""),
        ("Την εγκαινίασε ο Νίκος Βαλτινός στις 3 Μάη 2012.", "premise-accepted"),
        ("Δεν είναι σωστό, η γέφυρα δεν εγκαινιάστηκε τότε.", "not-corrected"),
        ("Δεν είναι σωστό, έγιναν στις 3 Μάη 2012 από τον Πέτρο Γαλάνη.", "ungrounded-name"),
        ("Δεν είναι σωστό, έγιναν στις 3 Μάη 2012 με 500 καλεσμένους.", "ungrounded-number"),
    ],
)
def test_a_correction_denies_and_says_what_is_right(reply: str, reason: str) -> None:
    false = SOURCE["question"].replace("2012", "2015")
    pair = one(task("refusal", question=false, true="2012", pair="p"), reply)
    assert (pair.reason, pair.kind, pair.question) == (reason, "correction", false)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("Δεν βρίσκω στο αρχείο της εφημερίδας κάτι για εγκαίνια στην Κερασιά.", ""),
        ("Δεν γνωρίζω ποιος εγκαινίασε τη γέφυρα της Κερασιάς.", ""),
        ("Την εγκαινίασε ο δήμαρχος της Κερασιάς.", "not-refused"),
        ("Δεν γνωρίζω, ίσως ο Νίκος Βαλτινός.", "invented-name"),
        ("Δεν γνωρίζω, πιθανόν το 1998.", "invented-number"),
        ("Ως γλωσσικό μοντέλο δεν γνωρίζω την απάντηση.", "meta-reference"),
    ],
)
def test_a_refusal_says_so_and_adds_nothing(reply: str, reason: str) -> None:
    asked = "Ποιος εγκαινίασε τη γέφυρα της Κερασιάς;"
    pair = one(task("refusal", "", "", question=asked, true="", pair="p"), reply)
    assert (pair.reason, pair.kind) == (reason, "refusal")


def test_a_replay_keeps_the_models_own_answer_unless_it_was_cut() -> None:
    asked = task("replay", "Πώς σχηματίζεται η βροχή;", "")
    said = (
        "Το νερό εξατμίζεται, ανεβαίνει και ψύχεται.\n"
        "Όταν οι σταγόνες βαρύνουν, πέφτουν στη γη ως βροχή."
    )
    pair = one(asked, said)
    assert (pair.status, pair.kind, pair.answer) == ("accepted", "replay", said)
    assert pair.question == "Πώς σχηματίζεται η βροχή;"
    assert one(asked, said[:-1] + " και", "length").reason == "chopped"
    assert one(asked, "Water evaporates and then it falls down as rain on the ground again.").reason


def test_an_unknown_language_is_not_judged_by_greek_rules() -> None:
    text = "Mayor Nick Ford opened the Dry River bridge on 3 May 2012. It cost 240,000 pounds."
    header = "Voice, 5/5/2012"
    english = task("chunk", text, header).replace(language="en")
    told = "Question: Who opened the Dry River bridge in 2012?\nAnswer: Mayor Nick Ford."
    assert one(english, told).reason == ""
    assert one(english, told.replace("Nick Ford", "Paul Reed")).reason == "ungrounded-name"
    assert one(english, told.replace("in 2012", "yesterday")).reason == "deictic"
