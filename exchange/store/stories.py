"""The stories of an archive for people: lists with filters, counts by month, one story whole.

Every list is read a page at a time (see `exchange.store.paging`). Dates, sections and authors have
an index each; what has none, such as a common mark, is looked for along the dates.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import orjson

from exchange.errors import NotFound, UsageError
from exchange.records import MARKS, WITHHELD, Chunk, Pair, Story
from exchange.store.paging import KeysetQuery, RowCount, count_rows
from exchange.store.schema import STORY_AUTHOR
from exchange.store.spool import ChunkState, Spool
from exchange.text import dates

# What has become of a story: an accepted pair, pairs of which none was accepted, tasks that wait,
# a task that failed, nothing asked since a mark holds it back.
StoryState = Literal["accepted", "rejected", "waiting", "failed", "withheld"]
StoryLanguage = Literal["own", "other"]  # the newspaper's, or marked as another
OTHER_LANGUAGE = "other-language"
RARE = 10_000  # stories with a mark; fewer are sorted by date, more are met soon along the dates
_TASK = (
    "EXISTS (SELECT 1 FROM chunks c INDEXED BY chunks_by_story CROSS JOIN tasks t "
    "INDEXED BY tasks_by_subject ON t.subject=c.id WHERE "
    "c.story_id=s.id AND t.state IN ({}))"
)
_PAIR = "EXISTS (SELECT 1 FROM pairs p WHERE p.story_id=s.id AND p.status='{}')"
_MARKED = "EXISTS (SELECT 1 FROM marks m WHERE m.story_id=s.id AND m.code IN ({}))"
_STATES: dict[str, str] = {
    "accepted": _PAIR.format("accepted"),
    "rejected": f"{_PAIR.format('rejected')} AND NOT {_PAIR.format('accepted')}",
    "waiting": _TASK.format("'new', 'queued'"),
    "failed": _TASK.format("'failed'"),
    "withheld": _MARKED.format(", ".join(f"'{code}'" for code in sorted(WITHHELD))),
}
_COLUMNS = (
    "s.id, s.record, (SELECT group_concat(code) FROM marks WHERE story_id=s.id) AS codes, "
    "(SELECT count(*) FROM chunks WHERE story_id=s.id AND state='live') AS chunks, "
    "(SELECT count(*) FROM pairs WHERE story_id=s.id AND status='accepted') AS accepted, "
    "(SELECT count(*) FROM pairs WHERE story_id=s.id AND status='rejected') AS rejected"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryFilter:
    """Which stories are wanted; "" leaves a condition out.

    Dates are days, months or years ("2014", "2014-03"), both ends included.
    """

    since: str = ""
    until: str = ""
    undated: bool = False  # only stories without a date
    section: str = ""
    author: str = ""
    language: StoryLanguage | Literal[""] = ""
    mark: str = ""
    state: StoryState | Literal[""] = ""

    def __post_init__(self) -> None:
        """Raises UsageError for a value that no story can have."""
        for date in filter(None, (self.since, self.until)):
            if not dates.is_partial(date):
                raise UsageError(f"{date!r} is no date: give 2014, 2014-03 or 2014-03-25")
        for value, known in (
            (self.mark, tuple(MARKS)),
            (self.state, get_args(StoryState)),
            (self.language, get_args(StoryLanguage)),
        ):
            if value and value not in known:
                raise UsageError(f"{value!r} is none of {', '.join(known)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryRow:
    """A story as a list shows it; `chunks` counts the live ones, the others its pairs."""

    id: str
    published: str
    section: str
    title: str
    author: str
    url: str
    marks: tuple[str, ...]
    chunks: int
    accepted: int
    rejected: int


@dataclass(frozen=True, slots=True)
class ChunkDetail:
    """A chunk of a story with the states of its tasks; a stale one is asked about no more."""

    chunk: Chunk
    state: ChunkState
    tasks: tuple[tuple[str, str], ...]  # kind and state


@dataclass(frozen=True, slots=True)
class StoryDetail:
    """One story, what it was cut into and what was made of it."""

    story: Story
    cluster: str  # its own id when it stands alone
    page: str  # key in the raw store
    chunks: tuple[ChunkDetail, ...]
    pairs: tuple[Pair, ...]


def count_stories(spool: Spool, wanted: StoryFilter) -> RowCount:
    """How many stories are wanted, as far as they are soon counted."""
    if wanted == StoryFilter():
        return RowCount(spool.counters().get("stories", 0))
    return count_rows(spool.db, story_query(spool, wanted))


def story_check(spool: Spool, wanted: StoryFilter) -> Callable[[str], bool] | None:
    """Whether a story, by its id, is one that is wanted; None where all are.

    Dates are left out: whoever asks goes along them.
    """
    conditions = list(_conditions(wanted))
    if not conditions:
        return None
    statement = (
        f"SELECT 1 FROM stories s WHERE s.id=? AND {' AND '.join(c for _, c, _ in conditions)}"
    )
    values = tuple(value for _, _, given in conditions for value in given)
    return lambda story: spool.db.execute(statement, (story, *values)).fetchone() is not None


def stories_by_month(spool: Spool, section: str = "") -> dict[str, int]:
    """Stories of each month ("2014-03", "" for those without a date), oldest first."""
    index, where, values = "stories_by_date", "", tuple[str, ...]()
    if section:
        index, where, values = "stories_by_section", "WHERE section=?", (section,)
    counted: dict[str, int] = {}
    # By day, as the index has them: no sorting.
    for published, number in spool.db.execute(
        f"SELECT published, count(*) FROM stories {_by(spool, index)} {where} GROUP BY published",
        values,
    ):
        month = published[:7]
        counted[month] = counted.get(month, 0) + number
    return counted


def story_sections(spool: Spool) -> dict[str, int]:
    """Stories of each section, the largest first; those without one under ""."""
    return _counted(spool, "section", "stories_by_section")


def story_authors(spool: Spool) -> dict[str, int]:
    """Stories of each author, the most frequent first; those without one under ""."""
    return _counted(spool, STORY_AUTHOR, "stories_by_author")


def read_story(spool: Spool, story_id: str) -> StoryDetail:
    """One story with its chunks, in its order, and its pairs, the accepted ones first.

    Raises:
        NotFound: there is none of this id.
    """
    row = spool.db.execute(
        "SELECT record, cluster, page FROM stories WHERE id=?", (story_id,)
    ).fetchone()
    if row is None:
        raise NotFound(f"no story has the id {story_id[:40]}")
    story = Story.from_json(row["record"]).replace(marks=tuple(sorted(spool.marks(story_id))))
    chunks = spool.db.execute(
        "SELECT id, state, record FROM chunks WHERE story_id=? ORDER BY state, position, id",
        (story_id,),
    )
    pairs = spool.db.execute(
        "SELECT record FROM pairs WHERE story_id=? ORDER BY status, rowid", (story_id,)
    )
    return StoryDetail(
        story,
        row["cluster"],
        row["page"],
        tuple(
            ChunkDetail(
                Chunk.from_json(chunk["record"]), chunk["state"], _tasks(spool, chunk["id"])
            )
            for chunk in chunks.fetchall()
        ),
        tuple(Pair.from_json(record) for (record,) in pairs),
    )


def story_query(spool: Spool, wanted: StoryFilter) -> KeysetQuery:
    """The list, along the index that leaves the fewest rows to look at."""
    rare, source = _rare_source(spool, wanted)
    index = "author" if wanted.author else "section" if wanted.section else "date"
    if not rare:
        source = f"stories s {_by(spool, f'stories_by_{index}')}"
    query = KeysetQuery(columns=_COLUMNS, source=source, key=("s.published", "s.id"))
    if wanted.undated:
        query = query.narrowed("s.published=?", "")
    elif wanted.since or wanted.until:
        # "~" stands behind every digit and hyphen, so that the whole of a last month is there.
        query = query.narrowed("s.published>=?", wanted.since or "0")
        query = query.narrowed("s.published<=?", (wanted.until or "9") + "~")
    for name, condition, values in _conditions(wanted):
        if name != rare:
            more = query.narrowed if rare or name == index else query.filtered
            query = more(condition, *values)
    return query


def _conditions(wanted: StoryFilter) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Field, condition and its values, of what is asked for besides dates."""
    marked = _MARKED.format("?")
    if wanted.author:
        yield "author", f"{STORY_AUTHOR}=?", (wanted.author,)
    if wanted.section:
        yield "section", "s.section=?", (wanted.section,)
    if wanted.mark:
        yield "mark", marked, (wanted.mark,)
    if wanted.language:
        sign = "NOT " if wanted.language == "own" else ""
        yield "language", sign + marked, (OTHER_LANGUAGE,)
    if wanted.state:
        yield "state", _STATES[wanted.state], ()


def _rare_source(spool: Spool, wanted: StoryFilter) -> tuple[str, str]:
    """The condition that only few stories meet, and where these are read from; else "", ""."""
    counters = spool.counters()
    found: list[tuple[int, str, str]] = []
    marks = {"mark": wanted.mark, "language": OTHER_LANGUAGE * (wanted.language == "other")}
    for name, code in marks.items():
        if code:
            source = f"SELECT story_id FROM marks {_by(spool, 'marks_by_code')} WHERE code='{code}'"
            found.append((counters.get(f"marks.{code}", 0), name, source))
    if wanted.state in ("waiting", "failed"):
        states = ("new", "queued") if wanted.state == "waiting" else ("failed",)
        source = (
            "SELECT DISTINCT c.story_id FROM tasks t INDEXED BY tasks_by_state CROSS JOIN chunks c "
            f"ON c.id=t.subject WHERE t.state IN ({', '.join(map(repr, states))})"
        )
        found.append((sum(counters.get(f"tasks.{s}", 0) for s in states), "state", source))
    elif wanted.state in ("accepted", "rejected"):
        count = counters.get("pairs.accepted", 0) + counters.get("pairs.rejected", 0)
        found.append((count, "", "SELECT DISTINCT story_id FROM pairs"))
    fewest = min(found, default=(RARE + 1, "", ""))
    if fewest[0] > RARE:
        return "", ""
    name = fewest[1] or "pairs"
    return name, f"({fewest[2]}) r CROSS JOIN stories s ON s.id=r.story_id"


def _by(spool: Spool, index: str) -> str:
    """Hold SQLite to an index; a spool of an earlier version, not written since, has it not yet."""
    known = spool.db.execute("SELECT 1 FROM sqlite_master WHERE name=?", (index,)).fetchone()
    return f"INDEXED BY {index}" if known else ""


def story_row(row: sqlite3.Row) -> StoryRow:
    """A row of that list."""
    record = orjson.loads(row["record"])
    return StoryRow(
        **{name: record[name] for name in ("published", "section", "title", "author", "url")},
        id=row["id"],
        marks=tuple(sorted((row["codes"] or "").split(","))) if row["codes"] else (),
        chunks=row["chunks"],
        accepted=row["accepted"],
        rejected=row["rejected"],
    )


def _tasks(spool: Spool, chunk_id: str) -> tuple[tuple[str, str], ...]:
    rows = spool.db.execute(
        "SELECT kind, state FROM tasks WHERE subject=? ORDER BY serial", (chunk_id,)
    )
    return tuple((row["kind"], row["state"]) for row in rows)


def _counted(spool: Spool, column: str, index: str) -> dict[str, int]:
    rows = spool.db.execute(
        f"SELECT {column}, count(*) FROM stories {_by(spool, index)} GROUP BY 1"
    ).fetchall()
    return dict(sorted(rows, key=lambda row: (-row[1], row[0])))
