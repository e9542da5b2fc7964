"""`kkoracle live` as a person starts it: a real site, a real queue, and an endpoint that writes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.errors import Busy
from exchange.lock import GPU_LOCK, LIVE_LOCK, FileLock, daemon_lock, hold_gpu
from exchange.project import Project
from kkoracle.live.record import read_mornings
from tests.conftest import is_running, run_cli, until
from tests.crawler.harness import PROFILE
from tests.crawler.loopback import Answer, Loopback, paper
from tests.workers.endpoint import Endpoint

SETTINGS = """
[crawl]
contact = "t@example.org"
delay = 0.0
min_free_mb = 0
every = "1s"
profile = "profile.toml"
base_url = "{site}"
[live]
pairs = 1
settle = 1
"""
ROBOTS = Answer("User-agent: GPTBot\nDisallow: /\n", kind="text/plain")
PAIR = "Ερώτηση: Πότε γράφτηκε η ιστορία με αριθμό {n};\nΑπάντηση: Στις {day} Μάη 1998."


def pair_about(prompt: str) -> str:
    """A pair of the loopback's stories."""
    number = int(prompt.rpartition("με αριθμό ")[2].split()[0])
    return PAIR.format(n=number, day=number % 28 + 1)


def test_one_morning_reads_generates_and_says_what_came_of_it(
    tmp_path: Path, make_project: Callable[..., Project]
) -> None:
    (tmp_path / "profile.toml").write_text(PROFILE, "utf-8")
    with Loopback(paper("/story/1")) as site, Endpoint(reply=pair_about) as endpoint:
        folder = make_project(SETTINGS.format(site=site.url)).archive_dir("paper")
        generating = {"KKORACLE_WORK_ENGINE": "openai", "KKORACLE_WORK_URL": endpoint.url}
        done = run_cli("live", "--once", "--json", cwd=tmp_path, **generating)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["outcome"] == "kept" and said["reason"].startswith("no dataset")
        again = run_cli("live", "--once", cwd=tmp_path, **generating)
        assert "no new pairs: no morning" in again.stdout
        assert len(read_mornings(folder)) == 1
    assert not (folder / "live" / "children.json").exists()


def test_the_long_command_begins_a_morning_by_itself_and_ends_in_order(
    tmp_path: Path,
    make_project: Callable[..., Project],
    popen: Callable[..., subprocess.Popen[str]],
) -> None:
    (tmp_path / "profile.toml").write_text(PROFILE, "utf-8")
    with Loopback(paper("/story/1")) as site, Endpoint(reply=pair_about) as endpoint:
        folder = make_project(SETTINGS.format(site=site.url)).archive_dir("paper")
        live = popen(
            "-m",
            "kkoracle",
            "live",
            cwd=tmp_path,
            KKORACLE_WORK_ENGINE="openai",
            KKORACLE_WORK_URL=endpoint.url,
        )

        def ended() -> bool:
            return any(one.ended for one in (read_mornings(folder) if folder.exists() else []))

        until(ended, 120)
        for words, said in (
            (("live",), f"of paper runs already (pid {live.pid})"),
            (("live", "--once"), "and one is enough"),
            (("crawl",), f"(pid {live.pid}) reads paper and keeps its own `kkoracle crawl` going"),
        ):
            began = time.monotonic()
            refused = run_cli(*words, cwd=tmp_path)
            assert refused.returncode == 1 and said in refused.stderr, refused.stderr
            assert refused.stderr.count("\n") == 1 and "Ctrl-C in its terminal" in refused.stderr
            assert time.monotonic() - began < 20  # at once, but for the start of Python
        assert len(read_mornings(folder)) == 1 and live.poll() is None
        children = json.loads((folder / "live" / "children.json").read_bytes())
        assert {"crawl", "work"} <= children.keys()
        live.send_signal(signal.SIGINT)
        assert live.wait(90) == 3
        assert not (folder / "live" / "children.json").exists()
        for name in ("crawl", "work"):
            with pytest.raises(ProcessLookupError):
                os.kill(children[name], 0)


def test_it_does_not_begin_beside_what_it_would_start_itself_and_says_who_that_is(
    tmp_path: Path,
    make_project: Callable[..., Project],
    popen: Callable[..., subprocess.Popen[str]],
) -> None:
    project = make_project()
    folder, gpu = project.archive_dir("paper"), FileLock(project.data / GPU_LOCK)

    def refused(*words: str) -> str:
        ended = run_cli(*words, cwd=tmp_path)
        assert ended.returncode == 1 and ended.stderr.count("\n") == 1, ended.stderr
        assert read_mornings(folder) == []
        return ended.stderr

    with daemon_lock(folder):
        said = refused("live")
        assert f"an import, of paper runs already (pid {os.getpid()})" in said
    work = popen("-m", "kkoracle", "work", cwd=tmp_path)
    until(lambda: not gpu.is_free(), 60)
    assert f"`kkoracle work` (pid {work.pid}) runs on this machine" in refused("live")
    work.send_signal(signal.SIGINT)
    work.wait(60)
    with FileLock(project.archive_dir("other") / LIVE_LOCK):
        here = f"`kkoracle live` of other (pid {os.getpid()}) has the model of this machine"
        assert here in refused("live", "--once")
        assert here in refused("work")
        alone = hold_gpu(project.data)
        with (
            hold_gpu(project.data, shared=True),  # as its worker does
            pytest.raises(Busy, match="it trains by itself"),
            alone,
        ):
            pass


def test_a_training_by_hand_is_waited_for(
    tmp_path: Path,
    make_project: Callable[..., Project],
    popen: Callable[..., subprocess.Popen[str]],
) -> None:
    (tmp_path / "profile.toml").write_text(PROFILE, "utf-8")
    with Loopback(paper("/story/1")) as site:
        project = make_project(SETTINGS.format(site=site.url))
        with hold_gpu(project.data):
            live = popen("-m", "kkoracle", "live", cwd=tmp_path)
            logs = project.archive_dir("paper") / "live" / "logs"
            until((logs / "crawl.log").exists, 60)
            time.sleep(2)
            assert live.poll() is None and not (logs / "work.log").exists()
        until((logs / "work.log").exists, 30)
        live.send_signal(signal.SIGINT)
        assert live.wait(90) == 3
        assert live.stdout is not None
        assert "training runs on this machine (pid " in live.stdout.read()


def test_what_only_a_person_can_answer_ends_it_at_once_with_what_to_do(
    tmp_path: Path, make_project: Callable[..., Project]
) -> None:
    (tmp_path / "profile.toml").write_text(PROFILE, "utf-8")
    pages = {**paper("/story/1"), "/robots.txt": ROBOTS}
    with Loopback(pages) as site:
        make_project(SETTINGS.format(site=site.url))
        began = time.monotonic()
        ended = run_cli("live", cwd=tmp_path)
    assert ended.returncode == 2 and time.monotonic() - began < 40
    assert "`kkoracle crawl` does not begin" in ended.stderr
    assert "run `kkoracle crawl paper` in a terminal" in ended.stderr


def test_killed_while_the_site_does_not_answer_it_leaves_nobody_behind(
    tmp_path: Path,
    make_project: Callable[..., Project],
    popen: Callable[..., subprocess.Popen[str]],
) -> None:
    (tmp_path / "profile.toml").write_text(PROFILE, "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        folder = make_project(SETTINGS.format(site=url)).archive_dir("paper")
        live = popen("-m", "kkoracle", "live", cwd=tmp_path)
        notes = folder / "live" / "children.json"
        until(lambda: notes.exists() and b"work" in notes.read_bytes(), 60)
        asked, _ = deaf.accept()
        with asked:
            live.kill()
            live.wait()
            for pid in json.loads(notes.read_bytes()).values():
                until(lambda pid=pid: not is_running(pid), 30)  # type: ignore[misc]
