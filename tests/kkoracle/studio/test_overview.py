"""Overview: what is started there is the command of a terminal, and outlives browser and studio."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from exchange.project import Project
from kkoracle.cli.app import app
from kkoracle.studio.commands import CommandRunner
from kkoracle.studio.pages.overview import ABOUT, WORK, command_words
from tests.conftest import fill_spool, until
from tests.crawler.harness import PROFILE
from tests.crawler.loopback import Loopback, paper
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import Server, ask, get, post, refused

Starter = Callable[..., "subprocess.Popen[str]"]
STORIES = 800  # more than are asked for while the test lasts


@pytest.fixture
def newspaper() -> Iterator[Loopback]:
    with Loopback(paper(*(f"/story/{number}" for number in range(1, STORIES + 1)))) as site:
        yield site


@pytest.fixture
def project(
    tmp_path: Path, make_project: Callable[..., Project], newspaper: Loopback
) -> Iterator[Project]:
    """An archive of which nothing was crawled; what a studio starts ends with the test."""
    (tmp_path / "profile.toml").write_text(PROFILE, "utf-8")
    made = make_project(
        '[crawl]\ncontact = "t@example.org"\ndelay = 0.25\nmin_free_mb = 0\n'
        f'profile = "profile.toml"\nbase_url = "{newspaper.url}"\n'
    )
    yield made
    runner = CommandRunner(made, made.archive_dir("paper"))
    for name in ("crawl", "work"):
        found = runner.state(name)
        if found and found.running:
            with suppress(ProcessLookupError):
                os.killpg(found.pid, signal.SIGKILL)


@pytest.fixture
def studio(tmp_path: Path, project: Project, popen: Starter) -> Callable[[], Server]:
    return lambda: Server(popen("-m", "kkoracle", "ui", "--port", "0", cwd=tmp_path), None)  # type: ignore[arg-type]


def test_a_crawl_is_started_watched_and_stopped_and_a_closed_browser_stops_nothing(
    tmp_path: Path, project: Project, studio: Callable[[], Server], newspaper: Loopback
) -> None:
    server = studio()
    press = "document.querySelector('button[aria-label=\"{}\"]').click()"
    chip = "document.querySelector('#command-crawl').parentElement.innerText.includes('{}')"
    pages = "Number(document.querySelector('.pipeline strong')?.innerText || 0)"
    with Browser(tmp_path / "browser") as browser:
        seen = browser.look(
            server.url,
            "document.querySelector('.next button') !== null",
            (press.format("Start crawl"), chip.format("running")),
            ("", f"{pages} >= 2"),  # the numbers move without a reload
            ("", "document.querySelector('article pre.log') !== null"),
        )
        assert "crawl was started" in seen["dom"]
    asked = len(newspaper.log)  # the browser is gone
    until(lambda: len(newspaper.log) > asked, 20)
    server.process.kill()
    server.process.wait(20)
    asked = len(newspaper.log)
    until(lambda: len(newspaper.log) > asked, 20)

    again = studio()  # and knows what the one before had started
    with Browser(tmp_path / "browser-2") as browser:
        seen = browser.look(
            again.url,
            chip.format("running"),
            (press.format("Stop crawl"), f"!{chip.format('running')}"),
        )
    found = CommandRunner(project, project.archive_dir("paper")).state("crawl")
    assert found and not found.running
    assert "stopped" in CommandRunner(project, project.archive_dir("paper")).log("crawl")
    assert len(newspaper.log) < STORIES


def test_a_command_that_runs_is_not_started_twice_and_its_end_is_told(
    project: Project, studio: Callable[[], Server]
) -> None:
    fill_spool(project, 1).close()
    server = studio()
    work = f"{server.url}/commands/{WORK}"
    post(f"{work}/start")
    runner = CommandRunner(project, project.archive_dir("paper"))
    state = runner.state("work")
    assert state and state.running
    assert "running already" in refused(f"{work}/start")
    until(lambda: "Pause all workers" in get(server.url), 30)
    assert "paused: no worker takes new work" in post(f"{work}/pause")
    assert "Resume all workers" in get(server.url)
    assert "workers take new work" in post(f"{work}/resume")
    post(f"{work}/stop")
    until(lambda: (found := runner.state("work")) is not None and found.code == 3, 60)
    assert "stopped, can go on" in get(server.url)
    for path in ("commands/rm/start", "commands/crawl/burn"):
        assert ask(f"{server.url}/{path}", b"")[0] == 404


def test_a_command_that_fails_says_so_with_its_last_line(
    project: Project, studio: Callable[[], Server]
) -> None:
    server = studio()
    post(f"{server.url}/commands/train/start", run="default")
    runner = CommandRunner(project, project.archive_dir("paper"))
    until(lambda: (found := runner.state("train")) is not None and not found.running, 60)
    until(lambda: "chip bad" in get(server.url), 10)
    assert re.search(r"<pre[^>]*>[^<]*kkoracle: ", get(server.url))


def test_what_is_started_again_after_the_machine_was_is_not_taken_for_running(
    project: Project,
) -> None:
    """A process id that another process has by now is not ours: the lock says who lives."""
    folder = project.archive_dir("paper") / "studio"
    folder.mkdir(parents=True)
    (folder / "crawl.json").write_text(
        f'{{"words":["crawl"],"started":{time.time()},"pid":{os.getpid()},"running":false,'
        '"ended":0.0,"code":null}'
    )
    runner = CommandRunner(project, project.archive_dir("paper"))
    found = runner.state("crawl")
    assert found and not found.running and found.ending == "ended"
    (folder / "crawl.log").write_bytes(b"one\r 10%\r 50%\rlast\n\x1b[31mred\x1b[0m\n")
    assert runner.log("crawl").splitlines()[0] == "last" and "\x1b" not in runner.log("crawl")
    (folder / "crawl.json").write_bytes(b"{cut")
    assert runner.state("crawl") is None


@pytest.mark.parametrize("name", list(ABOUT))
def test_what_a_button_starts_is_a_command_with_options_that_it_has(
    project: Project, name: str
) -> None:
    """A misspelt option would be told only in the log of the command that was started."""
    words = command_words(name, "paper", run="other", yes=True)
    command: Any = typer.main.get_command(app)
    context = click.Context(command)
    while hasattr(command, "resolve_command"):
        _, command, words = command.resolve_command(context, words)
        context = click.Context(command, parent=context)
    given, left, _ = command.make_parser(context).parse_args(list(words))
    assert not left and ("paper" in str(given) or name == "work")
