"""A new issue goes all the way by itself: found, fetched, extracted, generated, collected."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from exchange.project import Project
from exchange.store.spool import open_tasks
from kkoracle.demo.progress import spool_counters
from tests.crawler.harness import PROFILE
from tests.crawler.loopback import Answer, Loopback, paper, story
from tests.workers.endpoint import Endpoint


def wait_for(folder: Path, stories: int, *processes: subprocess.Popen[str]) -> None:
    """Until so many stories are there and no task is open."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = spool_counters(folder)
        done = found.get("tasks.done", 0) + found.get("tasks.failed", 0)
        if found.get("stories") == stories and done >= stories and not open_tasks(found):
            return
        assert all(process.poll() is None for process in processes)
        time.sleep(0.2)
    raise AssertionError(spool_counters(folder))


def test_a_story_that_appears_while_following_is_generated_and_collected(
    tmp_path: Path,
    make_project: Callable[..., Project],
    popen: Callable[..., subprocess.Popen[str]],
) -> None:
    (tmp_path / "profile.toml").write_text(
        PROFILE.replace('start = ["/"]', 'start = ["/"]\nfeeds = ["/rss"]'), "utf-8"
    )
    with Loopback(paper("/story/1")) as site, Endpoint() as endpoint:
        site.routes["/rss"] = Answer("<rss></rss>", kind="application/rss+xml")
        project = make_project(
            f'[crawl]\ncontact = "t@example.org"\ndelay = 0.0\nmin_free_mb = 0\nevery = "2s"\n'
            f'profile = "profile.toml"\nbase_url = "{site.url}"\n'
        )
        folder = project.archive_dir("paper")
        crawl = popen("-m", "kkoracle", "crawl", "--follow", cwd=tmp_path)
        work = popen(
            "-m",
            "kkoracle",
            "work",
            cwd=tmp_path,
            KKORACLE_WORK_ENGINE="openai",
            KKORACLE_WORK_URL=endpoint.url,
        )
        wait_for(folder, 1, crawl, work)
        site.routes["/story/2"] = story(2)
        site.routes["/rss"] = Answer(
            "<rss><item><link>/story/2</link></item></rss>", kind="application/rss+xml"
        )
        wait_for(folder, 2, crawl, work)
        crawl.send_signal(signal.SIGINT)
        assert crawl.wait(60) == 3
        assert crawl.stdout is not None
        said = crawl.stdout.read()
        assert "looks again at" in said and "`kkoracle crawl paper --follow` goes on" in said
        assert max(count for path, count in site.visits().items() if "story" in path) == 1
