"""On which side a story stands: by hash and date, for ever, and never on two at once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from exchange.errors import UserError
from tests.trainer.dataset.test_build import SETTINGS, rows, where
from tests.trainer.filling import fill
from trainer.dataset import DatasetRequest, Manifest, build_dataset, read_split
from trainer.dataset.split import (
    SplitAssignment,
    SplitRule,
    assign_stories,
    check_crossing,
    choose_rule,
    side_of,
)

LINE = SplitRule("key", 0.1, 0.0, "2020-12-31")


def named(side: str, line: SplitRule = LINE, start: int = 0) -> str:
    """A cluster whose hash puts it on a side."""
    return next(f"cluster {n}" for n in range(start, 9999) if side_of(f"cluster {n}", line) == side)


def test_the_shares_are_those_asked_for() -> None:
    counts = Counter(side_of(f"c{n}", SplitRule("key", 0.1, 0.05, "")) for n in range(20_000))
    assert counts["unseen"] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert counts["valid"] / 20_000 == pytest.approx(0.05, abs=0.01)


def test_a_small_archive_still_fills_every_side() -> None:
    for size in range(3, 40):
        clusters = {f"story {n}" for n in range(size)}
        line = choose_rule("kkoracle", clusters, 0.05, 0.1, "")
        assert {side_of(cluster, line) for cluster in clusters} == {"train", "valid", "unseen"}


@pytest.mark.parametrize(("size", "least"), [(160, 60), (1000, 60), (5000, 250)])
def test_enough_clusters_are_held_out_to_say_something(size: int, least: int) -> None:
    clusters = {f"story {n}" for n in range(size)}
    line = choose_rule("kkoracle", clusters, 0.05, 0.0, "")
    held = sum(side_of(cluster, line) == "unseen" for cluster in clusters)
    assert held >= min(60, least) and held < 0.5 * size


def test_a_story_after_the_cut_off_is_never_taught() -> None:
    taught, late = named("train"), named("train", start=50)
    places = assign_stories({"a": (taught, "2019-05-05"), "b": (late, "2021-01-02")}, LINE, {})
    assert places == {"a": SplitAssignment("train", taught), "b": SplitAssignment("unseen", late)}


def test_a_late_twin_of_a_taught_story_is_in_no_split() -> None:
    taught = named("train")
    places = assign_stories({"a": (taught, "2019-05-05"), "b": (taught, "2021-01-02")}, LINE, {})
    assert places["a"].side == "train" and places["b"].side == "quarantine"


def test_a_story_that_ties_two_sides_is_quarantined_and_nothing_else_moves() -> None:
    taught, held = named("train"), named("unseen")
    first = assign_stories({"a": (taught, "2001-01-01"), "b": (held, "2002-02-02")}, LINE, {})
    bridged = {"a": ("one", "2001-01-01"), "b": ("one", "2002-02-02"), "c": ("one", "2003-03-03")}
    after = assign_stories(bridged, LINE, first)
    assert {name: after[name] for name in first} == first
    assert after["c"].side == "quarantine"


def test_a_cluster_that_crosses_the_line_is_refused() -> None:
    check_crossing([("a", "train"), ("b", "unseen"), ("a", "train")])
    with pytest.raises(UserError, match="cluster a stands in train and in unseen"):
        check_crossing([("a", "train"), ("b", "valid"), ("a", "unseen")])


def test_a_later_month_goes_to_the_test_and_a_new_version_teaches_it(tmp_path: Path) -> None:
    fill(tmp_path, 60)
    first = build_dataset(tmp_path, SETTINGS).manifest
    before = where(tmp_path)
    fill(tmp_path, 60, first=60, published=lambda number: "2001-03-04")
    second = build_dataset(tmp_path, SETTINGS).manifest
    after = where(tmp_path)
    assert {row: after[row] for row in before} == before
    late = [
        row
        for row in read_split(tmp_path / "dataset", "train")
        if row.origin.published == "2001-03-04"
    ]
    assert not late
    assert (first.version, second.version) == (1, 1)
    assert second.line["cutoff"] == first.line["cutoff"] == "2001-02-03"
    assert any("--new-cutoff" in warning for warning in second.warnings)
    third = build_dataset(tmp_path, SETTINGS, DatasetRequest(new_cutoff=True)).manifest
    assert third.version == 2 and third.line["cutoff"] == "2001-03-04"
    assert any(row.origin.published == "2001-03-04" for row in rows(tmp_path)["train"])
    now = where(tmp_path)
    assert {row: now[row] for row in before} == before


def test_places_that_are_lost_are_not_guessed_anew(tmp_path: Path) -> None:
    fill(tmp_path, 30)
    build_dataset(tmp_path, SETTINGS)
    (tmp_path / "dataset" / "places.tsv").unlink()
    with pytest.raises(UserError, match=r"places\.tsv does not fit its manifest"):
        build_dataset(tmp_path, SETTINGS)
    assert Manifest.read(tmp_path / "dataset").version == 1
