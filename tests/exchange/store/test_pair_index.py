"""Lists of pairs: every filter, the newest first, and an index that follows what happens."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from exchange.errors import NotFound
from exchange.records import Pair
from exchange.store import pair_index, verdicts
from exchange.store.corpus import SpoolCorpus
from exchange.store.joined_lists import JoinedPairs
from exchange.store.pair_index import PairIndex
from exchange.store.pairs import PairFilter, labels_of, list_pairs, read_pair, split_at_quote
from exchange.store.review import Label, Review
from exchange.store.spool import Spool
from exchange.store.verdicts import StagedVerdicts, staged_row
from tests.trainer.filling import fill, town


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Thirty stories of three accepted pairs and one rejected one."""
    fill(
        tmp_path,
        30,
        published=lambda n: f"{2001 + n % 3}-02-03" if n else "",
        section=lambda n: ("Πολιτική", "Διεθνή")[n % 2],
    )
    return tmp_path


def found(archive: Path, **wanted: object) -> list[str]:
    with JoinedPairs(archive) as joined:
        while joined.catch_up():
            pass
        return joined.ids(PairFilter(**wanted))  # type: ignore[arg-type]


def pairs(archive: Path) -> dict[str, Pair]:
    with SpoolCorpus(archive) as corpus:
        return {stored.pair.id: stored.pair for stored in corpus.pairs()}


def test_every_filter_finds_what_a_look_at_all_pairs_finds(archive: Path) -> None:
    everything = pairs(archive)
    assert set(found(archive)) == set(everything) and len(everything) == 120
    rejected = {one.id for one in everything.values() if one.status == "rejected"}
    assert set(found(archive, status="rejected")) == rejected
    assert set(found(archive, reason="no_question_mark")) == rejected
    assert len(found(archive, year="2002")) == 40 and len(found(archive, year="unknown")) == 4
    assert len(found(archive, section="Διεθνή", status="accepted")) == 45
    assert found(archive, kind="person") == [] and len(found(archive, kind="fact")) == 120
    about = {one.id for one in everything.values() if town(7) in one.question}
    assert set(found(archive, words=f"{town(7).upper()} σχολείου")) <= about
    assert set(found(archive, words=town(7).lower())) == about and len(about) == 3
    one = next(iter(about))
    assert found(archive, words=one[:12]) == [one] and found(archive, words="ζζζζ") == []
    assert found(archive, words="'\" OR 1=1 --") == []


def test_pages_hold_every_pair_once_in_the_order_of_the_spool(archive: Path) -> None:
    spool = Spool.read(archive)
    with JoinedPairs(archive) as index:
        index.catch_up()
        page, seen = index.page(PairFilter(status="accepted"), size=7), []
        while True:
            seen += page.rows
            rows = list_pairs(spool, page.rows)
            assert [row.pair.id for row in rows] == list(page.rows)
            assert all(row.section in ("Πολιτική", "Διεθνή") and row.title for row in rows)
            if not page.after:
                break
            page = index.page(PairFilter(status="accepted"), page.after, 7)
        assert seen == index.ids(PairFilter(status="accepted")) and len(set(seen)) == 90
        assert index.beside(PairFilter(status="accepted"), seen[0]) == ("", seen[1])
        assert index.beside(PairFilter(status="accepted"), seen[40]) == (seen[39], seen[41])
        counts = index.counts(PairFilter(section="Διεθνή", status="accepted", reason="x"))
        assert (counts.accepted, counts.rejected) == (45, 15)
        assert counts.reasons == {"no_question_mark": 15}
        assert index.choices("year") == {"2001": 36, "2002": 40, "2003": 40, "unknown": 4}


def test_what_people_and_scorers_say_is_taken_in(archive: Path) -> None:
    ids = found(archive)
    review = Review.open(archive)
    review.add_labels([Label(pair_id=one, verdict="reject", reason="wrong") for one in ids[:3]])
    batch = review.add_label(Label(pair_id=ids[0], verdict="accept", answer="Ναι."))
    review.add_scores("old", [(ids[5], 0.9)])
    review.add_scores("new", [(ids[5], 0.2), (ids[6], 0.7)])
    assert found(archive, label="rejected") == ids[1:3]
    assert found(archive, label="edited") == ids[:1] and len(found(archive, label="none")) == 117
    assert found(archive, low=0.5) == [ids[6]] and found(archive, high=0.5) == [ids[5]]
    review.withdraw(batch, "")
    assert found(archive, label="rejected") == ids[:3]
    assert [label.reason for label in labels_of(archive, ids[0])] == ["wrong"]


def test_labels_of_another_copy_are_read_anew(archive: Path) -> None:
    ids = found(archive)
    review = Review.open(archive)
    review.add_labels([Label(pair_id=one, verdict="reject") for one in ids[:3]])
    assert found(archive, label="rejected") == ids[:3]
    review.close()
    for path in archive.glob("review.sqlite*"):
        path.unlink()
    review = Review.open(archive)
    review.add_labels([Label(pair_id=one, verdict="accept") for one in ids[2:9]])
    assert found(archive, label="rejected") == [] and found(archive, label="accepted") == ids[2:9]


def test_pairs_that_come_later_and_new_verdicts_are_seen(archive: Path) -> None:
    before = found(archive)
    fill(archive, 5, first=30)
    assert found(archive)[20:] == before and len(found(archive)) == 140
    path = archive / "recheck-00000000.sqlite"
    staged = StagedVerdicts.open(path)
    judged = [
        one.replace(status="rejected", reason="strict", rules="2")
        for one in pairs(archive).values()
        if one.status == "accepted"
    ]
    staged.add([], (staged_row(one, "") for one in judged[:10]))
    staged.close()
    spool = Spool.open(archive)
    verdicts.apply_verdicts(spool, path, ())
    spool.close()
    strict = found(archive, reason="strict")
    assert len(strict) == 10
    assert read_pair(Spool.read(archive), strict[0]).verdicts == (("", "accepted"),)


def test_another_spool_in_its_place_is_read_anew(archive: Path) -> None:
    found(archive)
    for path in archive.glob("spool.sqlite*"):
        path.unlink()
    fill(archive, 3, first=100)
    assert set(found(archive)) == set(pairs(archive))


def test_a_look_ends_in_time_and_says_how_many_pairs_are_left(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_index, "STEP", 50)
    review = Review.open(archive)
    ids = list(pairs(archive))
    review.add_labels([Label(pair_id=one, verdict="accept") for one in ids[:70]])
    review.add_scores("old", [(one, 0.1) for one in ids[:10]])
    review.add_scores("new", [(one, 0.9) for one in ids[:60]])
    spool = Spool.read(archive)
    with PairIndex(archive) as index:
        left = [index.catch_up(spool, 0, 50) for _ in range(3)]
        assert left == [70, 20, 20]  # labels in the third
        assert index.catch_up(spool, 0, 50) == 10  # of the newest scorer
        assert index.catch_up(spool, 0, 50) == 0 == index.catch_up(spool)
    with JoinedPairs(archive) as joined:
        assert len(joined.ids(PairFilter(low=0.5))) == 60
        assert len(joined.ids(PairFilter(label="accepted"))) == 70


def test_a_pair_comes_with_its_sources(archive: Path) -> None:
    spool = Spool.read(archive)
    some = next(iter(pairs(archive)))
    source = read_pair(spool, some[:20])
    assert source.pair.id == some and source.story and source.page.startswith("page-")
    assert [chunk.id for chunk in source.chunks] == list(source.pair.chunk_ids)
    assert source.completion and source.completion.text == "raw"
    for name in ("abc", "'; --x", "ffffffffffffffffffffffff"):
        with pytest.raises(NotFound):
            read_pair(spool, name)


def test_the_supporting_sentence_is_found_whatever_white_space_stands_in_it() -> None:
    text = "Πρώτα αυτό.  Ύστερα\n\nεκείνο έγινε. Τέλος."
    assert split_at_quote(text, "Ύστερα εκείνο έγινε.") == (
        "Πρώτα αυτό.  ",
        "Ύστερα\n\nεκείνο έγινε.",
        " Τέλος.",
    )
    assert split_at_quote(text, "Άλλο.") == (text, "", "")
    assert split_at_quote(text, "") == (text, "", "")
    assert split_at_quote("", "Άλλο.") == ("", "", "")


def test_all_at_once_is_what_many_steps_come_to(archive: Path) -> None:
    def rows() -> list[list[tuple[object, ...]]]:
        with PairIndex(archive) as index:
            index.db.row_factory = None
            return [
                index.db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
                for table in ("pairs", "words", "facets")
            ]

    found(archive)
    stepwise = rows()
    (archive / "pair-index.sqlite").unlink()
    with closing(Spool.read(archive)) as spool, PairIndex(archive) as index:
        index.catch_up_all(spool)
        index.catch_up_all(spool)
    assert rows() == stepwise and len(stepwise[0]) == 120


def test_whoever_was_ended_while_it_filled_the_index_leaves_it_usable(archive: Path) -> None:
    with closing(Spool.read(archive)) as spool, PairIndex(archive) as index:
        index.catch_up_all(spool)
        index.db.execute("DROP INDEX pairs_by_id")
    with PairIndex(archive) as index:
        (plan,) = index.db.execute("EXPLAIN QUERY PLAN SELECT * FROM pairs WHERE id='x'")
        assert "pairs_by_id" in plan["detail"]
