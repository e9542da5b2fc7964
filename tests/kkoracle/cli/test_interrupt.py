"""Ctrl-C at any moment is one line and exit code 3; what was done stays done, nothing runs on."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.project import Project
from exchange.signals import STOPPED_LINE
from tests.conftest import fill_spool, run_cli, until

Starter = Callable[..., "subprocess.Popen[str]"]
Maker = Callable[..., Project]
AGES = (0.25, 0.5, 0.8, 1.1, 1.5, 2.0)  # seconds after its start; loading, opening, at work


def stopped(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[int, str]:
    """Exit code and output after one signal."""
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def running(command: str) -> str:
    """The processes whose command line fits the pattern."""
    told = subprocess.run(["pgrep", "-f", command], capture_output=True, text=True, check=False)
    return told.stdout


@pytest.mark.parametrize("age", AGES)
def test_a_crawl_that_has_begun(
    tmp_path: Path, make_project: Maker, popen: Starter, age: float
) -> None:
    project = make_project()
    fill_spool(project, 3).close()
    process = popen("-m", "kkoracle", "crawl", "--no-fetch", cwd=tmp_path)
    time.sleep(age)
    code, said = stopped(process)
    assert code == 3, said
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1].startswith("kkoracle: stopped")
    assert not running(f"redis-server .*{project.redis_dir}")
    until(lambda: not running(str(project.redis_dir)), 4)  # its guard sees that, and ends too


def test_a_worker_that_waits(tmp_path: Path, make_project: Maker, popen: Starter) -> None:
    project = make_project()
    fill_spool(project, 1).close()
    process = popen("-m", "kkoracle", "work", cwd=tmp_path)
    until((project.redis_dir / "redis.json").exists, 30, process)
    time.sleep(0.5)
    code, said = stopped(process, signal.SIGTERM)
    assert code == 3 and "Traceback" not in said, said
    assert said.strip().splitlines()[-1].startswith("kkoracle: stopped"), said


def test_a_signal_when_all_is_told_does_not_change_how_it_ended(
    tmp_path: Path, popen: Starter
) -> None:
    process = popen("-m", "kkoracle", "trace", "abcd", cwd=tmp_path)
    assert process.stdout and process.stdout.readline().startswith("kkoracle: ")
    code, said = stopped(process)
    assert code != 3 and code > 0 and STOPPED_LINE not in said


def test_a_journal_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "one.txt").write_text("Τίτλος\n\n" + "Η γέφυρα άνοιξε το 1999. " * 20)
    (tmp_path / "data" / "journal.open").mkdir(parents=True)
    (tmp_path / "data" / "journal.lock").mkdir()
    said = run_cli("--data", "data", "import", "texts", "paper", cwd=tmp_path)
    assert said.returncode == 0 and "1 new" in said.stdout, said.stderr
    assert "journal cannot be written" in said.stderr
