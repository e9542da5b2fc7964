"""Labels, scores and requests: append-only, the last word stands."""

from __future__ import annotations

from pathlib import Path

from exchange.store.review import FILE, Label, Review, Vote


def test_the_last_label_stands_and_an_undo_takes_it_back(tmp_path: Path) -> None:
    assert Review.read(tmp_path) is None
    review = Review.open(tmp_path)
    review.add_label(Label(pair_id="a", verdict="reject", reason="wrong"))
    review.add_label(Label(pair_id="a", verdict="accept", answer="Ναι."))
    review.add_label(Label(pair_id="b", verdict="accept"))
    review.add_label(Label(pair_id="b", verdict="withdrawn"))
    assert review.labels() == {"a": Label(pair_id="a", verdict="accept", answer="Ναι.")}
    assert len(review.history()) == 4


def test_another_process_reads_what_was_written(tmp_path: Path) -> None:
    writer = Review.open(tmp_path)
    writer.add_scores("scorer-1", [("a", 0.25), ("b", 1.0)])
    writer.add_scores("scorer-1", [("a", 0.75)])
    writer.add_scores("scorer-2", [("a", 0.0)])
    reader = Review.read(tmp_path)
    assert reader is not None
    assert reader.scores("scorer-1") == {"a": 0.75, "b": 1.0}


def test_a_request_is_open_until_it_is_answered_once(tmp_path: Path) -> None:
    review = Review.open(tmp_path)
    first, second = review.add_request("retry", '["t1"]'), review.add_request("drop")
    assert [request.serial for request in review.open_requests()] == [first, second]
    assert review.outcome(first) is None
    review.answer(first, "3 tasks")
    review.answer(first, "again")
    assert review.outcome(first) == "3 tasks"
    assert [request.kind for request in review.open_requests()] == ["drop"]


def test_votes_are_kept_as_they_were_given(tmp_path: Path) -> None:
    first = Vote(
        question="Πότε;",
        run="default",
        systems=("tuned", "base"),
        answers=("Το 2012.", "Δεν ξέρω."),
        choice="best",
        best="tuned",
    )
    second = Vote(
        question="Ποιος;",
        run="",
        systems=("base",),
        answers=("<b>",),
        choice="none",
        better="Ο Νίκος.",
        blind=False,
    )
    writer = Review.open(tmp_path)
    writer.add_vote(first)
    writer.add_vote(second)
    reader = Review.read(tmp_path)
    assert reader is not None and reader.votes() == [first, second]


def test_a_file_of_the_version_before_takes_votes_and_keeps_its_labels(tmp_path: Path) -> None:
    writer = Review.open(tmp_path)
    writer.add_label(Label(pair_id="a", verdict="accept"))
    writer.db.execute("DROP TABLE votes")
    writer.db.execute("PRAGMA user_version=1")
    writer.close()
    reader = Review.read(tmp_path)
    assert reader is not None and reader.votes() == []
    later = Review.open(tmp_path)
    later.add_vote(
        Vote(question="Πότε;", run="", systems=("base",), answers=("Το 2012.",), choice="alike")
    )
    assert len(later.votes()) == 1 and set(later.labels()) == {"a"} and (tmp_path / FILE).exists()


def test_labels_given_together_are_taken_back_together_and_once(tmp_path: Path) -> None:
    review = Review.open(tmp_path)
    review.add_label(Label(pair_id="a", verdict="accept", reviewer="anna"))
    batch = review.add_labels(
        Label(pair_id=pair, verdict="reject", reason="wrong", reviewer="anna") for pair in "abc"
    )
    later = review.add_label(Label(pair_id="b", verdict="accept", reviewer="nikos"))
    found = review.last_batch("anna")
    assert found and (found.serial, found.verdict, found.reason, found.pairs) == (
        batch,
        "reject",
        "wrong",
        3,
    )
    assert review.withdraw(batch, "nikos") == 0  # it is not his
    assert review.withdraw(batch, "anna") == 3
    assert review.withdraw(batch, "anna") == 0
    standing = review.labels()
    assert {pair: label.verdict for pair, label in standing.items()} == {
        "a": "accept",
        "b": "accept",
    }
    assert standing["b"].reviewer == "nikos"
    found, other = review.last_batch("anna"), review.last_batch("nikos")
    assert found and found.pairs == 1 and other and other.serial == later
    assert len(review.history()) == 8


def test_a_file_without_batches_is_read_as_before_and_goes_on(tmp_path: Path) -> None:
    writer = Review.open(tmp_path)
    writer.db.execute("ALTER TABLE labels DROP COLUMN batch")
    writer.db.execute("PRAGMA user_version=2")
    for verdict in ("reject", "accept", "withdrawn"):
        writer.db.execute(
            "INSERT INTO labels(pair_id, verdict, reason, question, answer, reviewer, seconds, at) "
            "VALUES ('a', ?, '', '', '', 'anna', 0, 0)",
            (verdict,),
        )
    writer.close()
    reader = Review.read(tmp_path)
    assert reader is not None and reader.labels()["a"].verdict == "reject"
    later = Review.open(tmp_path)
    assert later.labels()["a"].verdict == "reject" and later.last_batch("anna") is None
    later.withdraw(later.add_label(Label(pair_id="a", verdict="accept")), "")
    assert later.labels()["a"].verdict == "reject"
