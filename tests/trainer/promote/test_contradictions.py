"""A story that answers earlier questions otherwise is told by its share of such pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.records import digest
from tests.trainer import filling
from tests.trainer.filling import answer, fill, question
from trainer.promote.contradictions import contradicting_stories

WRONG = "Το έκανε ο Άγνωστος Κάποιος."


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve stories; what a question was asked before stays rejected, as the collector does it."""
    monkeypatch.setattr(filling, "accept_duplicates", lambda spool: None)
    fill(tmp_path, 12)
    return tmp_path


def test_a_story_that_says_otherwise_is_told(archive: Path) -> None:
    fill(archive, 1, 1, first=20, extra=[(question(n, 0), WRONG) for n in range(3)])
    (found,) = contradicting_stories(archive, 0.2)
    assert (found.story, found.contradicting) == (digest("paper", "20"), 3)
    assert len(found.rows) == 1  # its own question, which nobody asked before


def test_a_story_that_says_the_same_again_is_believed(archive: Path) -> None:
    fill(archive, 1, 1, first=20, extra=[(question(n, 0), answer(n, 0)) for n in range(3)])
    assert contradicting_stories(archive, 0.2) == []


def test_one_pair_is_a_slip_and_a_small_share_may_be_news(archive: Path) -> None:
    fill(archive, 1, 1, first=20, extra=[(question(0, 0), WRONG)])
    fill(archive, 1, 4, first=30, extra=[(question(n, 1), WRONG) for n in range(2)])
    assert contradicting_stories(archive, 0.5) == []
    assert contradicting_stories(archive, 0.1)[0].contradicting == 2


def test_an_archive_without_a_spool_contradicts_nothing(tmp_path: Path) -> None:
    assert contradicting_stories(tmp_path, 0.2) == []
