"""Lists of stories: each filter by itself and with others, whichever way SQLite goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange.errors import NotFound, UsageError
from exchange.records import Chunk, Pair, Story, digest
from exchange.store import stories
from exchange.store.joined_lists import list_joined_stories
from exchange.store.paging import PAGE, RowPage
from exchange.store.spool import Spool
from exchange.store.stories import (
    StoryFilter,
    StoryRow,
    count_stories,
    read_story,
    stories_by_month,
    story_authors,
    story_check,
    story_sections,
)

MARKED = {3: ("teaser",), 4: ("other-language",), 8: ("low-confidence",), 9: ("teaser",)}
STATES = {1: "done", 2: "failed", 5: "done", 6: "queued"}  # of the first task; others are new
KINDS = {1: ("accepted", "rejected"), 5: ("rejected",)}  # pairs
COUNT = 60


def a_story(number: int) -> Story:
    return Story(
        id=digest("s", str(number)),
        url=f"https://paper.example/{number}",
        archive="paper",
        published="" if number == 7 else f"20{number % 5 + 10}-{number % 12 + 1:02d}-05",
        section=("Πόλη", "Κόσμος", "")[number % 3],
        title=f"Τίτλος {number}",
        author=("Άννα Λυγερού", "")[number % 2],
        text="Ένα. Δύο.",
        marks=MARKED.get(number, ()),
    )


@pytest.fixture(params=["as many as RARE", "more than RARE", "without the indexes"])
def spool(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Spool]:
    made = Spool.open(tmp_path)
    made.set_meta("recipe", "abc123")
    with made.transaction() as db:
        for number in range(COUNT):
            story = a_story(number)
            chunk = Chunk(digest(story.id), story.id, 0, "Ένα. Δύο.", "Φωνή")
            made.put_page(f"page-{number}", "1", [(story, [chunk])])
            if state := STATES.get(number):
                db.execute("UPDATE tasks SET state=? WHERE subject=?", (state, chunk.id))
            (task,) = db.execute("SELECT id FROM tasks WHERE subject=?", (chunk.id,)).fetchone()
            for status in KINDS.get(number, ()):
                pair = Pair(
                    id=digest(task, status),
                    task_id=task,
                    chunk_ids=(chunk.id,),
                    question="Τι έγινε;",
                    answer="Αυτό.",
                    kind="fact",
                    status=status,  # type: ignore[arg-type]
                    reason="" if status == "accepted" else "duplicate",
                )
                db.execute(
                    "INSERT INTO pairs VALUES (?,?,?,?,?,?)",
                    (pair.id, task, story.id, status, pair.reason, pair.to_json()),
                )
        if request.param == "without the indexes":  # a file that an earlier version wrote
            for name in ("stories_by_date", "stories_by_author", "marks_by_code"):
                db.execute(f"DROP INDEX {name}")
    if request.param == "more than RARE":
        monkeypatch.setattr(stories, "RARE", 0)
    yield made
    made.close()


def numbers(rows: tuple[StoryRow, ...]) -> list[int]:
    return [int(row.url.rpartition("/")[2]) for row in rows]


def list_stories(
    spool: Spool, wanted: StoryFilter, cursor: str = "", size: int = PAGE
) -> RowPage[StoryRow]:
    return list_joined_stories({"paper": spool}, wanted, cursor, size).of(lambda row: row[1])


def listed(spool: Spool, wanted: StoryFilter, size: int = 7) -> list[int]:
    """All pages, one after another."""
    page = list_stories(spool, wanted, size=size)
    found = numbers(page.rows)
    while page.after:
        page = list_stories(spool, wanted, page.after, size)
        found += numbers(page.rows)
    return found


def waits(number: int) -> bool:
    return STATES.get(number, "new") in ("new", "queued") and number not in (3, 4, 9)


@pytest.mark.parametrize(
    ("wanted", "meets"),
    [
        ({}, lambda n, s: True),
        ({"since": "2012"}, lambda n, s: s.published >= "2012"),
        ({"until": "2011-03"}, lambda n, s: "" < s.published < "2011-04"),
        ({"since": "2012-01-05", "until": "2012"}, lambda n, s: s.published[:4] == "2012"),
        ({"undated": True}, lambda n, s: n == 7),
        ({"section": "Πόλη"}, lambda n, s: s.section == "Πόλη"),
        ({"author": "Άννα Λυγερού"}, lambda n, s: s.author),
        (
            {"author": "Άννα Λυγερού", "section": "Κόσμος", "since": "2011"},
            lambda n, s: s.author and s.section == "Κόσμος" and s.published >= "2011",
        ),
        ({"mark": "teaser"}, lambda n, s: n in (3, 9)),
        ({"mark": "teaser", "section": "Πόλη"}, lambda n, s: n in (3, 9) and s.section == "Πόλη"),
        ({"language": "other"}, lambda n, s: n == 4),
        ({"language": "own"}, lambda n, s: n != 4),
        ({"language": "other", "mark": "teaser"}, lambda n, s: False),
        ({"state": "accepted"}, lambda n, s: n == 1),
        ({"state": "rejected"}, lambda n, s: n == 5),
        ({"state": "failed"}, lambda n, s: n == 2),
        ({"state": "waiting"}, lambda n, s: waits(n)),
        (
            {"state": "waiting", "until": "2011"},
            lambda n, s: waits(n) and "" < s.published < "2012",
        ),
        ({"state": "withheld"}, lambda n, s: n in (3, 4, 9)),
    ],
)
def test_a_filter_finds_what_meets_it_the_newest_first(
    spool: Spool, wanted: dict[str, Any], meets: Callable[[int, Story], bool]
) -> None:
    asked = StoryFilter(**wanted)
    made = {number: a_story(number) for number in range(COUNT)}
    right = [number for number, story in made.items() if meets(number, story)]
    right.sort(key=lambda number: (made[number].published, made[number].id), reverse=True)
    assert listed(spool, asked) == right
    assert str(count_stories(spool, asked)) == str(len(right))
    meets = story_check(spool, asked)
    if not {"since", "until", "undated"} & wanted.keys():
        assert [n for n in right if meets is None or meets(made[n].id)] == right
        assert meets is None or not any(meets(made[n].id) for n in made.keys() - set(right))


def test_a_row_says_what_became_of_the_story(spool: Spool) -> None:
    (row,) = list_stories(spool, StoryFilter(state="accepted")).rows
    assert (row.title, row.chunks, row.accepted, row.rejected) == ("Τίτλος 1", 1, 1, 1)
    first = list_stories(spool, StoryFilter(mark="teaser")).rows[0]
    assert first.marks == ("teaser",) and first.chunks == 0


def test_a_story_is_read_whole(spool: Spool) -> None:
    one = read_story(spool, a_story(1).id)
    assert one.story.replace(marks=()) == a_story(1) and one.page == "page-1"
    assert [(c.chunk.text, c.state, c.tasks) for c in one.chunks] == [
        ("Ένα. Δύο.", "live", (("chunk", "done"),))
    ]
    assert [pair.status for pair in one.pairs] == ["accepted", "rejected"]
    assert read_story(spool, a_story(3).id).chunks[0].state == "stale"
    with pytest.raises(NotFound):
        read_story(spool, "nothing")


def test_counts_say_how_the_archive_is_covered(spool: Spool) -> None:
    by_month = stories_by_month(spool)
    assert list(by_month) == sorted(by_month) and sum(by_month.values()) == COUNT
    assert by_month[""] == 1 and by_month["2010-01"] == 1
    assert sum(stories_by_month(spool, "Πόλη").values()) == 20
    assert story_sections(spool) == {"": 20, "Κόσμος": 20, "Πόλη": 20}
    assert story_authors(spool) == {"": 30, "Άννα Λυγερού": 30}


@pytest.mark.parametrize(
    "wrong", [{"since": "yesterday"}, {"until": "14-3"}, {"mark": "x"}, {"state": "' OR 1"}]
)
def test_a_value_that_no_story_can_have_is_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        StoryFilter(**wrong)
