"""`kkoracle recheck`: new verdicts beside the old, by whoever may write, never over a label."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.errors import UserError
from exchange.lock import FileLock
from exchange.project import Project
from exchange.records import Pair, Result
from exchange.store import requests, tasks
from exchange.store.review import Label, Review
from exchange.store.spool import Spool
from tests.conftest import SENTENCES, cli_environment, fill_spool, run_cli
from tests.exchange.store.test_spool import counted
from tools.completions import made_up_completion
from workers.recheck import recheck

GOOD = ("Πόσα χρόνια δίδαξε η Ελένη Καρατζά στο σχολείο της Πέτρας;", "31 χρόνια.")
INVENTED = ("Πόσα χρόνια δίδαξε η Ελένη Καρατζά στην Πέτρα;", "53 χρόνια.")
UNREAD = ("Ποιος δίδαξε στο σχολείο της Πέτρας;", "Η Ελένη Καρατζά.")


@pytest.fixture
def old(make_project: Callable[..., Project]) -> Project:
    """A spool judged by an old rule set, wrongly in every way: see `before`."""
    project = make_project()
    spool = fill_spool(project, 12)
    for number, task in enumerate(tasks.claim(spool, "paper", 12)):
        told = GOOD if SENTENCES[3] in task.text else None
        said = [GOOD, INVENTED] if told else []
        reply = "\n".join(f"Ερώτηση: {q}\nΑπάντηση: {a}" for q, a in said)
        done = made_up_completion(
            task.id, reply or "Τίποτα.", generated_at=f"2020-01-01T00:00:{number:02}"
        )
        pairs = (
            [
                pair(task.id, GOOD, "rejected", "deictic"),
                pair(task.id, INVENTED, "accepted"),
                pair(task.id, UNREAD, "accepted"),
            ]
            if told
            else []
        )
        tasks.finish(spool, [Result.of(done, "paper", tuple(pairs), "" if pairs else "no-pair")])
    spool.close()
    return project


def pair(task_id: str, said: tuple[str, str], status: str, reason: str = "") -> Pair:
    question, answer = said
    return Pair(
        id=Pair.make_id(task_id, question, answer),
        task_id=task_id,
        chunk_ids=("c",),
        question=question,
        answer=answer,
        kind="fact",
        status=status,  # type: ignore[arg-type]
        reason=reason,
        rules="0",
    )


def verdicts(project: Project) -> dict[str, list[tuple[str, str]]]:
    """Status and reason of every pair, by its question."""
    spool = Spool.read(project.archive_dir())
    try:
        found: dict[str, list[tuple[str, str]]] = {}
        for (record,) in spool.db.execute("SELECT record FROM pairs ORDER BY rowid"):
            one = Pair.from_json(record)
            found.setdefault(one.question, []).append((one.status, one.reason))
        assert spool.counters() == counted(spool)
        return found
    finally:
        spool.close()


def run(project: Project, *flags: str, **more: str) -> subprocess.CompletedProcess[str]:
    return run_cli("recheck", "paper", *flags, cwd=project.data.parent, **more)


def test_what_each_rule_gains_and_loses_is_shown_and_nothing_changes_unasked(old: Project) -> None:
    before = verdicts(old)
    shown = run(old)  # nobody answers
    assert shown.returncode == 3
    assert verdicts(old) == before
    lines = {line.split()[0]: line.split()[1:] for line in shown.stdout.splitlines() if line}
    assert lines["ungrounded-number"] == ["0", "1"]
    assert lines["deictic"] == ["1", "0"]
    assert not list(old.archive_dir().glob("recheck-*"))


def test_new_verdicts_stand_beside_the_old_with_their_rule_set(old: Project) -> None:
    assert run(old, "--yes", "--processes", "2").returncode == 0
    after = verdicts(old)
    # One good pair is kept and its likes are duplicates of it; what is no longer read is marked.
    assert sorted(after[GOOD[0]]) == [("accepted", "")] + [("rejected", "duplicate")] * 2
    assert set(after[INVENTED[0]]) <= {("rejected", "ungrounded-number")}
    assert set(after[UNREAD[0]]) == {("rejected", "not-parsed")}
    spool = Spool.read(old.archive_dir())
    rows = spool.db.execute(
        "SELECT v.rules, v.status FROM verdicts v JOIN pairs p ON p.id=v.pair_id "
        "WHERE p.reason='ungrounded-number' GROUP BY 1, 2 ORDER BY 1"
    )
    assert tuple(next(rows)) == ("0", "accepted")
    spool.close()
    again = run(old, "--yes")
    assert "0 gained, 0 lost" in again.stdout and "0 pairs have a new verdict" in again.stdout
    assert verdicts(old) == after


def test_a_persons_label_is_never_overruled(old: Project) -> None:
    spool = Spool.read(old.archive_dir())
    (kept,) = spool.db.execute(
        "SELECT id FROM pairs WHERE status='accepted' AND CAST(record AS TEXT) LIKE '%53 χρόνια%'"
    ).fetchall()
    spool.close()
    review = Review.open(old.archive_dir())
    review.add_label(Label(pair_id=kept["id"], verdict="accept"))
    review.close()
    assert run(old, "--yes").returncode == 0
    assert ("accepted", "") in verdicts(old)[INVENTED[0]]


def test_a_label_given_after_the_judging_counts_too(old: Project) -> None:
    directory = old.archive_dir()
    staged = recheck(directory, "paper", processes=1)
    spool = Spool.read(directory)
    (kept,) = spool.db.execute("SELECT id FROM pairs WHERE status='accepted' LIMIT 1").fetchone()
    spool.close()
    review = Review.open(directory)
    review.add_label(Label(pair_id=kept, verdict="accept"))
    review.close()
    requests.submit_request(directory, staged.path.name)
    staged.discard()
    spool = Spool.read(directory)
    (status,) = spool.db.execute("SELECT status FROM pairs WHERE id=?", (kept,)).fetchone()
    spool.close()
    assert status == "accepted"


def test_a_running_daemon_is_asked_and_carries_it_out(
    old: Project, open_pipeline: Callable[..., object]
) -> None:
    with FileLock(old.archive_dir() / "daemon.lock"), open_pipeline(0):  # type: ignore[attr-defined]
        done = run(old, "--yes")
    assert done.returncode == 0, done.stderr
    assert ("accepted", "") in verdicts(old)[GOOD[0]]
    assert Review.open(old.archive_dir()).open_requests() == []


def test_a_request_that_names_another_file_is_answered_and_harms_nothing(old: Project) -> None:
    before = verdicts(old)
    with pytest.raises(UserError, match="no file of verdicts"):
        requests.submit_request(old.archive_dir(), "../../etc/passwd")
    (old.archive_dir() / "recheck-00000000.sqlite").write_text("no database " * 200)
    with pytest.raises(UserError, match="run recheck again"):
        requests.submit_request(old.archive_dir(), "recheck-00000000.sqlite")
    assert verdicts(old) == before


def test_ctrl_c_leaves_the_old_verdicts_whole(old: Project) -> None:
    before = verdicts(old)
    with subprocess.Popen(
        [sys.executable, "-m", "kkoracle", "recheck", "paper"],
        cwd=old.data.parent,
        env=cli_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as asking:
        while not list(old.archive_dir().glob("recheck-*.sqlite")):
            assert asking.poll() is None
            time.sleep(0.01)
        asking.send_signal(signal.SIGINT)
        assert asking.wait(30) == 3
    assert verdicts(old) == before
    assert not list(old.archive_dir().glob("recheck-*.sqlite"))


def test_without_a_reply_there_is_nothing_to_judge(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    project = make_project()
    fill_spool(project, 2).close()
    assert "kkoracle work" in run(project).stderr
