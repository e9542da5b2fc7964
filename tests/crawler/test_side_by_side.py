"""Several archives at once: the pace of a host is one, and each archive is its own."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from crawler.fetch.hosts import HostPace
from exchange.store.spool import Spool
from tests.conftest import run_cli, until
from tests.crawler.harness import PROFILE
from tests.crawler.loopback import Answer, Loopback, index, paper, story

DELAY = 0.1
CONFIG = """data = "data"
[crawl]
contact = "tests@example.org"
delay = 0.1
retry_s = 0.2
min_free_mb = 0
[plan]
dense = 0
"""


def write_project(folder: Path, **archives: str) -> None:
    """A config file, and a profile of each archive's name for its address."""
    (folder / "kkoracle.toml").write_text(CONFIG)
    for name, url in archives.items():
        (folder / f"{name}.toml").write_text(
            PROFILE.replace("http://127.0.0.1:1", url.partition("#")[0]).replace(
                'start = ["/"]', f'start = ["/{url.partition("#")[2]}"]'
            )
        )


def two_papers(count: int) -> dict[str, Any]:
    """Two newspapers of one host, each with a start page of its own."""
    first = [f"/story/{number}" for number in range(1, count + 1)]
    second = [f"/story/{number}" for number in range(101, count + 101)]
    routes: dict[str, Any] = {"/a": index(*first), "/b": index(*second)}
    return routes | {link: story(int(link.rpartition("/")[2])) for link in (*first, *second)}


def stories_of(folder: Path, archive: str) -> int:
    spool = Spool.read(folder / "data" / archive)
    try:
        return spool.counters().get("stories", 0)
    finally:
        spool.close()


def start(popen: Callable[..., Any], folder: Path, *words: str) -> Any:
    return popen("-m", "kkoracle", "crawl", *words, cwd=folder)


def all_there(folder: Path, **wanted: int) -> Callable[[], bool]:
    def look() -> bool:
        try:
            return all(stories_of(folder, name) == count for name, count in wanted.items())
        except Exception:  # its spool is not made yet
            return False

    return look


def test_archives_of_one_host_share_its_pace_and_the_other_keeps_its_own(
    tmp_path: Path, popen: Callable[..., Any]
) -> None:
    other = paper(*(f"/story/{number}" for number in range(1, 21)))
    with Loopback(two_papers(50)) as shared, Loopback(other) as alone:
        write_project(tmp_path, one=f"{shared.url}#a", two=f"{shared.url}#b", three=alone.url)
        process = start(popen, tmp_path, "one", "two", "three", "--accept-opt-outs")
        until(all_there(tmp_path, one=50, two=50, three=20), 60, process)
        process.send_signal(signal.SIGINT)  # the tasks wait for a worker, which is not there
        assert process.wait(30) == 3
        said = process.stdout.read()
        for site in (shared, alone):
            gaps = [later - earlier for earlier, later in pairwise(site.times())]
            # Of several processes on a busy machine a request may reach the server late.
            assert sum(gap < 0.5 * DELAY for gap in gaps) <= 2, gaps
            assert sum(gaps) / len(gaps) > 0.95 * DELAY, said
        # Both got their turns, once both had begun: neither waited for the other's end.
        asked = [path for _, path, _ in shared.log if path.startswith("/story/")]
        begun = max(asked.index("/story/1"), asked.index("/story/101"))
        turns = asked[begun : begun + 20]
        assert 4 <= sum(int(path.rpartition("/")[2]) > 100 for path in turns) <= 16, asked
        assert all(f"{name}: pages" in said for name in ("one", "two", "three"))


def test_a_host_that_asks_one_archive_to_wait_is_left_alone_by_all(
    tmp_path: Path, popen: Callable[..., Any]
) -> None:
    routes = two_papers(10)
    refused: list[float] = []

    def busy(request: Any, nth: int) -> Answer:
        if nth == 1:
            refused.append(time.time())
            return Answer("later", 429, headers={"Retry-After": "3"})
        return story(3)

    with Loopback(routes | {"/story/3": busy}) as shared:
        write_project(tmp_path, one=f"{shared.url}#a", two=f"{shared.url}#b")
        process = start(popen, tmp_path, "one", "two", "--accept-opt-outs")
        until(all_there(tmp_path, one=10, two=10), 60, process)
        process.terminate()
        assert process.wait(30) == 3
        # What was under way as it refused may still come in; then nothing for three seconds.
        quiet = [at for at in shared.times() if refused[0] + 0.3 < at < refused[0] + 2.8]
        assert not quiet


def test_one_that_fails_stops_no_other_and_is_named(
    tmp_path: Path, popen: Callable[..., Any]
) -> None:
    with Loopback(paper("/story/1", "/story/2")) as site:
        write_project(tmp_path, good=site.url, gone="http://127.0.0.1:9")
        process = start(popen, tmp_path, "gone", "good", "--accept-opt-outs")
        until(all_there(tmp_path, good=2), 60, process)
        process.terminate()
        assert process.wait(30) == 1
        said = process.stdout.read()
        assert "gone: kkoracle: cannot reach http://127.0.0.1:9" in said
        assert "kkoracle: gone failed, as said above" in said


def test_children_end_with_their_parent(tmp_path: Path, popen: Callable[..., Any]) -> None:
    with Loopback(two_papers(30)) as shared:
        write_project(tmp_path, one=f"{shared.url}#a", two=f"{shared.url}#b")
        process = start(popen, tmp_path, "one", "two", "--accept-opt-outs")
        until(lambda: len(shared.log) > 10, 60, process)
        process.kill()
        until(lambda: time.time() - shared.times()[-1] > 4, 30)
        again = start(popen, tmp_path, "one", "two", "--accept-opt-outs")
        until(all_there(tmp_path, one=30, two=30), 60, again)
        again.terminate()
        assert again.wait(30) == 3
        assert max(shared.visits()[f"/story/{n}"] for n in range(1, 31)) <= 2


def test_what_is_one_newspapers_is_refused_for_several(tmp_path: Path) -> None:
    write_project(tmp_path, one="http://127.0.0.1:9", two="http://127.0.0.1:9")
    for flag in (("--profile", "x.toml"), ("--base-url", "http://x.y"), ("--re-extract",)):
        refused = run_cli("crawl", "one", "two", *flag, cwd=tmp_path)
        assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1, refused.stderr


def test_slots_of_a_host_are_taken_one_after_the_other(tmp_path: Path) -> None:
    first, second = HostPace(tmp_path), HostPace(tmp_path)
    assert first.take_slot("http://x", 10.0) == 0
    assert second.take_slot("http://x", 1.0) == pytest.approx(10, abs=0.5)  # the first's gap
    assert first.take_slot("http://x", 10.0) == pytest.approx(10, abs=0.5)
    assert first.take_slot("http://y", 10.0) == 0
    assert first.pause_left("http://x") <= 0
    second.pause("http://x", 60)
    first.pause("http://x", 5)
    assert first.pause_left("http://x") == pytest.approx(60, abs=0.5)
    assert first.pause_left("http://y") <= 0


def test_a_time_of_before_a_restart_holds_nobody_up(tmp_path: Path) -> None:
    pace = HostPace(tmp_path)
    pace.take_slot("http://x", 1.0)
    (path,) = [one for one in (tmp_path / HostPace.FOLDER).iterdir() if not one.suffix]
    for content in ("9e9 1.0 9e9 http://x\n", "", "x y z", "nan nan nan", "1 inf 1", "\x00"):
        path.write_text(content)
        assert pace.pause_left("http://x") <= 0
        assert pace.take_slot("http://x", 1.0) == 0


def test_a_slot_takes_next_to_nothing(tmp_path: Path) -> None:
    pace = HostPace(tmp_path)
    before = time.process_time()
    for _ in range(200):
        pace.take_slot("http://x", 0.0)
    assert (time.process_time() - before) / 200 < 0.005
