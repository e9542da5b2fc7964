"""No question of one test stands in training, and the labels that are made have no shortcut."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest

from exchange.errors import UsageError, UserError
from exchange.settings import Config
from trainer.dataset.rows import DatasetRow
from trainer.scorer import synthetic
from trainer.scorer.baselines import fit_baseline
from trainer.scorer.items import ScoreItem, ScoreScale
from trainer.scorer.metrics import qwk_score
from trainer.scorer.settings import ScoreSettings
from trainer.scorer.split import ScorerSplit, split_items
from trainer.scorer.synthetic import deny, find_facts, replace_facts, vague_text


def items(questions: int, answers: int) -> list[ScoreItem]:
    return [
        ScoreItem(
            f"{q}-{a}",
            f"Ερώτηση {q};",
            f"Οδηγός {q}",
            f"Απάντηση {a}",
            ScoreScale(5, 5),
            float((q + a) % 6),
        )
        for q in range(questions)
        for a in range(answers)
    ]


def test_questions_that_are_tested_are_never_taught_and_answers_only_once() -> None:
    made = items(20, 10)
    twice = replace(made[3], id="again", score=1.0)  # the same answer, scored by another person
    parts = split_items([*made, twice], ScoreSettings())
    assert len(parts.all) == 201
    groups = {item.group for item in parts.unseen_questions}
    assert len(groups) == 2
    others = [parts.train, parts.valid, parts.unseen_answers]
    assert all(item.group not in groups for part in others for item in part)
    where = [
        index
        for index, part in enumerate([*others, parts.unseen_questions])
        for item in part
        if item.id in (made[3].id, "again")
    ]
    assert len(set(where)) == 1 and len(where) == 2


def test_a_question_typed_otherwise_is_the_same_and_so_is_its_answer() -> None:
    one = ScoreItem("1", "Πότε  έφυγε;", "το 1998", "Το 1998.", ScoreScale(1, 1))
    for question in ("πότε έφυγε", "ΠΟΤΕ ΕΦΥΓΕ;", "Πότε έφυγε ?", "Πότε έφυγε\u037e"):
        for answer in ("το 1998", "ΤΟ  1998!", "Το 1998 »."):
            other = replace(one, question=question, guide="άλλος οδηγός", answer=answer)
            assert (other.group, other.said) == (one.group, one.said)
    assert replace(one, answer="Το 1998 %").said != one.said
    assert replace(one, answer="?").said != replace(one, answer="!").said
    made = [
        replace(item, question=item.question.upper() if number % 2 else item.question[:-1])
        for number, item in enumerate(items(20, 10))
    ]
    parts = split_items(made, ScoreSettings())
    taught = {item.question.lower().rstrip(";") for item in (*parts.train, *parts.valid)}
    assert parts.unseen_questions
    assert not taught & {item.question.lower().rstrip(";") for item in parts.unseen_questions}


def test_a_split_is_the_same_whatever_the_order_and_comes_back_from_the_disk(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = items(20, 10)
    one = split_items(made, ScoreSettings())
    random.Random(1).shuffle(made)
    other = split_items(made, ScoreSettings())
    assert {item.id for item in one.train} == {item.id for item in other.train}
    folder = tmp_path_factory.mktemp("split")
    one.write(folder)
    assert ScorerSplit.read(folder) == one
    (folder / "valid.jsonl").write_bytes(b"{")
    with pytest.raises(UserError, match="--restart"):
        ScorerSplit.read(folder)


def test_too_few_items_are_refused_and_few_questions_are_all_taught() -> None:
    with pytest.raises(UserError, match="too few"):
        split_items(items(1, 5), ScoreSettings())
    assert split_items(items(3, 30), ScoreSettings()).unseen_questions == []


def test_facts_are_found_in_greek_and_can_be_spoilt() -> None:
    answer = "Ο Νίκος Βαλτινός εγκαινίασε στις 3 Μάη 2012 τη γέφυρα με 240.000 ευρώ."
    found = find_facts(answer)
    assert [(fact.kind, fact.text) for fact in found] == [
        ("name", "Νίκος Βαλτινός"),
        ("date", "3 Μάη 2012"),
        ("number", "240.000"),
    ]
    assert replace_facts(answer, {found[2]: vague_text(found[2], "el"), found[0]: "Ρίζος"}) == (
        "Ο Ρίζος εγκαινίασε στις 3 Μάη 2012 τη γέφυρα με μερικά ευρώ."
    )
    assert deny("Η γέφυρα χτίστηκε και άνοιξε.", "el") != "Η γέφυρα χτίστηκε και άνοιξε."
    assert deny("It opened.", "en") == "It is not true that it opened."
    assert find_facts("Χθες άνοιξε.") == []


def pairs(count: int) -> tuple[list[DatasetRow], dict[str, str]]:
    rng = random.Random(5)
    names = ["Νίκος Βαλτινός", "Ελένη Καρατζά", "Στέλιος Μωράκης", "Άννα Λυγερού", "Θωμάς Ρίζος"]
    rows, chunks = [], {}
    for n in range(count):
        answer = (
            f"Στις {rng.randint(1, 28)} Μάη {rng.randint(1990, 2015)} ο {rng.choice(names)} "
            f"έδωσε {rng.randint(100, 9999)} ευρώ στον {rng.choice(names)} για το έργο "
            f"{rng.randint(10, 99)}."
        )
        chunks[f"c{n}"] = f"Ρεπορτάζ. {answer} Τέλος."
        rows.append(
            DatasetRow(
                f"p{n}",
                f"Τι έγινε με το έργο {n};",
                answer,
                "fact",
                f"s{n}",
                f"s{n}",
                chunks=(f"c{n}",),
            )
        )
    return rows, chunks


def test_made_labels_are_balanced_and_length_tells_nothing() -> None:
    rows, chunks = pairs(300)
    made = synthetic.synthetic_items(rows, chunks, "el", 7)
    counts = {level: sum(item.level == level for item in made) for level in range(6)}
    assert len(set(counts.values())) == 1 and counts[0] > 30
    assert abs(qwk_score(fit_baseline(made, "length").outcomes(made))) < 0.2
    assert made == synthetic.synthetic_items(rows[::-1], chunks, "el", 7)
    full = next(item for item in made if item.level == 5)
    assert full.answer in full.guide


def test_refusals_and_pairs_without_their_text_make_no_labels() -> None:
    rows, chunks = pairs(20)
    assert (
        synthetic.synthetic_items([replace(row, kind="refusal") for row in rows], chunks, "el", 7)
        == []
    )
    assert synthetic.synthetic_items(rows, {}, "el", 7) == []


def test_the_baselines_find_a_shortcut_where_there_is_one() -> None:
    rng = random.Random(1)
    short = [
        ScoreItem(str(n), "Τι;", "ένα", "λέξη " * (1 + 3 * (n % 6)), ScoreScale(5, 5), float(n % 6))
        for n in range(300)
    ]
    plain = [replace(item, answer="λέξη " * rng.randint(1, 18)) for item in short]
    assert qwk_score(fit_baseline(short, "length").outcomes(short)) > 0.95
    assert abs(qwk_score(fit_baseline(plain, "length").outcomes(plain))) < 0.2
    told = [
        replace(item, answer="ένα " * (n % 6) + "δύο " * (5 - n % 6))
        for n, item in enumerate(plain)
    ]
    assert qwk_score(fit_baseline(told, "words").outcomes(told)) > 0.95


def test_a_recipe_that_teaches_no_label_is_refused_in_one_line() -> None:
    for recipe in ("distil", "sft+text"):
        with pytest.raises(UsageError, match=f"full, not {re.escape(recipe)}"):
            Config({"score": {"recipe": recipe}}, None, {}).table("score", ScoreSettings)
    assert ScoreSettings(recipe="full").lr == 2e-5
