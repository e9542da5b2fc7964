"""What is asked: gold chunk, wrong neighbours, coined and careless questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.store.corpus import SpoolCorpus
from exchange.text.fold import words
from tests.trainer.evaluate import planted
from tests.trainer.filling import fill
from trainer.dataset import DatasetRequest, DatasetRow, build_dataset, read_split
from trainer.dataset.settings import DatasetSettings
from trainer.evaluate.items import build_items, distractors
from trainer.evaluate.items.build import ItemCounts
from trainer.evaluate.items.distractors import DistractorIndex, pick_distractors, with_coined_name
from trainer.evaluate.metrics import ALL_METRICS, measure
from trainer.evaluate.rag import open_archive
from trainer.evaluate.records import EvalAnswer, EvalItem, Evaluation, as_dicts
from trainer.evaluate.report import EvaluationReport, ReportOptions
from trainer.evaluate.report.build import ReportContext, build_report


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    fill(
        tmp_path,
        60,
        rephrased=40,
        published=lambda n: f"{2001 + n % 3}-02-03",
        section=lambda n: ("Πόλη", "Λιμάνι")[n % 2],
    )
    build_dataset(tmp_path, DatasetSettings(unseen=0.3))
    return tmp_path


def gathered(folder: Path, sought: ItemCounts = ItemCounts(0, 5, 4)) -> list:  # type: ignore[type-arg]
    with SpoolCorpus(folder) as corpus:
        search = open_archive(corpus, folder)
        chunks = {chunk.id: chunk for chunk in corpus.chunks()}
    found = build_items(
        folder / "dataset", lambda ids: {n: chunks[n] for n in ids if n in chunks}, search, sought
    )
    return found.items


def test_every_question_has_its_chunk_and_slices(dataset: Path) -> None:
    items = gathered(dataset)
    splits = Counter(item.split for item in items)
    assert splits["test_recall"] >= 10 and splits["test_unseen"] >= 30
    assert splits["test_general"] > 100 and splits["disturbed"] == 12 and splits["absent"] == 5
    for item in items:
        if item.split in ("test_recall", "test_unseen"):
            assert item.reference in item.gold and item.header == "Φωνή"
            assert item.slices["section"] in ("Πόλη", "Λιμάνι")
            assert item.slices["year"] in ("2001", "2002", "2003")


def test_wrong_neighbours_are_of_other_stories_and_of_the_same_side(dataset: Path) -> None:
    taught = {row.answer: row for row in read_split(dataset / "dataset", "train")}
    for item in gathered(dataset):
        if item.split == "test_recall":
            assert len(item.distractors) == 3
            assert len({tuple(words(text)) for text in (item.reference, *item.distractors)}) == 4
            assert all(text in taught for text in item.distractors)
        elif item.split == "test_unseen" and item.distractors:
            assert item.reference not in item.distractors


def test_a_neighbour_s_answer_is_never_of_the_same_cluster() -> None:
    rows = [
        DatasetRow(f"{s}{k}", f"Ποιος άνοιξε το σχολείο {k};", f"Απάντηση {s} {k}.", "fact", s, s)
        for s in "abcd"
        for k in range(3)
    ]
    of = DistractorIndex(rows)
    for row in rows:
        assert not any(text.startswith(f"Απάντηση {row.cluster}") for text in of.distractors(row))


def test_fewer_than_three_distinct_answers_are_none() -> None:
    assert pick_distractors("ένα", ["Ένα.", "δύο", "ΔΥΟ!", "τρία"]) == ()
    assert pick_distractors("ένα", ["δύο", "τρία", "", "τέσσερα", "πέντε"]) == (
        "δύο",
        "τρία",
        "τέσσερα",
    )


def test_questions_are_spread_over_stories_before_a_story_has_two(dataset: Path) -> None:
    items = [
        item for item in gathered(dataset, ItemCounts(12, 5, 4)) if item.split == "test_unseen"
    ]
    assert len(items) == 12 and len({item.cluster for item in items}) == 12


def english(folder: Path, language: str = "en") -> tuple[list[EvalItem], list[str]]:
    """The items of a dataset that was built in a language, and what is said of it."""
    build_dataset(folder, DatasetSettings(unseen=0.3), DatasetRequest(language=language))
    with SpoolCorpus(folder) as corpus:
        chunks = {chunk.id: chunk for chunk in corpus.chunks()}
    counts = ItemCounts(0, 5, 4)
    found = build_items(folder / "dataset", lambda ids: {n: chunks[n] for n in ids}, None, counts)
    return found.items, found.warnings


def gate_of(items: list[EvalItem], tuned: Callable[[EvalItem, str], str]) -> EvaluationReport:
    """The base says half of what is true; the tuned model what `tuned` makes of it."""
    said: dict[str, dict[str, EvalAnswer]] = {"base": {}, "tuned": {}}
    for number, item in enumerate(items):
        text = item.reference if number % 2 else "nothing of it"
        for name, told in (("base", text), ("tuned", tuned(item, text))):
            said[name][item.id] = EvalAnswer(item.id, told, 1, 1, 0.0, "stop")
    scores, sure = measure(items, said, {})
    about = planted.about([planted.SIX[0], planted.SIX[3]]).replace(
        metrics=as_dicts(one.info for one in ALL_METRICS)
    )
    found = Evaluation(about, {one.id: one for one in items}, said, scores, sure)
    return build_report(found, ReportContext(), ReportOptions())


def test_the_gate_passes_an_english_paper_s_model_that_lost_nothing(tmp_path: Path) -> None:
    fill(tmp_path, 200, rephrased=120)
    items, warnings = english(tmp_path)
    assert warnings == []
    kept = gate_of(items, lambda item, text: text)
    assert kept.passed and [check.metric for check in kept.gate] == ["forgetting", "groundedness"]
    lost = gate_of(items, lambda item, text: "" if item.split == "test_general" else text)
    assert not lost.passed and lost.gate[0].outcome == "worse" and lost.gate[1].passed


def test_a_language_without_general_questions_is_told_so_and_passes_no_gate(tmp_path: Path) -> None:
    fill(tmp_path, 200, rephrased=120)
    items, warnings = english(tmp_path, "fi")
    assert len(warnings) == 1 and "no general questions" in warnings[0]
    found = gate_of(items, lambda item, text: text)
    assert not found.passed and found.gate[0].outcome == "not measured"


def test_no_set_has_more_questions_than_were_wanted_of_each(dataset: Path) -> None:
    for most in (1, 2, 7):
        splits = Counter(item.split for item in gathered(dataset, ItemCounts(most, 60, 40)))
        assert set(splits.values()) == {most}, splits
        assert splits.keys() == {
            "test_recall",
            "test_unseen",
            "test_general",
            "absent",
            "disturbed",
        }


def test_the_same_items_are_asked_each_time(dataset: Path) -> None:
    assert gathered(dataset) == gathered(dataset)


def test_a_coined_name_stands_nowhere_in_the_archive() -> None:
    asked = "Πότε ήρθε ο Νίκος Βαλτινός στην πόλη;"
    one = with_coined_name(asked, lambda word: False, "seed")
    assert one != asked and one == with_coined_name(asked, lambda word: False, "seed")
    assert one.startswith("Πότε ήρθε ο Νίκος ") and one.endswith("ός στην πόλη;")
    assert with_coined_name(asked, lambda word: True, "seed") == ""
    assert with_coined_name("Πότε ήρθε κάποιος;", lambda word: False, "seed") == ""


def test_careless_typing_keeps_the_words() -> None:
    asked = "Ποιος άνοιξε το σχολείο της Άνω Βρύσης;"
    assert distractors.strip_accents(asked) == "Ποιος ανοιξε το σχολειο της Ανω Βρυσης;"
    assert distractors.to_capitals(asked) == "ΠΟΙΟΣ ΑΝΟΙΞΕ ΤΟ ΣΧΟΛΕΙΟ ΤΗΣ ΑΝΩ ΒΡΥΣΗΣ;"
    slipped = distractors.add_typos(asked)
    assert slipped != asked and sorted(slipped) == sorted(asked)
    assert slipped == distractors.add_typos(asked) and distractors.add_typos("Τι;") == "Τι;"


def test_as_of_a_day_as_many_questions_are_about_the_time_since_as_about_the_time_before(
    tmp_path: Path,
) -> None:
    fill(tmp_path, 90, rephrased=60, published=lambda n: f"200{1 + n % 3}-02-03")
    build_dataset(tmp_path, DatasetSettings(unseen=0.3), DatasetRequest(as_of="2002-12-31"))
    items = gathered(tmp_path, ItemCounts(20, 1, 1))
    asked = Counter((item.split, item.slices.get("period", "")) for item in items)
    assert asked["test_unseen", "before"] == asked["test_unseen", "after"] == 10
    assert asked["test_recall", "before"] and not asked["test_recall", "after"]
    for item in items:
        if item.split == "test_unseen":
            late = item.slices["year"] == "2003"
            assert item.slices["period"] == ("after" if late else "before")
    every = [item for item in gathered(tmp_path) if item.split == "test_unseen"]
    assert sum(item.slices["period"] == "after" for item in every) == 30 * 3
