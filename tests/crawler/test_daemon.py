from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from pathlib import Path

import pytest
from aiohttp import web

from crawler.daemon import run_daemon
from crawler.frontier import pages
from crawler.status.report import read_counters
from exchange.errors import UsageError, UserError
from exchange.lock import FileLock
from exchange.planning.planner import adopt_recipe
from exchange.recipes.recipe import Recipe
from exchange.store import db
from exchange.store.spool import Spool
from tests.crawler.harness import PROFILE, crawl, make_project, run_crawl, settings, stories
from tests.crawler.loopback import Answer, Loopback, index, paper, story
from tests.servers import free_port


def test_an_unreachable_site_is_told_in_one_line(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(UserError) as caught:
        crawl(tmp_path, url)
    assert str(caught.value).startswith(f"cannot reach {url} (connect): check the network")
    assert caught.value.exit_code == 1
    assert read_counters(tmp_path / "paper") == {"pages.waiting": 1}


async def later(request: web.Request) -> web.Response:
    return story(int(request.match_info["n"])).response()


def test_a_site_that_goes_away_is_waited_for_and_counted(tmp_path: Path) -> None:
    async def away_and_back() -> None:
        site = Loopback(paper("/story/1", "/story/2", "/story/3"))
        site.__enter__()
        wanted = settings(tmp_path, site.url, delay=0.3, retry_s=0.2)
        task = asyncio.create_task(run_crawl(tmp_path, wanted))
        while not any(path == "/story/1" for _, path, _ in site.log):
            await asyncio.sleep(0.02)
        await asyncio.to_thread(site.__exit__)
        await asyncio.sleep(1.0)
        assert not task.done()
        port = int(site.url.rsplit(":", 1)[1])
        runner = web.AppRunner(app := web.Application())
        app.router.add_get("/story/{n}", later)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
        assert await asyncio.wait_for(task, 30) == 0
        await runner.cleanup()

    asyncio.run(away_and_back())
    assert read_counters(tmp_path / "paper")["retry.connect"] >= 1
    assert len(stories(tmp_path)) == 3


def test_a_page_that_hangs_extraction_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    cubic = "//h2[count(//i[count(//i[count(//i) > 1]) > 1]) > 1]"
    profile = PROFILE + f"section = '{cubic}'\n"
    slow = "<h2>a</h2>" + "<i>b</i>" * 3000
    evil = Answer(f"<h1>Κακό</h1>{slow}<div class=text>ένα δύο τρία τέσσερα πέντε</div>")
    with Loopback(paper("/story/1", "/story/2", "/story/3") | {"/story/2": evil}) as site:
        counters = crawl(tmp_path, site.url, profile, extract_s=2.0)
    assert counters["text.hung"] == 1
    assert counters["text.done"] == 2
    assert {s.title for s in stories(tmp_path)} == {"Τίτλος 1", "Τίτλος 3"}


def test_two_daemons_of_one_archive_do_not_run_together(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / "paper" / "daemon.lock"),
        pytest.raises(UserError, match=rf"paper runs already \(pid {os.getpid()}\)"),
    ):
        crawl(tmp_path, "http://127.0.0.1:1")


def test_without_fetching_no_contact_is_needed_and_nothing_is_asked(tmp_path: Path) -> None:
    with Loopback(paper("/story/1")) as site:
        wanted = settings(tmp_path, site.url, contact="")
        assert asyncio.run(run_crawl(tmp_path, wanted, fetch=False)) == 0
        assert site.log == []
        with pytest.raises(UsageError, match="contact"):
            asyncio.run(run_crawl(tmp_path, wanted))


def generate_something(folder: Path) -> None:
    """A completion that another text or prompt would throw away."""
    spool = Spool.open(folder / "paper")
    with spool.transaction():
        spool.db.execute(
            "INSERT INTO tasks(id, kind, subject, recipe, year, length, state) "
            "VALUES ('t', 'replay', 's', 'r', 0, 1, 'failed')"
        )
        spool.db.execute("INSERT INTO completions(task_id, record) VALUES ('t', x'00')")
    spool.close()


def test_a_changed_profile_extracts_again_from_disk_and_asks_only_where_work_would_be_lost(
    tmp_path: Path,
) -> None:
    retitled = PROFILE.replace("'//h1'", "'//p[2]'")
    shorter = retitled.replace('//div[@class="text"]', '//div[@class="text"]/p[1]')
    with Loopback(paper("/story/1")) as site:
        crawl(tmp_path, site.url)
        before = stories(tmp_path)
        asked = len(site.log)
        crawl(tmp_path, site.url, shorter)  # nothing was generated: nothing to ask
        assert stories(tmp_path)[0].text != before[0].text
        crawl(tmp_path, site.url)
        generate_something(tmp_path)
        crawl(tmp_path, site.url, retitled)  # every chunk stays what it was
        assert stories(tmp_path)[0].title == "Δεύτερη παράγραφος, αριθμός 1."
        with pytest.raises(UsageError, match=r"--re-extract` .*1 stale"):
            crawl(tmp_path, site.url, shorter)
        wanted = settings(tmp_path, site.url, shorter)
        assert asyncio.run(run_crawl(tmp_path, wanted, re_extract=True)) == 0
        after = stories(tmp_path)
        with pytest.raises(UsageError, match="--re-extract"):
            crawl(tmp_path, site.url)
        assert len(site.log) == asked
    assert [s.id for s in after] == [s.id for s in before]


def test_an_archive_of_an_earlier_kkoracle_goes_on_with_its_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = paper("/story/1", "/story/2", "/story/3")
    missing = {link: answer for link, answer in routes.items() if link != "/story/3"}
    with Loopback(missing) as site:
        with monkeypatch.context() as patch:
            patch.setattr("crawler.profile.CODE_VERSION", "2")
            crawl(tmp_path, site.url)
        raw = pages.connect(tmp_path / "paper")
        with db.transaction(raw):
            raw.execute("DELETE FROM notes")  # an older one kept none
        generate_something(tmp_path)
        before = stories(tmp_path)
        with Loopback(routes) as grown:
            crawl(tmp_path, grown.url, retry_failed=True)
            spool = Spool.read(tmp_path / "paper")
            states = {chunk.story_id for chunk in spool.chunks("stale")}
            spool.close()
            versions = [row[0] for row in raw.execute("SELECT DISTINCT extraction FROM pages")]
            now = {story.id: story for story in stories(tmp_path)}
            assert len(now) == 3 and all(now[story.id] == story for story in before)
            assert states == set()
            assert len([version for version in versions if version]) == 1
            wanted = settings(tmp_path, grown.url)
            assert asyncio.run(run_crawl(tmp_path, wanted, fetch=False, re_extract=True)) == 0
        renewed = [row[0] for row in raw.execute("SELECT DISTINCT extraction FROM pages")]
        raw.close()
    assert set(renewed).isdisjoint(set(versions) - {""})


def test_a_changed_recipe_is_told_before_anything_is_generated_anew(tmp_path: Path) -> None:
    with Loopback(paper("/story/1")) as site:
        crawl(tmp_path, site.url)
    spool = Spool.open(tmp_path / "paper")
    one, two, three = (Recipe(name * 6, "p", "", "", "m") for name in "abc")
    adopt_recipe(spool, one, "paper", adopt=False)
    adopt_recipe(spool, two, "paper", adopt=False)  # nothing was generated yet
    assert spool.counters()["tasks.new"] == 1
    generate_something(tmp_path)
    with pytest.raises(UsageError, match=r"1 chunks would be generated anew.*--new-recipe"):
        adopt_recipe(spool, three, "paper", adopt=False)
    adopt_recipe(spool, three, "paper", adopt=True)
    assert spool.meta("recipe") == "cccccc"
    assert spool.counters()["tasks.new"] == 1


def test_low_disk_holds_fetching_and_says_so(tmp_path: Path) -> None:
    seen: list[str] = []

    async def look(url: str) -> None:
        wanted = settings(tmp_path, url, min_free_mb=10**9)
        task = asyncio.create_task(
            run_crawl(tmp_path, wanted, on_snapshot=lambda now: seen.append(now.hold))
        )
        await asyncio.sleep(0.8)
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])

    with Loopback(paper(*(f"/story/{n}" for n in range(50)))) as site:
        asyncio.run(look(site.url))
        assert len(site.log) < 50
    assert any("B of disk free" in hold for hold in seen)


def test_years_take_turns_when_the_settings_say_so(tmp_path: Path) -> None:
    profile = PROFILE.replace(
        "path = '/story/", 'date = "d"\npath = \'/story/(?P<d>\\d{4}-\\d\\d-\\d\\d)/'
    )
    links = [f"/story/{year}-01-0{n}/{year}{n}" for year in (1999, 2005) for n in range(1, 5)]
    routes = paper() | {link: story(n) for n, link in enumerate(links)}
    routes["/"] = index(*links)
    with Loopback(routes) as site:
        crawl(tmp_path, site.url, profile, by_year=True, concurrency=1)
        asked = [path.split("/")[2][:4] for _, path, _ in site.log if path.startswith("/story/")]
    assert asked == ["1999", "2005"] * 4


def test_a_full_disk_is_one_line_and_nothing_is_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own limit on the file's pages raises the same error as a full disk."""
    from crawler.frontier import pages

    real = pages.connect

    def small(directory: Path) -> sqlite3.Connection:
        connection = real(directory)
        used = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={used + 8}")
        return connection

    monkeypatch.setattr(pages, "connect", small)
    words = random.Random(1).choices(range(10**6), k=60_000)
    big = {
        f"/story/{n}": Answer(f"<div class=text>{words[n * 9000 : n * 9000 + 9000]}</div>")
        for n in range(6)
    }
    with Loopback(paper(*big) | big) as site, pytest.raises(UserError, match="disk") as caught:
        crawl(tmp_path, site.url)
    assert caught.value.exit_code == 1
    monkeypatch.setattr(pages, "connect", real)
    with Loopback(paper(*big) | big) as site:
        crawl(tmp_path, site.url)
    assert len(stories(tmp_path)) == 6


def test_the_daemon_reports_while_it_runs(tmp_path: Path) -> None:
    seen: list[int] = []
    with Loopback(paper("/story/1")) as site:
        wanted = settings(tmp_path, site.url)
        work = run_daemon(
            make_project(tmp_path),
            "paper",
            wanted,
            generate=False,
            on_snapshot=lambda now: seen.append(now.stories),
        )
        asyncio.run(work)
    assert seen[-1] == 1
