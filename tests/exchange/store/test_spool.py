"""The spool: each step is idempotent, counters never lie, nothing done is undone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from exchange.errors import BadFile, Busy, CannotWrite, DiskFull, UserError
from exchange.project import Project
from exchange.records import Chunk, Pair, Result, Story
from exchange.store import failures, tasks
from exchange.store.spool import FILE, Spool
from tests.conftest import fill_spool, run_python
from tools.completions import made_up_completion

Maker = Callable[..., Project]


def counted(spool: Spool) -> dict[str, int]:
    """The counters again, by counting rows."""
    found: dict[str, int] = {}
    for name, query in {
        "stories": "SELECT '' AS s, COUNT(*) AS n FROM stories",
        "chunks.": "SELECT state AS s, COUNT(*) AS n FROM chunks GROUP BY state",
        "tasks.": "SELECT state AS s, COUNT(*) AS n FROM tasks GROUP BY state",
        "pairs.": "SELECT status AS s, COUNT(*) AS n FROM pairs GROUP BY status",
        "rejected.": "SELECT reason AS s, COUNT(*) AS n FROM pairs WHERE status='rejected' "
        "GROUP BY reason",
        "failed.": "SELECT reason AS s, COUNT(*) AS n FROM tasks WHERE state='failed' "
        "GROUP BY reason",
    }.items():
        found |= {name + row["s"]: row["n"] for row in spool.db.execute(query) if row["n"]}
    return found


def story(text: str = "Ένα. Δύο. Τρία.", story_id: str = "s1") -> tuple[Story, list[Chunk]]:
    record = Story(
        id=story_id,
        url="http://x",
        archive="paper",
        published="2010-01-02",
        section="Πόλη",
        title="Τ",
        author="",
        text=text,
    )
    parts = [part.strip() + "." for part in text.split(".") if part.strip()]
    return record, [
        Chunk(Chunk.make_id(story_id, part), story_id, index, part, "κεφαλίδα")
        for index, part in enumerate(parts)
    ]


def result(
    task_id: str,
    *,
    answers: int = 1,
    bad: int = 0,
    questions: tuple[str, ...] = (),
    chunk_ids: tuple[str, ...] = ("c",),
) -> Result:
    """`answers` accepted and `bad` rejected pairs; or accepted pairs that ask `questions`."""
    done = made_up_completion(task_id, "t")
    pairs = tuple(
        Pair(
            id=Pair.make_id(task_id, "Ε;", str(number)),
            task_id=task_id,
            chunk_ids=chunk_ids,
            question="Ε;",
            answer=str(number),
            kind="fact",
            status="accepted" if number < answers else "rejected",
            reason="" if number < answers else "deictic",
        )
        for number in range(0 if questions else answers + bad)
    )
    pairs += tuple(
        Pair(
            id=Pair.make_id(task_id, asked, "Οχτώ."),
            task_id=task_id,
            chunk_ids=chunk_ids,
            question=asked,
            answer="Οχτώ.",
            kind="fact",
            status="accepted",
        )
        for asked in questions
    )
    return Result.of(done, "paper", pairs)


def put(spool: Spool, *yields: tuple[Story, list[Chunk]]) -> tuple[int, int]:
    with spool.transaction():
        return spool.put_page("page", "1", yields)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    opened = Spool.open(tmp_path)
    opened.adopt_recipe("aaaaaa")
    return opened


def test_the_same_page_twice_changes_nothing(spool: Spool) -> None:
    assert put(spool, story()) == (1, 3)
    before = spool.counters()
    assert put(spool, story()) == (0, 0)
    assert spool.counters() == before == counted(spool)


def test_a_text_that_goes_becomes_stale_and_is_reclaimed_when_it_returns(spool: Spool) -> None:
    put(spool, story())
    (task,) = tasks.claim(spool, "paper", 1)
    tasks.finish(spool, [result(task.id)])
    put(spool, story("Δύο. Τρία."))
    gone = spool.counters()
    assert gone["chunks.stale"] == 1 and gone["pairs.accepted"] == 1
    put(spool, story())
    back = spool.counters()
    assert "chunks.stale" not in back and back["tasks.done"] == 1 and back["tasks.new"] == 2
    assert back == counted(spool)


def test_a_story_that_its_page_no_longer_yields_is_not_asked_about(spool: Spool) -> None:
    put(spool, story(), story("Άλλο.", "s2"))
    put(spool, story())
    counters = spool.counters()
    assert counters["stories"] == 2 and counters["chunks.stale"] == counters["tasks.stale"] == 1
    put(spool, story(), story("Άλλο.", "s2"))
    assert spool.counters()["tasks.new"] == 4


def test_an_inserted_paragraph_does_not_rename_its_neighbours(spool: Spool) -> None:
    put(spool, story("Ένα. Τρία."))
    assert put(spool, story("Ένα. Δύο. Τρία.")) == (0, 1)


def test_a_second_result_of_a_task_is_ignored(spool: Spool) -> None:
    put(spool, story())
    (task,) = tasks.claim(spool, "paper", 1)
    assert tasks.finish(spool, [result(task.id, bad=2)]) == 1
    before = spool.counters()
    assert tasks.finish(spool, [result(task.id, answers=5)]) == 0
    assert spool.counters() == before == counted(spool)
    assert before["rejected.deictic"] == 2


def test_a_result_without_a_pair_is_a_failure_with_a_reason_and_keeps_its_words(
    spool: Spool,
) -> None:
    put(spool, story())
    (task,) = tasks.claim(spool, "paper", 1)
    plain = result(task.id, answers=0)
    done = plain.completion
    assert done is not None
    tasks.finish(spool, [Result.of(done, "paper", (), "no-pair")])
    assert spool.counters()["failed.no-pair"] == 1
    assert spool.completion(task.id) == done


def test_claims_go_round_the_years_and_come_sorted_by_length(
    make_project: Maker,
) -> None:
    project = make_project()
    spool = fill_spool(project, 50)
    batch = tasks.claim(spool, "paper", 20)
    assert [len(task.text) for task in batch] == sorted(len(task.text) for task in batch)
    years = spool.db.execute(
        "SELECT year, COUNT(*) FROM tasks WHERE state='queued' GROUP BY year"
    ).fetchall()
    assert [tuple(row) for row in years] == [(year, 4) for year in range(2008, 2013)]


def test_everything_is_claimed_once(make_project: Maker) -> None:
    spool = fill_spool(make_project(), 33)
    seen: list[str] = []
    while batch := tasks.claim(spool, "paper", 7):
        seen += [task.id for task in batch]
    assert len(seen) == len(set(seen)) == 33


def test_a_task_must_be_missing_in_two_passes_running(spool: Spool) -> None:
    put(spool, story())
    (task,) = tasks.claim(spool, "paper", 1)
    assert tasks.record_missing(spool, set(), {task.id}) == 0
    assert tasks.record_missing(spool, {task.id}, set()) == 0
    assert tasks.record_missing(spool, set(), {task.id}) == 0
    assert tasks.record_missing(spool, set(), {task.id}) == 1
    assert spool.counters()["tasks.new"] == 3


def test_another_recipe_asks_for_every_live_chunk_anew_and_keeps_what_is_done(
    spool: Spool,
) -> None:
    put(spool, story())
    (task,) = tasks.claim(spool, "paper", 1)
    tasks.finish(spool, [result(task.id)])
    spool.adopt_recipe("bbbbbb")
    counters = spool.counters()
    assert counters["tasks.new"] == 3 and counters["tasks.done"] == 1
    assert counters["tasks.stale"] == 2 and counters == counted(spool)
    spool.adopt_recipe("aaaaaa")
    assert spool.counters()["tasks.new"] == 2


def test_a_transaction_that_fails_leaves_no_trace(spool: Spool) -> None:
    before = spool.counters()
    with pytest.raises(RuntimeError), spool.transaction():
        spool.put_page("page", "1", [story()])
        raise RuntimeError
    assert spool.counters() == before


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(UserError, match="backup"):
        Spool.open(tmp_path)


def test_reading_before_anything_was_crawled_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="kkoracle crawl"):
        Spool.read(tmp_path)


@pytest.mark.parametrize("opened", [Spool.open, Spool.read])
def test_a_newer_files_format_is_not_touched(
    tmp_path: Path, opened: Callable[[Path], Spool]
) -> None:
    spool = Spool.open(tmp_path)
    spool.db.execute("PRAGMA user_version=99")
    spool.close()
    with pytest.raises(BadFile, match="newer kkoracle"):
        opened(tmp_path)


@pytest.mark.parametrize("opened", [Spool.open, Spool.read])
def test_a_database_of_another_program_is_not_touched(
    tmp_path: Path, opened: Callable[[Path], Spool]
) -> None:
    with closing(sqlite3.connect(tmp_path / "spool.sqlite")) as other:
        other.execute("CREATE TABLE songs (name)")
    before = (tmp_path / "spool.sqlite").read_bytes()
    with pytest.raises(BadFile, match="not written by kkoracle"):
        opened(tmp_path)
    assert (tmp_path / "spool.sqlite").read_bytes() == before


def test_a_page_that_is_damaged_is_told_where_its_row_is_read(spool: Spool, tmp_path: Path) -> None:
    with spool.transaction():
        for number in range(300):
            spool.put_page(f"page{number}", "1", [story("word " * 200, f"s{number}")])
    spool.close()
    path = tmp_path / "spool.sqlite"
    raw = bytearray(path.read_bytes())
    for start in range(40 * 4096, len(raw) - 4096, 2 * 4096):
        raw[start : start + 2048] = b"\xff" * 2048
    path.write_bytes(bytes(raw))
    damaged = Spool.read(tmp_path)
    rows = damaged.db.execute("SELECT record FROM stories")
    with pytest.raises(BadFile, match=r"cannot read .*spool\.sqlite.*kkoracle restore"):
        list(rows)
    damaged.close()


def _failed(code: int, exact: int = 0) -> sqlite3.Error:
    error = sqlite3.OperationalError("words of SQLite")
    error.sqlite_errorcode = exact or code
    return error


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (_failed(sqlite3.SQLITE_CORRUPT), BadFile, "kkoracle restore"),
        (_failed(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR_SHORT_READ), BadFile, "restore"),
        (_failed(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR_WRITE), DiskFull, "make room"),
        (_failed(sqlite3.SQLITE_FULL), DiskFull, "make room"),
        (_failed(sqlite3.SQLITE_READONLY), CannotWrite, "only read"),
        (_failed(sqlite3.SQLITE_CANTOPEN), CannotWrite, "the right to read and write"),
        (_failed(sqlite3.SQLITE_BUSY), Busy, "another process"),
    ],
)
def test_each_kind_of_failure_has_its_own_advice_and_only_damage_asks_for_a_backup(
    error: sqlite3.Error, kind: type[UserError], says: str
) -> None:
    found = failures.error_of(error, "read a file")
    assert type(found) is kind and says in str(found)
    assert ("restore" in str(found)) == (kind is BadFile)


def test_a_statement_that_is_wrong_is_no_fault_of_the_file(spool: Spool) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        spool.db.execute("SELECT 1 FROM nowhere")


def test_a_file_that_may_grow_no_further_is_told_with_its_limit(tmp_path: Path) -> None:
    limited = (
        "import resource, sys; from pathlib import Path; from exchange.store.spool import Spool\n"
        "spool = Spool.open(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "with spool.transaction():\n"
        "    for n in range(20_000): spool.set_meta(str(n), 'x' * 100)\n"
    )
    said = run_python("-c", limited, str(tmp_path))
    assert "exchange.errors.DiskFull" in said.stderr and "ulimit -f" in said.stderr, said.stderr


def test_a_spool_that_is_made_while_it_is_looked_at_is_no_strangers_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made after the statement that finds no format yet, before whatever comes next."""
    (tmp_path / FILE).touch()
    execute = failures.StoreConnection.execute
    looks: list[str] = []

    def looked(db: failures.StoreConnection, statement: str, *values: object) -> sqlite3.Cursor:
        looks.append(statement)
        if len(looks) > 1 and "user_version" in looks[-2] and not made:
            made.append(tmp_path)
            Spool.open(tmp_path).close()
        return execute(db, statement, *values)

    made: list[Path] = []
    monkeypatch.setattr(failures.StoreConnection, "execute", looked)
    Spool.read(tmp_path).close()
    assert made
