"""A sitting of a review: what is shown, what is stored, what can be taken back."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exchange.errors import UserError
from exchange.records import Pair
from exchange.store.corpus import SpoolCorpus
from exchange.store.review import Label, Review
from exchange.store.spool import Spool
from tests.conftest import cli_environment
from tests.trainer.conftest import Desk
from tests.trainer.dataset.test_build import SETTINGS, rows
from tests.trainer.filling import fill
from trainer.dataset import build_dataset, read_split
from trainer.review.session import open_review, rejection_reasons, self_agreement


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    fill(tmp_path, 40)
    return tmp_path


def test_labels_are_stored_at_once_and_the_next_sitting_goes_on(archive: Path) -> None:
    sitting = open_review(archive, 20, "me")
    for _ in range(5):
        sitting.accept()
    sitting.reject("wrong")
    labels = Review.open(archive).labels()
    assert sorted(label.verdict for label in labels.values()) == ["accept"] * 5 + ["reject"]
    shown = {item.pair.pair.id for item in open_review(archive, 200, "me").items}
    assert not shown & set(labels) and len(shown) == 114


def test_an_undo_goes_back_one_pair_and_takes_back_what_was_said_of_it(archive: Path) -> None:
    sitting = open_review(archive, 5, "me")
    assert not sitting.undo()
    first = sitting.item
    sitting.accept()
    second = sitting.item
    sitting.skip()
    assert sitting.undo()
    assert sitting.item == second and sitting.labelled == 1
    assert len(Review.open(archive).labels()) == 1
    assert sitting.undo()
    assert sitting.item == first and sitting.labelled == 0
    assert Review.open(archive).labels() == {}


def test_one_in_ten_is_shown_twice_and_gives_agreement(archive: Path) -> None:
    sitting = open_review(archive, 120, "me")
    again = [item for item in sitting.items if item.again]
    assert 4 <= len(again) <= 20
    first = again[0].pair.pair.id
    while (item := sitting.item) is not None:
        if item.again and item.pair.pair.id == first:
            sitting.reject("wrong")
        else:
            sitting.accept()
    found = self_agreement(Review.open(archive))
    assert (found.pairs, found.same) == (len(again), len(again) - 1)


def test_what_a_person_says_decides_what_is_taught(archive: Path) -> None:
    sitting = open_review(archive, 30, "me")
    rejected = sitting.item
    sitting.reject("wrong")
    edited = sitting.item
    assert rejected is not None and edited is not None
    sitting.accept("Ποιος το έκανε στην πόλη Άνω Κορυφή;", "Κανείς.")
    manifest = build_dataset(archive, SETTINGS).manifest
    found = {row.id: row for some in rows(archive).values() for row in some}
    assert rejected.pair.pair.id not in found
    assert found[edited.pair.pair.id].answer == "Κανείς."
    assert found[edited.pair.pair.id].label == "edited"
    assert manifest.left_out["label_rejected"] == 1 and manifest.input["labels"] == 2


def test_scores_stratify_the_sitting_and_bound_the_dataset(archive: Path) -> None:
    everything = open_review(archive, 120, "me")
    scores = {item.pair.pair.id: number / 120 for number, item in enumerate(everything.items)}
    Review.open(archive).add_scores("scorer", scores.items())
    sitting = open_review(archive, 20, "me")
    quarters = [int(4 * (item.confidence or 0)) for item in sitting.items if not item.again]
    assert {quarter: quarters.count(quarter) for quarter in range(4)} == dict.fromkeys(range(4), 5)
    manifest = build_dataset(archive, SETTINGS.model_copy(update={"min_score": 0.5})).manifest
    assert manifest.left_out["low_score"] > 30
    assert all((row.score or 0) >= 0.5 for row in read_split(archive / "dataset", "train"))


def test_nothing_to_review_is_one_line(tmp_path: Path) -> None:
    fill(tmp_path, 1, 0)
    with pytest.raises(UserError, match="no accepted pair is waiting"):
        open_review(tmp_path, 5, "me")


def test_keys_in_a_real_terminal(desk: Desk) -> None:
    fill(desk.archive, 20)
    main, terminal = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "kkoracle", "dataset", "review", "-n", "10"],
        cwd=desk.folder,
        env={**cli_environment(), "TERM": "xterm", "COLUMNS": "80", "LINES": "40"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    seen = ""

    def wait_for(text: str) -> None:
        nonlocal seen
        until = time.monotonic() + 30
        while text not in seen:
            ready, _, _ = select.select([main], [], [], until - time.monotonic())
            assert ready, seen
            seen += os.read(main, 4096).decode("utf-8", "replace")

    wait_for("[a]ccept")
    seen = ""
    os.write(main, "α".encode())  # a Greek keyboard
    wait_for("2/1")
    os.write(main, b"r")
    wait_for("6 other")
    os.write(main, b"2")
    wait_for("3/1")
    os.write(main, b"u")
    seen = ""
    wait_for("2/1")
    os.write(main, b"q")
    wait_for("1 label stored")
    assert child.wait(10) == 0
    os.close(main)
    labels = Review.open(desk.archive).labels()
    assert [label.verdict for label in labels.values()] == ["accept"]
    assert "a review needs a terminal" in desk.refuses("dataset", "review")


def test_reasons_name_the_language_of_the_newspaper() -> None:
    assert "bad Greek" in rejection_reasons("el") and "bad English" in rejection_reasons("en-GB")
    assert "bad language" in rejection_reasons("qaa") and len(set(rejection_reasons("en"))) == 6


def test_a_pair_that_a_check_rejected_is_taught_once_a_person_accepts_it(archive: Path) -> None:
    with SpoolCorpus(archive) as corpus:
        stored = list(corpus.pairs())
    spool = Spool.open(archive)
    twin = next(one.pair for one in stored if one.pair.status == "accepted")
    with spool.transaction() as db:  # the same question once more, as the collector rejects it
        again = twin.replace(
            id=Pair.make_id(twin.task_id, twin.question, "Το έκανε ο Νίκος Βαλτινός, είπαν."),
            answer="Το έκανε ο Νίκος Βαλτινός, είπαν.",
            status="rejected",
            reason="duplicate",
            duplicate_of=twin.id,
        )
        db.execute(
            "INSERT INTO pairs SELECT ?, task_id, story_id, 'rejected', 'duplicate', ? FROM pairs "
            "WHERE id=?",
            (again.id, again.to_json(), twin.id),
        )
    spool.close()
    unasked = next(one.pair for one in stored if one.pair.status == "rejected")
    build_dataset(archive, SETTINGS)
    before = {row.id for some in rows(archive).values() for row in some}
    assert again.id not in before and unasked.id not in before and twin.id in before
    review = Review.open(archive)
    review.add_label(Label(pair_id=again.id, verdict="accept"))
    review.add_label(
        Label(
            pair_id=unasked.id, verdict="accept", question="Τι έγινε στη Λυκόπετρα;", answer="Ναι."
        )
    )
    review.add_scores("scorer", [(again.id, 0.1)])
    manifest = build_dataset(archive, SETTINGS.model_copy(update={"min_score": 0.5})).manifest
    found = {row.id: row for some in rows(archive).values() for row in some}
    assert found[again.id].label == found[unasked.id].label == "accepted by hand"
    assert found[unasked.id].answer == "Ναι." and twin.id not in found
    assert manifest.input["by_hand"] == {"duplicate": 1, "no_question_mark": 1}
    assert manifest.left_out["duplicate"] == 1  # its twin
    review.withdraw(2, "")
    build_dataset(archive, SETTINGS)
    assert unasked.id not in {row.id for some in rows(archive).values() for row in some}
