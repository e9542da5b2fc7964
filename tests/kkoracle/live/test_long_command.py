"""`kkoracle live` as a person starts it: a real site, a real queue, and an endpoint that writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.project import Project
from kkoracle.live.record import read_mornings
from tests.conftest import run_cli, until
from tests.crawler.harness import PROFILE
from tests.crawler.loopback import Loopback, paper
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
        children = json.loads((folder / "live" / "children.json").read_bytes())
        assert {"crawl", "work"} <= children.keys()
        live.send_signal(signal.SIGINT)
        assert live.wait(90) == 3
        assert not (folder / "live" / "children.json").exists()
        for name in ("crawl", "work"):
            with pytest.raises(ProcessLookupError):
                os.kill(children[name], 0)
