"""The journal: every command that changes something leaves one whole entry, and no secret."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from exchange import journal, logs
from exchange.journal import JournalEntry
from exchange.project import Project
from exchange.records import Result
from exchange.store import tasks
from exchange.store.spool import Spool
from kkoracle.cli import app
from tests.conftest import ROOT, cli_environment, fill_spool, run_cli, until, write_project
from tools.completions import made_up_completion

WRITER = """
import sys
from pathlib import Path
from exchange.journal import JournalEntry
from exchange.settings import Config
for number in range(20):
    entry = JournalEntry(["work", sys.argv[2], str(number)], "9")
    entry.open(Path(sys.argv[1]), Config({}, None, {}))
    entry.add_figures(pairs=number)
    entry.close(0)
"""


@pytest.fixture
def project(tmp_path: Path, tiny_model: Path) -> Project:
    found = write_project(tmp_path, tiny_model)
    fill_spool(found, 2).close()
    return found


def entries(project: Project) -> list[str]:
    """The entries of the journal, oldest first."""
    text = (project.data / journal.FILE).read_text("utf-8")
    head, *found = text.split("\n## ")
    assert head.startswith("# Journal")
    return found


def command(project: Project, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    assert project.config.path
    return run_cli(*words, cwd=project.config.path.parent, **environment)


def test_a_command_writes_how_it_was_called_with_what_and_how_it_ended(project: Project) -> None:
    done = command(project, "dataset", "build", "--unseen", "0.1", KKORACLE_DATASET_VALID="0.2")
    assert done.returncode == 1  # no pair was generated yet
    (found,) = entries(project)
    title, _, text = found.partition("\n")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d dataset build", title)
    assert "    kkoracle dataset build --unseen 0.1\n" in text
    assert re.search(r"- ended: failed \(exit code 1\) after [\d.]+ s\n", text)
    assert f"- said: {done.stderr.strip().removeprefix('kkoracle: ')[:20]}" in text
    assert "`dataset.unseen = 0.1 (flag)`" in text
    assert "`dataset.valid = 0.2 (KKORACLE_DATASET_VALID)`" in text
    assert "dataset.recall" not in text  # as it is by default
    assert "- with: kkoracle 0.2.0, Python 3." in text


def test_looking_around_leaves_no_entry_and_what_fails_makes_no_folder(tmp_path: Path) -> None:
    (tmp_path / "kkoracle.toml").write_text('data = "data"\narchive = "demo"\n', "utf-8")
    assert run_cli("recheck", cwd=tmp_path).returncode == 1  # nothing is there yet
    assert not (tmp_path / "data").exists()
    (tmp_path / "data").mkdir()
    run_cli("config", cwd=tmp_path)
    run_cli("recheck", "--help", cwd=tmp_path)
    assert not (tmp_path / "data" / journal.FILE).exists()
    run_cli("recheck", "--wrong", cwd=tmp_path)
    assert "refused (exit code 2)" in (tmp_path / "data" / journal.FILE).read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("status", False),
        ("--data x archive list", False),
        ("archive retry", True),
        ("train", True),
        ("dataset stats --json", False),
        ("dataset build", True),
        ("crawl --help", False),
        ("failed drop x", True),
        ("", False),
        ("score train a.json", True),
    ],
)
def test_only_what_changes_something_is_kept(words: str, kept: bool) -> None:
    assert app.is_journalled(words.split()) is kept


def test_a_command_that_was_killed_is_told_of_by_the_next_one(
    project: Project, tmp_path: Path
) -> None:
    holding = (
        "import sys, time; sys.argv[1:] = ['train', '--name', 'x']\n"
        "from exchange.journal import JournalEntry\nfrom exchange.settings import Config\n"
        "from pathlib import Path\n"
        f"JournalEntry(sys.argv[1:]).open(Path({str(project.data)!r}), Config({{}}, None, {{}}))\n"
        "print('open', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holding], env=cli_environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "open\n"
    command(project, "recheck", "--help")
    assert not (project.data / journal.FILE).exists()  # it still runs
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    command(project, "dataset", "build")
    killed, failed = entries(project)
    assert "train\n" in killed and "    kkoracle train --name x\n" in killed
    assert "- ended: killed" in killed and "- ended: failed" in failed
    assert not list((project.data / journal.RUNNING_DIR).iterdir())


def test_stopped_by_ctrl_c_it_is_resumable(project: Project) -> None:
    assert project.config.path
    with closing(Spool.open(project.archive_dir("paper"))) as spool:
        told = made_up_completion(tasks.claim(spool, "paper", 1)[0].id)
        tasks.finish(spool, [Result.of(told, "paper", (), "no-pair")])
    process = subprocess.Popen(  # it ends by asking, and nobody answers
        [sys.executable, "-m", "kkoracle", "recheck"],
        cwd=project.config.path.parent,
        env=cli_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    notes = project.data / journal.RUNNING_DIR
    until(lambda: notes.is_dir() and any(notes.iterdir()), 30, process, every=0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 3
    assert process.stdin
    process.stdin.close()
    assert "- ended: stopped, resumable (exit code 3)" in entries(project)[-1]


def test_many_processes_write_at_once_and_no_entry_is_torn(project: Project) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(project.data), name], cwd=ROOT, env=cli_environment()
        )
        for name in "abcd"
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    found = entries(project)
    assert len(found) == 80
    shape = r"[\d: -]+ work [a-d] \d+\n\n    kkoracle work [a-d] \d+\n\n- ended: done .*\n- pairs"
    assert all(re.match(shape, text) for text in found)


def test_the_process_that_executes_itself_anew_is_one_entry(project: Project) -> None:
    for _ in range(2):  # as `openblas.ensure` does it: the same process, the same words
        entry = JournalEntry(["train"], "9")
        entry.open(project.data, project.config)
    entry.close(0)
    (found,) = entries(project)
    assert "- ended: done (exit code 0)" in found


def test_no_secret_and_no_markup_reaches_the_journal(project: Project) -> None:
    project.config.environment = {
        "KKORACLE_REDIS_URL": "redis://me:hush@10.0.0.1:6380/0?password=hush",
        "KKORACLE_WORK_API_KEY": "hush",
    }
    from exchange.settings import RedisSettings
    from workers.settings import WorkSettings

    project.config.table("redis", RedisSettings)
    project.config.table("work", WorkSettings)
    words = [
        "publish",
        "--token",
        "hush",
        "--api-key=hush",
        "https://me:hush@x.org/a",
        "<b>`x`\n# y",
    ]
    entry = JournalEntry(words, "9")
    entry.open(project.data, project.config)
    assert "hush" not in (project.data / journal.RUNNING_DIR / str(os.getpid())).read_text("utf-8")
    entry.close(1, "cannot reach redis://me:hush@10.0.0.1: <script>`no`\nat all")
    text = (project.data / journal.FILE).read_text("utf-8")
    assert "hush" not in text and "redis.url = redis://10.0.0.1:6380" in text
    assert "- said: cannot reach redis://***@10.0.0.1: &lt;script>'no' at all" in text
    assert "\n# y" not in text


def test_figures_that_a_command_tells_stand_in_its_entry(project: Project) -> None:
    entry = JournalEntry(["train"], "9")
    entry.open(project.data, project.config)
    entry.add_figures(pairs=12345, validation_loss=1.23456, best=None, resumed=True, run="a <b>")
    entry.close(journal.CRASHED)
    (text,) = entries(project)
    assert "- pairs: 12,345\n- validation loss: 1.235\n- resumed: yes\n- run: a &lt;b>\n" in text
    assert "- ended: crashed after" in text and "best" not in text


def test_a_journal_that_cannot_be_written_fails_no_command(project: Project) -> None:
    (project.data / journal.FILE).mkdir()
    done = command(project, "dataset", "build")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "journal cannot be written" in done.stderr


def test_settings_that_are_no_secret_stay_as_they_are() -> None:
    assert logs.mask_setting("train.sample_tokens", 64) == "64"
    assert logs.mask_setting("dataset.key", "kkoracle") == "kkoracle"
    assert logs.mask_setting("redis.url", "") == ""
    assert logs.mask_setting("redis.url", "unix:///tmp/x.sock?db=0") == "unix:///tmp/x.sock"
    assert (
        logs.mask_setting("notify.webhook", "https://hooks.example/a/b") == "https://hooks.example"
    )
