"""The README's way on two newspapers that nobody has a profile for, each command as it is printed.

A site and a contact are all that is given: from `archive probe` to pairs that passed every check.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.store.spool import Spool
from exchange.store.tasks import settled_language
from tests.conftest import run_cli
from tests.crawler.loopback import Answer, Loopback
from tests.kkoracle.small_papers import ENGLISH, JAPANESE, STORIES, SmallPaper, write_pair
from tests.workers.endpoint import Endpoint

CONTACT = ("--contact", "you@example.org")
QUICK = Answer("User-agent: *\nAllow: /", kind="text/plain")


def said(*command: str, cwd: Path) -> str:
    done = run_cli(*command, cwd=cwd, KKORACLE_CRAWL_DELAY="0")
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("paper", "notes"),
    [
        (ENGLISH, ["its language is English (en)"]),
        (JAPANESE, ["its language is Japanese (ja)", "the general ones, in English"]),
    ],
    ids=["english", "japanese"],
)
def test_from_an_address_to_accepted_pairs_with_no_setting_guessed(
    tmp_path: Path,
    paper: SmallPaper,
    notes: list[str],
    popen: Callable[..., subprocess.Popen[str]],
) -> None:
    with Loopback({"/robots.txt": QUICK, **paper.routes()}) as site, Endpoint() as endpoint:
        endpoint.reply = write_pair
        probed = said("archive", "probe", site.url, *CONTACT, cwd=tmp_path)
        learned = said("archive", "learn", site.url, *CONTACT, cwd=tmp_path)
        for note in notes:
            assert note in probed and note in learned
        (profile,) = re.findall(r"next: kkoracle init (\S+\.toml) --contact", learned)
        said("init", profile, *CONTACT, cwd=tmp_path)
        learn = f"`kkoracle archive learn {site.url} --contact you@example.org`"
        assert learn in probed and f"--contact {CONTACT[1]}, then kkoracle doctor" in learned
        assert "nothing can be told yet" in said("estimate", cwd=tmp_path)
        work = popen(
            *("-m", "kkoracle", "work", "--engine", "openai", "--url", endpoint.url), cwd=tmp_path
        )
        crawled = said("crawl", cwd=tmp_path)
        work.send_signal(signal.SIGINT)
        assert f"all done: {STORIES} stories" in crawled
        assert "next: `kkoracle dataset build`" in crawled
        (folder,) = (path.parent for path in tmp_path.glob("kkoracle-data/*/spool.sqlite"))
        spool = Spool.read(folder)
        try:
            assert settled_language(spool) == paper.language
            kept = [pair for pair, _ in spool.pairs() if pair.kind != "replay"]
            stories = {story.title: story for story in spool.stories()}
        finally:
            spool.close()
        assert len(kept) >= 0.8 * STORIES
        assert all(
            story.author and story.published and not story.marks for story in stories.values()
        )
        assert run_cli("status", cwd=tmp_path).returncode == 0
        asked = [body["messages"][-1]["content"] for body in endpoint.bodies]
        wanted = "in Japanese" if paper is JAPANESE else "answer in English"
        assert any(wanted in prompt for prompt in asked)
