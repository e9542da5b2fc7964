"""The made archive is one of ours: everything that reads a spool reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.frontier import pages
from crawler.frontier.raw_store import RawStore
from exchange.store.corpus import SpoolCorpus
from exchange.store.review import Review
from tools import large_spool


def test_a_made_archive_is_read_as_any_other(tmp_path: Path) -> None:
    large_spool.main([str(tmp_path), "--stories", "300", "--pairs", "120", "--kept", "5"])
    with SpoolCorpus(tmp_path) as corpus:
        counted = corpus.counters()
        stories = {stored.story.id: stored.story for stored in corpus.stories()}
        chunks = list(corpus.chunks())
        pairs = list(corpus.pairs())
        assert corpus.judgements().labels
    assert len(stories) == counted["stories"] == 300
    assert len(chunks) == counted["chunks.live"]
    assert {chunk.story_id for chunk in chunks} <= stories.keys()
    assert len(pairs) == counted["pairs.accepted"] + counted["pairs.rejected"] == 120
    assert all(pair.made.model for pair in pairs)
    assert min(s.published for s in stories.values() if s.published) < "1996-02"
    db = pages.connect_readonly(tmp_path)
    assert b"<script" in (RawStore(db).get(300) or b"")
    db.close()
    assert Review.read(tmp_path)


def test_it_writes_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").touch()
    with pytest.raises(SystemExit):
        large_spool.main([str(tmp_path)])
