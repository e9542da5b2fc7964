"""Files of the user's that are called as our packages are: they must not be taken for ours."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.machine import python_module
from kkoracle.demo.progress import spool_counters
from kkoracle.service.services import plan_services
from tests.conftest import cli_environment, run_cli, write_project

Popen = Callable[..., subprocess.Popen[str]]
STORIES = 60  # the smallest newspaper


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Path) -> Path:
    """A project beside files that end whoever imports them."""
    for name in ("crawler.py", "trainer.py", "exchange.py", "workers/__init__.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("raise SystemExit('the wrong package was imported')\n", "utf-8")
    write_project(tmp_path, tiny_model, "[crawl]\ncontact = 'a@b.gr'\ndelay = 0\n", "demo")
    return tmp_path


def newspaper(folder: Path, popen: Popen) -> str:
    """Serve the sample newspaper; returns its address."""
    process = popen("-P", "-m", "kkoracle.demo.newspaper", "--stories", str(STORIES), cwd=folder)
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_crawl_extraction_and_work_run_beside_them(folder: Path, popen: Popen) -> None:
    url = newspaper(folder, popen)
    crawl = popen("-m", "kkoracle", "crawl", "--base-url", url, cwd=folder)
    work = popen("-m", "kkoracle", "work", cwd=folder)
    done = 0
    for _ in range(600):
        time.sleep(0.1)
        assert crawl.poll() in (None, 0), crawl.stdout.read() if crawl.stdout else ""
        assert work.poll() is None, work.stdout.read() if work.stdout else ""
        found = spool_counters(folder / "data" / "demo")
        done = found.get("tasks.done", 0) + found.get("tasks.failed", 0)
        if done:
            break
    assert done


def test_import_reads_files_beside_them(folder: Path) -> None:
    (folder / "pages").mkdir()
    (folder / "pages" / "one.txt").write_text("Τίτλος\n\n" + "Μια πρόταση εδώ. " * 30, "utf-8")
    said = run_cli("import", "pages", "files", cwd=folder)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "1 new" in said.stdout


def test_the_units_command_lines_run_beside_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch, make_project: Callable[..., object]
) -> None:
    monkeypatch.chdir(folder)
    project = make_project(archive="demo")
    for service in plan_services(project, "demo"):  # type: ignore[arg-type]
        said = subprocess.run(
            [*service.command, "--help"],
            cwd=folder,
            env=cli_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == 0 and "Usage" in said.stdout, said.stderr


def test_a_checkout_that_is_not_installed_starts_its_children_too() -> None:
    root = Path(__file__).parents[2]
    environment = {k: v for k, v in cli_environment().items() if k != "PYTHONPATH"}
    said = subprocess.run(
        [sys.executable, "-m", "kkoracle", "--version"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0 and said.stdout.startswith("kkoracle ")


def test_a_child_process_does_not_look_into_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("print('found')\n", "utf-8")
    said = subprocess.run(
        python_module("beside"), cwd=tmp_path, env={"PATH": os.environ["PATH"]}, check=False
    )
    assert said.returncode != 0
