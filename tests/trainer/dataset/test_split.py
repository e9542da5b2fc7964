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
    Split,
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
    other = SETTINGS.model_copy(update={"cutoff": "2001-02-20"})
    ignored = build_dataset(tmp_path, other).manifest
    assert ignored.line == first.line
    assert any("cutoff = 2001-02-20 is not in force" in one for one in ignored.warnings)
    assert not any("not in force" in one for one in second.warnings)
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


def monthly(number: int) -> str:
    return f"2001-{1 + number % 12:02}-10"


def printed(folder: Path, *splits: Split) -> set[str]:
    return {
        row.origin.published
        for split in splits
        for row in read_split(folder / "dataset", split)
        if row.story
    }


def test_as_of_a_day_nothing_later_is_taught_and_all_of_it_is_asked(tmp_path: Path) -> None:
    fill(tmp_path, 120, published=monthly, rephrased=120)
    made = build_dataset(tmp_path, SETTINGS, DatasetRequest(as_of="15 Ιουνίου 2001"))
    assert made.manifest.line["cutoff"] == "2001-06-15" and made.manifest.line["dated"]
    taught = printed(tmp_path, "train", "valid", "test_recall")
    assert taught and max(taught) <= "2001-06-15"
    unseen = rows(tmp_path)["test_unseen"]
    late = [row for row in unseen if row.origin.published > "2001-06-15"]
    assert len({row.story for row in late}) == 60 and len(late) < len(unseen)
    told = made.manifest.splits["test_unseen"]
    assert (told["after"], told["stories_after"]) == (len(late), 60)
    assert "after" not in made.manifest.splits["train"]


def test_going_back_to_an_earlier_day_takes_out_what_was_taught_since(tmp_path: Path) -> None:
    fill(tmp_path, 120, published=monthly)
    first = build_dataset(tmp_path, SETTINGS).manifest
    assert max(printed(tmp_path, "train")) == "2001-12-10"
    asked = DatasetRequest(as_of="2001-06-15")
    second = build_dataset(tmp_path, SETTINGS, asked).manifest
    assert (first.version, second.version) == (1, 2)
    assert max(printed(tmp_path, "train", "valid")) == "2001-06-10"
    before = where(tmp_path)
    again = build_dataset(tmp_path, SETTINGS, asked).manifest
    assert again.sha == second.sha and where(tmp_path) == before
    assert build_dataset(tmp_path, SETTINGS).manifest.sha == second.sha  # and it stays so
    early = SETTINGS.model_copy(update={"cutoff": "2001-03-31"})
    third = build_dataset(tmp_path, early, DatasetRequest(new_cutoff=True)).manifest
    assert third.version == 3 and max(printed(tmp_path, "train", "valid")) == "2001-03-10"


def test_as_of_a_day_a_story_without_a_date_is_in_no_split(tmp_path: Path) -> None:
    fill(tmp_path, 60, published=lambda number: "" if number % 10 == 0 else monthly(number))
    made = build_dataset(tmp_path, SETTINGS, DatasetRequest(as_of="2001-06-15")).manifest
    assert "" not in printed(tmp_path, "train", "valid", "test_unseen")
    assert made.left_out["undated"] == 6 * 3
    fill(tmp_path / "other", 60, published=lambda number: "" if number % 10 == 0 else "2001-02-03")
    build_dataset(tmp_path / "other", SETTINGS)
    assert "" in printed(tmp_path / "other", "train", "valid", "test_unseen")


def test_a_twin_printed_after_the_day_is_no_question_about_the_time_since(tmp_path: Path) -> None:
    twins = {30: "twins", 31: "twins"}
    fill(
        tmp_path,
        60,
        cluster=lambda number: twins.get(number, ""),
        published=lambda number: "2001-09-01" if number in (31, 40) else "2001-02-03",
    )
    build_dataset(tmp_path, SETTINGS, DatasetRequest(as_of="2001-06-15"))
    late = {
        row.origin.url for row in rows(tmp_path)["test_unseen"] if row.origin.published > "2001-06"
    }
    places = (tmp_path / "dataset" / "places.tsv").read_text("utf-8")
    held = "twins\tunseen" in places
    assert late == ({"http://x/31", "http://x/40"} if held else {"http://x/40"})


def test_what_is_no_day_is_refused_and_a_day_without_news_is_told(tmp_path: Path) -> None:
    fill(tmp_path, 60, published=monthly)
    for text in ("2001", "Ιούνιος 2001", "χθες", "31/2/2001"):
        with pytest.raises(UserError, match="is no day"):
            build_dataset(tmp_path, SETTINGS, DatasetRequest(as_of=text))
    made = build_dataset(tmp_path, SETTINGS, DatasetRequest(as_of="31/12/2005")).manifest
    assert any("nothing is asked about the time since" in one for one in made.warnings)
    fill(tmp_path / "new", 60, published=monthly)
    with pytest.raises(UserError, match=r"only 0 stories .*\(up to 1990-01-01\)"):
        build_dataset(tmp_path / "new", SETTINGS, DatasetRequest(as_of="1/1/1990"))
