"""Labels, scores and requests: append-only, the last word stands."""

from __future__ import annotations

from pathlib import Path

from exchange.review import Label, Review


def test_the_last_label_stands_and_an_undo_takes_it_back(tmp_path: Path) -> None:
    assert Review.read(tmp_path) is None
    review = Review.open(tmp_path)
    review.label(Label("a", "reject", reason="wrong"))
    review.label(Label("a", "accept", answer="Ναι."))
    review.label(Label("b", "accept"))
    review.label(Label("b", "withdrawn"))
    assert review.labels() == {"a": Label("a", "accept", answer="Ναι.")}
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
    first, second = review.ask("retry", '["t1"]'), review.ask("drop")
    assert [request.serial for request in review.open_requests()] == [first, second]
    assert review.outcome(first) is None
    review.answer(first, "3 tasks")
    review.answer(first, "again")
    assert review.outcome(first) == "3 tasks"
    assert [request.kind for request in review.open_requests()] == ["drop"]
