"""A copy made under writing is whole, of one moment, and can be gone on with."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler.frontier import pages
from exchange.errors import UserError
from exchange.project import Project
from exchange.records import Result
from exchange.store import db, schema, tasks
from exchange.store.review import Label, Review
from exchange.store.spool import Spool
from kkoracle.cli import backup
from tests.conftest import fill_spool, run_cli

Maker = Callable[..., Project]


@contextmanager
def writing(project: Project) -> Iterator[threading.Event]:
    """Stories and results come in all the time; set once some have."""
    stop, busy = threading.Event(), threading.Event()

    def write() -> None:
        number = 100
        while not stop.is_set():
            spool = fill_spool(project, 5, first=number)
            claimed = tasks.claim(spool, "paper", 3)
            tasks.finish(spool, [Result(t.id, "paper", failed="no-pair") for t in claimed])
            spool.close()
            number += 5
            if number > 130:
                busy.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield busy
    finally:
        stop.set()
        thread.join()


def the_copy(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def test_a_copy_under_writing_is_whole_and_of_one_moment(
    tmp_path: Path, make_project: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES_PER_STEP", 4)  # many steps, with writes between any two
    project = make_project()
    fill_spool(project, 100).close()
    pages.connect(project.archive_dir()).close()
    Review.open(project.archive_dir()).close()
    with writing(project) as busy:
        assert busy.wait(60)
        said = backup.back_up(project.archive_dir(), "paper", tmp_path / "kept")
    assert said.startswith("3 files") and "checked" in said
    copied = the_copy(tmp_path / "kept")
    assert re.fullmatch(r"paper-\d{8}-\d{6}", copied.name)
    assert {p.name for p in copied.iterdir()} == set(backup.FILES)
    spool = Spool.open(copied)
    counters = spool.counters()
    counted = dict(
        spool.db.execute("SELECT 'tasks.' || state, COUNT(*) FROM tasks GROUP BY 1").fetchall()
    )
    assert counted == {name: n for name, n in counters.items() if name.startswith("tasks.")}
    assert counters["stories"] >= 130
    fill_spool(project, 1, first=99_000).close()
    spool.close()


def test_a_restored_copy_is_what_it_was_and_what_was_there_is_kept(
    tmp_path: Path, make_project: Maker
) -> None:
    project = make_project()
    fill_spool(project, 7).close()
    review = Review.open(project.archive_dir())
    review.add_label(Label(pair_id="pair", verdict="accept"))
    review.close()
    said = run_cli("backup", "kept", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    copied = the_copy(tmp_path / "kept")
    fill_spool(project, 3, first=50).close()
    said = run_cli("restore", str(copied), cwd=tmp_path)
    assert said.returncode == 2 and "--yes" in said.stderr
    assert stories(project) == 10
    said = run_cli("restore", "kept", "--yes", cwd=tmp_path)
    assert said.returncode == 1 and copied.name in said.stderr
    said = run_cli("restore", str(copied), "--yes", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "7 stories" in said.stdout and "before-restore-" in said.stdout
    assert stories(project) == 7
    kept = Review.read(project.archive_dir())
    assert kept is not None and set(kept.labels()) == {"pair"}
    kept.close()
    (aside,) = project.archive_dir().glob("before-restore-*")
    former = Spool.read(aside)
    assert former.counters()["stories"] == 10
    former.close()


def stories(project: Project) -> int:
    spool = Spool.open(project.archive_dir())
    try:
        return spool.counters()["stories"]
    finally:
        spool.close()


def test_what_sqlite_left_beside_the_old_file_does_not_reach_the_restored_one(
    tmp_path: Path, make_project: Maker
) -> None:
    project = make_project()
    fill_spool(project, 4).close()
    directory = project.archive_dir()
    backup.back_up(directory, "paper", tmp_path / "kept")
    killed = (
        "import os, sqlite3; db = sqlite3.connect('spool.sqlite', isolation_level=None); "
        "db.execute(\"INSERT INTO meta VALUES ('late', 'x')\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", killed], cwd=directory, check=True)
    assert (directory / "spool.sqlite-wal").stat().st_size
    backup.restore(directory, "paper", the_copy(tmp_path / "kept"), lambda question: True)
    spool = Spool.open(directory)
    assert spool.meta("late") == ""
    assert spool.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    spool.close()


def test_nothing_is_moved_for_a_copy_that_is_damaged_or_of_another_archive_or_a_file_in_use(
    tmp_path: Path, make_project: Maker
) -> None:
    project = make_project()
    fill_spool(project, 60).close()
    directory = project.archive_dir()
    backup.back_up(directory, "paper", tmp_path / "kept")
    copied = the_copy(tmp_path / "kept")
    spool = Spool.read(directory)
    with pytest.raises(UserError, match="open"):
        backup.restore(directory, "paper", copied, lambda question: True)
    spool.close()
    with pytest.raises(UserError, match="of paper"):
        backup.restore(tmp_path / "data" / "other", "other", copied, lambda question: True)
    with pytest.raises(UserError, match="nothing was restored"):
        backup.restore(directory, "paper", copied, lambda question: False)
    damage(copied / "spool.sqlite")
    with pytest.raises(UserError, match="older copy"):
        backup.restore(directory, "paper", copied, lambda question: True)
    assert not [*directory.glob("before-restore-*"), *directory.glob("*.partial")]
    assert stories(project) == 60


def damage(path: Path) -> None:
    """Rubbish in every third page of a file, from the ninth on."""
    raw = bytearray(path.read_bytes())
    for start in range(8 * 4096, len(raw) - 4096, 3 * 4096):
        raw[start : start + 2048] = b"\xff" * 2048
    path.write_bytes(bytes(raw))


def test_an_empty_file_is_no_backup(tmp_path: Path, make_project: Maker) -> None:
    project = make_project()
    fill_spool(project, 1).close()
    (project.archive_dir() / "spool.sqlite").write_bytes(b"")
    with pytest.raises(UserError, match="is empty"):
        backup.back_up(project.archive_dir(), "paper", tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_what_is_marked_as_read_in_the_copy_has_its_stories_there(
    tmp_path: Path, make_project: Maker
) -> None:
    """Stories are stored first and pages marked second, so pages are copied as of earlier."""
    order = [[*backup.FILES].index(name) for name in ("review.sqlite", pages.FILE, "spool.sqlite")]
    assert order == sorted(order)
    project = make_project()
    fill_spool(project, 3).close()
    pages.connect(project.archive_dir()).close()
    taken: list[str] = []
    real = backup._open_snapshot

    def then_written(stack: object, path: Path, cure: str) -> sqlite3.Connection:
        connection = real(stack, path, cure)  # type: ignore[arg-type]
        taken.append(path.name)
        if path.name == pages.FILE:  # between the two moments the daemon stores one more
            fill_spool(project, 1, first=50).close()
        return connection

    backup._open_snapshot = then_written  # type: ignore[assignment]
    try:
        backup.back_up(project.archive_dir(), "paper", tmp_path / "kept")
    finally:
        backup._open_snapshot = real
    spool = Spool.read(the_copy(tmp_path / "kept"))
    assert spool.counters()["stories"] == 4 and taken == [pages.FILE, "spool.sqlite"]
    spool.close()


def test_a_damaged_file_is_told_and_leaves_no_copy(tmp_path: Path, make_project: Maker) -> None:
    project = make_project()
    fill_spool(project, 60).close()
    damage(project.archive_dir() / "spool.sqlite")
    with pytest.raises(UserError, match=r"damaged|cannot back up"):
        backup.back_up(project.archive_dir(), "paper", tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_nothing_to_copy_and_no_room_are_one_line(
    tmp_path: Path, make_project: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    said = run_cli("backup", "kept", cwd=tmp_path)
    assert said.returncode == 1 and "kkoracle crawl paper" in said.stderr
    fill_spool(project, 1).close()
    (tmp_path / "file").write_text("")
    said = run_cli("backup", "file", cwd=tmp_path)
    assert said.returncode == 1 and "cannot back up" in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1
    monkeypatch.setattr(backup, "SPACE_FACTOR", 1e12)
    with pytest.raises(UserError, match="are free in"):
        backup.back_up(project.archive_dir(), "paper", tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_reader_of_the_copy_needs_nothing_beside_it(tmp_path: Path, make_project: Maker) -> None:
    project = make_project()
    fill_spool(project, 2).close()
    backup.back_up(project.archive_dir(), "paper", tmp_path / "kept")
    copied = the_copy(tmp_path / "kept")
    copied.chmod(0o500)
    try:
        opened = db.connect_readonly(copied / "spool.sqlite", schema.VERSION)
        assert opened.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
        opened.close()
    finally:
        copied.chmod(0o700)
