"""Extracting anew: what is foretold is what happens, and text that comes back brings its pairs."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from crawler.extract import forecast
from crawler.extract.forecast import ReExtractionForecast
from crawler.frontier import pages
from crawler.profile import Profile
from crawler.profiles import load
from exchange.records import Pair, Task
from exchange.store.spool import Spool
from tests.conftest import run_cli
from tests.crawler.harness import PROFILE, crawl, run_crawl, settings
from tests.crawler.loopback import Loopback, paper

SMALL = PROFILE + "\n[chunk]\nsize = 80\n"
FIRST_ONLY = SMALL.replace("'//div[@class=\"text\"]'", "'//div[@class=\"text\"]/p[1]'")
LINKS = tuple(f"/story/{n}" for n in range(1, 9))


def version(folder: Path, text: str) -> Profile:
    return load(settings(folder, "http://127.0.0.1:1", text), "paper")


def foretell(folder: Path, text: str) -> ReExtractionForecast | None:
    wanted = settings(folder, "http://127.0.0.1:1", text)
    return forecast.forecast_re_extraction(folder / "paper", "paper", version(folder, text), wanted)


def again(folder: Path, url: str, text: str) -> dict[str, int]:
    wanted = settings(folder, url, text)
    assert asyncio.run(run_crawl(folder, wanted, fetch=False, re_extract=True)) == 0
    return Spool.read(folder / "paper").counters()


def test_what_is_foretold_is_what_happens_and_nothing_is_written_for_it(tmp_path: Path) -> None:
    with Loopback(paper(*LINKS)) as site:
        crawl(tmp_path, site.url, SMALL)
        asked = len(site.log)
        before = Spool.read(tmp_path / "paper").counters()
        told = foretell(tmp_path, FIRST_ONLY)
        assert Spool.read(tmp_path / "paper").counters() == before
        after = again(tmp_path, site.url, FIRST_ONLY)
        back = foretell(tmp_path, SMALL)
        restored = again(tmp_path, site.url, SMALL)
        assert len(site.log) == asked
    assert told is not None and back is not None
    assert (told.pages, told.looked_at) == (8, 8)
    assert told.kept + told.stale == before["chunks.live"]
    assert after["chunks.live"] == told.kept + told.new
    assert after["chunks.stale"] == told.stale > 0
    assert (back.new, back.reclaimed) == (0, told.stale)
    assert restored["chunks.live"] == before["chunks.live"]
    assert "nothing to generate" in back.line() and "reclaimed" in back.line()
    assert foretell(tmp_path, SMALL) is None


def test_reclaimed_chunks_have_their_pairs_and_no_second_task(tmp_path: Path) -> None:
    with Loopback(paper("/story/1")) as site:
        crawl(tmp_path, site.url, SMALL)
        spool = Spool.open(tmp_path / "paper")
        spool.adopt_recipe("aaaaaa")
        chunk = list(spool.chunks())[-1]
        task = Task.make_id("chunk", (chunk.id,), "aaaaaa")
        pair = Pair(
            id="p1",
            task_id=task,
            chunk_ids=(chunk.id,),
            question="Τι;",
            answer="Αυτό.",
            kind="fact",
            status="accepted",
        )
        with spool.transaction():
            spool.db.execute("UPDATE tasks SET state='done' WHERE id=?", (task,))
            spool.db.execute(
                "INSERT INTO pairs(id, task_id, story_id, status, reason, record) "
                "VALUES (?,?,?,'accepted','',?)",
                (pair.id, task, chunk.story_id, pair.to_json()),
            )
        again(tmp_path, site.url, FIRST_ONLY)
        assert chunk.id in {c.id for c in spool.chunks("stale")}
        assert [p.id for p, _ in spool.pairs()] == ["p1"]
        again(tmp_path, site.url, SMALL)
        assert chunk.id in {c.id for c in spool.chunks()}
        states = spool.db.execute("SELECT state FROM tasks WHERE subject=?", (chunk.id,))
        assert [row["state"] for row in states] == ["done"]
        spool.close()


def test_a_chunk_reclaimed_under_another_recipe_gets_a_task_of_it(tmp_path: Path) -> None:
    with Loopback(paper("/story/1")) as site:
        crawl(tmp_path, site.url, SMALL)
        spool = Spool.open(tmp_path / "paper")
        spool.adopt_recipe("aaaaaa")
        again(tmp_path, site.url, FIRST_ONLY)
        spool.adopt_recipe("bbbbbb")
        again(tmp_path, site.url, SMALL)
        rows = spool.db.execute("SELECT COUNT(*) FROM tasks WHERE recipe='bbbbbb' AND state='new'")
        assert rows.fetchone()[0] == len(list(spool.chunks()))
        spool.close()


def test_large_archives_are_estimated_from_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast, "SAMPLE_PAGES", 4)
    with Loopback(paper(*LINKS)) as site:
        crawl(tmp_path, site.url, SMALL)
    told = foretell(tmp_path, FIRST_ONLY)
    assert told is not None and (told.pages, told.looked_at) == (8, 4)
    assert "estimated from 4" in told.line()


def test_hours_come_from_the_pace_of_the_last_completions() -> None:
    start = dt.datetime(2026, 1, 1)
    moments = [start + dt.timedelta(seconds=6 * n) for n in range(50)]
    night = [moments[-1] + dt.timedelta(hours=8, seconds=6 * n) for n in range(50)]
    assert forecast.pace([*moments, *night]) == pytest.approx(600)
    assert forecast.pace(moments[:5]) is None


def test_the_command_shows_it_and_needs_a_yes(tmp_path: Path) -> None:
    with Loopback(paper(*LINKS)) as site:
        crawl(tmp_path, site.url, SMALL)
        settings(tmp_path, site.url, FIRST_ONLY)  # writes profile.toml
        config = f'data = "{tmp_path}"\narchive = "paper"\n[crawl]\nprofile = "profile.toml"\n'
        (tmp_path / "kkoracle.toml").write_text(config, "utf-8")
        said = run_cli("crawl", "--no-fetch", "--re-extract", cwd=tmp_path)
    assert said.returncode == 2, said.stderr
    assert "extracting anew: 8 pages: " in said.stdout
    assert "--yes" in said.stderr and said.stderr.count("\n") == 1
    raw = pages.connect(tmp_path / "paper")
    assert raw.execute("SELECT COUNT(*) FROM pages WHERE text='waiting'").fetchone()[0] == 0
    raw.close()
