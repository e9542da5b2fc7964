"""Language is one fact: told by the pages, noted once, followed by all, and never contradicted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from crawler.language import settled_profile
from exchange.errors import UsageError
from exchange.project import Project
from exchange.settings import Config, GeneralSettings, RedisSettings
from exchange.store.spool import Spool
from exchange.store.tasks import settled_language
from tests.conftest import run_cli
from tests.crawler.harness import PROFILE, crawl, make_project, run_crawl, settings, stories
from tests.crawler.loopback import Answer, Loopback, Route, index

OPEN = PROFILE.replace('language = "el"\n', "")
JAPANESE = "漁港の町では、朝早く船が出た。町長の山田一郎さんは岸壁で手を振った。{n}人の客がいた。"
ENGLISH = "The boats of the town left the port at dawn and mayor {n} Hill was on the quay."


def site(text: str, count: int, tag: str = "") -> dict[str, Route]:
    links = [f"/story/{n}" for n in range(1, count + 1)]
    head = f"<html lang='{tag}'>" if tag else "<html>"
    pages: dict[str, Route] = {"/": index(*links)}
    for n, link in enumerate(links, 1):
        body = "".join(f"<p>{text.format(n=n)}</p>" for _ in range(3))
        pages[link] = Answer(f"{head}<h1>{n}</h1><div class='text'>{body}</div></html>".encode())
    return pages


def language(folder: Path) -> str:
    spool = Spool.read(folder / "paper")
    try:
        return settled_language(spool)
    finally:
        spool.close()


@pytest.mark.parametrize(
    ("text", "tag", "expected"), [(JAPANESE, "", "ja"), (ENGLISH, "en-GB", "en")]
)
def test_a_crawl_takes_the_language_of_its_first_pages_and_asks_for_none_twice(
    tmp_path: Path, text: str, tag: str, expected: str
) -> None:
    with Loopback(site(text, 14, tag)) as paper:
        crawl(tmp_path, paper.url, OPEN)
        assert set(paper.visits().values()) == {1}
    assert language(tmp_path) == expected
    found = stories(tmp_path)
    assert len(found) == 14 and all(not story.marks for story in found)
    again = make_project(tmp_path)
    assert again.language("paper") == expected
    assert (
        settled_profile(again, "paper", settings(tmp_path, "http://x", OPEN)).language == expected
    )


def test_an_archive_without_a_page_has_no_language_yet(tmp_path: Path) -> None:
    with Loopback({"/": index()}) as paper:
        crawl(tmp_path, paper.url, OPEN)
    assert language(tmp_path) == "" and make_project(tmp_path).language("paper") == "el"


def test_settings_that_contradict_each_other_are_one_line_that_names_both(tmp_path: Path) -> None:
    with Loopback(site(ENGLISH, 2)) as paper:
        with pytest.raises(UsageError, match=r"`language` in the profile .* crawl\.language"):
            crawl(tmp_path, paper.url, language="en")  # its profile says el
        assert paper.log == []
        wanted = settings(tmp_path, paper.url, OPEN, language="en")
        persona = Config({"persona": {"language": "el"}}, None, {})
        greek = Project(
            persona, GeneralSettings(data=tmp_path), RedisSettings(), make_project(tmp_path).recipe
        )
        from crawler.daemon import run_daemon

        with pytest.raises(UsageError, match=r"crawl\.language.*persona\.language"):
            asyncio.run(run_daemon(greek, "paper", wanted, generate=False))
        assert asyncio.run(run_crawl(tmp_path, wanted)) == 0
        with pytest.raises(UsageError, match=r'persona\.language is "el".*paper is "en"'):
            greek.language("paper")


def test_an_import_reads_its_language_or_is_told(tmp_path: Path) -> None:
    (tmp_path / "kkoracle.toml").write_text('data = "data"\n', "utf-8")
    files = tmp_path / "files"
    files.mkdir()
    for n in range(3):
        (files / f"{n}.txt").write_text("\n\n".join([ENGLISH.format(n=n)] * 4), "utf-8")
    said = run_cli("import", "files", "told", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "its language is English (en)" in said.stderr
    named = run_cli("import", "files", "named", "--language", "de", cwd=tmp_path)
    assert named.returncode == 0, named.stderr
    for archive, expected in (("told", "en"), ("named", "de")):
        spool = Spool.read(tmp_path / "data" / archive)
        assert settled_language(spool) == expected
        assert spool.counters()["chunks.live"] > 0
        spool.close()


def test_a_profile_for_files_needs_neither_kinds_nor_an_address(tmp_path: Path) -> None:
    (tmp_path / "kkoracle.toml").write_text(
        'data = "data"\n[crawl]\nprofile = "files.toml"\ncontact = "t@example.org"\n', "utf-8"
    )
    (tmp_path / "files.toml").write_text('name = "The Gazette"\nlanguage = "en"\n', "utf-8")
    (tmp_path / "a.txt").write_text("\n\n".join([ENGLISH.format(n=1)] * 4), "utf-8")
    said = run_cli("import", "a.txt", "scans", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    spool = Spool.read(tmp_path / "data" / "scans")
    assert next(iter(spool.chunks())).header.startswith("The Gazette")
    spool.close()
    crawled = run_cli("crawl", "scans", cwd=tmp_path)
    assert crawled.returncode == 2 and "names no kinds" in crawled.stderr
